//! What was looked at, as answers carry it.

use std::fmt;

use deploy_core::preflight::{Check, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

/// What was looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Looked {
    what: String,
    expected: String,
    found: String,
    /// fits, doubtful, unfit or not_looked
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Looked {
    pub(super) fn of(check: &Check) -> Self {
        let Check { what, expected, found, verdict, next } = check.clone();
        let verdict = match verdict {
            Verdict::Fits => "fits",
            Verdict::Doubtful => "doubtful",
            Verdict::Unfit => "unfit",
            Verdict::NotLooked => "not_looked",
        };
        Self { what, expected, found, verdict, next }
    }

    /// The verdict that counts most.
    pub(super) fn worst(all: &[Self]) -> &'static str {
        let has = |verdict: &&str| all.iter().any(|check| check.verdict == *verdict);
        ["unfit", "not_looked", "doubtful"].into_iter().find(|it| has(it)).unwrap_or("fits")
    }

    /// A line each, whole, and below them what to do, each thing once.
    pub(super) fn write(all: &[Self], out: &mut String) {
        let lines: Vec<String> = all.iter().map(Self::line).collect();
        out.push_str(&lines.join("\n"));
        let mut told: Vec<&str> = Vec::new();
        for next in all.iter().filter_map(|check| check.next.as_deref()) {
            if !told.contains(&next) {
                out.push_str("\nNEXT ");
                out.push_str(next);
                told.push(next);
            }
        }
    }

    /// What does not fit is to be seen at once.
    fn line(&self) -> String {
        let Self { what, expected, found, verdict, next: _ } = self;
        let word = match *verdict {
            "fits" => String::from("fits"),
            other => other.replace('_', " ").to_uppercase(),
        };
        let line = if expected == found {
            format!("{word:<10} {what}: {found}, as expected")
        } else {
            format!("{word:<10} {what}: expected {expected}, found {found}")
        };
        // What was found may be words of others: a line end in them would begin a line of ours.
        line.replace(['\n', '\r'], "\\n")
    }
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, found, verdict, next: _ } = self;
        write!(f, "{verdict}: {what}, expected {expected}, found {found}")
    }
}

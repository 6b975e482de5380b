//! What was looked at, as answers carry it.

use std::fmt::{self, Write as _};

use deploy_core::preflight::{Check, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

use crate::table;

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

    /// A table, and below it what to do, each thing once.
    pub(super) fn write(all: &[Self], out: &mut String) {
        let rows = all.iter().map(|check| {
            let Self { what, expected, found, verdict, .. } = check;
            vec![(*verdict).to_owned(), what.clone(), expected.clone(), found.clone()]
        });
        table::write(out, &["", "what", "expected", "found"], rows);
        // Cells are cut, and what does not fit is to be read whole.
        for Self { what, expected, found, .. } in all.iter().filter(|it| it.verdict != "fits") {
            let _ = write!(out, "\n! {what}: expected {expected}, found {found}");
        }
        let mut told: Vec<&str> = Vec::new();
        for next in all.iter().filter_map(|check| check.next.as_deref()) {
            if !told.contains(&next) {
                out.push_str("\nNEXT ");
                out.push_str(next);
                told.push(next);
            }
        }
    }
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, found, verdict, next: _ } = self;
        write!(f, "{verdict}: {what}, expected {expected}, found {found}")
    }
}

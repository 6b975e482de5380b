//! Collections: checked against the definitions before anything is sent, started, read back.
//!
//! The server takes almost anything: unknown parameters vanish, a bad number becomes 0, a wrong
//! choice is only logged, an artifact of another kind is scheduled and never answers. So a
//! [`Collection`] is first turned into a [`Checked`] one, which fits the server's definitions.

use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use crate::artifacts::Definition;
use crate::flows::Request;
use crate::permission::Permission;

mod bounds;
mod check;
mod equal;
mod parameters;
mod start;

pub use bounds::InForce;
pub use check::{Target, check};
pub use equal::equal_recent;
pub use start::{Started, start};

/// What is to be collected.
#[derive(Clone, Debug, Default)]
pub struct Collection {
    /// The artifacts, each with its parameters. Values may be of the JSON type that suits the
    /// parameter, or texts.
    pub artifacts: IndexMap<String, IndexMap<String, Value>>,
    /// The bounds.
    pub limits: CollectionLimits,
    /// Whether it goes before other work on the client.
    pub urgent: bool,
}

/// Bounds of one collection on one client, as they are given. What holds where one is left out is
/// [`InForce`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CollectionLimits {
    /// How long it may work.
    pub timeout: Option<Duration>,
    /// How many rows it may give.
    pub max_rows: Option<u64>,
    /// How many bytes it may upload.
    pub max_bytes: Option<u64>,
    /// Percent of one processor that it may use.
    pub cpu_percent: Option<u8>,
}

impl CollectionLimits {
    /// Bounds that are none. Zero would be the server's word for its default.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let most = i64::MAX as u64;
        for (name, value) in [
            ("timeout", self.timeout.map(|span| span.as_secs())),
            ("max_rows", self.max_rows),
            ("max_bytes", self.max_bytes),
        ] {
            if let Some(value) = value.filter(|value| !(1..=most).contains(value)) {
                faults.push(format!("{name} is {value}, and is from 1 to {most}"));
            }
        }
        if let Some(percent) = self.cpu_percent.filter(|percent| !(1..=100).contains(percent)) {
            faults.push(format!("cpu_percent is {percent}, and is from 1 to 100"));
        }
        faults
    }

    /// What is different between these bounds and those that the server keeps. Of a bound that was
    /// left out the server's default is no difference.
    fn differ(&self, kept: &Request) -> Option<String> {
        let seconds = self.timeout.map(|span| span.as_secs());
        let cpu = self.cpu_percent.filter(|percent| f64::from(*percent) != kept.cpu_limit);
        if let Some(sent) = cpu {
            let kept = kept.cpu_limit;
            return Some(format!("cpu_percent was sent as {sent}, the server keeps {kept}"));
        }
        [
            ("timeout", seconds, kept.timeout),
            ("max_rows", self.max_rows, kept.max_rows),
            ("max_bytes", self.max_bytes, kept.max_upload_bytes),
        ]
        .into_iter()
        .find_map(|(name, sent, kept)| {
            let sent = sent.filter(|sent| *sent != kept)?;
            Some(format!("{name} was sent as {sent}, the server keeps {kept}"))
        })
    }
}

/// A collection that fits the definitions of its artifacts.
#[derive(Clone, Debug)]
pub struct Checked {
    definitions: Vec<Definition>,
    parameters: IndexMap<String, IndexMap<String, String>>,
    limits: CollectionLimits,
    urgent: bool,
    target: Target,
}

impl Checked {
    /// The definitions of the artifacts, in the order in which they were named.
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// The parameters as they are sent: by artifact, as texts.
    pub const fn parameters(&self) -> &IndexMap<String, IndexMap<String, String>> {
        &self.parameters
    }

    /// The bounds.
    pub const fn limits(&self) -> &CollectionLimits {
        &self.limits
    }

    /// What the artifacts ask for beside the permission to collect.
    pub fn permissions(&self) -> Vec<Permission> {
        let mut needs: Vec<Permission> =
            self.definitions.iter().flat_map(Definition::permissions).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// Binds what a collection and a hunt have in common.
    pub(crate) fn bind(&self, query: vql_builder::Query) -> vql_builder::Query {
        let names: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
        let number = |value: Option<u64>| value.unwrap_or_default().to_string();
        let limits = &self.limits;
        query
            .bind_json("MR_Artifacts", &serde_json::json!(names))
            .bind_json("MR_Spec", &serde_json::json!(self.parameters))
            .bind("MR_Timeout", number(limits.timeout.map(|span| span.as_secs())))
            .bind("MR_MaxRows", number(limits.max_rows))
            .bind("MR_MaxBytes", number(limits.max_bytes))
            .bind("MR_Cpu", number(limits.cpu_percent.map(u64::from)))
    }

    /// What is different between the parameters and bounds that the server keeps and those that
    /// were sent.
    pub(crate) fn differs(&self, request: &Request) -> Option<String> {
        for (artifact, sent) in &self.parameters {
            let kept = request.specs.iter().find(|spec| spec.artifact == *artifact);
            let value = |name: &str| kept.and_then(|spec| spec.parameters.get(name));
            if let Some((name, sent)) = sent.iter().find(|(name, sent)| value(name) != Some(*sent))
            {
                return Some(match value(name) {
                    Some(kept) => {
                        format!(
                            "parameter {name} of {artifact} was sent as {sent:?}, the server keeps {kept:?}"
                        )
                    }
                    None => format!("the server dropped parameter {name} of {artifact}"),
                });
            }
        }
        self.limits.differ(request)
    }
}

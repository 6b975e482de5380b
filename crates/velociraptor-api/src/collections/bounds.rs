//! The bounds that a collection really has.
//!
//! What nobody gave is taken from the artifacts, and what they do not say is the server's own:
//! `CompileCollectorArgs` of 0.77.2. Bounds of artifacts that the named ones call do not count.

use serde_json::Value;

use super::{Checked, CollectionLimits, Target};
use crate::artifacts::Definition;
use crate::flows::Request;
use crate::hunts::HuntStatus;

/// Bytes of uploads that the server takes of one collection where nobody says otherwise: 1 GiB.
const BYTES: u64 = 1 << 30;

/// Seconds that the agent, and the server for its own artifacts, gives a part.
const SECONDS: u64 = 600;

/// Rows that the server takes of a collection on itself.
const ROWS_OF_THE_SERVER: u64 = 1_000_000;

/// What a collection may do on one client, whoever set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Bytes of uploads, over all its artifacts. `None` is as many as there are.
    pub bytes: Option<u64>,
    /// Rows, over all its artifacts. `None` is as many as there are.
    pub rows: Option<u64>,
    /// Seconds of the part that may work longest. An artifact is a part, or each of its sources is.
    pub seconds: u64,
}

impl InForce {
    /// The bounds of a collection of these artifacts from a client.
    pub fn of(limits: &CollectionLimits, definitions: &[Definition]) -> Self {
        let largest = |name| definitions.iter().map(|one| set_by(one, name)).max().unwrap_or(0);
        let given = limits.timeout.map(|span| span.as_secs());
        let seconds = given
            .or_else(|| definitions.iter().map(|one| or(set_by(one, "timeout"), SECONDS)).max());
        Self {
            bytes: limits.max_bytes.or_else(|| Some(or(largest("max_upload_bytes"), BYTES))),
            rows: limits.max_rows.or_else(|| some(largest("max_rows"))),
            seconds: seconds.unwrap_or(SECONDS),
        }
    }

    /// The bounds of a hunt for each client, as the server keeps them with it.
    pub fn of_hunt(hunt: &HuntStatus) -> Self {
        let HuntStatus { request, compiled, .. } = hunt;
        let parts = compiled.parts.iter().map(|part| or(part.timeout, SECONDS));
        Self {
            bytes: some(request.max_upload_bytes),
            rows: some(request.max_rows),
            seconds: parts.max().unwrap_or_else(|| or(request.timeout, SECONDS)),
        }
    }
}

impl Checked {
    /// The bounds that it has on each client, or on the server.
    pub fn in_force(&self) -> InForce {
        let bounds = InForce::of(&self.limits, &self.definitions);
        match self.target {
            Target::Clients => bounds,
            Target::Server => InForce { rows: bounds.rows.or(Some(ROWS_OF_THE_SERVER)), ..bounds },
        }
    }

    /// Whether the server would keep a request with these bounds for it.
    pub(super) fn same_bounds(&self, request: &Request) -> bool {
        let (limits, bounds) = (&self.limits, InForce::of(&self.limits, &self.definitions));
        // Of time and processor the request keeps what the last artifact got.
        let last = |name| self.definitions.last().map_or(0, |one| set_by(one, name));
        let seconds = limits.timeout.map_or_else(|| last("timeout"), |span| span.as_secs());
        let cpu = limits.cpu_percent.map(f64::from);
        let cpu = cpu.or_else(|| number(self.definitions.last()?.resources.get("cpu_limit")?));
        request.timeout == seconds
            && request.max_rows == bounds.rows.unwrap_or(0)
            && Some(request.max_upload_bytes) == bounds.bytes
            && request.cpu_limit == cpu.unwrap_or(0.0)
    }
}

/// A bound that an artifact sets itself; zero where it sets none.
fn set_by(definition: &Definition, name: &str) -> u64 {
    definition.resources.get(name).map_or(0, whole)
}

/// A whole number, which may stand as a text.
fn whole(value: &Value) -> u64 {
    let text = value.as_str().map(|text| text.trim().parse().unwrap_or(0));
    // Large numbers come as floats from some servers. A cast that saturates is meant.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let float = || value.as_f64().map_or(0, |number| number as u64);
    value.as_u64().or(text).unwrap_or_else(float)
}

/// A number, which may stand as a text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

const fn or(value: u64, otherwise: u64) -> u64 {
    if value == 0 { otherwise } else { value }
}

const fn some(value: u64) -> Option<u64> {
    if value == 0 { None } else { Some(value) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn artifact(resources: &Value) -> Definition {
        serde_json::from_value(json!({
            "Name": "A", "Type": "client", "Description": "", "Author": "", "Reference": [],
            "Aliases": [], "BuiltIn": true, "RequiredPermissions": [], "ImpliedPermissions": [],
            "Impersonate": "", "Precondition": "", "Parameters": [], "Sources": [], "Tools": [],
            "ColumnTypes": [], "Resources": resources, "Metadata": {},
        }))
        .unwrap()
    }

    fn checked(limits: CollectionLimits, resources: &[Value], target: Target) -> Checked {
        let definitions = resources.iter().map(artifact).collect();
        Checked {
            definitions,
            limits,
            target,
            parameters: indexmap::IndexMap::new(),
            urgent: false,
        }
    }

    const NONE: CollectionLimits =
        CollectionLimits { timeout: None, max_rows: None, max_bytes: None, cpu_percent: None };

    #[test]
    fn what_nobody_says_is_the_servers_own() {
        let none = InForce { bytes: Some(1_073_741_824), rows: None, seconds: 600 };
        assert_eq!(InForce::of(&NONE, &[]), none);
        let zeroes = json!({"timeout": 0, "max_rows": 0, "max_upload_bytes": 0});
        assert_eq!(InForce::of(&NONE, &[artifact(&zeroes), artifact(&Value::Null)]), none);
        let server = checked(NONE, &[json!({})], Target::Server).in_force();
        assert_eq!(server, InForce { rows: Some(1_000_000), ..none });
    }

    #[test]
    fn of_several_artifacts_the_largest_counts_and_each_part_has_its_own_time() {
        let small = artifact(&json!({"timeout": 60, "max_rows": "7", "max_upload_bytes": 5}));
        let large = artifact(&json!({"max_rows": 9, "max_upload_bytes": "10737418240"}));
        let both = InForce::of(&NONE, &[small.clone(), large]);
        // The second says nothing of time, so its part has the ten minutes.
        assert_eq!(both, InForce { bytes: Some(10_737_418_240), rows: Some(9), seconds: 600 });
        assert_eq!(InForce::of(&NONE, &[small]).seconds, 60);
    }

    #[test]
    fn what_was_given_counts_whatever_the_artifacts_say() {
        let given = CollectionLimits {
            timeout: Some(Duration::from_secs(5)),
            max_rows: Some(1),
            max_bytes: Some(1_000_000),
            cpu_percent: Some(3),
        };
        let says = json!({"timeout": 60, "max_rows": 7, "max_upload_bytes": 5_000_000_000_u64});
        let bounds = InForce { bytes: Some(1_000_000), rows: Some(1), seconds: 5 };
        assert_eq!(checked(given, std::slice::from_ref(&says), Target::Clients).in_force(), bounds);
        assert_eq!(checked(given, &[says], Target::Server).in_force(), bounds);
    }

    #[test]
    fn a_request_with_the_bounds_of_its_artifacts_is_the_same() {
        let says = json!({"timeout": 60, "max_rows": 7, "max_upload_bytes": 50, "cpu_limit": 20});
        let one = checked(NONE, &[json!({"timeout": 90}), says], Target::Clients);
        let mut kept = Request {
            timeout: 60,
            max_rows: 7,
            max_upload_bytes: 50,
            cpu_limit: 20.0,
            ..Request::default()
        };
        assert!(one.same_bounds(&kept));
        kept.timeout = 90;
        assert!(!one.same_bounds(&kept), "the request keeps the time of the last artifact");
    }
}

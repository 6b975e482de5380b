//! Records for the tests of what writes into them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Audit, Options};

/// The record in a state folder.
pub(crate) fn kept(home: &Path) -> Audit {
    Audit::open(&Options::new(home.join("audit"))).unwrap()
}

/// Its lines of a kind.
pub(crate) fn lines(home: &Path, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(home.join("audit").join(super::log::file_name(1))).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == kind).collect()
}

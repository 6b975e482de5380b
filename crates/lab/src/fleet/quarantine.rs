//! Quarantine: the machine reports what it did, and then talks to the server only.

use std::sync::atomic::Ordering;

use super::Os;
use super::endpoint::Endpoint;
use crate::value::{Dict, row};

/// Applies or removes the policy; the rows that the artifact of that system reports.
pub(super) fn apply(endpoint: &Endpoint, arguments: &Dict) -> Vec<Dict> {
    let remove = arguments.get("remove").is_some_and(crate::value::Value::truthy);
    let policy = arguments.get("policy").map(crate::value::display).unwrap_or_default();
    endpoint.quarantined.store(!remove, Ordering::SeqCst);
    let results: Vec<String> = match (endpoint.os, remove) {
        (Os::Windows, true) => vec![format!("{policy} IPsec policy removed.")],
        (Os::Windows, false) => vec![
            format!("{policy} IPsec policy applied."),
            format!("{policy} connection test successful."),
        ],
        (Os::Linux, true) => vec![format!("{policy} removed.")],
        (Os::Linux, false) => {
            vec![format!("{policy} added."), format!("{policy} connection test successful.")]
        }
        (Os::Darwin, true) => vec![format!("{policy} removed.")],
        (Os::Darwin, false) => vec![
            format!("{policy} rules loaded."),
            format!("{policy} connection test successful."),
            format!("{policy} forbidden connection test successful."),
        ],
    };
    results
        .iter()
        .map(|result| row! { "Time" => endpoint.anchor, "ReturnCode" => 0, "Result" => result })
        .collect()
}

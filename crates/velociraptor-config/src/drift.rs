//! What differs between two configurations of a server.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::masked::NOT_SHOWN;
use crate::server::ServerConfig;

/// Sections, and single keys, whose values may be shown. Everything else is a secret until somebody
/// has looked at it.
const SHOWN: &[&str] = &[
    "API.bind_address",
    "API.bind_port",
    "API.bind_scheme",
    "API.hostname",
    "Client.labels",
    "Client.local_buffer",
    "Client.max_poll",
    "Client.max_poll_std",
    "Client.max_upload_size",
    "Client.pinned_server_name",
    "Client.server_urls",
    "Client.use_self_signed_ssl",
    "Client.writeback_linux",
    "Client.writeback_darwin",
    "Client.writeback_windows",
    "Datastore",
    "Frontend.GRPC_pool_max_size",
    "Frontend.bind_address",
    "Frontend.bind_port",
    "Frontend.default_client_monitoring_artifacts",
    "Frontend.hostname",
    "Frontend.resources",
    "Frontend.run_as_user",
    "GUI.bind_address",
    "GUI.bind_port",
    "GUI.public_url",
    "Logging",
    "Monitoring",
    "defaults",
    "lockdown",
    "security.certificate_validity_days",
];

/// Words in the names of what is never shown.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "nonce",
    "private",
    "credential",
    "connection_string",
];

/// What the program that wrote a file says of itself: it is no decision of anybody.
const IGNORED: &[&str] = &["version", "Client.server_version"];

/// One place where two configurations differ. `None` stands for a key that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The place.
    pub path: String,
    /// What was expected, where it may be shown.
    pub expected: Option<String>,
    /// What was found, where it may be shown.
    pub found: Option<String>,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_nothing = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        let (expected, found) = (or_nothing(&self.expected), or_nothing(&self.found));
        write!(f, "{}: expected {expected}, found {found}", self.path)
    }
}

/// Compares what was meant with what is there. A key that is not there means the same as one that is
/// zero, empty or false, as Velociraptor reads it.
pub fn drift(expected: &ServerConfig, found: &ServerConfig) -> Vec<Drift> {
    let mut all = Vec::new();
    compare("", Some(&expected.tree()), Some(&found.tree()), &mut all);
    all
}

fn compare(path: &str, expected: Option<&Value>, found: Option<&Value>, all: &mut Vec<Drift>) {
    if IGNORED.contains(&path) || same(expected, found) {
        return;
    }
    let keys = |value: Option<&Value>| match value {
        Some(Value::Object(map)) => Some(map.keys().cloned().collect::<BTreeSet<_>>()),
        None | Some(Value::Null) => Some(BTreeSet::new()),
        Some(_) => None,
    };
    match (keys(expected), keys(found)) {
        (Some(one), Some(other)) if !(one.is_empty() && other.is_empty()) => {
            for key in one.union(&other) {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let of = |value: Option<&Value>| value.and_then(|value| value.get(key)).cloned();
                compare(&below, of(expected).as_ref(), of(found).as_ref(), all);
            }
        }
        _ => all.push(Drift {
            path: path.to_owned(),
            expected: shown(path, expected),
            found: shown(path, found),
        }),
    }
}

fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(Value::String(one)), Some(Value::String(other))) => {
            // An end of line at the end of a PEM text says nothing.
            one.trim_end() == other.trim_end()
        }
        (Some(one), Some(other)) if one == other => true,
        (one, other) => is_nothing(one) && is_nothing(other),
    }
}

fn is_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Number(number)) => number.as_u64() == Some(0),
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(map)) => map.values().all(|value| is_nothing(Some(value))),
        Some(Value::Bool(true)) => false,
    }
}

fn shown(path: &str, value: Option<&Value>) -> Option<String> {
    let value = value.filter(|value| !is_nothing(Some(value)))?;
    if is_shown(path) && !has_secret_names(value) {
        Some(value.to_string())
    } else {
        Some(NOT_SHOWN.to_owned())
    }
}

/// Whether the value at a place may be shown.
pub(crate) fn is_shown(path: &str) -> bool {
    let within = |known: &str| {
        path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    SHOWN.iter().any(|known| within(known)) && !names_a_secret(path)
}

/// Whether the last name of a place is that of a secret, also within a section that is shown: a
/// datastore can have a password.
pub(crate) fn names_a_secret(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path).to_ascii_lowercase();
    SECRET_NAMES.iter().any(|word| name.contains(word))
}

fn has_secret_names(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            map.iter().any(|(name, value)| names_a_secret(name) || has_secret_names(value))
        }
        Value::Array(items) => items.iter().any(has_secret_names),
        _ => false,
    }
}

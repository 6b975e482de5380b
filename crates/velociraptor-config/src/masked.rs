//! Configurations for reading: whole, with everything masked that must not be seen.

use serde_json::Value;

use crate::client::ClientConfig;
use crate::drift::{is_shown, names_a_secret};
use crate::server::ServerConfig;
use crate::yaml;

/// What stands where a value is not shown.
pub const NOT_SHOWN: &str = "(not shown)";

/// What stands where a certificate is: it is no secret, and nobody reads it here.
const CERTIFICATE: &str = "(a certificate)";

/// Keys whose values are shown here beside those that a comparison shows.
const SHOWN_TOO: &[&str] = &[
    "Client.darwin_installer",
    "Client.level2_writeback_suffix",
    "Client.nanny_max_connection_delay",
    "Client.tempdir_darwin",
    "Client.tempdir_linux",
    "Client.tempdir_windows",
    "Client.windows_installer",
    "GUI.authenticator.type",
    "GUI.initial_users.name",
];

/// A configuration without its secrets: values that nobody has looked at are taken for secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Masked(Value);

impl Masked {
    /// As YAML, in the form of the file.
    pub fn yaml(&self) -> String {
        yaml::render(&self.0).expose().clone()
    }

    /// As a tree.
    pub const fn tree(&self) -> &Value {
        &self.0
    }
}

impl ServerConfig {
    /// The configuration for reading.
    pub fn masked(&self) -> Masked {
        Masked(masked("", &self.tree()))
    }
}

impl ClientConfig {
    /// The configuration for reading.
    pub fn masked(&self) -> Masked {
        Masked(masked("", &self.tree()))
    }
}

fn masked(path: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                (key.clone(), masked(&below, value))
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| masked(path, item)).collect(),
        Value::Null => Value::Null,
        _ if shown(path) => value.clone(),
        Value::String(text) if is_certificate(text) => CERTIFICATE.into(),
        Value::String(text) if text.is_empty() => value.clone(),
        _ => NOT_SHOWN.into(),
    }
}

fn shown(path: &str) -> bool {
    let within = |known: &str| {
        path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    is_shown(path) || (SHOWN_TOO.iter().any(|known| within(known)) && !names_a_secret(path))
}

/// One or more certificates, and nothing beside them.
fn is_certificate(text: &str) -> bool {
    let mut blocks = text.trim().split("-----BEGIN ").skip(1).peekable();
    text.trim().starts_with("-----BEGIN ")
        && blocks.peek().is_some()
        && blocks.all(|block| block.starts_with("CERTIFICATE-----"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_has_looked_at_is_masked() {
        let pem = "-----BEGIN CERTIFICATE-----\nAB\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN RSA PRIVATE KEY-----\nAB\n-----END RSA PRIVATE KEY-----\n";
        let tree = json!({
            "Client": { "nonce": "hunter2", "ca_certificate": pem, "max_poll": 600, "odd": [1, key] },
            "GUI": { "initial_users": [{ "name": "admin", "password_hash": "hunter2" }] },
            "Datastore": { "location": "/d", "mysql_password": "hunter2" },
            "Frontend": { "certificate": format!("{pem}{key}") },
            "new_section": { "number": 17, "empty": "" },
        });
        let shown = Masked(masked("", &tree));
        let text = shown.yaml();
        assert!(
            !text.contains("hunter2") && !text.contains("PRIVATE") && !text.contains("17"),
            "{text}"
        );
        assert_eq!(shown.tree()["Client"]["ca_certificate"], CERTIFICATE);
        assert_eq!(shown.tree()["Frontend"]["certificate"], NOT_SHOWN);
        assert_eq!(shown.tree()["Client"]["max_poll"], 600);
        assert_eq!(shown.tree()["GUI"]["initial_users"][0]["name"], "admin");
        assert_eq!(shown.tree()["Datastore"]["location"], "/d");
    }
}

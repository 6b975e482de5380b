//! The configuration of agents.

use secret::Secret;
use serde_json::{Value, json};

use crate::error::ConfigError;
use crate::file;
use crate::sealed::Sealed;
use crate::server::{ServerConfig, from_tree, sound_label};
use crate::yaml;

const KIND: &str = "client";

/// What agents need to know. There is no way to make one but from a server's configuration (or to
/// read one that was made so): CA and nonce are the live deployment's own.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    file: file::Client,
}

/// Where an agent keeps what it has to keep, when that is not the usual place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientPaths {
    /// The file of its identity.
    pub writeback: String,
    /// The folder for what it downloads.
    pub tempdir: String,
    /// The file where it keeps what it cannot send.
    pub buffer: String,
}

impl ClientConfig {
    /// For the agents of a server's root org.
    pub fn of(server: &ServerConfig) -> Self {
        Self { file: server.file.client.clone() }
    }

    /// For the agents of another org of it, whose nonce the server told.
    pub fn of_org(server: &ServerConfig, nonce: &Secret<String>) -> Self {
        Self { file: file::Client { nonce: Sealed::from(nonce), ..server.file.client.clone() } }
    }

    /// The same with other places on Linux and macOS, for an agent beside another one.
    pub fn with_paths(&self, paths: &ClientPaths) -> Self {
        let mut file = self.file.clone();
        for (key, path) in [
            ("writeback_linux", &paths.writeback),
            ("writeback_darwin", &paths.writeback),
            ("tempdir_linux", &paths.tempdir),
            ("tempdir_darwin", &paths.tempdir),
        ] {
            file.other.insert(key.to_owned(), Value::from(path.as_str()));
        }
        for key in ["filename_linux", "filename_darwin"] {
            file.local_buffer.other.insert(key.to_owned(), Value::from(paths.buffer.as_str()));
        }
        Self { file }
    }

    /// The same with more labels: agents get them when they enrol, and keep those that they have.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Label`] naming one that cannot be.
    pub fn with_labels(&self, more: &[String]) -> Result<Self, ConfigError> {
        let mut file = self.file.clone();
        for label in more {
            sound_label(label)?;
            if !file.labels.contains(label) {
                file.labels.push(label.clone());
            }
        }
        Ok(Self { file })
    }

    /// Reads an agent's file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] without any value of the file. A server's configuration is refused: with
    /// its keys it has no place on an endpoint.
    pub fn parse(text: &Secret<String>) -> Result<Self, ConfigError> {
        let mut tree = yaml::read(KIND, text.expose())?;
        if ["Frontend", "CA", "Datastore"].iter().any(|key| tree.get(key).is_some()) {
            let cause = "it is a server's, with private keys; agents get the client part only";
            return Err(ConfigError::Malformed { kind: KIND, cause: cause.to_owned() });
        }
        let Some(client) = tree.get_mut("Client").map(Value::take) else {
            return Err(ConfigError::Missing { kind: KIND, key: "Client" });
        };
        let file: file::Client = from_tree(KIND, client)?;
        for (key, value) in [
            ("Client.ca_certificate", file.ca_certificate.as_str()),
            ("Client.nonce", file.nonce.text()),
            ("Client.server_urls", file.server_urls.first().map_or("", String::as_str)),
        ] {
            if value.trim().is_empty() {
                return Err(ConfigError::Missing { kind: KIND, key });
            }
        }
        Ok(Self { file })
    }

    /// The file's text. Who has its nonce may enrol.
    pub fn render(&self) -> Secret<String> {
        yaml::render(&self.tree())
    }

    pub(crate) fn tree(&self) -> Value {
        let tree = serde_json::to_value(&self.file).unwrap_or_default();
        json!({ "Client": tree })
    }

    /// Whether agents with this file belong to that server: the same CA and nonce.
    pub fn belongs_to(&self, server: &ServerConfig) -> bool {
        let (own, other) = (&self.file, &server.file.client);
        own.ca_certificate.trim() == other.ca_certificate.trim()
            && own.nonce.text() == other.nonce.text()
    }

    /// Labels that agents get when they enrol.
    pub fn labels(&self) -> &[String] {
        &self.file.labels
    }

    /// By what agents know the server, as PEM.
    pub fn ca_certificate(&self) -> &str {
        &self.file.ca_certificate
    }

    /// Where agents look for the server.
    pub fn server_urls(&self) -> &[String] {
        &self.file.server_urls
    }
}

//! The file of an API client.

use secret::Secret;
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::host::Host;
use crate::keys::{certificate, key, tidy};
use crate::sealed::Sealed;
use crate::server::{ServerConfig, from_tree};
use crate::yaml;

const KIND: &str = "API";

/// What an API client needs: the deployment's CA, its own certificate and key, and the address.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    file: File,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    ca_certificate: String,
    #[serde(default)]
    client_cert: String,
    #[serde(default)]
    client_private_key: Sealed,
    #[serde(default)]
    api_connection_string: String,
    #[serde(default)]
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pinned_server_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_grpc_recv_size: Option<u64>,
}

impl ApiConfig {
    /// For a user of a server, at the address where the API is reached: the published one, which is
    /// often not the one that the server binds.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Pem`], [`ConfigError::NoPort`].
    pub fn of(
        server: &ServerConfig,
        user: &str,
        client_cert: &str,
        client_key: &Secret<String>,
        at: (&Host, u16),
    ) -> Result<Self, ConfigError> {
        certificate("the API client's certificate", client_cert)?;
        key("the API client's key", client_key.expose())?;
        let file = File {
            ca_certificate: tidy(&server.file.client.ca_certificate),
            client_cert: tidy(client_cert),
            client_private_key: Sealed(Secret::new(tidy(client_key.expose()))),
            api_connection_string: String::new(),
            name: user.to_owned(),
            pinned_server_name: None,
            max_grpc_recv_size: None,
        };
        Self { file }.at(at)
    }

    /// The same at another address.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoPort`].
    pub fn at(&self, (host, port): (&Host, u16)) -> Result<Self, ConfigError> {
        if port == 0 {
            return Err(ConfigError::NoPort("the API"));
        }
        let api_connection_string = format!("{host}:{port}");
        Ok(Self { file: File { api_connection_string, ..self.file.clone() } })
    }

    /// Reads such a file. Unknown keys are refused, as Velociraptor does.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] without any value of the file. An empty file is refused by name.
    pub fn parse(text: &Secret<String>) -> Result<Self, ConfigError> {
        let file: File = from_tree(KIND, yaml::read(KIND, text.expose())?)?;
        for (key, value) in [
            ("ca_certificate", file.ca_certificate.as_str()),
            ("client_cert", &file.client_cert),
            ("client_private_key", file.client_private_key.text()),
            ("api_connection_string", &file.api_connection_string),
        ] {
            if value.trim().is_empty() {
                return Err(ConfigError::Missing { kind: KIND, key });
            }
        }
        Ok(Self { file })
    }

    /// The file's text, with the user's private key.
    pub fn render(&self) -> Secret<String> {
        yaml::render(&serde_json::to_value(&self.file).unwrap_or_default())
    }

    /// The user's certificate and key.
    pub fn pair(&self) -> (String, Secret<String>) {
        (self.file.client_cert.clone(), self.file.client_private_key.0.clone())
    }

    /// Where it connects to.
    pub fn address(&self) -> &str {
        &self.file.api_connection_string
    }

    /// The CA that it trusts, as PEM.
    pub fn authority(&self) -> &str {
        &self.file.ca_certificate
    }

    /// The user that it was made for.
    pub fn user(&self) -> &str {
        &self.file.name
    }
}

//! API client configuration: read from a file or from the environment, checked before use.
//!
//! The file is what `velociraptor config api_client` writes. It is parsed strictly and checked
//! as a whole on load (PEM, key fits certificate, validity, chain to the CA, address), so that a
//! fault is named when it is made and not as a failed call later.

use std::path::Path;

use secret::Secret;
use serde::Deserialize;

mod address;
mod certificates;
mod environment;
mod error;

pub use address::{Address, AddressError};
pub(crate) use certificates::summarise;
pub use certificates::{CertificateError, CertificateSummary, ClientCertificates};
use environment::pem_or_file;
pub use error::{ConfigError, ConfigErrorKind, Origin};

/// The name in every server certificate, unless the deployment pinned another one.
pub const DEFAULT_PINNED_SERVER_NAME: &str = "VelociraptorServer";

/// The largest message that is accepted where the file names no limit: 256 MiB.
///
/// Parts are limited by rows only, and one part of large rows was seen to reach 100 MB.
pub const DEFAULT_MAX_RECEIVE: usize = 256 << 20;

/// A checked API client configuration.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Where it came from, for messages.
    pub origin: Origin,
    /// The user name that the file states; the certificate's common name is what counts.
    pub name: Option<String>,
    /// Where the API listens.
    pub address: Address,
    /// The name that the server's certificate must carry.
    pub pinned_server_name: String,
    /// The largest message that is accepted, in bytes.
    pub max_receive: usize,
    /// The CA and the client's certificate and key, checked.
    pub certificates: ClientCertificates,
}

/// The file, as `velociraptor config api_client` writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiFile {
    #[serde(default)]
    ca_certificate: String,
    #[serde(default)]
    client_cert: String,
    #[serde(default)]
    client_private_key: String,
    #[serde(default)]
    api_connection_string: String,
    name: Option<String>,
    pinned_server_name: Option<String>,
    max_grpc_recv_size: Option<u64>,
}

impl ApiConfig {
    /// Reads and checks a file. Blocking; the file is a few kilobytes.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let origin = Origin::File(path.to_owned());
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&Secret::new(text), origin),
            Err(source) => Err(ConfigError { origin, kind: unreadable(source) }),
        }
    }

    /// Checks the text of a file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the origin and what is wrong.
    pub fn parse(text: &Secret<String>, origin: Origin) -> Result<Self, ConfigError> {
        match Self::parse_text(text.expose(), &origin) {
            Ok(config) => Ok(config),
            Err(kind) => Err(ConfigError { origin, kind }),
        }
    }

    fn parse_text(text: &str, origin: &Origin) -> Result<Self, ConfigErrorKind> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let says_something = |line: &str| {
            let line = line.trim();
            !(line.is_empty() || line.starts_with('#') || matches!(line, "---" | "..." | "{}"))
        };
        if !text.lines().any(says_something) {
            return Err(ConfigErrorKind::Empty);
        }
        if let Some(found) = other_kind(text) {
            return Err(ConfigErrorKind::WrongKind { found });
        }
        let file: ApiFile = serde_saphyr::from_str(text)
            .map_err(|error| ConfigErrorKind::Malformed { detail: without_values(&error) })?;
        Self::check(file, origin)
    }

    /// Builds a configuration from the parts that the environment holds. Each certificate
    /// variable is a path or PEM text.
    ///
    /// # Errors
    ///
    /// As [`ApiConfig::load`]; a path that does not exist is named as such, never read as PEM.
    pub fn from_parts(
        address: &str,
        client_cert: &str,
        client_key: &str,
        ca_cert: &str,
    ) -> Result<Self, ConfigError> {
        let origin = Origin::Environment;
        let build = || -> Result<Self, ConfigErrorKind> {
            if address.trim().is_empty() {
                return Err(ConfigErrorKind::Unset { variable: "VELOCIRAPTOR_API_URL" });
            }
            let file = ApiFile {
                ca_certificate: pem_or_file("VELOCIRAPTOR_CA_CERT", ca_cert)?,
                client_cert: pem_or_file("VELOCIRAPTOR_CLIENT_CERT", client_cert)?,
                client_private_key: pem_or_file("VELOCIRAPTOR_CLIENT_KEY", client_key)?,
                api_connection_string: address.to_owned(),
                name: None,
                pinned_server_name: None,
                max_grpc_recv_size: None,
            };
            Self::check(file, &origin)
        };
        build().map_err(|kind| ConfigError { origin: origin.clone(), kind })
    }

    fn check(file: ApiFile, origin: &Origin) -> Result<Self, ConfigErrorKind> {
        let key = Secret::new(file.client_private_key);
        for (name, value) in [
            ("ca_certificate", &file.ca_certificate),
            ("client_cert", &file.client_cert),
            ("client_private_key", key.expose()),
            ("api_connection_string", &file.api_connection_string),
        ] {
            if value.trim().is_empty() {
                return Err(ConfigErrorKind::MissingKey { key: name });
            }
        }
        let address = Address::parse(&file.api_connection_string)?;
        let certificates =
            ClientCertificates::check(&file.ca_certificate, &file.client_cert, &key)?;
        let pinned_server_name = file
            .pinned_server_name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| DEFAULT_PINNED_SERVER_NAME.to_owned());
        if rustls_pki_types::DnsName::try_from(pinned_server_name.as_str()).is_err() {
            return Err(ConfigErrorKind::PinnedName { given: pinned_server_name });
        }
        let max_receive = match file.max_grpc_recv_size {
            None | Some(0) => DEFAULT_MAX_RECEIVE,
            Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        };
        Ok(Self {
            origin: origin.clone(),
            name: file.name.filter(|name| !name.is_empty()),
            address,
            pinned_server_name,
            max_receive,
            certificates,
        })
    }

    /// The user that the server takes the caller for: the certificate's common name.
    pub fn user(&self) -> &str {
        &self.certificates.client.common_name
    }
}

/// Recognises the two configurations that are most often given by mistake.
fn other_kind(text: &str) -> Option<&'static str> {
    let top = |key: &str| text.lines().any(|line| line.starts_with(key));
    if top("Frontend:") || top("Datastore:") {
        Some("server")
    } else if top("Client:") {
        Some("client")
    } else {
        None
    }
}

/// The parser's message without what it quotes: the text holds a private key. Neither the snippet
/// is kept, nor any word that is too long for a key of the file.
fn without_values(error: &serde_saphyr::Error) -> String {
    const LONGEST_WORD: usize = 32;
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let text = error.without_snippet().to_string();
    let mut told = String::new();
    for piece in text.lines().next().unwrap_or_default().split_inclusive(|c| !base64(c)) {
        let word = piece.trim_end_matches(|c| !base64(c));
        told.push_str(if word.len() > LONGEST_WORD { "…" } else { word });
        told.push_str(&piece[word.len()..]);
    }
    told.chars().take(200).collect()
}

/// A file that is not text at all is malformed rather than unreadable.
fn unreadable(source: std::io::Error) -> ConfigErrorKind {
    match source.kind() {
        std::io::ErrorKind::NotFound => ConfigErrorKind::Missing,
        std::io::ErrorKind::InvalidData => {
            ConfigErrorKind::Malformed { detail: String::from("it is not text") }
        }
        _ => ConfigErrorKind::Unreadable(source),
    }
}

//! API client configuration: read from a file or from the environment, checked before use.
//!
//! The file is what `velociraptor config api_client` writes. It is parsed strictly and checked
//! as a whole on load (PEM, key fits certificate, validity, chain to the CA, address), so that a
//! fault is named when it is made and not as a failed call later.

use std::path::{Path, PathBuf};

use secret::Secret;
use serde::Deserialize;

mod address;
mod certificates;

pub use address::{Address, AddressError};
pub(crate) use certificates::summarise;
pub use certificates::{CertificateError, CertificateSummary, ClientCertificates};

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

/// Where a configuration was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// The environment variables `VELOCIRAPTOR_API_URL`, `VELOCIRAPTOR_CLIENT_CERT`,
    /// `VELOCIRAPTOR_CLIENT_KEY` and `VELOCIRAPTOR_CA_CERT`.
    Environment,
    /// Text in memory, named by its maker.
    Memory(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("the environment (VELOCIRAPTOR_…)"),
            Self::Memory(name) => f.write_str(name),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {kind}")]
pub struct ConfigError {
    /// Which configuration.
    pub origin: Origin,
    /// What is wrong with it.
    #[source]
    pub kind: ConfigErrorKind,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// There is no such file.
    #[error("does not exist")]
    Missing,
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// A variable of the environment is not set.
    #[error("{variable} is not set")]
    Unset {
        /// The variable.
        variable: &'static str,
    },
    /// A variable holds neither PEM text nor the path of a file.
    #[error("{variable} is no PEM text, and as a path it does not exist: {shown}")]
    NoSuchPath {
        /// The variable.
        variable: &'static str,
        /// The path; not shown where it may be a key.
        shown: String,
    },
    /// A variable names a file that cannot be read.
    #[error("{variable} names {shown}, which cannot be read: {source}")]
    UnreadablePath {
        /// The variable.
        variable: &'static str,
        /// The path; not shown where it may be a key.
        shown: String,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing is in it.
    #[error(
        "is empty; write one with: velociraptor --config server.config.yaml config api_client --name NAME --role ROLES FILE"
    )]
    Empty,
    /// Not an API client configuration.
    #[error("is not an API client configuration: {detail}")]
    Malformed {
        /// What the parser found.
        detail: String,
    },
    /// A key that must be there is missing or empty.
    #[error(
        "has no {key}; an API client configuration needs ca_certificate, client_cert, client_private_key and api_connection_string"
    )]
    MissingKey {
        /// The key.
        key: &'static str,
    },
    /// A server or agent configuration was given.
    #[error(
        "is a {found} configuration, not an API client's; write one with: velociraptor --config server.config.yaml config api_client --name NAME --role ROLES FILE"
    )]
    WrongKind {
        /// What it looks like.
        found: &'static str,
    },
    /// The address is not one.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The pinned name cannot stand in a certificate.
    #[error(
        "pinned_server_name {given:?} is not a host name; without it, {DEFAULT_PINNED_SERVER_NAME} is expected"
    )]
    PinnedName {
        /// What was given.
        given: String,
    },
    /// A certificate or key is not usable.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
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

fn pem_or_file(variable: &'static str, value: &str) -> Result<String, ConfigErrorKind> {
    if value.trim().is_empty() {
        return Err(ConfigErrorKind::Unset { variable });
    }
    if value.trim_start().starts_with("-----BEGIN") {
        return Ok(value.to_owned());
    }
    std::fs::read_to_string(value).map_err(|source| {
        let shown = path_or_mask(value);
        match source.kind() {
            // A value that is too long for a path was not meant as one.
            std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidFilename => {
                ConfigErrorKind::NoSuchPath { variable, shown }
            }
            _ => ConfigErrorKind::UnreadablePath { variable, shown, source },
        }
    })
}

/// The value of a variable, where it can only be a path. A key whose PEM frame is missing is
/// base64, which has no dot and, for any kind of key, begins with `M`.
fn path_or_mask(value: &str) -> String {
    let path = value.len() <= 255
        && !value.contains('\n')
        && (value.contains('.') || value.starts_with(['/', '~']) || value.contains('\\'));
    if path {
        value.to_owned()
    } else {
        format!("{} characters, not shown because they may be a key", value.chars().count())
    }
}

//! Why a configuration cannot be used.

use std::path::PathBuf;

use super::{AddressError, CertificateError, DEFAULT_PINNED_SERVER_NAME};

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

//! Why a call to the server failed.

use crate::config::Address;
use crate::permission::Permission;

mod tls;

pub use tls::{HandshakeReason, TlsReason, TlsRefusal};

/// A failed call. It names the server and the identity, so that a message can stand alone.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct QueryError {
    /// The server's name in the configuration.
    pub server: String,
    /// The user that made the call, where one was chosen.
    pub identity: Option<String>,
    /// The name of the query.
    pub query: &'static str,
    /// What went wrong.
    #[source]
    pub kind: Box<QueryErrorKind>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryErrorKind {
    /// Nobody answers at the address, or the connection broke.
    #[error("no answer from {address}: {detail}")]
    Unreachable {
        /// Where the API should be.
        address: Address,
        /// The innermost cause.
        detail: String,
    },
    /// The server's certificate was refused.
    #[error("{0}")]
    Tls(#[source] Box<TlsRefusal>),
    /// The server refused our certificate, or what listens there is no API of Velociraptor.
    #[error("{address} was reached, but {detail}")]
    Handshake {
        /// Where the API should be.
        address: Address,
        /// What is wrong.
        reason: HandshakeReason,
        /// The same in words, with what to do.
        detail: String,
    },
    /// The certificate is good, but its user does not exist on the server.
    #[error(
        "the server knows no user {user}: its certificate is valid, the user record is missing; grant it a role (velociraptor acl grant, or user_create)"
    )]
    UnknownUser {
        /// The user name.
        user: String,
    },
    /// The org does not exist.
    #[error("the server has no org {}", .org.as_deref().unwrap_or("of the name that an argument gives"))]
    UnknownOrg {
        /// The org in which the call was to run; `None` where an argument of the query named it.
        org: Option<String>,
    },
    /// A call that acts on the root org only was asked for in another.
    #[error(
        "{action} acts on the root org only, whatever org it is asked for in, so it is refused in {org}"
    )]
    RootOrgOnly {
        /// What was to be done.
        action: &'static str,
        /// Where.
        org: String,
    },
    /// A permission is missing.
    #[error("permission denied: {detail}")]
    Denied {
        /// Which, where the server named one that we know.
        permission: Option<Permission>,
        /// The server's words.
        detail: String,
    },
    /// The query does not parse.
    #[error("the query does not parse{}: {detail}", at(.place.as_ref()))]
    Parse {
        /// Line and column, from 1, where the server named them.
        place: Option<(u32, u32)>,
        /// The server's words, without the place.
        detail: String,
    },
    /// A function, plugin or name is unknown to this server.
    #[error("{detail}")]
    UnknownSymbol {
        /// The name.
        symbol: String,
        /// The server's words.
        detail: String,
        /// What it suggests instead, where it does.
        hint: Option<String>,
    },
    /// A function or plugin was called with a wrong argument.
    #[error("{detail}")]
    BadArgument {
        /// The server's words, which start with the callee's name.
        detail: String,
    },
    /// What the call is about does not exist.
    #[error("{detail}")]
    NotFound {
        /// The server's words.
        detail: String,
    },
    /// The time limit was reached.
    #[error("the query was stopped after its time limit of {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The caller cancelled.
    #[error("the call was cancelled")]
    Cancelled,
    /// One message was larger than the limit, even with one row per message.
    #[error(
        "a row is larger than the message limit of {limit} bytes; select fewer columns, or raise max_grpc_recv_size in the API file"
    )]
    TooLarge {
        /// The limit in force.
        limit: usize,
    },
    /// The query text and its values are more than the server takes (4 MiB).
    #[error("the query and its values are larger than the 4 MiB that the server takes")]
    RequestTooLarge,
    /// The server reported another failure.
    #[error("{detail}")]
    Failed {
        /// The server's words.
        detail: String,
    },
    /// None of the configured identities holds the permissions that the call needs.
    #[error("none of the identities configured here holds {}{}", names(.lacking), but(.unasked))]
    NoIdentity {
        /// The permissions that the strongest identity lacks.
        lacking: Vec<Permission>,
        /// Identities that might, but about which the server could not be asked: user and cause.
        unasked: Vec<String>,
    },
    /// The server's answer does not have the documented form.
    #[error("the server's answer has an unexpected form: {detail}")]
    Protocol {
        /// What is unexpected.
        detail: String,
    },
}

impl QueryErrorKind {
    /// Whether the same read may be tried again with hope. A mutation is never repeated.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// The name that the server does not know, where that is what failed.
    pub fn unknown_symbol(&self) -> Option<&str> {
        match self {
            Self::UnknownSymbol { symbol, .. } => Some(symbol),
            _ => None,
        }
    }

    /// What the server suggests instead of what was asked for, where it does.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::UnknownSymbol { hint, .. } => hint.as_deref(),
            _ => None,
        }
    }
}

/// The identities that could not be probed, for a message.
fn but(unasked: &[String]) -> String {
    if unasked.is_empty() {
        return String::new();
    }
    format!("; of these it is not known: {}", unasked.join("; "))
}

/// The place of a syntax error, for a message.
fn at(place: Option<&(u32, u32)>) -> String {
    place.map_or_else(String::new, |(line, column)| format!(" at {line}:{column}"))
}

/// The names of permissions, for a message.
fn names(permissions: &[Permission]) -> String {
    permissions.iter().map(|p| p.name()).collect::<Vec<_>>().join(", ")
}

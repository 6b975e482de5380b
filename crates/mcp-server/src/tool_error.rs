//! Errors as a caller sees them: a code, a plain cause, and what to do next.
//!
//! Every conversion from a library's error stands here and nowhere else.

use guard::audit::AuditError;
use guard::spool::SpoolError;
use jiff::Timestamp;
use serde::Serialize;
use velociraptor_api::clients::Client;
use velociraptor_api::{
    ConfigError, Fault, IdError, IdentityKind, Permission, QueryError, QueryErrorKind,
};

use crate::clock;
use crate::evidence::quoted;

/// A failed call.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct ToolError {
    /// The kind of failure, for programs.
    pub code: Code,
    /// The cause, for a person.
    pub message: String,
    /// Whether the same call may succeed without any change.
    pub retryable: bool,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// The server that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The user that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// An argument is missing, unknown or malformed.
    InvalidInput,
    /// The query does not parse, or names what the server does not have.
    InvalidQuery,
    /// What the call is about does not exist.
    NotFound,
    /// More than one thing answers to the name.
    Ambiguous,
    /// The state of things forbids it.
    Conflict,
    /// A person has to approve it first; nothing was done.
    ApprovalRequired,
    /// The call cannot be recorded and so was not run.
    NotRecorded,
    /// The server's access control, or Megaraptor's own switches, forbid it.
    Denied,
    /// The client is offline and the call does not wait.
    Offline,
    /// The server cannot be reached, or refuses the connection.
    Unavailable,
    /// A time limit was reached before there was an answer.
    Timeout,
    /// The caller cancelled.
    Cancelled,
    /// A size limit was reached before there was an answer.
    TooLarge,
    /// The server failed in a way that has no better name.
    ServerFailed,
    /// A fault of Megaraptor.
    Internal,
}

impl Code {
    /// The word in answers and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::InvalidQuery => "invalid_query",
            Self::NotFound => "not_found",
            Self::Ambiguous => "ambiguous",
            Self::Conflict => "conflict",
            Self::ApprovalRequired => "approval_required",
            Self::NotRecorded => "not_recorded",
            Self::Denied => "denied",
            Self::Offline => "offline",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::TooLarge => "too_large",
            Self::ServerFailed => "server_failed",
            Self::Internal => "internal",
        }
    }

    /// The exit code of the command line for this kind.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::InvalidInput | Self::InvalidQuery => 2,
            Self::NotFound | Self::Ambiguous => 3,
            Self::Denied => 4,
            Self::Unavailable | Self::Offline => 5,
            Self::Timeout | Self::TooLarge => 6,
            Self::Conflict => 7,
            Self::ApprovalRequired => 11,
            Self::NotRecorded => 12,
            Self::ServerFailed => 8,
            Self::Internal => 70,
            Self::Cancelled => 130,
        }
    }
}

impl ToolError {
    /// A failure with its code and cause.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retryable: false,
            next_step: None,
            server: None,
            identity: None,
        }
    }

    /// Arguments that cannot be used.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next_step = Some(step.into());
        self
    }

    /// Marks it as worth another try.
    #[must_use]
    pub const fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Whether the name that was given is at fault, and not the way to the server.
    pub const fn is_about_the_name(&self) -> bool {
        matches!(self.code, Code::InvalidInput | Code::NotFound | Code::Ambiguous)
    }

    /// The error for reading: one line, and what to do on a second.
    pub fn text(&self) -> String {
        let code = self.code.as_str();
        let mut text = format!("ERROR {code}: {}", self.message);
        if let Some(server) = &self.server {
            text.push_str(" [");
            text.push_str(server);
            if let Some(identity) = &self.identity {
                text.push_str(" as ");
                text.push_str(identity);
            }
            text.push(']');
        }
        if let Some(next) = &self.next_step {
            text.push_str("\nNEXT  ");
            text.push_str(next);
        } else if self.retryable {
            text.push_str("\nNEXT  try again");
        }
        text
    }
}

impl std::fmt::Display for ToolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ToolError {}

impl From<IdError> for ToolError {
    fn from(error: IdError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<ConfigError> for ToolError {
    fn from(error: ConfigError) -> Self {
        Self::new(Code::InvalidInput, error.to_string())
    }
}

impl From<AuditError> for ToolError {
    /// The record is about the state of this machine: what it says is the next step, too.
    fn from(error: AuditError) -> Self {
        let code = match &error {
            AuditError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Code::NotFound
            }
            AuditError::Closed => Code::Cancelled,
            _ => Code::Conflict,
        };
        let busy = matches!(error, AuditError::Busy { .. });
        let error = Self::new(code, error.to_string());
        if busy { error.retryable() } else { error }
    }
}

impl From<QueryError> for ToolError {
    fn from(error: QueryError) -> Self {
        use QueryErrorKind as Kind;
        let message = error.to_string();
        let made = match &*error.kind {
            Kind::Unreachable { .. } => Self::new(Code::Unavailable, message)
                .retryable()
                .next("check that the server runs and that its API port is reachable from here; megaraptor doctor says more"),
            Kind::Tls(_) | Kind::Handshake { .. } => Self::new(Code::Unavailable, message),
            Kind::UnknownUser { .. } => Self::new(Code::Denied, message),
            Kind::UnknownOrg { .. } => Self::new(Code::NotFound, message)
                .next("megaraptor doctor lists the orgs that the server has; --orgs, or orgs in megaraptor.toml, names those to work in"),
            Kind::Denied { permission, .. } => {
                let made = Self::new(Code::Denied, message);
                match permission {
                    Some(permission) => made.next(format!(
                        "use an identity that holds {permission}; megaraptor doctor lists what each identity may do"
                    )),
                    None => made,
                }
            }
            Kind::NoIdentity { lacking, .. } => {
                Self::new(Code::Denied, message).next(add_identity(lacking))
            }
            Kind::Parse { .. } => Self::new(Code::InvalidQuery, message),
            Kind::UnknownSymbol { .. } | Kind::BadArgument { .. } => {
                Self::new(Code::InvalidQuery, message)
                    .next("vql_help describes every function and plugin of the connected server")
            }
            Kind::NotFound { .. } => Self::new(Code::NotFound, message),
            Kind::Timeout { .. } => Self::new(Code::Timeout, message)
                .next("ask for less, or allow more time"),
            Kind::Cancelled => Self::new(Code::Cancelled, message),
            Kind::TooLarge { .. } | Kind::RequestTooLarge => Self::new(Code::TooLarge, message),
            Kind::Protocol { .. } => Self::new(Code::Internal, message),
            _ => Self::new(Code::ServerFailed, message),
        };
        let made = if may_have_acted(&error) {
            Self { retryable: false, ..made }.next(
                "it may have acted all the same: look with list_flows or list_hunts before you repeat it",
            )
        } else {
            made
        };
        Self { server: Some(error.server), identity: error.identity, ..made }
    }
}

/// Whether the query changes something and its end was not seen. Such a call is not repeated.
pub fn may_have_acted(error: &QueryError) -> bool {
    let unseen = matches!(
        *error.kind,
        QueryErrorKind::Unreachable { .. }
            | QueryErrorKind::Timeout { .. }
            | QueryErrorKind::Cancelled
    );
    let mut entries = velociraptor_api::queries::ALL.iter();
    let mutates = entries.any(|entry| entry.mutates && entry.name == error.query);
    unseen && (mutates || error.query == "create_hunt")
}

impl From<Fault> for ToolError {
    fn from(fault: Fault) -> Self {
        let message = fault.to_string();
        match fault {
            Fault::Query(error) => error.into(),
            Fault::UnknownClient { near, .. } => Self::new(Code::NotFound, message)
                .next(suggest(&near, "list_clients finds clients by the start of a name; host:*part* looks anywhere in it")),
            Fault::AmbiguousClient { candidates, .. } => {
                Self::new(Code::Ambiguous, message).next(choose_one(&candidates))
            }
            Fault::UnknownArtifact { near, .. } => Self::new(Code::NotFound, message)
                .next(suggest(&near, "list_artifacts searches names and descriptions")),
            Fault::UnknownFlow { .. } => Self::new(Code::NotFound, message)
                .next("list_flows lists the collections of a client"),
            Fault::UnknownHunt { .. } => {
                Self::new(Code::NotFound, message).next("list_hunts lists the hunts")
            }
            Fault::BadInput { .. } => Self::new(Code::InvalidInput, message),
            Fault::NotPermitted { needs, .. } => {
                Self::new(Code::Denied, message).next(add_identity(&needs))
            }
            Fault::Offline { .. } => Self::new(Code::Offline, message),
            Fault::Refused { .. } => Self::new(Code::Conflict, message),
            _ => Self::new(Code::ServerFailed, message),
        }
    }
}

/// How a person adds an identity that holds these permissions.
pub fn add_identity(needs: &[Permission]) -> String {
    let kind = IdentityKind::for_permissions(needs);
    format!(
        "a person can make one on the server (velociraptor --config server.config.yaml config \
         api_client --name NAME --role {} FILE) and give FILE to megaraptor too: with another \
         --config, or as {kind} in megaraptor.toml; megaraptor doctor lists what each identity may do",
        kind.roles()
    )
}

fn suggest(near: &[String], otherwise: &str) -> String {
    if near.is_empty() {
        otherwise.to_owned()
    } else {
        let near: Vec<String> = near.iter().map(|name| quoted(name)).collect();
        format!("did you mean {}? {otherwise}", near.join(", "))
    }
}

/// Most candidates in an error.
const CANDIDATES: usize = 10;

fn choose_one(candidates: &[Client]) -> String {
    let now = candidates.first().and_then(|client| client.as_of).unwrap_or_else(Timestamp::now);
    let mut each: Vec<String> = candidates
        .iter()
        .take(CANDIDATES)
        .map(|client| {
            let os = quoted(client.os.as_deref().unwrap_or("unknown system"));
            format!(
                "{} ({os}, last seen {})",
                client.client_id,
                clock::dated(now, client.last_seen)
            )
        })
        .collect();
    if let Some(more @ 1..) = candidates.len().checked_sub(CANDIDATES) {
        each.push(format!("and {more} more: list_clients lists them"));
    }
    format!("name one of these by its id: {}", each.join("; "))
}

impl From<SpoolError> for ToolError {
    fn from(error: SpoolError) -> Self {
        let code = match &error {
            SpoolError::Unknown | SpoolError::Expired { .. } => Code::NotFound,
            SpoolError::Elsewhere { .. } => Code::Denied,
            SpoolError::TooLarge { .. } => Code::TooLarge,
            SpoolError::Record(_) => Code::NotRecorded,
        };
        Self::new(code, error.to_string())
            .next("run the query again with run_vql, which gives a handle of its own")
    }
}

//! Flows: collections on one client, listed, followed, cancelled.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{QueryError, QueryErrorKind};
use crate::fault::Fault;
use crate::ids::{ClientId, FlowId};
use crate::permission::Permission;
use crate::row;

mod applied;
mod cancel;
mod list;
mod status;
pub(crate) mod told;
mod wait;

pub use applied::{Applied, applied};
pub use cancel::{Cancelled, cancel};
pub use list::{FlowPage, FlowSearch, list};
pub(crate) use status::unlogged;
pub use status::{Bound, FlowStatus, LogEntry, QueryStat, Request, Spec, flow, status};
pub use wait::{WaitEnd, Waited, wait};

/// Where a flow stands, in the server's words and one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FlowState {
    /// The server does not say.
    Unset,
    /// Scheduled; the agent has not fetched it, or servers before 0.73: at work.
    Running,
    /// The agent has it and has not begun.
    Waiting,
    /// The agent is at work.
    InProgress,
    /// The agent was at work and has stopped telling.
    Unresponsive,
    /// Ended well.
    Finished,
    /// Ended badly, or wrote a line of level ERROR. Rows may be there all the same.
    Error,
    /// Somebody ended it. The server calls that an error, with a status that says so.
    Cancelled,
}

impl FlowState {
    /// All states.
    pub const ALL: [Self; 8] = [
        Self::Unset,
        Self::Running,
        Self::Waiting,
        Self::InProgress,
        Self::Unresponsive,
        Self::Finished,
        Self::Error,
        Self::Cancelled,
    ];

    /// The server's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "UNSET",
            Self::Running => "RUNNING",
            Self::Waiting => "WAITING",
            Self::InProgress => "IN_PROGRESS",
            Self::Unresponsive => "UNRESPONSIVE",
            Self::Finished => "FINISHED",
            Self::Error => "ERROR",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Reads the word in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether it ended otherwise than well: what was counted may not all have arrived.
    pub const fn is_early(self) -> bool {
        matches!(self, Self::Error | Self::Cancelled)
    }

    /// Whether nothing more is expected.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Error | Self::Cancelled)
    }
}

impl fmt::Display for FlowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A flow.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct Flow {
    /// Its id, unique together with the client.
    pub flow_id: FlowId,
    /// The client on which it runs.
    pub client_id: ClientId,
    /// The artifacts that were asked for.
    #[serde(deserialize_with = "row::or_default")]
    pub artifacts: Vec<String>,
    /// Who asked; a hunt's id where a hunt did.
    #[serde(deserialize_with = "row::or_default")]
    pub creator: String,
    /// Where it stands.
    pub state: FlowState,
    /// Why it ended badly.
    #[serde(deserialize_with = "row::text")]
    pub status: Option<String>,
    /// When it was asked for.
    #[serde(deserialize_with = "row::micros")]
    pub created: Option<Timestamp>,
    /// When the agent began.
    #[serde(deserialize_with = "row::micros")]
    pub started: Option<Timestamp>,
    /// When it was last heard of.
    #[serde(deserialize_with = "row::micros")]
    pub active: Option<Timestamp>,
    /// How long the agent worked.
    #[serde(deserialize_with = "row::nanos")]
    pub duration: Duration,
    /// Rows in all tables together.
    #[serde(deserialize_with = "row::or_default")]
    pub rows: u64,
    /// Files that were uploaded.
    #[serde(deserialize_with = "row::or_default")]
    pub uploaded_files: u64,
    /// Bytes that were uploaded.
    #[serde(deserialize_with = "row::or_default")]
    pub uploaded_bytes: u64,
    /// Lines that were logged.
    #[serde(deserialize_with = "row::or_default")]
    pub logs: u64,
    /// The tables that have rows: `Artifact` or `Artifact/Source`.
    #[serde(deserialize_with = "row::or_default")]
    pub tables: Vec<String>,
}

/// The permission to start and cancel collections on a client, or on the server itself.
pub(crate) fn collect_permission(client: &ClientId) -> Permission {
    if client.is_server() { Permission::CollectServer } else { Permission::CollectClient }
}

/// Tells a client that the server does not know from another failure.
pub(crate) fn unknown_client(client: &ClientId, error: QueryError) -> Fault {
    match *error.kind {
        QueryErrorKind::NotFound { .. } => {
            Fault::UnknownClient { given: client.to_string(), near: Vec::new() }
        }
        _ => error.into(),
    }
}

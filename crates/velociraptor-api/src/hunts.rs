//! Hunts: planned, created, listed, changed.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, HuntId};
use crate::os::Os;
use crate::row;

pub mod compiled;
mod condition;
mod create;
mod list;
pub(crate) mod members;
mod modify;

pub use compiled::{Compiled, redefined};
pub use condition::reach;
pub use create::{HuntPlan, create};
pub use list::{HuntPage, HuntSearch, HuntStatus, list, status};
pub use members::{RunningFlow, running_flows};
pub use modify::{HuntChange, modify};

/// Where a hunt stands, in the server's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HuntState {
    /// The server does not say.
    Unset,
    /// Created or held: nobody is scheduled.
    Paused,
    /// Clients are scheduled as they are seen.
    Running,
    /// No further clients are scheduled; flows that run go on.
    Stopped,
    /// Put away: stopped, and tagged `archived`.
    Archived,
    /// Marked as deleted.
    Deleted,
}

impl HuntState {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Unset, Self::Paused, Self::Running, Self::Stopped, Self::Archived, Self::Deleted];

    /// The server's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "UNSET",
            Self::Paused => "PAUSED",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
            Self::Archived => "ARCHIVED",
            Self::Deleted => "DELETED",
        }
    }

    /// Reads the word in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for HuntState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A hunt.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct Hunt {
    /// Its id.
    pub hunt_id: HuntId,
    /// What somebody called it.
    #[serde(deserialize_with = "row::or_default")]
    pub description: String,
    /// Where it stands.
    pub state: HuntState,
    /// Who created it.
    #[serde(deserialize_with = "row::or_default")]
    pub creator: String,
    /// When it was created.
    #[serde(deserialize_with = "row::micros")]
    pub created: Option<Timestamp>,
    /// When it was started last; for one that never was, when it was created.
    #[serde(deserialize_with = "row::micros")]
    pub started: Option<Timestamp>,
    /// When it stops scheduling clients.
    #[serde(deserialize_with = "row::micros")]
    pub expires: Option<Timestamp>,
    /// The artifacts that it collects.
    #[serde(deserialize_with = "row::or_default")]
    pub artifacts: Vec<String>,
    /// The tables that its artifacts can fill: `Artifact` or `Artifact/Source`.
    #[serde(deserialize_with = "row::or_default")]
    pub tables: Vec<String>,
    /// Its tags.
    #[serde(deserialize_with = "row::or_default")]
    pub tags: Vec<String>,
    /// Which clients it means.
    #[serde(rename(deserialize = "Condition"), deserialize_with = "condition::read")]
    pub scope: HuntScope,
    /// The server's own figures.
    #[serde(deserialize_with = "row::or_default")]
    pub stats: HuntStats,
    /// The server's time when the row was read.
    #[serde(rename(deserialize = "Now"), deserialize_with = "row::seconds")]
    pub as_of: Option<Timestamp>,
}

impl Hunt {
    /// Whether its time is over, whatever its state says.
    pub fn is_expired(&self) -> bool {
        matches!((self.expires, self.as_of), (Some(expires), Some(now)) if expires <= now)
    }
}

/// The server's own figures of a hunt.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default)]
pub struct HuntStats {
    /// Clients that were scheduled.
    #[serde(rename(deserialize = "total_clients_scheduled"))]
    pub scheduled: u64,
    /// Clients whose flow has ended, well or badly.
    #[serde(rename(deserialize = "total_finished_clients"))]
    pub finished: u64,
    /// Clients that the server counts as having results. It is not reliable: the judgement of each
    /// client is [`crate::hunt_results::coverage`].
    #[serde(rename(deserialize = "total_clients_with_results"))]
    pub with_results: u64,
    /// Clients whose flow ended badly.
    #[serde(rename(deserialize = "total_clients_with_errors"))]
    pub with_errors: u64,
    /// Rows of all clients.
    #[serde(rename(deserialize = "total_collected_rows"))]
    pub rows: u64,
    /// Bytes that were uploaded.
    #[serde(rename(deserialize = "total_uploaded_bytes"))]
    pub uploaded_bytes: u64,
}

/// Which clients a hunt means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HuntScope {
    /// Whoever fits, also those that enrol while it runs.
    Rule {
        /// Only this system.
        os: Option<Os>,
        /// Only clients that carry one of these labels; empty means all.
        include_labels: Vec<String>,
        /// No client that carries one of these labels.
        exclude_labels: Vec<String>,
    },
    /// These clients and nobody else, whoever starts it. They are scheduled one by one when the
    /// hunt is started through this library.
    Clients(Vec<ClientId>),
}

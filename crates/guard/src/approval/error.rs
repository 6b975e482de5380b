//! What can be wrong with an approval.

use std::time::Duration;

use jiff::Timestamp;

use super::change::Change;
use super::plan::PlanError;
use super::state::Ended;
use crate::approver::Approver;
use crate::audit::AuditError;
use crate::record::RecordError;

/// Approvals cannot be asked for, read or decided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Nothing is decided that cannot be recorded.
    #[error("nothing was decided, since it cannot be recorded: {0}")]
    Unrecorded(#[from] AuditError),
    /// The plan is about something else than the request.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A life that is none.
    #[error("a request cannot live for {given:?}; expected at most 24 h, and more than nothing")]
    Life {
        /// The life that was asked for.
        given: Duration,
    },
    /// Too many wait.
    #[error(
        "{pending} requests wait for an answer already: megaraptor approvals list; deny those that nobody wants"
    )]
    TooMany {
        /// How many wait.
        pending: usize,
    },
    /// There is none of that name.
    #[error("there is no request {name:?}: megaraptor approvals list")]
    Unknown {
        /// The id or digest that was given.
        name: String,
    },
    /// Several begin so.
    #[error("several requests begin with {name:?}: {}", ids.join(", "))]
    Ambiguous {
        /// What was given.
        name: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// It is decided or over.
    #[error("request {id} is {state}: nothing was changed")]
    NotPending {
        /// Its id.
        id: String,
        /// What became of it, in a word.
        state: &'static str,
    },
    /// The record was changed from outside.
    #[error(
        "the record of request {id} is not the one that was written: its digest does not fit its content. Somebody changed it; nothing is approved until it is moved away"
    )]
    Altered {
        /// Its id.
        id: String,
    },
}

/// Why a request does not run yet.
#[derive(Debug, thiserror::Error)]
pub enum NotApproved {
    /// Nobody was asked.
    #[error("nobody was asked about this request")]
    NotAsked,
    /// Nobody has answered.
    #[error("request {id} waits for an answer until {void_after}: megaraptor approvals show {id}")]
    Pending {
        /// Its id.
        id: String,
        /// The end of its life.
        void_after: Timestamp,
    },
    /// Somebody said no.
    #[error(
        "request {id} was denied by {by}{}",
        reason.as_ref().map_or_else(String::new, |reason| format!(": {reason:?}"))
    )]
    Denied {
        /// Its id.
        id: String,
        /// Who.
        by: Box<Approver>,
        /// Why.
        reason: Option<String>,
    },
    /// It was not used in time.
    #[error("request {id} expired at {at}: {}", why.as_str())]
    Expired {
        /// Its id.
        id: String,
        /// What ended it.
        why: Ended,
        /// When that was seen.
        at: Timestamp,
    },
    /// It was used.
    #[error("the approval {id} was used at {at}; each run is approved by itself")]
    Used {
        /// Its id.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// Things are no longer as they were shown.
    #[error(
        "request {id} was asked for another state of things: {}",
        changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Changed {
        /// Its id.
        id: String,
        /// What is different.
        changes: Vec<Change>,
    },
    /// Nobody can tell.
    #[error(transparent)]
    Failed(#[from] ApprovalError),
}

//! Why the facade did not do what it was asked for.

use crate::error::QueryError;
use crate::ids::{ClientId, FlowId, HuntId};
use crate::permission::Permission;

/// Why a function of the facade failed. Nothing was changed, except where a variant says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// No client has that id or name.
    #[error("no client is known as {given:?}")]
    UnknownClient {
        /// What was asked for.
        given: String,
        /// Host names that resemble it.
        near: Vec<String>,
    },
    /// Several clients carry that host name.
    #[error("{} clients are called {given:?}: name one by its id", .candidates.len())]
    AmbiguousClient {
        /// What was asked for.
        given: String,
        /// The clients of that name, last seen first.
        candidates: Vec<crate::clients::Client>,
    },
    /// No artifact has that name.
    #[error("the server has no artifact {given:?}")]
    UnknownArtifact {
        /// What was asked for.
        given: String,
        /// Names that resemble it.
        near: Vec<String>,
    },
    /// The client has no such flow.
    #[error("client {client} has no flow {flow}")]
    UnknownFlow {
        /// The client.
        client: ClientId,
        /// The flow.
        flow: FlowId,
    },
    /// The server has no such hunt.
    #[error("the server has no hunt {hunt}")]
    UnknownHunt {
        /// The hunt.
        hunt: HuntId,
    },
    /// What was asked for does not fit the definition of what it is about.
    #[error("{}", .faults.join("; "))]
    BadInput {
        /// Everything that is wrong, each as a sentence.
        faults: Vec<String>,
    },
    /// None of the configured identities may do it.
    #[error("none of the identities configured here holds {}", names(.lacking))]
    NotPermitted {
        /// What the strongest identity lacks.
        lacking: Vec<Permission>,
        /// All that it needs.
        needs: Vec<Permission>,
    },
    /// The client is not connected, and the call was not told to wait for it.
    #[error("client {client} is offline{}", since(.last_seen.as_ref()))]
    Offline {
        /// The client.
        client: ClientId,
        /// When it was last seen.
        last_seen: Option<jiff::Timestamp>,
    },
    /// The state of things forbids it.
    #[error("{reason}")]
    Refused {
        /// Why, and what would help.
        reason: String,
    },
    /// It was sent, and what is read back is not what it should be: something may have changed.
    #[error("{what}")]
    Unproved {
        /// What was expected and what was found.
        what: String,
        /// The flow that was made all the same.
        flow: Option<FlowId>,
    },
}

impl Fault {
    /// A fault of the input with one sentence.
    pub(crate) fn bad_input(fault: impl Into<String>) -> Self {
        Self::BadInput { faults: vec![fault.into()] }
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    pub(crate) fn unproved(what: impl Into<String>) -> Self {
        Self::Unproved { what: what.into(), flow: None }
    }

    /// The fault of a later step, after which what was done before must not be forgotten.
    pub(crate) fn following(self, done: &str) -> Self {
        let what = format!("{done}, and after that: {self}");
        match self {
            Self::Unproved { flow, .. } => Self::Unproved { what, flow },
            _ => Self::unproved(what),
        }
    }

    /// A flow that was made, and is not proved to be as it should.
    pub(crate) fn unproved_flow(flow: &FlowId, what: impl Into<String>) -> Self {
        Self::Unproved { what: what.into(), flow: Some(flow.clone()) }
    }
}

fn names(permissions: &[Permission]) -> String {
    permissions.iter().map(|p| p.name()).collect::<Vec<_>>().join(", ")
}

fn since(last_seen: Option<&jiff::Timestamp>) -> String {
    last_seen
        .map_or_else(|| String::from(" (it was never seen)"), |at| format!(" (last seen {at})"))
}

//! What a tool may do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a tool may do. Ordered by weight: where several parts of a call have an effect, the
/// heaviest is the call's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Looks, and leaves nothing behind.
    Read,
    /// Makes endpoints or the server do work and keeps its results.
    Collect,
    /// Changes an endpoint, or how the server treats it.
    Respond,
    /// Stands something up: a server, agents, keys.
    Deploy,
    /// Takes something down or deletes it for good.
    Destroy,
}

impl Effect {
    /// All effects, lightest first.
    pub const ALL: [Self; 5] =
        [Self::Read, Self::Collect, Self::Respond, Self::Deploy, Self::Destroy];

    /// The word in documents, settings and refusals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Collect => "collect",
            Self::Respond => "respond",
            Self::Deploy => "deploy",
            Self::Destroy => "destroy",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

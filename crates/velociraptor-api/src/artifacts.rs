//! Artifact definitions: listed, searched, read.

use std::fmt;

use serde::{Deserialize, Serialize};

mod closure;
mod definition;
mod inventory;
mod search;
mod systems;

pub use closure::{Closure, callees, calls, closure, closure_of_known};
pub use definition::{Column, Definition, Parameter, Source, Tool, definition, definitions, names};
pub use inventory::{InventoryEntry, inventory};
pub use search::{ArtifactPage, ArtifactSearch, ArtifactSummary, search};
pub use systems::systems;

/// What an artifact is for. The server does not check it when it schedules one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactKind {
    /// Collected on endpoints.
    Client,
    /// Watched on endpoints.
    ClientEvent,
    /// Collected on the server.
    Server,
    /// Watched on the server.
    ServerEvent,
    /// The server's own queues.
    Internal,
    /// A template of notebooks.
    Notebook,
}

impl ArtifactKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Client,
        Self::ClientEvent,
        Self::Server,
        Self::ServerEvent,
        Self::Internal,
        Self::Notebook,
    ];

    /// The server's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ClientEvent => "client_event",
            Self::Server => "server",
            Self::ServerEvent => "server_event",
            Self::Internal => "internal",
            Self::Notebook => "notebook",
        }
    }

    /// Reads the word in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! Clients: searched, resolved from a host name, looked at one by one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::ClientId;
use crate::os::Os;
use crate::{row, time};

mod info;
mod resolve;
mod search;

pub use info::{ClientInfo, InFlight, info};
pub use resolve::{Purpose, Resolved, by_ids, existing, resolve};
pub use search::{ClientOrder, ClientPage, ClientSearch, search};
pub(crate) use search::{escape, label_pattern};

/// An enrolled endpoint, as the server's index knows it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct Client {
    /// Its id.
    pub client_id: ClientId,
    /// The host name, empty before the first interrogation.
    #[serde(deserialize_with = "row::or_default")]
    pub hostname: String,
    /// The full name.
    #[serde(deserialize_with = "row::text")]
    pub fqdn: Option<String>,
    /// The system, as the agent reports it: `windows`, `linux`, `darwin`, …
    #[serde(deserialize_with = "row::text")]
    pub os: Option<String>,
    /// The system's release, such as `debian12.11`.
    #[serde(deserialize_with = "row::text")]
    pub release: Option<String>,
    /// The labels.
    #[serde(deserialize_with = "row::or_default")]
    pub labels: Vec<String>,
    /// The address and port from which it was last seen.
    #[serde(deserialize_with = "row::text")]
    pub last_ip: Option<String>,
    /// When it was last seen.
    #[serde(deserialize_with = "row::micros")]
    pub last_seen: Option<Timestamp>,
    /// When it enrolled.
    #[serde(deserialize_with = "row::seconds")]
    pub first_seen: Option<Timestamp>,
    /// The agent's version.
    #[serde(deserialize_with = "row::text")]
    pub agent_version: Option<String>,
    /// The server's time when the row was read.
    #[serde(rename(deserialize = "Now"), deserialize_with = "row::seconds")]
    pub as_of: Option<Timestamp>,
}

impl Client {
    /// Whether it was seen within fifteen minutes, by the server's own clock.
    pub fn is_online(&self) -> bool {
        self.seen_within(time::ONLINE_WITHIN)
    }

    /// Whether it was seen within that time, by the server's own clock.
    pub fn seen_within(&self, span: std::time::Duration) -> bool {
        time::seen_within(self.last_seen, self.as_of, span)
    }

    /// The system, where it is one that is known here.
    pub fn system(&self) -> Option<Os> {
        self.os.as_deref().and_then(Os::from_name)
    }
}

//! All that the server records of one client.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Client;
use crate::fault::Fault;
use crate::ids::{ClientId, FlowId};
use crate::queries::clients::DETAIL;
use crate::session::Session;
use crate::{row, time};

/// One client in detail.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct ClientInfo {
    /// What the index knows.
    #[serde(flatten)]
    pub client: Client,
    /// The processor architecture.
    #[serde(deserialize_with = "row::text")]
    pub machine: Option<String>,
    /// The hardware addresses of its network interfaces.
    #[serde(deserialize_with = "row::or_default")]
    pub mac_addresses: Vec<String>,
    /// The name under which the agent was built.
    #[serde(deserialize_with = "row::text")]
    pub agent_name: Option<String>,
    /// When the agent was built, as the agent says it.
    #[serde(deserialize_with = "row::text")]
    pub agent_built: Option<String>,
    /// The flow of the last interrogation: what is said here was true then.
    #[serde(deserialize_with = "row::text")]
    pub interrogate_flow: Option<String>,
    /// Work that was handed to the agent and has not ended.
    #[serde(deserialize_with = "in_flight")]
    pub in_flight: Vec<InFlight>,
    /// The metadata that people attached to it. Values are texts.
    #[serde(deserialize_with = "row::or_default")]
    pub metadata: IndexMap<String, serde_json::Value>,
}

/// A flow that an agent works on.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct InFlight {
    /// The flow.
    pub flow_id: FlowId,
    /// Since when.
    pub since: Option<Timestamp>,
}

fn in_flight<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<InFlight>, D::Error> {
    let flows: IndexMap<String, i64> = row::or_default(input)?;
    let read = |(id, since): (String, i64)| {
        let flow_id = FlowId::parse(&id).map_err(serde::de::Error::custom)?;
        Ok(InFlight { flow_id, since: time::from_seconds(since) })
    };
    flows.into_iter().map(read).collect()
}

/// Reads what the server records of a client.
///
/// # Errors
///
/// [`Fault::UnknownClient`], [`Fault::Query`].
pub async fn info(session: &Session<'_>, id: &ClientId) -> Result<ClientInfo, Fault> {
    let query = DETAIL.query().bind("MR_Client", id.as_str());
    let mut rows: Vec<ClientInfo> = session.rows(&DETAIL, query).await?;
    rows.pop().ok_or_else(|| Fault::UnknownClient { given: id.to_string(), near: Vec::new() })
}

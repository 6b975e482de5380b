//! The flows of a hunt.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::fault::Fault;
use crate::flows::{FlowState, QueryStat};
use crate::ids::{ClientId, FlowId, HuntId};
use crate::limits::Limits;
use crate::permission::Permission;
use crate::queries::hunts::{ADD, FLOWS};
use crate::row;
use crate::session::Session;

/// A flow of a hunt, as far as a judgement of its client needs it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Member {
    pub(crate) client_id: ClientId,
    pub(crate) flow_id: FlowId,
    pub(crate) state: FlowState,
    #[serde(deserialize_with = "row::text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "row::or_default")]
    pub(crate) rows: u64,
    #[serde(deserialize_with = "row::or_default")]
    pub(crate) tables: Vec<String>,
    #[serde(deserialize_with = "row::or_default")]
    pub(crate) queries: u64,
    /// Lines of log that the client said it sent; the server can have lost some.
    #[serde(deserialize_with = "row::or_default")]
    pub(crate) logs: u64,
    /// How its queries fared, where it ended badly.
    #[serde(deserialize_with = "row::or_default")]
    pub(crate) stats: Vec<QueryStat>,
}

impl Member {
    /// Whether it has rows in the table.
    pub(crate) fn fills(&self, table: &str) -> bool {
        self.tables.iter().any(|name| name == table)
    }
}

/// A flow that has not ended.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct RunningFlow {
    /// On which client.
    pub client_id: ClientId,
    /// Which flow.
    pub flow_id: FlowId,
    /// Where it stands.
    pub state: FlowState,
}

/// The flows of a hunt that have not ended: stopping a hunt does not stop them.
///
/// # Errors
///
/// [`Fault::Query`]. An unknown hunt has no flows.
pub async fn running_flows(
    session: &Session<'_>,
    hunt: &HuntId,
) -> Result<Vec<RunningFlow>, Fault> {
    let running = members(session, hunt).await?.into_iter().filter(|m| !m.state.is_final());
    let flow =
        |m: Member| RunningFlow { client_id: m.client_id, flow_id: m.flow_id, state: m.state };
    Ok(running.map(flow).collect())
}

/// All flows of a hunt.
pub(crate) async fn members(session: &Session<'_>, hunt: &HuntId) -> Result<Vec<Member>, Fault> {
    let query = FLOWS.query().bind("MR_Hunt", hunt.as_str());
    Ok(session.rows(&FLOWS, query).await?)
}

/// Schedules those of the listed clients that have no flow yet.
pub(super) async fn add_listed(
    session: &Session<'_>,
    hunt: &HuntId,
    listed: &[ClientId],
) -> Result<(), Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Added {
        client_id: Option<ClientId>,
    }
    let there = members(session, hunt).await?;
    let missing: Vec<&str> = listed
        .iter()
        .filter(|id| !there.iter().any(|member| member.client_id == **id))
        .map(ClientId::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let query = ADD.query().bind("MR_Hunt", hunt.as_str()).bind_json("MR_Clients", &json!(missing));
    let needs = [Permission::CollectClient];
    let added: Vec<Added> = session.rows_with(&ADD, query, &needs, Limits::READ).await?;
    let done = added.iter().filter(|row| row.client_id.is_some()).count();
    if done == missing.len() {
        return Ok(());
    }
    Err(Fault::unproved(format!("{done} of {} clients were added to hunt {hunt}", missing.len())))
}

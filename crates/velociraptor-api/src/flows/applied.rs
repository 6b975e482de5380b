//! Did anything that a flow was to do apply to its client?

use serde::Deserialize;
use serde_json::json;

use super::{FlowState, FlowStatus};
use crate::fault::Fault;
use crate::queries::hunts::SKIPPED;
use crate::session::Session;

/// Whether every query of a flow that ended well without rows logged that its precondition does
/// not hold on the client: then nothing was looked at. False of every other flow, and where the
/// log lacks lines.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn applied_nowhere(session: &Session<'_>, status: &FlowStatus) -> Result<bool, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        skipped: u64,
    }
    let flow = &status.flow;
    if flow.state != FlowState::Finished || flow.rows > 0 || status.queries.is_empty() {
        return Ok(false);
    }
    let flows = json!([{"client": flow.client_id, "flow": flow.flow_id}]);
    let query = SKIPPED.query().bind_json("MR_Flows", &flows);
    let rows: Vec<Row> = session.rows(&SKIPPED, query).await?;
    let skipped: u64 = rows.iter().map(|row| row.skipped).sum();
    Ok(skipped >= status.queries.len() as u64)
}

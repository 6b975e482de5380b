//! Did anything that a flow was to do apply to its client?

use std::time::Duration;

use serde::Deserialize;
use tokio::time::sleep;

use super::{FlowState, FlowStatus};
use crate::fault::Fault;
use crate::queries::flows::SKIPPED;
use crate::row;
use crate::session::Session;

/// How often the log of a flow is read until it has the lines that the flow counts.
const LOOKS: u32 = 5;

/// On an idle server the lines of a flow are there within a tenth of a second after its end.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Whether every query of a flow that ended well without rows logged that its precondition does
/// not hold on the client: then nothing was looked at. False of every other flow, and where the
/// log still lacks lines after half a second.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn applied_nowhere(session: &Session<'_>, status: &FlowStatus) -> Result<bool, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Line {
        #[serde(deserialize_with = "row::or_default")]
        skipped: bool,
    }
    let flow = &status.flow;
    if flow.state != FlowState::Finished || flow.rows > 0 || status.queries.is_empty() {
        return Ok(false);
    }
    for look in 1..=LOOKS {
        let query = SKIPPED
            .query()
            .bind("MR_Client", flow.client_id.as_str())
            .bind("MR_Flow", flow.flow_id.as_str());
        let lines: Vec<Line> = session.rows(&SKIPPED, query).await?;
        let skipped = lines.iter().filter(|line| line.skipped).count();
        if skipped >= status.queries.len() {
            return Ok(true);
        }
        // The server writes the log a moment after the record.
        if lines.len() as u64 >= flow.logs {
            break;
        }
        if look < LOOKS {
            sleep(BETWEEN_LOOKS).await;
        }
    }
    Ok(false)
}

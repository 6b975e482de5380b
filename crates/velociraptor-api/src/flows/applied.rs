//! Did anything that a flow was to do apply to its client?

use std::time::Duration;

use tokio::time::sleep;

use super::told::told;
use super::{FlowState, FlowStatus};
use crate::fault::Fault;
use crate::session::Session;

/// How often the log of a flow is read until it has the lines that the flow counts.
const LOOKS: u32 = 6;

/// The first pause between two looks; each is twice as long as the one before, all of them three seconds.
/// On an idle server the lines of a flow are there within a tenth of a second after its end.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Whether what a flow was to do applied to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A query of it ran, or it ended otherwise than well and without rows.
    Somewhere,
    /// Every query logged that its precondition does not hold on the client: nothing was looked at.
    Nowhere,
    /// It ended well and without rows, and its log does not tell. Lines may be missing and never come: an
    /// agent that ends a flow sends its last lines beside cancelling what sends them (0.77.2,
    /// `responder/flow_context.go`), and on a busy host the lines lose that race.
    NotKnown,
}

/// Whether what a flow was to do applied to its client. Of a flow that ended well without rows the log
/// is read, for up to three seconds where it lacks lines.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn applied(session: &Session<'_>, status: &FlowStatus) -> Result<Applied, Fault> {
    let flow = &status.flow;
    let is_silent =
        flow.state == FlowState::Finished && flow.rows == 0 && !status.queries.is_empty();
    // The server asks for no precondition where it works itself.
    if !is_silent || flow.client_id.is_server() {
        return Ok(Applied::Somewhere);
    }
    let mut pause = FIRST_PAUSE;
    for look in 1..=LOOKS {
        let mut each = told(session, [(&flow.client_id, &flow.flow_id)]).await?;
        let told = each.remove(&flow.client_id).unwrap_or_default();
        if told.has_skipped_inside() {
            return Ok(Applied::NotKnown);
        }
        if told.ran(&flow.artifacts) {
            return Ok(Applied::Somewhere);
        }
        if told.skipped(&flow.artifacts) >= status.queries.len() as u64 {
            return Ok(Applied::Nowhere);
        }
        if look == LOOKS || told.lines >= flow.logs {
            break;
        }
        // The server writes the log a moment after the record.
        sleep(pause).await;
        pause *= 2;
    }
    Ok(Applied::NotKnown)
}

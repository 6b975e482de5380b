//! Cancelling a flow.

use std::time::Duration;

use serde::Deserialize;

use super::{Flow, FlowState, collect_permission, wait};
use crate::fault::Fault;
use crate::ids::{ClientId, FlowId};
use crate::limits::Limits;
use crate::queries::flows::CANCEL;
use crate::session::Session;

/// For how long the end of a cancelled flow is awaited; it was seen within milliseconds.
const READ_BACK: Duration = Duration::from_secs(5);

/// What became of a flow that was to be cancelled.
#[derive(Clone, Debug)]
pub struct Cancelled {
    /// Where it stood before.
    pub before: FlowState,
    /// The flow as read back.
    pub flow: Flow,
    /// Whether it was cancelled; a flow that had ended was left alone.
    pub cancelled: bool,
}

/// Cancels a flow, and reads back that it ended. A flow that has ended is left as it is.
///
/// # Errors
///
/// [`Fault::UnknownFlow`], [`Fault::UnknownClient`]; [`Fault::Unproved`] where the flow still runs
/// after the server took the cancellation.
pub async fn cancel(
    session: &Session<'_>,
    client: &ClientId,
    id: &FlowId,
) -> Result<Cancelled, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Done {
        before: Option<FlowState>,
        cancelled: Option<String>,
    }
    let query = CANCEL.query().bind("MR_Client", client.as_str()).bind("MR_Flow", id.as_str());
    let needs = [collect_permission(client)];
    let rows = session.rows_with::<Done>(&CANCEL, query, &needs, Limits::READ).await;
    let mut rows = rows.map_err(|error| super::unknown_client(client, error))?;
    let done = rows.pop();
    let Some((before, cancelled)) = done.and_then(|d| Some((d.before?, d.cancelled.is_some())))
    else {
        return Err(Fault::UnknownFlow { client: client.clone(), flow: id.clone() });
    };
    let flow = super::status::flow(session, client, id).await?;
    if !cancelled || flow.state.is_final() {
        return Ok(Cancelled { before, flow, cancelled });
    }
    let flow = wait(session, client, id, READ_BACK, |_| {}).await?.flow;
    if flow.state.is_final() {
        return Ok(Cancelled { before, flow, cancelled });
    }
    Err(Fault::unproved(format!(
        "the server took the cancellation of flow {id}, and the flow is {} still",
        flow.state
    )))
}

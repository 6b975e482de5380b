//! Waiting for a flow.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::status::flow;
use super::{Flow, FlowState};
use crate::clients;
use crate::error::QueryErrorKind;
use crate::fault::Fault;
use crate::ids::{ClientId, FlowId};
use crate::session::Session;

/// The first look comes soon, because most collections take less than a second; later ones are
/// rarer.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// A flow that uploads can turn from ERROR to FINISHED a moment later; an error is believed when
/// it was seen for this long.
const SETTLE: Duration = Duration::from_millis(600);

/// How the waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEnd {
    /// The flow has ended, well or badly.
    Ended,
    /// The deadline passed. The flow goes on.
    Deadline,
    /// The client is not connected; the flow waits for it.
    Offline,
}

/// A flow that was waited for.
#[derive(Clone, Debug)]
pub struct Waited {
    /// The flow as it was seen last.
    pub flow: Flow,
    /// Why the waiting ended.
    pub end: WaitEnd,
}

/// Waits until a flow ends, at most for `patience`. `progress` is told each state that is seen,
/// the first one too. Where the client is not connected the wait ends at once.
///
/// # Errors
///
/// [`Fault::UnknownFlow`], [`Fault::UnknownClient`], [`Fault::Query`]; a cancelled session is a
/// [`QueryErrorKind::Cancelled`].
///
/// # Cancel safety
///
/// Stopping to wait does not stop the flow.
pub async fn wait(
    session: &Session<'_>,
    client: &ClientId,
    id: &FlowId,
    patience: Duration,
    mut progress: impl FnMut(&Flow),
) -> Result<Waited, Fault> {
    let deadline = Instant::now() + patience;
    let mut pause = FIRST;
    let mut failed_since: Option<Instant> = None;
    let mut last: Option<(FlowState, u64)> = None;
    loop {
        let flow = flow(session, client, id).await?;
        let seen = (flow.state, flow.rows);
        if last.replace(seen) != Some(seen) {
            progress(&flow);
        }
        let now = Instant::now();
        let settled = match flow.state {
            FlowState::Finished => true,
            FlowState::Error | FlowState::Cancelled => {
                now >= *failed_since.get_or_insert(now) + SETTLE
            }
            _ => {
                failed_since = None;
                false
            }
        };
        if settled {
            return Ok(Waited { flow, end: WaitEnd::Ended });
        }
        if now >= deadline {
            let end = if flow.state.is_final() { WaitEnd::Ended } else { WaitEnd::Deadline };
            return Ok(Waited { flow, end });
        }
        if !flow.state.is_final() && is_offline(session, client).await? {
            return Ok(Waited { flow, end: WaitEnd::Offline });
        }
        let until = (now + pause).min(deadline);
        tokio::select! {
            biased;
            () = session.cancel().cancelled() => {
                let kind = QueryErrorKind::Cancelled;
                return Err(session.server().error(None, "wait for a flow", kind).into());
            }
            () = sleep_until(until) => {}
        }
        pause = (pause * 3 / 2).min(LONGEST);
    }
}

async fn is_offline(session: &Session<'_>, client: &ClientId) -> Result<bool, Fault> {
    Ok(clients::existing(session, client).await?.is_some_and(|client| !client.is_online()))
}

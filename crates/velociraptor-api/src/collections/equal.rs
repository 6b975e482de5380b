//! Has the same been collected already?

use std::time::Duration;

use jiff::Timestamp;

use super::Checked;
use crate::clients;
use crate::fault::Fault;
use crate::flows::{self, Flow, FlowSearch, Request};
use crate::ids::ClientId;
use crate::session::Session;

/// How many of the newest flows are looked at.
const LOOK_AT: u32 = 100;

/// The newest flow of this client that was started within `within`, did not fail, and collects the
/// same artifacts with the same parameters and limits. Times are compared on the server's clock.
///
/// # Errors
///
/// [`Fault::UnknownClient`], [`Fault::Query`].
pub async fn equal_recent(
    session: &Session<'_>,
    client: &ClientId,
    collection: &Checked,
    within: Duration,
) -> Result<Option<Flow>, Fault> {
    let now = clients::by_ids(session, std::slice::from_ref(client))
        .await?
        .pop()
        .and_then(|client| client.as_of)
        .unwrap_or_else(Timestamp::now);
    let wanted = FlowSearch { count: LOOK_AT, ..FlowSearch::default() };
    let page = flows::list(session, client, &wanted).await?;
    for flow in page.flows {
        let is_recent = flow.created.is_some_and(|at| at + within >= now);
        if !is_recent || flow.state.is_early() || !same_artifacts(&flow, collection) {
            continue;
        }
        let status = flows::status(session, client, &flow.flow_id).await?;
        if !status.repeated && same_request(&status.request, collection) {
            return Ok(Some(status.flow));
        }
    }
    Ok(None)
}

fn same_artifacts(flow: &Flow, collection: &Checked) -> bool {
    flow.artifacts.len() == collection.parameters.len()
        && flow.artifacts.iter().all(|name| collection.parameters.contains_key(name))
}

fn same_request(request: &Request, collection: &Checked) -> bool {
    let kept = |artifact: &str| {
        request.specs.iter().find(|spec| spec.artifact == artifact).map(|spec| &spec.parameters)
    };
    let same_parameters = collection.parameters.iter().all(|(artifact, sent)| {
        kept(artifact).map_or(sent.is_empty(), |kept| {
            kept.len() == sent.len()
                && sent.iter().all(|(name, value)| kept.get(name) == Some(value))
        })
    });
    same_parameters && collection.same_bounds(request)
}

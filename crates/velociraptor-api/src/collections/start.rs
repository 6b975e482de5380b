//! Starting a collection, and reading back what the server made of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{Checked, Target};
use crate::clients;
use crate::fault::Fault;
use crate::flows::{self, FlowStatus, Request, collect_permission};
use crate::ids::{ClientId, FlowId};
use crate::limits::Limits;
use crate::queries::collections::COLLECT;
use crate::session::Session;

/// For how long a flow that the server named may be missing from its records.
const READ_BACK: Duration = Duration::from_secs(5);

/// A collection that the server took.
#[derive(Clone, Debug, Serialize)]
pub struct Started {
    /// The flow as read back, with the parameters that the server keeps.
    pub status: FlowStatus,
    /// Whether the client was connected; otherwise the flow waits for it.
    pub online: bool,
}

/// Starts a checked collection on one client, and reads it back.
///
/// # Errors
///
/// [`Fault::UnknownClient`] and [`Fault::NotPermitted`] before anything is sent; [`Fault::Query`];
/// [`Fault::Unproved`] where the flow that was made is not the one that was asked for, or could
/// not be read back: it carries the flow's id.
///
/// # Cancel safety
///
/// A collection that was sent goes on.
pub async fn start(
    session: &Session<'_>,
    client: &ClientId,
    collection: &Checked,
) -> Result<Started, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        flow_id: Option<FlowId>,
        request: Option<Request>,
    }
    let fits = match collection.target {
        Target::Clients => !client.is_server(),
        Target::Server => client.is_server(),
    };
    if !fits {
        return Err(Fault::bad_input(format!(
            "the collection was checked for {}, and {client} was named",
            collection.target
        )));
    }
    let known = clients::existing(session, client).await?;
    let mut needs = collection.permissions();
    needs.push(collect_permission(client));
    session.permitted(&needs).await?;
    let query = collection
        .bind(COLLECT.query().bind("MR_Client", client.as_str()))
        .bind("MR_Urgent", if collection.urgent { "Y" } else { "" });
    let mut rows: Vec<Row> = session.rows_with(&COLLECT, query, &needs, Limits::READ).await?;
    let row = rows.pop();
    let Some((flow, request)) = row.and_then(|row| Some((row.flow_id?, row.request?))) else {
        return Err(Fault::unproved("the server gave no flow id, and no reason in its log"));
    };
    if let Some(difference) = collection.differs(&request) {
        let what = format!("flow {flow} was started, but {difference}");
        return Err(Fault::unproved_flow(&flow, what));
    }
    let status = read_back(session, client, &flow).await?;
    let online = known.is_none_or(|client| client.is_online());
    Ok(Started { status, online })
}

/// Reads a flow that was just made: one on the server itself is written a moment later.
async fn read_back(
    session: &Session<'_>,
    client: &ClientId,
    flow: &FlowId,
) -> Result<FlowStatus, Fault> {
    let end = Instant::now() + READ_BACK;
    loop {
        match flows::status(session, client, flow).await {
            Err(Fault::UnknownFlow { .. }) if Instant::now() < end => {
                sleep(Duration::from_millis(50)).await;
            }
            Err(Fault::UnknownFlow { .. }) => {
                let what = format!("the server gave the flow id {flow}, and knows no such flow");
                return Err(Fault::unproved_flow(flow, what));
            }
            other => {
                return other.map_err(|fault| {
                    let what =
                        format!("flow {flow} was started, and reading it back failed: {fault}");
                    Fault::unproved_flow(flow, what)
                });
            }
        }
    }
}

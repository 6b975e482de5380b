//! The flows of a client, page by page.

use serde::Deserialize;
use vql_builder::Query;

use super::{Flow, FlowState};
use crate::fault::Fault;
use crate::ids::ClientId;
use crate::queries::flows::LIST;
use crate::session::Session;
use crate::whole::between;

/// What flows are wanted.
#[derive(Clone, Debug)]
pub struct FlowSearch {
    /// Only these states; empty means any.
    pub states: Vec<FlowState>,
    /// How many to pass over.
    pub from: u64,
    /// How many to give, at most.
    pub count: u32,
}

impl Default for FlowSearch {
    fn default() -> Self {
        Self { states: Vec::new(), from: 0, count: 50 }
    }
}

impl FlowSearch {
    /// Binds which flows of the client are wanted.
    pub(crate) fn filter(&self, query: Query, client: &ClientId) -> Query {
        let words: Vec<&str> = self.states.iter().map(|state| state.as_str()).collect();
        let states =
            if words.is_empty() { String::new() } else { format!("^({})$", words.join("|")) };
        query.bind("MR_Client", client.as_str()).bind("MR_States", states)
    }

    /// Binds which, from where to where.
    pub(crate) fn page(&self, query: Query, client: &ClientId, (from, to): (u64, u64)) -> Query {
        let query = self.filter(query, client);
        query.bind("MR_From", from.to_string()).bind("MR_To", to.to_string())
    }
}

/// A page of flows, the newest first.
#[derive(Clone, Debug)]
pub struct FlowPage {
    /// The flows.
    pub flows: Vec<Flow>,
    /// How many there are on all pages.
    pub total: u64,
    /// Where the next page begins, where there is one.
    pub next: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(flatten)]
    flow: Flow,
    total: u64,
}

/// Lists the flows of a client.
///
/// The server keeps this list in an index of its own that can lag behind: a flow that was deleted
/// stays for some seconds, and one that [`super::status`] finds by its id may be missing.
///
/// # Errors
///
/// [`Fault::Query`]; [`Fault::UnknownClient`] where the server does not know the client.
pub async fn list(
    session: &Session<'_>,
    client: &ClientId,
    wanted: &FlowSearch,
) -> Result<FlowPage, Fault> {
    let page = fetch(session, client, wanted).await?;
    if !page.flows.is_empty() || wanted.from == 0 {
        return Ok(page);
    }
    // Beyond the last page no row tells the total.
    let first = FlowSearch { from: 0, count: 1, ..wanted.clone() };
    let total = fetch(session, client, &first).await?.total;
    Ok(FlowPage { flows: Vec::new(), total, next: None })
}

async fn fetch(
    session: &Session<'_>,
    client: &ClientId,
    wanted: &FlowSearch,
) -> Result<FlowPage, Fault> {
    let (from, to) = between(wanted.from, wanted.count);
    let query = wanted.page(LIST.query(), client, (from, to));
    let rows = session.rows::<Found>(&LIST, query).await;
    let rows = rows.map_err(|error| super::unknown_client(client, error))?;
    let total = rows.first().map_or(0, |row| row.total);
    let flows: Vec<Flow> = rows.into_iter().map(|row| row.flow).collect();
    let end = from + flows.len() as u64;
    Ok(FlowPage { next: (!flows.is_empty() && end < total).then_some(end), flows, total })
}

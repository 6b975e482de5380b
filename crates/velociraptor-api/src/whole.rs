//! What the server keeps of clients, flows, hunts and artifacts, with every member and in its words.
//!
//! The typed facade has what is understood here; this has the rest as well. A page is the same part of
//! the same list as that of the facade.

use serde_json::json;
use vql_builder::Query;

use crate::artifacts::ArtifactSearch;
use crate::catalogue::CatalogueQuery;
use crate::clients::ClientSearch;
use crate::fault::Fault;
use crate::flows::{FlowSearch, unknown_client};
use crate::hunts::HuntSearch;
use crate::ids::{ClientId, FlowId};
use crate::queries::whole as texts;
use crate::session::Session;
use crate::stream::Row;

/// A page of records.
#[derive(Clone, Debug)]
pub struct RecordPage {
    /// The records.
    pub records: Vec<Row>,
    /// How many there are on all pages.
    pub total: u64,
    /// Where the next page begins, where there is one.
    pub next: Option<u64>,
}

/// The clients that a search finds.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn clients(session: &Session<'_>, wanted: &ClientSearch) -> Result<RecordPage, Fault> {
    let bind = |at| wanted.page(texts::CLIENTS.query(), at);
    page(session, &texts::CLIENTS, (wanted.from, wanted.count), bind).await
}

/// The flows of a client.
///
/// # Errors
///
/// [`Fault::Query`]; [`Fault::UnknownClient`] where the server does not know the client.
pub async fn flows(
    session: &Session<'_>,
    client: &ClientId,
    wanted: &FlowSearch,
) -> Result<RecordPage, Fault> {
    let bind = |at| wanted.page(texts::FLOWS.query(), client, at);
    let found = page(session, &texts::FLOWS, (wanted.from, wanted.count), bind).await;
    found.map_err(|fault| match fault {
        Fault::Query(error) => unknown_client(client, error),
        other => other,
    })
}

/// The hunts that a search finds.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn hunts(session: &Session<'_>, wanted: &HuntSearch) -> Result<RecordPage, Fault> {
    let bind = |at| wanted.page(texts::HUNTS.query(), at);
    page(session, &texts::HUNTS, (wanted.from, wanted.count), bind).await
}

/// The definitions that a search finds.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn artifacts(
    session: &Session<'_>,
    wanted: &ArtifactSearch,
) -> Result<RecordPage, Fault> {
    let bind = |at| wanted.page(texts::ARTIFACTS.query(), at);
    page(session, &texts::ARTIFACTS, (wanted.from, wanted.count), bind).await
}

/// One client, with what people attached to it; nothing where the server does not know it.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn client(session: &Session<'_>, id: &ClientId) -> Result<Option<Row>, Fault> {
    only(session, &texts::CLIENT, texts::CLIENT.query().bind("MR_Client", id.as_str())).await
}

/// One flow; nothing where the server does not know it.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn flow(
    session: &Session<'_>,
    client: &ClientId,
    id: &FlowId,
) -> Result<Option<Row>, Fault> {
    let query = texts::FLOW.query().bind("MR_Client", client.as_str());
    only(session, &texts::FLOW, query.bind("MR_Flow", id.as_str())).await
}

/// One definition; nothing where the server does not know it.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn artifact(session: &Session<'_>, name: &str) -> Result<Option<Row>, Fault> {
    let query = texts::ARTIFACT.query().bind_json("MR_Artifacts", &json!([name]));
    only(session, &texts::ARTIFACT, query).await
}

/// The numbers of the first item of a page and of the one behind its last, as the server takes them.
pub(crate) fn between(from: u64, count: u32) -> (u64, u64) {
    let to = from.saturating_add(u64::from(count.max(1))).min(i64::MAX as u64);
    (from.min(to), to)
}

async fn only(
    session: &Session<'_>,
    entry: &CatalogueQuery,
    query: Query,
) -> Result<Option<Row>, Fault> {
    Ok(session.rows::<Row>(entry, query).await?.pop())
}

async fn page(
    session: &Session<'_>,
    entry: &CatalogueQuery,
    (from, count): (u64, u32),
    bind: impl Fn((u64, u64)) -> Query,
) -> Result<RecordPage, Fault> {
    let (from, to) = between(from, count);
    let (records, total) = fetch(session, entry, bind((from, to))).await?;
    if records.is_empty() && from > 0 {
        // Beyond the last page no row tells the total.
        let (_, total) = fetch(session, entry, bind((0, 1))).await?;
        return Ok(RecordPage { records, total, next: None });
    }
    let end = from + records.len() as u64;
    let next = (!records.is_empty() && end < total).then_some(end);
    Ok(RecordPage { records, total, next })
}

/// The records, without what the query adds to each, and how many there are in all.
async fn fetch(
    session: &Session<'_>,
    entry: &CatalogueQuery,
    query: Query,
) -> Result<(Vec<Row>, u64), Fault> {
    let mut rows: Vec<Row> = session.rows(entry, query).await?;
    let mut total = 0;
    for row in &mut rows {
        total = row.get("MR_Total").and_then(serde_json::Value::as_u64).unwrap_or(total);
        row.retain(|name, _| !name.starts_with("MR_"));
    }
    Ok((rows, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_beginning_and_an_end_that_the_server_can_take() {
        assert_eq!(between(0, 0), (0, 1));
        assert_eq!(between(50, 25), (50, 75));
        let most = i64::MAX as u64;
        assert_eq!(between(u64::MAX, 5), (most, most));
    }
}

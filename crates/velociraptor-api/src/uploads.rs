//! Files that collections have uploaded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalogue::CatalogueQuery;
use crate::fault::Fault;
use crate::ids::{ClientId, FlowId, HuntId};
use crate::queries::uploads::{OF_FLOW, OF_HUNT};
use crate::row;
use crate::session::Session;

/// A file on the server that came from an endpoint.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct Upload {
    /// Where the server keeps it; unique.
    pub path: String,
    /// Where it was on the endpoint.
    #[serde(deserialize_with = "row::or_default")]
    pub client_path: String,
    /// How the agent read it.
    #[serde(deserialize_with = "row::text")]
    pub accessor: Option<String>,
    /// `idx` for the index of a sparse file, otherwise mostly nothing.
    #[serde(rename(deserialize = "Type"), deserialize_with = "row::text")]
    pub kind: Option<String>,
    /// Its size on the endpoint, in bytes.
    #[serde(deserialize_with = "row::or_default")]
    pub size: u64,
    /// How much of it is here, in bytes: less where a limit cut it or it is sparse.
    #[serde(deserialize_with = "row::or_default")]
    pub stored: u64,
    /// The path as the server's file fetch wants it.
    #[serde(deserialize_with = "row::or_default")]
    pub components: Vec<String>,
    /// When it arrived.
    #[serde(deserialize_with = "row::seconds")]
    pub at: Option<Timestamp>,
}

/// A page of files, by path.
#[derive(Clone, Debug)]
pub struct UploadPage {
    /// The files.
    pub uploads: Vec<Upload>,
    /// How many there are on all pages.
    pub total: u64,
    /// Where the next page begins, where there is one.
    pub next: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(flatten)]
    upload: Upload,
    total: u64,
}

/// Lists the files of a flow. An unknown flow has none.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn of_flow(
    session: &Session<'_>,
    client: &ClientId,
    flow: &FlowId,
    from: u64,
    count: u32,
) -> Result<UploadPage, Fault> {
    let query = OF_FLOW.query().bind("MR_Client", client.as_str()).bind("MR_Flow", flow.as_str());
    page(session, &OF_FLOW, query, from, count).await
}

/// Lists the files of all flows of a hunt. An unknown hunt has none.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn of_hunt(
    session: &Session<'_>,
    hunt: &HuntId,
    from: u64,
    count: u32,
) -> Result<UploadPage, Fault> {
    page(session, &OF_HUNT, OF_HUNT.query().bind("MR_Hunt", hunt.as_str()), from, count).await
}

async fn page(
    session: &Session<'_>,
    entry: &CatalogueQuery,
    query: vql_builder::Query,
    from: u64,
    count: u32,
) -> Result<UploadPage, Fault> {
    let to = from.saturating_add(u64::from(count.max(1))).min(i64::MAX as u64);
    let from = from.min(to);
    let query = query.bind("MR_From", from.to_string()).bind("MR_To", to.to_string());
    let rows: Vec<Found> = session.rows(entry, query).await?;
    let total = rows.first().map_or(0, |row| row.total);
    let uploads: Vec<Upload> = rows.into_iter().map(|row| row.upload).collect();
    let end = from + uploads.len() as u64;
    let next = (!uploads.is_empty() && end < total).then_some(end);
    Ok(UploadPage { uploads, total, next })
}

//! The rows of a whole query.

use super::Call;
use crate::error::QueryErrorKind;
use crate::identity::Identity;
use crate::limits::{Cut, Limits};
use crate::stream::Row;
use vql_builder::Query;

/// The rows of a query that ran to its end or to a limit.
#[derive(Debug)]
pub struct Rows {
    /// The columns, in order of first appearance (they may differ between rows).
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
    /// What the server remarked.
    pub warnings: Vec<String>,
    /// What failed although rows may have come: the rows are not the whole truth.
    pub failures: Vec<QueryErrorKind>,
    /// The bound that ended the query early.
    pub cut: Option<Cut>,
    /// The user that asked.
    pub identity: String,
}

/// Reads a stream to its end or to the first bound.
///
/// # Errors
///
/// A fault on the way: what came before it is not the answer, and is dropped.
pub(super) async fn gather(
    identity: &Identity,
    query: &Query,
    call: &Call<'_>,
    limits: &Limits,
) -> Result<Rows, QueryErrorKind> {
    let mut stream = identity.connection().start(call.org, query, limits, call.cancel).await?;
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    while let Some(batch) = stream.next().await? {
        let first = rows.len();
        rows.append(&mut batch.rows()?);
        for row in &rows[first..] {
            // Rows of one query are alike, but for the rare one.
            if row.len() == columns.len() && row.keys().eq(columns.iter()) {
                continue;
            }
            for column in row.keys() {
                if !columns.contains(column) {
                    columns.push(column.clone());
                }
            }
        }
    }
    let cut = stream.cut();
    let (failures, warnings) = stream.into_log();
    Ok(Rows { columns, rows, warnings, failures, cut, identity: identity.user().to_owned() })
}

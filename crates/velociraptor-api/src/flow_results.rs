//! The rows that a flow has collected.

use serde::Serialize;
use vql_builder::PureExpr;

use crate::fault::Fault;
use crate::flows::{self, Flow};
use crate::ids::{ClientId, FlowId};
use crate::limits::Limits;
use crate::near::near;
use crate::results::{self, GroupPage, GroupQuery, Place, RowPage, RowQuery};
use crate::session::Session;

/// A table of a flow.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Table {
    /// Its name: `Artifact` or `Artifact/Source`.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
}

/// The tables of a flow that have rows, with their sizes.
#[derive(Clone, Debug, Serialize)]
pub struct Tables {
    /// The flow; while it runs, tables and rows are added.
    pub flow: Flow,
    /// The tables.
    pub tables: Vec<Table>,
}

impl Tables {
    /// The table that a name means: its full name, or the artifact's where it has one table only.
    /// Without a name, the only table.
    ///
    /// # Errors
    ///
    /// [`Fault::BadInput`] naming the tables.
    pub fn choose(&self, name: Option<&str>) -> Result<&Table, Fault> {
        let known = || self.tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>();
        let fits = |table: &&Table| match name {
            None => true,
            Some(name) => {
                table.name == name
                    || table.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
            }
        };
        if let Some(table) = self.tables.iter().find(|table| Some(table.name.as_str()) == name) {
            return Ok(table);
        }
        let mut found = self.tables.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(table), None) => Ok(table),
            (Some(_), Some(_)) => Err(Fault::bad_input(format!(
                "several tables have rows, name one of them: {}",
                known().join(", ")
            ))),
            (None, _) if self.tables.is_empty() => {
                Err(Fault::bad_input(format!("flow {} has no rows", self.flow.flow_id)))
            }
            (None, _) => {
                let name = name.unwrap_or_default();
                let meant = match near(name, known().iter().copied()).first() {
                    Some(meant) => format!(" (did you mean {meant}?)"),
                    None => String::new(),
                };
                Err(Fault::bad_input(format!(
                    "flow {} has no rows in {name}{meant}; it has rows in {}",
                    self.flow.flow_id,
                    known().join(", ")
                )))
            }
        }
    }
}

/// The tables of a flow that have rows.
///
/// # Errors
///
/// [`Fault::UnknownFlow`], [`Fault::UnknownClient`], [`Fault::Query`].
pub async fn tables(
    session: &Session<'_>,
    client: &ClientId,
    flow: &FlowId,
) -> Result<Tables, Fault> {
    let status = flows::unlogged(session, client, flow).await?;
    let mut tables = Vec::new();
    for name in &status.flow.tables {
        // Queries count rows, and one query can fill several tables: their sizes are looked for.
        // So are those of what was collected in several runs, where the figures are of the last,
        // and of what ended badly: the last rows that the agent counted may never have arrived.
        let mut filled = status.queries.iter().filter(|query| query.tables.contains(name));
        let doubtful = status.repeated || status.flow.state.is_early();
        let told = match (filled.next(), filled.next(), doubtful) {
            (Some(query), None, false) if query.tables.len() == 1 => Some(query.rows),
            _ => None,
        };
        let place = Place::Flow { client, flow, table: name };
        let rows = match told {
            Some(rows) => rows,
            None => results::size(session, place, status.flow.rows).await?,
        };
        tables.push(Table { name: name.clone(), rows });
    }
    Ok(Tables { flow: status.flow, tables })
}

/// A page of rows.
///
/// Without filter and order the server goes straight to the page. With a filter it looks at the
/// rows from where the page begins; no match is lost or repeated, and how many there are on all
/// pages is not known. With an order it sorts all rows anew for each page; pages fit together once
/// the flow has ended.
///
/// A flow or table that does not exist has no rows: see [`tables`].
///
/// # Errors
///
/// [`Fault::BadInput`] where filter, order or columns name what no row has; [`Fault::Query`].
pub async fn rows(
    session: &Session<'_>,
    client: &ClientId,
    flow: &FlowId,
    table: &str,
    wanted: &RowQuery,
) -> Result<RowPage, Fault> {
    results::rows(session, Place::Flow { client, flow, table }, wanted).await
}

/// How often each combination of values occurs.
///
/// # Errors
///
/// As [`rows`]; [`Fault::Refused`] where the groups are not complete within the limits.
pub async fn groups(
    session: &Session<'_>,
    client: &ClientId,
    flow: &FlowId,
    table: &str,
    wanted: &GroupQuery,
) -> Result<GroupPage, Fault> {
    results::groups(session, Place::Flow { client, flow, table }, wanted).await
}

/// How many rows of a table a filter keeps.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn count(
    session: &Session<'_>,
    client: &ClientId,
    flow: &FlowId,
    table: &str,
    filter: Option<&PureExpr>,
) -> Result<u64, Fault> {
    results::count(session, Place::Flow { client, flow, table }, filter, Limits::READ).await
}

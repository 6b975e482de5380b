//! What a hunt has found, and for whom it has established nothing.

use serde::Serialize;

use crate::fault::Fault;
use crate::hunts::Hunt;
use crate::ids::HuntId;
use crate::limits::Limits;
use crate::near::near;
use crate::results::{self, GroupPage, GroupQuery, Place, RowPage, RowQuery};
use crate::session::Session;

mod applies;
mod condition;
mod coverage;
mod judge;
mod looked;

pub use coverage::coverage;
pub use judge::{Coverage, HostOutcome, Part, Parts};

/// A table that a hunt can fill.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct HuntTable {
    /// Its name: `Artifact` or `Artifact/Source`.
    pub name: String,
    /// How many rows it has, of all clients together.
    pub rows: u64,
}

/// Every table that a hunt can fill, empty ones too, with its size. Counting looks at every row.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn tables(session: &Session<'_>, hunt: &Hunt) -> Result<Vec<HuntTable>, Fault> {
    let mut tables = Vec::new();
    for name in &hunt.tables {
        let place = Place::Hunt { hunt: &hunt.hunt_id, table: name };
        let rows = results::count(session, place, None, Limits::READ).await?;
        tables.push(HuntTable { name: name.clone(), rows });
    }
    Ok(tables)
}

/// The table of a hunt that a name means: its full name, or the artifact's where it has one table
/// only. Without a name, the only table.
///
/// # Errors
///
/// [`Fault::BadInput`] naming the tables.
pub fn choose<'a>(hunt: &'a Hunt, name: Option<&str>) -> Result<&'a str, Fault> {
    let listed = hunt.tables.join(", ");
    let Some(name) = name else {
        return match hunt.tables.as_slice() {
            [only] => Ok(only),
            _ => Err(Fault::bad_input(format!("name one of the tables: {listed}"))),
        };
    };
    if let Some(table) = hunt.tables.iter().find(|table| *table == name) {
        return Ok(table);
    }
    let of_artifact =
        |table: &&String| table.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    let mut found = hunt.tables.iter().filter(of_artifact);
    match (found.next(), found.next()) {
        (Some(table), None) => Ok(table),
        (Some(_), Some(_)) => {
            Err(Fault::bad_input(format!("{name} has several tables, name one of them: {listed}")))
        }
        (None, _) => {
            let meant = match near(name, hunt.tables.iter().map(String::as_str)).first() {
                Some(meant) => format!(" (did you mean {meant}?)"),
                None => String::new(),
            };
            Err(Fault::bad_input(format!(
                "hunt {} has no table {name}{meant}; it has {listed}",
                hunt.hunt_id
            )))
        }
    }
}

/// A page of rows of all clients, in the order of the hunt's flows. The columns `ClientId`,
/// `FlowId`, `Fqdn` and `_OrgId` tell where each row comes from.
///
/// The server cannot go straight to a page: it reads the rows before it again. Pages fit together
/// while no further client answers; a hunt that runs can put rows before those already seen.
///
/// # Errors
///
/// [`Fault::BadInput`] where filter, order or columns name what no row has; [`Fault::Query`].
pub async fn rows(
    session: &Session<'_>,
    hunt: &HuntId,
    table: &str,
    wanted: &RowQuery,
) -> Result<RowPage, Fault> {
    results::rows(session, Place::Hunt { hunt, table }, wanted).await
}

/// How often each combination of values occurs among the rows of all clients.
///
/// # Errors
///
/// As [`rows`]; [`Fault::Refused`] where the groups are not complete within the limits.
pub async fn groups(
    session: &Session<'_>,
    hunt: &HuntId,
    table: &str,
    wanted: &GroupQuery,
) -> Result<GroupPage, Fault> {
    results::groups(session, Place::Hunt { hunt, table }, wanted).await
}

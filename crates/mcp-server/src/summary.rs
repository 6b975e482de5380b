//! What a table holds, without its rows: columns, times, the commonest and the rarest values.
//!
//! A few rows are read to see what there is; what is said of the whole is counted by the server,
//! over at most [`MOST`] rows and for at most [`TIME`] each. What was not looked at is named.

use std::fmt::Write;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use velociraptor_api::results::{self, ColumnName, Place, RowQuery};
use velociraptor_api::{Fault, Limits, QueryErrorKind, Session};
use vql_builder::PureExpr;

use crate::page::Row;
use crate::tool_error::ToolError;
use crate::{evidence, rows, table};

mod columns;
mod keys;

use columns::Seen;
use keys::Key;

/// No row after so many is counted.
pub const MOST: u32 = 200_000;

/// How long the server may count for one thing.
pub const TIME: Duration = Duration::from_secs(20);

/// Rows that are read to see what there is.
const READ: u32 = 200;

/// Rows that are shown.
const SHOWN: usize = 3;

/// Things that are counted at once.
const AT_ONCE: usize = 3;

/// Columns whose times are looked for.
const TIMES: usize = 4;

/// What a table holds.
#[derive(Debug, Serialize)]
pub struct Summary {
    table: String,
    handle: String,
    /// Of all, or of those that the filter keeps; nothing where it took too long to count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<u64>,
    columns: Vec<Seen>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    times: Vec<Times>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<Key>,
    sample: Vec<Row>,
    /// What this says nothing about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_looked: Vec<String>,
}

/// The first and the last time in a column.
#[derive(Debug, Serialize)]
struct Times {
    column: String,
    first: String,
    last: String,
    rows: u64,
}

/// Where rows are, and what they are called.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Where.
    pub place: Place<'a>,
    /// The name of the table.
    pub table: &'a str,
    /// Its handle.
    pub handle: &'a str,
    /// How many rows there are, where that is known.
    pub rows: Option<u64>,
    /// Only these are meant.
    pub filter: Option<&'a PureExpr>,
}

/// Looks at a table.
///
/// # Errors
///
/// What the filter asks for that no row has, and whatever the server says; not that something
/// could not be counted in time.
pub async fn of(session: &Session<'_>, subject: Subject<'_>) -> Result<Summary, ToolError> {
    let Subject { place, filter, .. } = subject;
    let limits = Limits::READ.time(TIME);
    let mut not_looked = Vec::new();
    let first = RowQuery {
        filter: filter.cloned(),
        count: READ,
        limits: limits.bytes(2_000_000).keep_first(),
        ..RowQuery::default()
    };
    let found = results::rows(session, place, &first).await?;
    let rows = match (subject.rows, filter) {
        (Some(rows), None) => Some(rows),
        _ => within(results::count(session, place, filter, limits).await, || {
            not_looked.push(String::from("how many rows there are: counting took too long"));
        })?,
    };
    let read: Vec<Row> = found.rows.into_iter().map(|row| row.row).collect();
    let seen = columns::seen(&found.columns, &read);
    let size = rows.unwrap_or(u64::MAX);
    if size > u64::from(MOST) {
        let all = rows.map_or_else(|| String::from("more"), |rows| rows.to_string());
        let filtered = if filter.is_some() { ", before the filter" } else { "" };
        not_looked.push(format!(
            "rows after the first {MOST} of {all}{filtered}: times and values are counted over those"
        ));
    }
    let times = times(session, subject, &seen, &mut not_looked).await?;
    let keys = keys::count(session, subject, (&seen, &read), &mut not_looked).await?;
    let unspelled: Vec<String> = seen
        .iter()
        .filter(|one| ColumnName::new(&one.column).is_err())
        .map(|one| evidence::quoted(&one.column))
        .collect();
    if !unspelled.is_empty() {
        not_looked
            .push(format!("columns whose names cannot be asked for: {}", unspelled.join(", ")));
    }
    let (mut names, mut sample) = (found.columns, read);
    sample.truncate(SHOWN);
    evidence::name_columns(&mut names, &mut sample);
    rows::cut(&mut sample);
    Ok(Summary {
        table: subject.table.to_owned(),
        handle: subject.handle.to_owned(),
        rows,
        columns: seen,
        times,
        keys,
        sample,
        not_looked,
    })
}

/// Nothing where the server needed too long, which `late` then says.
fn within<T>(found: Result<T, Fault>, late: impl FnOnce()) -> Result<Option<T>, Fault> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Fault::Query(error)) if matches!(*error.kind, QueryErrorKind::Timeout { .. }) => {
            late();
            Ok(None)
        }
        Err(Fault::Refused { .. }) => {
            late();
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

async fn times(
    session: &Session<'_>,
    subject: Subject<'_>,
    seen: &[Seen],
    not_looked: &mut Vec<String>,
) -> Result<Vec<Times>, ToolError> {
    let limits = Limits::READ.time(TIME);
    let named = |one: &Seen| ColumnName::new(&one.column).ok();
    let of_time: Vec<ColumnName> =
        seen.iter().filter(|one| one.is_time()).filter_map(named).collect();
    if of_time.len() > TIMES {
        let left: Vec<String> =
            of_time[TIMES..].iter().map(|column| evidence::quoted(column.as_str())).collect();
        not_looked.push(format!("the times in {}", left.join(", ")));
    }
    let mut asking = Vec::new();
    for column in of_time.iter().take(TIMES) {
        let (place, filter) = (subject.place, subject.filter);
        asking.push(async move {
            (column, results::span(session, place, column, filter, (MOST, limits)).await)
        });
    }
    let spans: Vec<_> = stream::iter(asking).buffered(AT_ONCE).collect().await;
    let mut times = Vec::new();
    for (column, span) in spans {
        let column = column.as_str();
        let late = || {
            not_looked
                .push(format!("the times in {}: that took too long", evidence::quoted(column)))
        };
        if let Some(span) = within(span, late)?.flatten() {
            times.push(Times {
                column: column.to_owned(),
                first: span.first.to_string(),
                last: span.last.to_string(),
                rows: span.count,
            });
        }
    }
    Ok(times)
}

impl Summary {
    /// Whether it is about every row.
    pub fn is_whole(&self) -> bool {
        self.not_looked.is_empty()
    }

    /// For reading.
    pub fn write(&self, out: &mut String) {
        let rows = self.rows.map_or_else(|| String::from("? rows"), table::rows);
        let before = if out.is_empty() || out.ends_with('\n') { "" } else { "\n\n" };
        let _ = write!(out, "{before}{rows}  {}", self.handle);
        let columns: Vec<String> =
            self.columns.iter().map(|one| table::line_of(&one.column)).collect();
        let _ = write!(out, "\ncolumns: {}", columns.join(", "));
        for Times { column, first, last, rows } in &self.times {
            let (column, rows) = (table::line_of(column), table::rows(*rows));
            let _ = write!(out, "\n{column}: {first} to {last} ({rows})");
        }
        for key in &self.keys {
            key.write(out);
        }
        let names: Vec<String> = self.columns.iter().map(|one| one.column.clone()).collect();
        if !self.sample.is_empty() {
            out.push('\n');
            rows::write(out, &names, &self.sample);
        }
        for what in &self.not_looked {
            let _ = write!(out, "\nNOT LOOKED AT  {}", table::line_of(what));
        }
    }
}

/// A value as a text that tells it from others of its kind.
fn told(value: &Value) -> String {
    match value {
        Value::Null => String::from("NULL"),
        Value::String(text) if text.is_empty() => String::from("\"\""),
        value => table::line_of(&table::cell(Some(value))),
    }
}

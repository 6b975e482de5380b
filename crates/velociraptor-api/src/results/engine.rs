//! The queries behind pages and groups, for flows and hunts alike.

use jiff::Timestamp;
use serde::Deserialize;
use vql_builder::{Direction, Identifier, Piece, PureExpr, Query};

use super::missing;
use super::place::Place;
use super::{ColumnName, Group, GroupPage, GroupQuery, Rarest, RowPage, RowQuery, Span, TableRow};
use crate::catalogue::CatalogueQuery;
use crate::error::QueryErrorKind;
use crate::fault::Fault;
use crate::limits::{Cut, Limits};
use crate::queries::results as texts;
use crate::server::Rows;
use crate::session::Session;
use crate::stream::Row;

/// The column that carries the number of a row.
const NUMBER: &str = "MR_Row";

/// The column that carries the place of a row in a sorted table.
const PLACE: &str = "MR_Place";

/// One page of rows.
///
/// # Errors
///
/// [`Fault::BadInput`] where filter, order or columns name what no row has; [`Fault::Query`].
pub async fn rows(
    session: &Session<'_>,
    place: Place<'_>,
    wanted: &RowQuery,
) -> Result<RowPage, Fault> {
    let from = wanted.from.min(i64::MAX as u64 / 2);
    let count = wanted.count.max(1);
    let filter = wanted.filter.clone().unwrap_or_else(PureExpr::always);
    let is_sorted = wanted.order.is_some();
    // One row more tells whether there is a next page, and no empty one needs to be asked for. Not
    // with a filter, where the next match can be far away, and not beside a single row, which may
    // be as large as a message can be.
    let further = u32::from(wanted.filter.is_none() && count > 1);
    let limit = Piece::Number(count.saturating_add(further));
    let is_plain = wanted.filter.is_none() && !is_sorted && matches!(place, Place::Flow { .. });
    let each = match (is_sorted, is_plain) {
        (true, _) => &texts::SORTED,
        (false, true) => &texts::PAGE,
        (false, false) => &texts::ROWS,
    };
    let (entry, query) = place.query(each, if is_sorted { 0 } else { from })?;
    let query = if let Some((column, direction)) = &wanted.order {
        query
            .bind("MR_Begin", from.to_string())
            .fill("filter", Piece::Filter(filter.clone()))
            .fill("order", Piece::Order(Some((column.identifier(), *direction))))
            .fill("columns", selected(&wanted.columns, &[NUMBER]))
            .fill("limit", limit)
    } else if is_plain {
        query.fill("columns", selected(&wanted.columns, &[])).fill("limit", limit)
    } else {
        query
            .fill("filter", Piece::Filter(filter.clone()))
            .fill("columns", selected(&wanted.columns, &[NUMBER]))
            .fill("limit", limit)
    };
    let limits = wanted.limits.rows(u64::from(count) + u64::from(further) + 1);
    let mut found = read(session, place, entry, &query, limits, (&wanted.columns, from)).await?;
    if let (true, 0, Some(filter)) = (found.rows.is_empty(), from, &wanted.filter) {
        missing::probe(session, place, filter).await?;
    }
    let is_full = found.rows.len() as u64 >= u64::from(count) + u64::from(further);
    found.rows.truncate(count as usize);
    let total = match (is_sorted, is_full || from > 0) {
        (false, _) => None,
        (true, true) => Some(self::count(session, place, Some(&filter), wanted.limits).await?),
        (true, false) => Some(found.rows.len() as u64),
    };
    let hidden = [NUMBER, PLACE];
    let mut columns = found.columns;
    columns.retain(|name| !hidden.contains(&name.as_str()));
    let number = |(position, mut row): (usize, Row)| {
        let number = row.shift_remove(NUMBER).and_then(|number| number.as_u64());
        row.shift_remove(PLACE);
        TableRow { number: number.unwrap_or(from + position as u64), row }
    };
    Ok(RowPage {
        columns,
        rows: found.rows.into_iter().enumerate().map(number).collect(),
        total,
        cut: found.cut.filter(|cut| *cut != Cut::Rows),
        as_of: Timestamp::now(),
        from,
        is_sorted,
        is_full,
    })
}

/// The combinations of values, by how often they occur.
///
/// # Errors
///
/// As [`rows`]; [`Fault::Refused`] where the groups are not complete within the limits.
pub async fn groups(
    session: &Session<'_>,
    place: Place<'_>,
    wanted: &GroupQuery,
) -> Result<GroupPage, Fault> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(rename = "MR_Count")]
        count: u64,
        #[serde(rename = "MR_Hosts")]
        hosts: Option<u64>,
        #[serde(rename = "MR_Total")]
        total: u64,
        #[serde(rename = "MR_Lowest")]
        lowest: u64,
        #[serde(rename = "MR_Tied")]
        tied: u64,
    }
    let from = wanted.from.min(i64::MAX as u64 / 2);
    let names = || wanted.columns.iter().map(ColumnName::identifier).collect::<Vec<_>>();
    let rarest = if wanted.order == Direction::Ascending { "Y" } else { "" };
    let filter = wanted.filter.clone().unwrap_or_else(PureExpr::always);
    let (entry, query) = place.query(&texts::GROUPS, 0)?;
    let query = query
        .bind("MR_Rarest", rarest)
        .bind("MR_Begin", from.to_string())
        .bind("MR_End", (from + u64::from(wanted.count.max(1))).to_string())
        .fill("most", Piece::Number(wanted.most.unwrap_or(u32::MAX)))
        .fill("filter", Piece::Filter(filter))
        .fill("columns", Piece::Columns(names()))
        .fill("key", Piece::List(names()));
    let limits = wanted.limits.rows(u64::from(wanted.count) + 1).keep_first();
    let found = read(session, place, entry, &query, limits, (&wanted.columns, from)).await?;
    if let (true, 0, Some(filter)) = (found.rows.is_empty(), from, &wanted.filter) {
        missing::probe(session, place, filter).await?;
    }
    // Every group was counted before the first was sent: a page that was cut is a shorter page.
    if let (true, Some(cut)) = (found.rows.is_empty(), found.cut) {
        let what = if cut == Cut::Time { "time" } else { "size" };
        return Err(Fault::refused(format!(
            "the groups are not complete within the {what} limit; narrow the filter"
        )));
    }
    let mut groups = Vec::new();
    let (mut total, mut rarest) = (0, None);
    for mut row in found.rows {
        let value = |column: &ColumnName| row.shift_remove(column.as_str()).unwrap_or_default();
        let values = wanted.columns.iter().map(value).collect();
        let row: Found = serde_json::from_value(row.into()).map_err(|error| {
            let kind = QueryErrorKind::Protocol { detail: error.to_string() };
            session.server().error(None, entry.name, kind)
        })?;
        total = row.total;
        rarest = Some(Rarest { count: row.lowest, groups: row.tied });
        groups.push(Group { values, count: row.count, hosts: row.hosts });
    }
    let end = from + groups.len() as u64;
    let next = (!groups.is_empty() && end < total).then_some(end);
    Ok(GroupPage { groups, total, rarest, next })
}

/// How many rows a filter keeps.
///
/// # Errors
///
/// As [`rows`].
pub async fn count(
    session: &Session<'_>,
    place: Place<'_>,
    filter: Option<&PureExpr>,
    limits: Limits,
) -> Result<u64, Fault> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(rename = "MR_Count")]
        count: u64,
    }
    let kept = filter.cloned().unwrap_or_else(PureExpr::always);
    let (entry, query) = place.query(&texts::COUNT, 0)?;
    let query = query.fill("filter", Piece::Filter(kept));
    let rows: Vec<Found> = session.rows_with(entry, query, &[], limits).await?;
    match (rows.first(), filter) {
        (Some(row), _) => Ok(row.count),
        (None, Some(filter)) => missing::probe(session, place, filter).await.map(|()| 0),
        (None, None) => Ok(0),
    }
}

/// The first and the last time in a column, among the first `most` rows that a filter keeps, in
/// whole seconds; nothing where there is none.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn span(
    session: &Session<'_>,
    place: Place<'_>,
    column: &ColumnName,
    filter: Option<&PureExpr>,
    (most, limits): (u32, Limits),
) -> Result<Option<Span>, Fault> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(rename = "MR_First")]
        first: i64,
        #[serde(rename = "MR_Last")]
        last: i64,
        #[serde(rename = "MR_Count")]
        count: u64,
    }
    let (entry, query) = place.query(&texts::SPAN, 0)?;
    let query = query
        .fill("most", Piece::Number(most))
        .fill("column", Piece::Column(column.identifier()))
        .fill("filter", Piece::Filter(filter.cloned().unwrap_or_else(PureExpr::always)));
    let (identity, found) = session.raw(entry, &query, &[], limits).await?;
    let fail = |kind| Fault::from(session.server().error(Some(identity), entry.name, kind));
    // Rows that lack the column have no time there.
    let lacking = |kind: &QueryErrorKind| matches!(kind, QueryErrorKind::UnknownSymbol { symbol, .. } if symbol == column.as_str());
    if let Some(failure) = found.failures.into_iter().find(|kind| !lacking(kind)) {
        return Err(fail(failure));
    }
    if found.cut == Some(Cut::Time) {
        return Err(fail(QueryErrorKind::Timeout { seconds: limits.time.as_secs() }));
    }
    let Some(row) = found.rows.into_iter().next() else { return Ok(None) };
    let detail =
        |error: &dyn std::fmt::Display| QueryErrorKind::Protocol { detail: error.to_string() };
    let row: Found = serde_json::from_value(row.into()).map_err(|error| fail(detail(&error)))?;
    let time = |seconds| Timestamp::from_second(seconds).map_err(|error| fail(detail(&error)));
    Ok(Some(Span { first: time(row.first)?, last: time(row.last)?, count: row.count }))
}

/// Runs a query of rows. A wanted column that some rows lack is NULL there; one that no row has is
/// a fault, but on a later page, before which there may have been rows that have it.
async fn read(
    session: &Session<'_>,
    place: Place<'_>,
    entry: &CatalogueQuery,
    query: &Query,
    limits: Limits,
    (wanted, from): (&[ColumnName], u64),
) -> Result<Rows, Fault> {
    let (identity, mut rows) = session.raw(entry, query, &[], limits).await?;
    for failure in std::mem::take(&mut rows.failures) {
        let QueryErrorKind::UnknownSymbol { symbol, .. } = &failure else {
            return Err(session.server().error(Some(identity), entry.name, failure).into());
        };
        let column = wanted.iter().find(|column| column.as_str() == symbol);
        let is_somewhere = column.is_some_and(|column| {
            let value = |row: &Row| row.get(column.as_str()).is_some_and(|value| !value.is_null());
            rows.rows.iter().any(value)
        });
        if column.is_none() || (from == 0 && !is_somewhere) {
            return Err(missing::column(session, place, "the rows have", symbol).await);
        }
        session.warn(format!("some rows have no column {symbol}"));
    }
    Ok(rows)
}

fn selected(columns: &[ColumnName], further: &[&str]) -> Piece {
    if columns.is_empty() {
        return Piece::Columns(Vec::new());
    }
    let mut names: Vec<Identifier> = columns.iter().map(ColumnName::identifier).collect();
    names.extend(further.iter().filter_map(|name| Identifier::new(name).ok()));
    Piece::Columns(names)
}

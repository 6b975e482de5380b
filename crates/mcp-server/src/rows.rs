//! Rows of collections, as the tools take the wish for them and hand them over.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;
use velociraptor_api::results::{ColumnName, RowPage, RowQuery};
use velociraptor_api::{Cut, Limits};
use vql_builder::{Direction, PureExpr};

use crate::evidence;
use crate::page::{self, Row, Rows};
use crate::table::{Column, Table};
use crate::tool::Detail;
use crate::tool_error::{Code, ToolError};

mod lean;
mod read;
mod walk;

pub use lean::{Lean, cut};
pub use read::{How, check_order, read};
pub use walk::Walk;

/// Most columns that are written for reading; the data has all.
const SHOWN: usize = 12;

/// How long the server may look for one page of rows.
pub const TIME: Duration = Duration::from_secs(120);

/// The arguments that say which rows are wanted, as they were given.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Only these columns.
    pub columns: &'a [String],
    /// One VQL expression.
    pub filter: Option<&'a str>,
    /// A column; the largest first with a minus before it.
    pub order_by: Option<&'a str>,
    /// Columns to count by, the most frequent values first.
    pub group_by: &'a [String],
    /// Columns to count by, the rarest values first.
    pub stack: &'a [String],
    /// Only the number of rows.
    pub count: bool,
}

/// What is to be read.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Rows.
    Rows,
    /// How often each combination of values occurs.
    Groups(Vec<ColumnName>, Direction),
    /// How many rows there are.
    Count,
}

/// Checks a wish: what is to be read, and which rows. Where to begin, and how many, is left open.
///
/// # Errors
///
/// What cannot be understood, what contradicts itself, and an expression that does more than
/// compute.
pub fn query(wish: &Wish<'_>) -> Result<(Reading, RowQuery), ToolError> {
    let named = |argument: &str, names: &[String]| {
        names.iter().map(|name| column_name(argument, name)).collect::<Result<Vec<_>, _>>()
    };
    let reading = match (wish.group_by, wish.stack, wish.count) {
        ([], [], false) => Reading::Rows,
        (columns, [], false) => Reading::Groups(named("group_by", columns)?, Direction::Descending),
        ([], columns, false) => Reading::Groups(named("stack", columns)?, Direction::Ascending),
        ([], [], true) => Reading::Count,
        _ => {
            return Err(ToolError::invalid(
                "group_by, stack and count each count in a way of their own: give one of them",
            ));
        }
    };
    if let Reading::Groups(columns, _) = &reading
        && let Some(name) = twice(columns)
    {
        return Err(ToolError::invalid(format!("column {name} is named twice")));
    }
    let shaped = wish.order_by.is_some() || !wish.columns.is_empty();
    if shaped && !matches!(reading, Reading::Rows) {
        return Err(ToolError::invalid(
            "group_by, stack and count give columns and an order of their own; leave columns and \
             order_by out",
        ));
    }
    let filter = wish.filter.map(str::trim).filter(|text| !text.is_empty());
    let query = RowQuery {
        filter: filter.map(expression).transpose()?,
        columns: named("columns", wish.columns)?,
        order: wish.order_by.map(order).transpose()?,
        ..RowQuery::default()
    };
    Ok((reading, query))
}

/// A summary is of all columns in no order, and has one page.
///
/// # Errors
///
/// `invalid_input` naming what does not go with it.
pub fn plain_summary(
    detail: Detail,
    reading: &Reading,
    wanted: &RowQuery,
    cursor: Option<&str>,
) -> Result<(), ToolError> {
    let shaped = !wanted.columns.is_empty() || wanted.order.is_some() || cursor.is_some();
    if detail == Detail::Summary && (shaped || !matches!(reading, Reading::Rows)) {
        return Err(ToolError::invalid(
            "detail summary goes with filter alone; leave columns, order_by, group_by, stack, \
             count and cursor out, or detail",
        ));
    }
    Ok(())
}

fn twice(columns: &[ColumnName]) -> Option<&str> {
    let seen = |at: usize| columns[..at].contains(&columns[at]);
    (1..columns.len()).find(|at| seen(*at)).map(|at| columns[at].as_str())
}

fn column_name(argument: &str, name: &str) -> Result<ColumnName, ToolError> {
    ColumnName::new(name).map_err(|error| ToolError::invalid(format!("{argument}: {error}")))
}

fn order(order_by: &str) -> Result<(ColumnName, Direction), ToolError> {
    let text = order_by.trim();
    let (direction, name) = text
        .strip_prefix('-')
        .map_or((Direction::Ascending, text), |name| (Direction::Descending, name));
    Ok((column_name("order_by", name)?, direction))
}

fn expression(text: &str) -> Result<PureExpr, ToolError> {
    PureExpr::parse(text).map_err(|error| {
        ToolError::new(Code::InvalidQuery, format!("filter {error}")).next(
            "filter is one VQL expression over columns, such as Name =~ 'power' AND Pid > 4; it \
             may compute and nothing else",
        )
    })
}

/// Bounds of one page: the server stops soon after what fits into `budget` bytes.
pub fn limits(budget: usize) -> Limits {
    // What is left of a message is thrown away: small messages for small pages.
    let batch = if budget < 1_000_000 { 100 } else { 1000 };
    Limits::READ.bytes(2 * budget as u64).time(TIME).batch_rows(batch)
}

/// The bounds for a single row of any size, for a page on which not even one fitted.
///
/// Nothing where the page needs no second try.
pub fn single(found: &RowPage, wanted: &RowQuery) -> Option<RowQuery> {
    let too_large = found.rows.is_empty() && found.cut == Some(Cut::Bytes);
    too_large.then(|| RowQuery {
        count: 1,
        limits: Limits::READ.time(TIME).batch_rows(1),
        ..wanted.clone()
    })
}

/// The part of a page of rows that fits into one answer.
#[derive(Debug)]
pub struct Handed {
    /// The columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Rows,
    /// Where reading goes on, where it does.
    pub next: Option<u64>,
    /// What to keep in mind.
    pub warnings: Vec<String>,
    /// What was taken away.
    pub lean: Lean,
}

/// Makes rows lean where they are to be, and keeps what fits.
///
/// # Errors
///
/// `timeout` where the server found no row in time, `too_large` where a single row is larger than
/// what can be read at all.
pub fn hand_over(mut found: RowPage, how: &How<'_>) -> Result<Handed, ToolError> {
    if found.rows.is_empty() {
        match found.cut {
            Some(Cut::Time) => {
                let seconds = TIME.as_secs();
                return Err(ToolError::new(
                    Code::Timeout,
                    format!("the server looked for {seconds} s and found no row"),
                )
                .next("ask for less: another filter, or no order"));
            }
            Some(Cut::Bytes | Cut::Rows) => {
                return Err(ToolError::new(Code::TooLarge, "one row is larger than 64 MiB")
                    .next(how.alone.to_owned()));
            }
            None => {}
        }
    }
    // The numbers stay: they tell where the next page begins.
    let mut rows: Vec<Row> =
        found.rows.iter_mut().map(|row| std::mem::take(&mut row.row)).collect();
    evidence::name_columns(&mut found.columns, &mut rows);
    let lean = match how.detail {
        Detail::Full => Lean::default(),
        _ => Lean::of(&mut found.columns, &mut rows, how.named),
    };
    let kept = page::fit(rows, how.budget)?;
    let mut warnings: Vec<String> = kept.warning(how.alone).into_iter().collect();
    if found.cut == Some(Cut::Time) {
        warnings.push(String::from(
            "the server ran out of time; these are the rows up to there, the cursor goes on",
        ));
    }
    let next = found.next_after(kept.rows.len());
    Ok(Handed { columns: found.columns, rows: kept.rows, next, warnings, lean })
}

/// Writes rows for reading. Columns that are empty in every row, and those beyond the first
/// dozen, are named instead of written.
pub fn write(out: &mut String, columns: &[String], rows: &[Row]) {
    let is_filled = |column: &&String| {
        rows.iter().any(|row| match row.get(column.as_str()) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(_) => true,
        })
    };
    let (filled, empty): (Vec<&String>, Vec<&String>) = columns.iter().partition(is_filled);
    let (shown, left) = filled.split_at(filled.len().min(SHOWN));
    let headings: Vec<&str> = shown.iter().map(|column| column.as_str()).collect();
    let shown: Vec<Column<'_>> = shown.iter().map(|column| Column::of(column)).collect();
    let mut table = Table::new(&headings);
    for row in rows {
        table.row(shown.iter().map(|column| column.cell(row)));
    }
    table.write(out);
    for (what, columns) in [("not shown here", left), ("empty", empty.as_slice())] {
        if !columns.is_empty() {
            let names: Vec<&str> = columns.iter().map(|column| column.as_str()).collect();
            let _ = write!(out, "\n{what}: {}", names.join(", "));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wish<'a>() -> Wish<'a> {
        let (filter, order_by) = (None, None);
        Wish { columns: &[], filter, order_by, group_by: &[], stack: &[], count: false }
    }

    #[test]
    fn a_wish_becomes_a_query() {
        let columns = [String::from("Pid"), String::from("Computer Info")];
        let filter = Some(" Pid > 4 ");
        let order_by = Some("-Pid");
        let (reading, made) =
            query(&Wish { columns: &columns, filter, order_by, ..wish() }).unwrap();
        assert!(matches!(reading, Reading::Rows));
        assert_eq!(made.columns[1].as_str(), "Computer Info");
        assert!(made.filter.is_some());
        let (column, direction) = made.order.unwrap();
        assert_eq!((column.as_str(), direction), ("Pid", Direction::Descending));
        assert!(query(&Wish { filter: Some("  "), ..wish() }).unwrap().1.filter.is_none());
    }

    #[test]
    fn what_does_more_than_compute_or_contradicts_itself_is_refused() {
        for filter in ["execve(argv='id')", "Pid = 1 } SELECT * FROM info() //", "Pid = "] {
            let error = query(&Wish { filter: Some(filter), ..wish() }).unwrap_err();
            assert_eq!(error.code, Code::InvalidQuery, "{filter}");
            assert!(error.next_step.is_some());
        }
        let bad = [String::from("a`b")];
        let good = [String::from("Name")];
        for bad in [
            Wish { columns: &bad, ..wish() },
            Wish { columns: &good, group_by: &good, ..wish() },
            Wish { group_by: &good, count: true, ..wish() },
            Wish { group_by: &good, stack: &good, ..wish() },
            Wish { stack: &bad, ..wish() },
            Wish { stack: &[good[0].clone(), good[0].clone()], ..wish() },
            Wish { order_by: Some("Name"), count: true, ..wish() },
            Wish { order_by: Some(""), ..wish() },
        ] {
            assert_eq!(query(&bad).unwrap_err().code, Code::InvalidInput);
        }
    }

    #[test]
    fn empty_columns_are_named_and_not_written() {
        let rows = [json!({"a": 1, "b": null, "c": ""}), json!({"a": {"x": 2}})]
            .map(|row| row.as_object().unwrap().clone());
        let columns = ["a", "b", "c"].map(String::from);
        let mut out = String::new();
        write(&mut out, &columns, &rows);
        assert_eq!(out, "a\n1\n{\"x\":2}\nempty: b, c");
    }
}

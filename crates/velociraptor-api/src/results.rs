//! Rows that were collected: pages, filters, order, groups, all computed by the server.
//!
//! The tables of flows are listed by [`crate::flow_results`], those of hunts by
//! [`crate::hunt_results`]; where each is says a [`Place`].

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use vql_builder::{Direction, Identifier, NameError, PureExpr};

use crate::limits::{Cut, Limits};
use crate::stream::Row;

mod engine;
mod missing;
mod place;
mod size;

pub use engine::{count, groups, rows, span};
pub use place::{Again, Place};
pub(crate) use size::size;

/// Which rows of a table are wanted, and how.
#[derive(Clone, Debug)]
pub struct RowQuery {
    /// Only rows that this expression keeps.
    pub filter: Option<PureExpr>,
    /// Only these columns; empty means all.
    pub columns: Vec<ColumnName>,
    /// Sorted by this column; otherwise in the order of the table.
    pub order: Option<(ColumnName, Direction)>,
    /// Where to begin. Without an order: the number of the first row of the table that is looked
    /// at; with one: how many rows of the sorted result are passed over.
    pub from: u64,
    /// How many rows to give, at most.
    pub count: u32,
    /// What the query may cost. Its number of rows does not count.
    pub limits: Limits,
}

impl Default for RowQuery {
    fn default() -> Self {
        Self {
            filter: None,
            columns: Vec::new(),
            order: None,
            from: 0,
            count: 100,
            limits: Limits::READ.batch_rows(1000),
        }
    }
}

/// The name of a column, as it is shown in results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnName {
    name: String,
    identifier: Identifier,
}

impl ColumnName {
    /// Takes a name.
    ///
    /// # Errors
    ///
    /// Names that VQL cannot spell, and names under which the engine finds something other than a
    /// column where a row has none of that name: its configuration, for one, holds a secret.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let reason = "it is the server's, not a column";
        let hidden = name.starts_with("MR_") || name.starts_with('$');
        if hidden || ["config", "Artifact", "_SessionId"].contains(&name) {
            return Err(NameError::Reserved { name: name.to_owned(), reason });
        }
        Ok(Self { name: name.to_owned(), identifier: Identifier::new(name)? })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    pub(crate) fn identifier(&self) -> Identifier {
        self.identifier.clone()
    }
}

/// A row and its place in the table.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct TableRow {
    /// Its number in the table, from 0.
    pub number: u64,
    /// The row.
    pub row: Row,
}

/// A page of rows.
#[derive(Clone, Debug)]
pub struct RowPage {
    /// The columns, in order of first appearance.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<TableRow>,
    /// How many rows there are on all pages, where the server had to know: for sorted pages.
    pub total: Option<u64>,
    /// Which bound, other than the wanted number of rows, ended the page early.
    pub cut: Option<Cut>,
    /// When it was read.
    pub as_of: Timestamp,
    from: u64,
    is_sorted: bool,
    is_full: bool,
}

impl RowPage {
    /// Where the next page begins, if only the first `kept` rows of this one are used. Nothing
    /// follows a page that is used whole and was not full.
    pub fn next_after(&self, kept: usize) -> Option<u64> {
        let kept = kept.min(self.rows.len());
        if kept == self.rows.len() {
            let reached = self.from + kept as u64;
            let is_last = match self.total {
                Some(total) => reached >= total,
                None => !self.is_full && self.cut.is_none(),
            };
            if is_last {
                return None;
            }
        }
        match (self.is_sorted, kept.checked_sub(1)) {
            (true, _) => Some(self.from + kept as u64),
            (false, Some(last)) => Some(self.rows[last].number + 1),
            (false, None) => Some(self.from),
        }
    }

    /// Where the next page begins, if this one is used whole.
    pub fn next(&self) -> Option<u64> {
        self.next_after(self.rows.len())
    }
}

/// Which groups of rows are wanted.
#[derive(Clone, Debug)]
pub struct GroupQuery {
    /// The columns whose values make a group; at least one.
    pub columns: Vec<ColumnName>,
    /// Only rows that this expression keeps.
    pub filter: Option<PureExpr>,
    /// By how many rows they have.
    pub order: Direction,
    /// How many groups are passed over.
    pub from: u64,
    /// How many groups to give, at most.
    pub count: u32,
    /// No row after so many is looked at.
    pub most: Option<u32>,
    /// What the query may cost. Its number of rows does not count.
    pub limits: Limits,
}

impl GroupQuery {
    /// The groups of these columns, the most frequent first.
    pub fn of(columns: Vec<ColumnName>) -> Self {
        Self {
            columns,
            filter: None,
            order: Direction::Descending,
            from: 0,
            count: 100,
            most: None,
            limits: Limits::READ.batch_rows(1000),
        }
    }
}

/// One combination of values, and how often it occurs.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Group {
    /// The values, in the order of the columns.
    pub values: Vec<Value>,
    /// In how many rows it occurs.
    pub count: u64,
    /// On how many clients; in hunts only.
    pub hosts: Option<u64>,
}

/// The groups that occur least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rarest {
    /// In how many rows each of them occurs.
    pub count: u64,
    /// How many of them there are.
    pub groups: u64,
}

/// A page of groups. Those that occur equally often stand in the order of their values as JSON.
#[derive(Clone, Debug)]
pub struct GroupPage {
    /// The groups.
    pub groups: Vec<Group>,
    /// How many different ones there are.
    pub total: u64,
    /// Those that occur least, where there is any.
    pub rarest: Option<Rarest>,
    /// Where the next page begins, where there is one.
    pub next: Option<u64>,
}

/// The times in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// In how many rows there is one.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(numbers: &[u64], is_full: bool) -> RowPage {
        let rows = numbers.iter().map(|number| TableRow { number: *number, row: Row::new() });
        RowPage {
            columns: Vec::new(),
            rows: rows.collect(),
            total: None,
            cut: None,
            as_of: Timestamp::UNIX_EPOCH,
            from: 5,
            is_sorted: false,
            is_full,
        }
    }

    #[test]
    fn the_next_page_begins_after_the_last_row_that_was_used() {
        assert_eq!(page(&[7, 9, 12], true).next(), Some(13));
        assert_eq!(page(&[7, 9, 12], false).next(), None);
        assert_eq!(page(&[7, 9, 12], false).next_after(2), Some(10));
        assert_eq!(page(&[7, 9, 12], false).next_after(0), Some(5));
        assert_eq!(page(&[], false).next(), None);
    }

    #[test]
    fn a_page_that_was_cut_goes_on_where_it_was_cut() {
        let cut = RowPage { cut: Some(Cut::Bytes), ..page(&[7], false) };
        assert_eq!(cut.next(), Some(8));
        let nothing = RowPage { cut: Some(Cut::Time), ..page(&[], false) };
        assert_eq!(nothing.next(), Some(5));
    }

    #[test]
    fn sorted_pages_count_positions() {
        let sorted = RowPage { is_sorted: true, total: Some(8), ..page(&[90, 3], true) };
        assert_eq!(sorted.next(), Some(7));
        let last = RowPage { total: Some(7), ..sorted };
        assert_eq!(last.next(), None);
        assert_eq!(last.next_after(1), Some(6));
    }

    #[test]
    fn names_that_reach_beyond_the_row_are_refused() {
        for name in ["config", "MR_Row", "$acl", "Artifact"] {
            assert!(ColumnName::new(name).is_err(), "{name}");
        }
        assert_eq!(ColumnName::new("Last Seen").unwrap().as_str(), "Last Seen");
    }
}

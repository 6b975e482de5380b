//! From table to table: where reading goes on while further tables may appear.

use serde::{Deserialize, Serialize};

use crate::tool_error::ToolError;

/// Where reading goes on: a table by its name, because its number changes with every table that
/// gets its first row meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Walk {
    /// The table.
    pub table: String,
    /// From which row on, in the words of the facade.
    pub row: u64,
    /// How many rows all the tables had together when reading began, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The tables that were read; without it, all before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<Vec<String>>,
}

impl Walk {
    /// The first row of the first table; nothing where there is no table. `grows` says that
    /// further tables may appear.
    pub fn begin(tables: &[String], grows: bool, total: Option<u64>) -> Option<Self> {
        let table = tables.first()?.clone();
        Some(Self { table, row: 0, total, done: grows.then(Vec::new) })
    }

    /// Makes sure that the table is still there.
    ///
    /// # Errors
    ///
    /// `invalid_input` where it is not: to go on elsewhere would leave rows out.
    pub fn check(&self, tables: &[String]) -> Result<(), ToolError> {
        if tables.contains(&self.table) {
            return Ok(());
        }
        Err(ToolError::invalid(format!(
            "cursor goes on in the table {}, which has no rows any more",
            self.table
        ))
        .next("leave cursor out to start from the beginning"))
    }

    /// The place after a page: the rest of the table, or else the first row of a table that was
    /// not read yet. Nothing where there is none.
    pub fn after(&self, rest: Option<u64>, tables: &[String], grows: bool) -> Option<Self> {
        if let Some(row) = rest {
            return Some(Self { row, ..self.clone() });
        }
        let mut done: Vec<&String> = match &self.done {
            Some(done) => done.iter().collect(),
            None => tables.iter().take_while(|table| **table != self.table).collect(),
        };
        done.push(&self.table);
        let at = tables.iter().position(|table| !done.contains(&table))?;
        // Where nothing changes any more, the place in the order says it all.
        let told = !grows && tables[at..].iter().all(|table| !done.contains(&table));
        let done = (!told).then(|| done.into_iter().cloned().collect());
        Some(Self { table: tables[at].clone(), row: 0, total: self.total, done })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Reads two pages of each table; before each page the tables are looked up anew.
    fn read(rounds: &[&[&str]], grows: bool) -> Vec<(String, u64)> {
        let mut seen = Vec::new();
        let mut walk = Walk::begin(&names(rounds[0]), grows, Some(9));
        let mut rounds = rounds.iter();
        let mut tables = names(rounds.next().unwrap());
        while let Some(place) = walk {
            if let Some(next) = rounds.next() {
                tables = names(next);
            }
            place.check(&tables).unwrap();
            seen.push((place.table.clone(), place.row));
            let rest = (place.row == 0).then_some(40);
            // As a cursor carries it.
            let next = place.after(rest, &tables, grows);
            walk = serde_json::from_value(serde_json::to_value(next).unwrap()).unwrap();
            assert!(seen.len() < 20, "{seen:?}");
        }
        seen
    }

    fn pages(tables: &[&str]) -> Vec<(String, u64)> {
        tables.iter().flat_map(|t| [((*t).to_owned(), 0), ((*t).to_owned(), 40)]).collect()
    }

    #[test]
    fn after_the_last_row_of_a_table_comes_the_first_of_the_next() {
        for grows in [false, true] {
            assert_eq!(read(&[&["A", "B", "C"]], grows), pages(&["A", "B", "C"]));
        }
        assert_eq!(Walk::begin(&[], true, None), None);
    }

    #[test]
    fn tables_that_appear_before_or_behind_are_read_once_and_none_is_read_twice() {
        let rounds: &[&[&str]] =
            &[&["B"], &["B"], &["A", "B", "D"], &["A", "B", "D"], &["A", "B", "C", "D"]];
        assert_eq!(read(rounds, true), pages(&["B", "A", "C", "D"]));
    }

    #[test]
    fn a_table_that_goes_away_is_told() {
        let walk = Walk::begin(&names(&["A", "B"]), false, None).unwrap();
        let error = walk.check(&names(&["B"])).unwrap_err();
        assert!(error.message.contains("table A") && error.next_step.is_some());
    }

    #[test]
    fn what_no_longer_grows_has_a_short_place() {
        let tables = names(&["A", "B", "C"]);
        let begun = Walk::begin(&tables, true, None).unwrap();
        let next = begun.after(None, &tables, false).unwrap();
        assert_eq!((next.table.as_str(), &next.done), ("B", &None));
        // A was not there when B was read: the order alone would call it read.
        let begun = Walk::begin(&names(&["B"]), true, None).unwrap();
        let next = begun.after(None, &tables, false).unwrap();
        assert_eq!((next.table.as_str(), next.done.is_some()), ("A", true));
    }
}

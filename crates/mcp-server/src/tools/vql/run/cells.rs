//! Rows of any form, for reading: a table, or a list where there is one row.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::evidence;
use crate::table::{Column, Table};

/// Longest value in the list of a single row.
const MAX_VALUE: usize = 2000;

/// Writes the rows.
pub(super) fn write(out: &mut String, columns: &[String], rows: &[Map<String, Value>]) {
    match rows {
        [] => out.push_str("no rows"),
        [row] if columns.len() > 1 => list(out, row),
        rows => {
            let headings: Vec<&str> = columns.iter().map(String::as_str).collect();
            let columns: Vec<Column<'_>> = headings.iter().map(|name| Column::of(name)).collect();
            let mut table = Table::new(&headings);
            for row in rows {
                table.row(columns.iter().map(|column| column.cell(row)));
            }
            table.write(out);
        }
    }
}

/// One line per column.
fn list(out: &mut String, row: &Map<String, Value>) {
    let width = row.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (index, name) in row.keys().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let cell = Column::of(name).cell(row);
        // What is cut could no longer be recognised as a secret.
        let text =
            if cell.len() > MAX_VALUE { evidence::mask_text(&cell) } else { cell.as_ref().into() };
        let mut shown: String = text.chars().take(MAX_VALUE).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        let indent = format!("\n{:width$}  ", "");
        let _ = write!(out, "{name:width$}  {}", shown.trim_end().replace('\n', &indent));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(rows: &Value) -> String {
        let rows: Vec<Map<String, Value>> = serde_json::from_value(rows.clone()).unwrap();
        let columns: Vec<String> = rows[0].keys().cloned().collect();
        let mut out = String::new();
        write(&mut out, &columns, &rows);
        out
    }

    #[test]
    fn whole_numbers_of_64_bits_keep_every_digit() {
        let rows = json!([{"a": u64::MAX, "b": i64::MIN}, {"a": 9007199254740993_u64, "b": null}]);
        let shown = written(&rows);
        assert!(shown.contains("18446744073709551615  -9223372036854775808"), "{shown}");
        assert!(shown.ends_with("9007199254740993"), "{shown}");
    }

    #[test]
    fn nested_values_are_compact_and_a_single_row_is_a_list() {
        let rows =
            json!([{"Name": "x", "Labels": ["a", "b"], "Info": {"k": [1, null]}, "Text": "1\n2"}]);
        let shown = written(&rows);
        assert_eq!(
            shown,
            "Name    x\nLabels  a, b\nInfo    {\"k\":[1,null]}\nText    1\n        2"
        );
    }
}

//! Which columns there are, and of what type their values look.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Serialize;
use serde_json::Value;

use crate::page::Row;

/// A column, as far as it was seen.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) column: String,
    /// Of the values that were seen; several where they differ, `empty` where there was none.
    #[serde(rename = "type")]
    pub(super) kind: String,
}

impl Seen {
    /// Whether every value that was seen is a time.
    pub(super) fn is_time(&self) -> bool {
        self.kind == "time"
    }
}

/// Looks at the columns of some rows.
pub(super) fn seen(columns: &[String], rows: &[Row]) -> Vec<Seen> {
    let of = |column: &String| {
        let mut kinds: Vec<&str> = Vec::new();
        for kind in rows.iter().filter_map(|row| kind(column, row.get(column)?)) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let kind = if kinds.is_empty() { String::from("empty") } else { kinds.join("/") };
        Seen { column: column.clone(), kind }
    };
    columns.iter().map(of).collect()
}

fn kind(column: &str, value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Null => return None,
        Value::String(text) if text.is_empty() => return None,
        Value::String(text) if is_time(text) => "time",
        Value::String(_) => "text",
        Value::Number(number) if names_time(column) && number.as_f64().is_some_and(is_epoch) => {
            "time"
        }
        Value::Number(_) => "number",
        Value::Bool(_) => "truth",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    })
}

/// A text of the form that the server gives times.
fn is_time(text: &str) -> bool {
    let shaped = text.len() >= 19 && text.as_bytes().get(4) == Some(&b'-');
    shaped && (text.parse::<Timestamp>().is_ok() || text.parse::<DateTime>().is_ok())
}

/// Seconds, or thousandths, millionths, billionths of them, from 2001 to 2100.
fn is_epoch(number: f64) -> bool {
    [1.0, 1e3, 1e6, 1e9].iter().any(|unit| (1e9..4.1e9).contains(&(number / unit)))
}

fn names_time(column: &str) -> bool {
    let name = column.to_ascii_lowercase();
    let parts = ["time", "date", "created", "modified", "accessed", "_ts", "seen"];
    parts.iter().any(|part| name.contains(part)) || name == "ts"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_what_the_values_look_like() {
        let rows: Vec<Row> = serde_json::from_value(json!([
            {"Mtime": "2023-11-14T22:13:20.5Z", "CreateTime": 1_700_000_000, "Pid": 1_700_000_000,
             "Name": "a", "Odd": 1, "None": null, "Last Seen": 1_700_000_000_123_456_i64},
            {"Mtime": "2023-11-14 22:13:20", "CreateTime": 0, "Pid": 4, "Name": "", "Odd": "x",
             "None": "", "Last Seen": null},
        ]))
        .unwrap();
        let columns: Vec<String> = rows[0].keys().cloned().collect();
        let kinds: Vec<String> = seen(&columns, &rows).into_iter().map(|seen| seen.kind).collect();
        let expected = ["time", "time/number", "number", "text", "number/text", "empty", "time"];
        assert_eq!(kinds, expected);
    }
}

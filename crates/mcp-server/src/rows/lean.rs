//! Rows made lean: long cells cut and marked, columns that hold nothing left out, both named.

use std::fmt::Write;

use guard::outlet;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::evidence;
use crate::page::Row;

/// Longest cell, in characters.
const CELL: usize = 300;

/// What was taken away.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Lean {
    /// Columns with cells of which only the beginning is there; detail full gives them whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
    /// Columns that hold nothing in any of these rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub empty: Vec<String>,
}

impl Lean {
    /// Takes away what is long or empty. Columns that were asked for by name stay.
    pub fn of(columns: &mut Vec<String>, rows: &mut [Row], named: bool) -> Self {
        let mut lean = Self { cut: cut(rows), empty: Vec::new() };
        if named || rows.is_empty() {
            return lean;
        }
        let filled = |name: &String| rows.iter().any(|row| row.get(name).is_some_and(holds));
        let (kept, empty) = std::mem::take(columns).into_iter().partition(filled);
        (*columns, lean.empty) = (kept, empty);
        for row in rows {
            row.retain(|name, _| !lean.empty.contains(name));
        }
        lean
    }

    /// For reading.
    pub fn write(&self, out: &mut String) {
        for (what, names) in [("cut", &self.cut), ("empty", &self.empty)] {
            if !names.is_empty() {
                let _ = write!(out, "\n{what}: {}", names.join(", "));
            }
        }
    }
}

/// Whether a cell says anything.
fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Cuts every long cell, and names the columns.
pub fn cut(rows: &mut [Row]) -> Vec<String> {
    let mut names = Vec::new();
    for row in rows {
        for (name, value) in row.iter_mut() {
            if let Some(short) = shortened(value) {
                *value = Value::String(short);
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
    }
    names
}

/// The beginning of a long cell, with no secret cut in two: half of one is not recognised. Whole ones
/// are masked with the rest of the answer, and noted there.
fn shortened(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.len() > CELL => begun(text, &format!("{} bytes", text.len())),
        Value::Array(_) | Value::Object(_) => {
            let json = value.to_string();
            let whole = format!("{} bytes of JSON", json.len());
            // What only the name of a member tells to be a secret is no more known in a text.
            let masked = evidence::mask_raw(&json);
            let known = masked == evidence::mask_text(&json);
            begun(if known { &json } else { &masked }, &whole)
        }
        _ => None,
    }
}

fn begun(text: &str, whole: &str) -> Option<String> {
    let is_long = text.char_indices().nth(CELL).is_some();
    is_long.then(|| format!("{}…[cut: {whole}]", outlet::beginning(text, CELL)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(value: Value) -> Vec<Row> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn long_cells_are_cut_and_marked_and_empty_columns_named() {
        let mut rows = rows(json!([
            {"a": "x".repeat(5000), "b": null, "c": [], "d": {"list": vec!["y"; 200]}, "e": false},
            {"a": "é".repeat(300), "b": "", "c": {}, "d": 1},
        ]));
        let mut columns = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
        let lean = Lean::of(&mut columns, &mut rows, false);
        assert_eq!(lean.cut, ["a", "d"]);
        assert_eq!(lean.empty, ["b", "c"]);
        assert_eq!(columns, ["a", "d", "e"]);
        let cell = rows[0]["a"].as_str().unwrap();
        assert!(cell.starts_with("xxx") && cell.ends_with("x…[cut: 5000 bytes]"), "{cell}");
        assert!(rows[0]["d"].as_str().unwrap().contains("bytes of JSON]"));
        assert_eq!(rows[1]["a"], "é".repeat(300), "300 characters are not too many");
        assert!(!rows[0].contains_key("b"));
    }

    #[test]
    fn columns_that_were_asked_for_stay() {
        let mut rows = rows(json!([{"a": null}]));
        let mut columns = vec![String::from("a")];
        assert!(Lean::of(&mut columns, &mut rows, true).empty.is_empty());
        assert!(columns.len() == 1 && rows[0].contains_key("a"));
    }

    #[test]
    fn a_secret_is_masked_before_its_cell_is_cut() {
        let key = format!("{}-----BEGIN RSA PRIVATE KEY-----\n{}", "x".repeat(290), "A".repeat(64));
        let config = json!({"a": "y".repeat(270), "private_key": "s3cr3t".repeat(20)});
        let mut rows = rows(json!([{"Text": key, "Config": config}]));
        cut(&mut rows);
        let told = json!(rows).to_string();
        assert!(!told.contains("BEGIN RSA") && !told.contains("s3cr3t"), "{told}");
    }
}

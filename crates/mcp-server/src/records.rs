//! Records with every member that the server keeps, as detail full hands them over.

use std::fmt::Write;

use serde_json::Value;
use velociraptor_api::whole::RecordPage;

use crate::page::{self, Row, Rows};
use crate::table::Column;
use crate::tool::Detail;
use crate::tool_error::ToolError;

/// How to read a record that is larger than an answer.
const ALONE: &str = "run_vql reads single members of it.";

/// The part of a page of records that fits into one answer.
#[derive(Debug)]
pub struct Handed {
    /// The records.
    pub records: Rows,
    /// Where reading goes on, where it does.
    pub next: Option<u64>,
    /// What to keep in mind.
    pub warning: Option<String>,
}

/// Keeps what fits of a page that begins at `from`.
///
/// # Errors
///
/// None that rows from JSON can cause.
pub fn hand_over(found: RecordPage, from: u64) -> Result<Handed, ToolError> {
    let kept = page::fit(found.records, page::BYTES)?;
    let next = if kept.more { Some(from + kept.rows.len() as u64) } else { found.next };
    Ok(Handed { warning: kept.warning(ALONE), next, records: kept.rows })
}

/// A single record, its large members cut and named where it is larger than an answer.
///
/// # Errors
///
/// None that rows from JSON can cause.
pub fn one(record: Option<Row>) -> Result<(Option<Row>, Option<String>), ToolError> {
    let kept = page::fit(record.into_iter().collect(), page::BYTES)?;
    Ok((kept.rows.first().cloned(), kept.warning(ALONE)))
}

/// A summary has one page.
///
/// # Errors
///
/// `invalid_input` where a cursor goes with it.
pub fn one_page(detail: Detail, cursor: Option<&str>) -> Result<(), ToolError> {
    if detail == Detail::Summary && cursor.is_some() {
        return Err(ToolError::invalid("a summary has one page, and a cursor was given")
            .next("leave cursor out, or detail"));
    }
    Ok(())
}

/// Writes records for reading: a line for each member, those that hold nothing named at the end.
pub fn write(out: &mut String, records: &[Row]) {
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            out.push_str("\n\n");
        }
        write_one(out, record);
    }
}

/// Writes one.
pub fn write_one(out: &mut String, record: &Row) {
    let (filled, empty): (Vec<_>, Vec<_>) = record.iter().partition(|(_, value)| holds(value));
    let widest = filled.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(30);
    for (at, (name, _)) in filled.iter().enumerate() {
        let before = if at == 0 { "" } else { "\n" };
        let cell = Column::of(name).cell(record);
        let cell = cell.replace('\r', "\\r").replace('\n', "\\n");
        // Writing into a string cannot fail.
        let _ = write!(out, "{before}{name:<widest$}  {cell}");
    }
    if !empty.is_empty() {
        let names: Vec<&str> = empty.iter().map(|(name, _)| name.as_str()).collect();
        let _ = write!(out, "\nempty: {}", names.join(", "));
    }
}

/// Whether a member says anything; the server leaves none out.
fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn records(value: Value) -> Vec<Row> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_member_is_there_and_what_is_empty_is_named() {
        let found = records(json!([
            {"client_id": "C.1", "os_info": {"system": "linux"}, "labels": [], "gone": null},
            {"client_id": "C.2", "note": "two\nlines", "nonce": "abc", "n": 0},
        ]));
        let mut out = String::new();
        write(&mut out, &found);
        insta::assert_snapshot!(out, @r#"
        client_id  C.1
        os_info    {"system":"linux"}
        empty: labels, gone

        client_id  C.2
        note       two\nlines
        nonce      [masked: nonce]
        n          0
        "#);
    }

    #[test]
    fn what_does_not_fit_is_on_the_next_page() {
        let each = json!({"text": "x".repeat(15_000)});
        let page = |count: usize, next| RecordPage {
            records: records(json!(vec![each.clone(); count])),
            total: 9,
            next,
        };
        let handed = hand_over(page(4, Some(7)), 3).unwrap();
        assert_eq!((handed.records.len(), handed.next), (2, Some(5)));
        let handed = hand_over(page(2, None), 7).unwrap();
        assert_eq!((handed.records.len(), handed.next), (2, None));
        let (record, warning) = one(records(json!([{"text": "x".repeat(90_000)}])).pop()).unwrap();
        assert!(record.is_some_and(|record| record["text"].to_string().len() < 45_000));
        assert!(warning.is_some_and(|warning| warning.contains("run_vql")));
        assert!(one_page(Detail::Summary, Some("m1.x")).is_err());
        assert!(one_page(Detail::Full, Some("m1.x")).is_ok());
    }
}

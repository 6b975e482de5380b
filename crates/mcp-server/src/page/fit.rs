//! As many whole rows as fit into a budget.

use serde::Serialize;

use super::cut::cut_fields;
use super::{Row, Rows, internal};
use crate::tool_error::ToolError;

/// What fits.
#[derive(Clone, Debug)]
pub struct Page<R> {
    /// The rows, in order; all of them whole except where [`Page::cut`] names fields.
    pub rows: R,
    /// Whether rows were left for the next page.
    pub more: bool,
    /// The fields of the only row that were cut because the row alone is larger than the budget.
    pub cut: Vec<String>,
    /// How many bytes the rows have as JSON.
    pub bytes: usize,
}

impl<R> Page<R> {
    /// What a reader must know about cut fields: which, and how to read them whole.
    pub fn warning(&self, how: &str) -> Option<String> {
        (!self.cut.is_empty()).then(|| {
            format!(
                "one row is larger than a whole answer; cut and marked are: {}. {how}",
                self.cut.join(", ")
            )
        })
    }
}

/// Keeps rows while they fit into `budget` bytes as JSON. A first row that does not fit is handed
/// over alone, its large fields cut and marked.
///
/// # Errors
///
/// None that rows from JSON can cause; a row that cannot be written as JSON.
pub fn fit(rows: Vec<Row>, budget: usize) -> Result<Page<Rows>, ToolError> {
    let came = rows.len();
    let (mut rows, mut bytes) = Rows::within(rows, budget)?;
    let more = rows.len() < came;
    let mut cut = Vec::new();
    if bytes > budget && rows.len() == 1 {
        let mut alone = rows.into_vec();
        cut = alone.iter_mut().flat_map(|row| cut_fields(row, budget)).collect();
        (rows, bytes) = Rows::within(alone, budget)?;
    }
    Ok(Page { rows, more, cut, bytes })
}

/// Keeps rows while they fit into `budget` bytes as JSON; a first row is kept whatever its size.
/// For rows of a fixed form, which a server keeps small.
///
/// # Errors
///
/// A row that cannot be written as JSON.
pub fn fit_whole<T: Serialize>(rows: Vec<T>, budget: usize) -> Result<Page<Vec<T>>, ToolError> {
    let mut page = Page { rows: Vec::new(), more: false, cut: Vec::new(), bytes: 0 };
    for row in rows {
        let bytes = size(&row)?;
        if !page.rows.is_empty() && page.bytes + bytes > budget {
            page.more = true;
            break;
        }
        page.bytes += bytes;
        page.rows.push(row);
    }
    Ok(page)
}

/// The bytes of a row as JSON, with the comma after it.
fn size(row: &impl Serialize) -> Result<usize, ToolError> {
    serde_json::to_vec(row).map(|json| json.len() + 1).map_err(internal)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rows(values: &[Value]) -> Vec<Row> {
        values.iter().map(|value| value.as_object().unwrap().clone()).collect()
    }

    #[test]
    fn whole_rows_only_and_the_rest_is_announced() {
        let all = rows(&[json!({"a": 1}), json!({"a": 2}), json!({"a": 3})]);
        let page = fit(all.clone(), 16).unwrap();
        assert_eq!(*page.rows, all[..2]);
        assert!(page.more && page.cut.is_empty());
        assert_eq!(serde_json::to_string(&page.rows).unwrap(), r#"[{"a":1},{"a":2}]"#);
        let page = fit(all.clone(), 24).unwrap();
        assert_eq!((page.rows.into_vec(), page.more, page.bytes), (all, false, 24));
    }

    #[test]
    fn a_row_larger_than_the_budget_comes_alone_cut_and_marked() {
        let big = json!({"Name": "svc", "Data": "x".repeat(10_000_000), "Pid": 4});
        let page = fit(rows(&[big, json!({"Name": "next"})]), 1000).unwrap();
        assert_eq!(page.rows.len(), 1);
        assert!(page.more);
        assert_eq!(page.cut, ["Data"]);
        assert!(page.bytes <= 1000, "{}", page.bytes);
        assert_eq!(page.rows[0]["Name"], "svc");
        assert_eq!(page.rows[0]["Pid"], 4);
        let warning = page.warning("Select single columns.").unwrap();
        assert!(warning.contains("Data") && warning.ends_with("Select single columns."));
    }

    #[test]
    fn what_is_read_and_what_is_written_are_the_same_to_the_last_digit() {
        let text =
            r#"[{"b":18446744073709551615,"a":-9223372036854775808},{"a":9007199254740993}]"#;
        let page = fit(serde_json::from_str(text).unwrap(), 1000).unwrap();
        assert_eq!(serde_json::to_string(&page.rows).unwrap(), text);
        let big = r#"[{"id":9007199254740993,"Data":"DATA"}]"#.replace("DATA", &"x".repeat(5000));
        let page = fit(serde_json::from_str(&big).unwrap(), 500).unwrap();
        let written = serde_json::to_string(&page.rows).unwrap();
        assert!(written.starts_with(r#"[{"id":9007199254740993,"Data":"xxx"#), "{written}");
        assert_eq!(serde_json::from_str::<Vec<Row>>(&written).unwrap(), page.rows.into_vec());
    }

    #[test]
    fn a_large_row_waits_for_a_page_of_its_own() {
        let big = json!({"Data": "x".repeat(5000)});
        let page = fit(rows(&[json!({"a": 1}), big.clone()]), 1000).unwrap();
        assert_eq!((page.rows.len(), page.more), (1, true));
        assert!(page.cut.is_empty());
        let page = fit(rows(&[big]), 1000).unwrap();
        assert_eq!((page.rows.len(), page.more, page.cut.len()), (1, false, 1));
    }

    #[test]
    fn nothing_is_a_page_too() {
        let page = fit(Vec::new(), 10).unwrap();
        assert!(page.rows.is_empty() && !page.more && page.warning("").is_none());
        assert_eq!(serde_json::to_string(&page.rows).unwrap(), "[]");
        assert_eq!(serde_json::to_string(&Rows::default()).unwrap(), "[]");
    }
}

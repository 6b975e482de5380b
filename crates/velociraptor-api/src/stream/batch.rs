//! Rows that arrived together.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use crate::error::QueryErrorKind;
use crate::generated::VqlResponse;
use crate::limits::Cut;

/// One row, columns in the order in which the query names them. 64-bit integers are exact, signed
/// and unsigned; larger ones the server has rounded itself.
pub type Row = serde_json::Map<String, serde_json::Value>;

/// Rows that arrived together, still as text: whoever only forwards or counts them need not
/// parse them.
#[derive(Debug)]
pub struct Batch {
    /// The columns of the first row, in order. Later rows may have others.
    pub columns: Vec<String>,
    /// Index of the statement that gave the rows; LET statements count and give none.
    pub statement: u64,
    json: String,
    len: u64,
}

impl Batch {
    /// Takes a message within what is left of the bounds, whole rows only, and says which bound
    /// cut it. `keep_first`: its first row is taken whatever its size.
    pub(super) fn within(
        message: VqlResponse,
        rows: u64,
        bytes: u64,
        keep_first: bool,
    ) -> Result<(Self, Option<Cut>), QueryErrorKind> {
        let VqlResponse { response: json, columns, query_id: statement, .. } = message;
        // Counting also proves that the text is what it should be; it costs a tenth of parsing.
        let len = parse::<Vec<IgnoredAny>>(&json)?.len() as u64;
        if len <= rows && json.len() as u64 <= bytes {
            return Ok((Self { columns, statement, json, len }, None));
        }
        let mut kept = String::from("[");
        let mut taken = 0;
        let mut cut = None;
        for row in parse::<Vec<&RawValue>>(&json)? {
            if taken >= rows {
                cut = Some(Cut::Rows);
                break;
            }
            // The row, a comma and the closing bracket.
            let whatever = keep_first && taken == 0;
            if !whatever && (kept.len() + row.get().len() + 2) as u64 > bytes {
                cut = Some(Cut::Bytes);
                break;
            }
            if taken > 0 {
                kept.push(',');
            }
            kept.push_str(row.get());
            taken += 1;
        }
        kept.push(']');
        Ok((Self { columns, statement, json: kept, len: taken }, cut))
    }

    /// Number of rows.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The rows as a JSON array.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The rows as a JSON array, without a copy.
    pub fn into_json(self) -> String {
        self.json
    }

    /// The rows.
    ///
    /// # Errors
    ///
    /// [`QueryErrorKind::Protocol`] where the rows are not of that form.
    pub fn rows<T: DeserializeOwned>(&self) -> Result<Vec<T>, QueryErrorKind> {
        parse(&self.json)
    }

    /// The rows, each still as text: cheap to measure.
    ///
    /// # Errors
    ///
    /// [`QueryErrorKind::Protocol`] where the text is not a JSON array.
    pub fn raw_rows(&self) -> Result<Vec<&RawValue>, QueryErrorKind> {
        parse(&self.json)
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T, QueryErrorKind> {
    serde_json::from_str(json)
        .map_err(|error| QueryErrorKind::Protocol { detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(json: &str, rows: u64, bytes: u64) -> (String, u64, Option<Cut>) {
        taken(json, rows, bytes, false)
    }

    fn taken(json: &str, rows: u64, bytes: u64, keep: bool) -> (String, u64, Option<Cut>) {
        let message = VqlResponse { response: json.to_owned(), ..VqlResponse::default() };
        let (batch, cut) = Batch::within(message, rows, bytes, keep).unwrap();
        (batch.json().to_owned(), batch.len(), cut)
    }

    #[test]
    fn whole_rows_are_kept_up_to_the_bound() {
        let json = r#"[{"A":1},{"A":"x,]"},{"A":3}]"#;
        let size = json.len() as u64;
        assert_eq!(within(json, 3, size), (json.to_owned(), 3, None));
        let two = String::from(r#"[{"A":1},{"A":"x,]"}]"#);
        assert_eq!(within(json, 2, size), (two.clone(), 2, Some(Cut::Rows)));
        assert_eq!(within(json, 3, size - 1), (two.clone(), 2, Some(Cut::Bytes)));
        assert_eq!(within(json, 3, two.len() as u64), (two, 2, Some(Cut::Bytes)));
        assert_eq!(within(json, 3, 3), (String::from("[]"), 0, Some(Cut::Bytes)));
        // White space that is not kept may be all that was too much.
        assert_eq!(within("[ {\"A\" : 1} ]\n", 1, 12), (String::from("[{\"A\" : 1}]"), 1, None));
    }

    #[test]
    fn a_first_row_of_any_size_is_kept_where_that_is_asked_for() {
        let first = String::from("[{\"A\":1}]");
        let json = r#"[{"A":1},{"A":2}]"#;
        assert_eq!(taken(json, 2, 3, true), (first.clone(), 1, Some(Cut::Bytes)));
        assert_eq!(taken("[{\"A\":1}]", 2, 3, true), (first, 1, None));
        assert_eq!(taken(json, 0, 3, true), (String::from("[]"), 0, Some(Cut::Rows)));
    }

    #[test]
    fn what_is_no_array_is_a_protocol_fault() {
        for json in ["", "{}", "[{\"A\":1}", "[1] 2", "nonsense"] {
            let message = VqlResponse { response: json.to_owned(), ..VqlResponse::default() };
            let error = Batch::within(message, 10, 1000, false).unwrap_err();
            assert!(matches!(error, QueryErrorKind::Protocol { .. }), "{json}: {error}");
        }
    }
}

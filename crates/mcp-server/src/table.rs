//! Tables for reading: columns as wide as their content, cells cut, never wrapped.

use std::borrow::Cow;

use serde_json::Value;

use crate::evidence::{self, SecretName};

/// Widest cell; longer text is cut and marked.
const MAX_CELL: usize = 80;

/// Writes rows under headings. Cells are single lines: line feeds are shown as `\n`.
pub fn write(out: &mut String, headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut table = Table::new(headings);
    for row in rows {
        table.row(row);
    }
    table.write(out);
}

/// A table in the making. All cells are in one text, so that many small ones cost little.
#[derive(Debug)]
pub struct Table {
    cells: String,
    /// Where each cell ends in the text, and its width in characters; row after row.
    ends: Vec<(usize, usize)>,
    widths: Vec<usize>,
}

impl Table {
    /// A table with these columns. Headings are names of columns, and those can come from an
    /// endpoint too.
    pub fn new(headings: &[&str]) -> Self {
        let widths = vec![0; headings.len()];
        let mut table = Self { cells: String::new(), ends: Vec::new(), widths };
        table.row(headings);
        table
    }

    /// Adds a row. What has no heading is not shown; what is lacking is empty.
    pub fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut cells = cells.into_iter();
        for column in 0..self.widths.len() {
            let width = match cells.next() {
                Some(cell) => push_line(&mut self.cells, cell.as_ref()),
                None => 0,
            };
            self.ends.push((self.cells.len(), width));
            self.widths[column] = self.widths[column].max(width);
        }
    }

    /// Writes the headings and the rows, a line each.
    pub fn write(&self, out: &mut String) {
        let mut start = 0;
        for (index, row) in self.ends.chunks(self.widths.len().max(1)).enumerate() {
            if index > 0 {
                out.push('\n');
            }
            let line = out.len();
            for ((end, width), widest) in row.iter().zip(&self.widths) {
                out.push_str(&self.cells[start..*end]);
                out.extend(std::iter::repeat_n(' ', widest - width + 2));
                start = *end;
            }
            out.truncate(line + out[line..].trim_end().len());
        }
    }
}

/// A value as a cell: text as it is, nothing for NULL, a list of texts without the noise of JSON,
/// anything else as compact JSON. Whole numbers keep every digit. Secrets inside are masked here,
/// because a cell that is cut afterwards could no longer be recognised as one.
pub fn cell(value: Option<&Value>) -> Cow<'_, str> {
    match value {
        None | Some(Value::Null) => Cow::Borrowed(""),
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Array(items)) if is_list(items) => {
            Cow::Owned(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        Some(nested @ (Value::Array(_) | Value::Object(_))) => {
            let json = nested.to_string();
            match evidence::mask_raw(&json) {
                Cow::Borrowed(_) => Cow::Owned(json),
                Cow::Owned(masked) => Cow::Owned(masked),
            }
        }
        Some(other) => Cow::Owned(other.to_string()),
    }
}

/// So many rows, in words.
pub fn rows(count: u64) -> String {
    format!("{count} {}", word(count))
}

/// What so many rows are called.
pub const fn word(rows: u64) -> &'static str {
    if rows == 1 { "row" } else { "rows" }
}

/// A column of rows, by its name.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// The name.
    pub name: &'a str,
    secret: Option<SecretName>,
}

impl<'a> Column<'a> {
    /// The column of this name.
    pub fn of(name: &'a str) -> Self {
        Self { name, secret: SecretName::of(name) }
    }

    /// Its cell in a row: as [`cell`], and nothing of what its name says is secret.
    pub fn cell<'r>(&self, row: &'r serde_json::Map<String, Value>) -> Cow<'r, str> {
        let value = row.get(self.name);
        let (Some(secret), Some(found)) = (self.secret, value) else { return cell(value) };
        match (secret.mask(found), found) {
            (Some(mask), _) => Cow::Borrowed(mask),
            (None, Value::Array(_) | Value::Object(_)) => {
                Cow::Owned(secret.mask_raw(&found.to_string()).into_owned())
            }
            (None, _) => cell(value),
        }
    }
}

/// Texts that read the same with commas between as in a list.
fn is_list(items: &[Value]) -> bool {
    let plain =
        |item: &Value| item.as_str().is_some_and(|text| !text.is_empty() && !text.contains(','));
    !items.is_empty() && items.iter().all(plain)
}

/// A text from elsewhere as a part of one line: line feeds are shown, and it is cut.
pub fn line_of(cell: &str) -> String {
    let mut shown = String::new();
    push_line(&mut shown, cell);
    shown
}

/// Adds a text as [`line_of`] shows it, and gives its width in characters.
fn push_line(shown: &mut String, cell: &str) -> usize {
    // Almost every cell is short ASCII, which is as wide as it is long.
    if cell.len() <= MAX_CELL && cell.bytes().all(|b| matches!(b, b' '..=b'~')) {
        shown.push_str(cell);
        return cell.len();
    }
    // What is cut could no longer be recognised as a secret.
    let cell = if cell.len() > MAX_CELL { evidence::mask_text(cell) } else { Cow::Borrowed(cell) };
    let mut width = 0;
    for (count, c) in cell.chars().enumerate() {
        if count == MAX_CELL {
            shown.push('…');
            return width + 1;
        }
        width += 1;
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push(' '),
            c => shown.push(c),
        }
        width += usize::from(matches!(c, '\n' | '\r'));
    }
    width
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up_and_long_cells_are_cut() {
        let mut out = String::new();
        write(
            &mut out,
            &["a", "bb"],
            [vec!["one".into(), "x".into()], vec!["y".into(), "z".repeat(100)]],
        );
        let expected = format!("a    bb\none  x\ny    {}…", "z".repeat(MAX_CELL));
        assert_eq!(out, expected);
    }

    #[test]
    fn wide_characters_and_shown_line_feeds_line_up() {
        let mut out = String::new();
        write(
            &mut out,
            &["a", "b"],
            [vec!["é\n日".into(), "1".into()], vec!["plain".into(), "2".into()], vec![]],
        );
        assert_eq!(out, "a      b\né\\n日   1\nplain  2\n");
    }

    #[test]
    fn values_are_shown_without_the_noise_of_json() {
        let shown = |value: Value| cell(Some(&value)).into_owned();
        assert_eq!(shown(json!(["a", "b"])), "a, b");
        // With commas between they would read as three.
        assert_eq!(shown(json!(["a, b", "c"])), r#"["a, b","c"]"#);
        assert_eq!(shown(json!([])), "[]");
        assert_eq!(shown(json!({"k": [1, null]})), r#"{"k":[1,null]}"#);
        assert_eq!(shown(json!(u64::MAX)), "18446744073709551615");
        assert_eq!((cell(None), shown(Value::Null)), (Cow::Borrowed(""), String::new()));
    }

    #[test]
    fn a_secret_is_masked_before_its_cell_is_cut() {
        let row = json!({"nonce": "n".repeat(300), "Config": {"private_key": ["p".repeat(300)]}});
        let row = row.as_object().unwrap();
        let shown = |name| Column::of(name).cell(row).into_owned();
        assert_eq!(shown("nonce"), "[masked: nonce]");
        assert_eq!(shown("Config"), r#"{"private_key":"[masked: private key]"}"#);
        assert_eq!(shown("other"), "");
        let key = format!("{} AKIAIOSFODNN7EXAMPLE", "x".repeat(70));
        assert_eq!(line_of(&key), format!("{} [masked: …", "x".repeat(70)));
    }
}

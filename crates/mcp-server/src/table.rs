//! Tables for reading: columns as wide as their content, cells cut, never wrapped.

use std::fmt::Write;

use serde_json::Value;

/// Widest cell; longer text is cut and marked.
const MAX_CELL: usize = 80;

/// Writes rows under headings. Cells are single lines: line feeds are shown as `\n`.
pub fn write(out: &mut String, headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|row| row.iter().map(|cell| line_of(cell)).collect()).collect();
    // Headings are names of columns, and those can come from an endpoint too.
    let headings: Vec<String> = headings.iter().map(|heading| line_of(heading)).collect();
    let mut widths: Vec<usize> = headings.iter().map(|h| h.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    line(out, &widths, headings.iter().map(String::as_str));
    for row in &rows {
        out.push('\n');
        line(out, &widths, row.iter().map(String::as_str));
    }
}

/// A value as a cell: text as it is, nothing for NULL, anything nested as compact JSON.
pub fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn line<'a>(out: &mut String, widths: &[usize], cells: impl Iterator<Item = &'a str>) {
    let start = out.len();
    for (cell, width) in cells.zip(widths) {
        let _ = write!(out, "{cell:width$}  ");
    }
    out.truncate(start + out[start..].trim_end().len());
}

/// A text from elsewhere as a part of one line: line feeds are shown, and it is cut.
pub fn line_of(cell: &str) -> String {
    let mut shown = String::new();
    for (count, c) in cell.chars().enumerate() {
        if count == MAX_CELL {
            shown.push('…');
            break;
        }
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push(' '),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
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
}

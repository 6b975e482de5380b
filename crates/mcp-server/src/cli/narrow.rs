//! A text with tables on a terminal that is narrower than they are: their rows one under another.
//!
//! A table is known by its form alone: a line of headings, and lines below in which every column
//! begins where its heading does. Where a line does not keep to that, the whole text is left as it
//! is: a cell is never shown below a heading that is not its own.

use std::fmt::Write as _;

/// Between columns stand at least two blanks.
const GAP: &str = "  ";

/// Fewer columns than this read well even where their lines are broken by the terminal.
const COLUMNS: usize = 3;

/// The text with tables that are wider than `width` as one record under another; `None` where it
/// fits, or where it cannot be told which cell belongs to which heading.
pub(super) fn narrowed(text: &str, width: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let is_wide = |line: &str| line.chars().count() > width;
    let mut out = String::new();
    let mut changed = false;
    let mut at = 0;
    while at < lines.len() {
        let starts = starts(lines[at]);
        let body = lines.get(at + 1..).unwrap_or_default();
        let rows = body.iter().take_while(|line| fits(line, &starts)).count();
        let table = &lines[at..=at + rows];
        if starts.len() < COLUMNS || rows == 0 || !table.iter().any(|line| is_wide(line)) {
            let _ = writeln!(out, "{}", lines[at]);
            at += 1;
            continue;
        }
        // What looks like headings stands below a line in the same columns: its first one has none.
        let above = at.checked_sub(1).and_then(|before| lines.get(before));
        if above.is_some_and(|line| line.starts_with(GAP) && fits(line, &starts)) {
            return None;
        }
        // A row that was shifted by what was escaped in it ends the table too early.
        let next = body.get(rows).is_some_and(|line| self::starts(line).len() >= COLUMNS);
        let after = body.get(rows + 1).is_some_and(|line| fits(line, &starts));
        if next || after {
            return None;
        }
        let headings = cells(lines[at], &starts);
        for row in &table[1..] {
            let _ = write!(out, "{}", record(&headings, &cells(row, &starts)));
        }
        changed = true;
        at += rows + 1;
    }
    changed.then(|| out.trim_end().to_owned())
}

/// Where the columns of a line begin, in characters.
fn starts(line: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut blanks = GAP.len();
    for (at, c) in line.chars().enumerate() {
        if c == ' ' {
            blanks += 1;
            continue;
        }
        if blanks >= GAP.len() {
            starts.push(at);
        }
        blanks = 0;
    }
    // A line that is indented is no line of headings.
    if starts.first() == Some(&0) { starts } else { Vec::new() }
}

/// Whether a line is a row below these headings: before each column stand blanks.
fn fits(line: &str, starts: &[usize]) -> bool {
    let line: Vec<char> = line.chars().collect();
    let blank = |at: usize| line.get(at).is_none_or(|c| *c == ' ');
    !line.is_empty()
        && starts.iter().skip(1).any(|start| *start < line.len())
        && starts.iter().skip(1).all(|start| (1..=GAP.len()).all(|back| blank(start - back)))
}

fn cells(line: &str, starts: &[usize]) -> Vec<String> {
    let line: Vec<char> = line.chars().collect();
    let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
    let cell = |(start, end): (&usize, usize)| {
        let (start, end) = ((*start).min(line.len()), end.min(line.len()));
        line[start..end].iter().collect::<String>().trim_end().to_owned()
    };
    starts.iter().zip(ends).map(cell).collect()
}

/// A row: each heading with its cell. What is empty is left out.
fn record(headings: &[String], cells: &[String]) -> String {
    let widest = headings.iter().map(|heading| heading.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (heading, cell) in headings.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        let mark = if out.is_empty() { '-' } else { ' ' };
        let _ = writeln!(out, "{mark} {heading:<widest$}  {cell}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
LAB root as reader  COMPLETE
id   host          note
C.1  ci-runner-03  a long note of it
C.2  db-01
HANDLE flow:C.1/F.1/X";

    #[test]
    fn a_table_that_is_too_wide_is_shown_as_records() {
        assert_eq!(narrowed(TEXT, 80), None, "it fits");
        let shown = narrowed(TEXT, 30).unwrap();
        assert_eq!(
            shown,
            "LAB root as reader  COMPLETE\n\
             - id    C.1\n\
             \x20 host  ci-runner-03\n\
             \x20 note  a long note of it\n\
             - id    C.2\n\
             \x20 host  db-01\n\
             HANDLE flow:C.1/F.1/X"
        );
    }

    #[test]
    fn what_is_no_table_or_not_in_line_is_left_as_it_is() {
        let prose = "a long line of words that is wider than there is room for\nand another one";
        assert_eq!(narrowed(prose, 20), None);
        // Something in the second row was escaped after the table was made, and shifted the rest.
        let shifted = "id   host     note\nC.1  a        first row of it\nC.2  \\u{202e}b        second row of it\nC.3  c        third row of it";
        assert_eq!(narrowed(shifted, 20), None);
        let shifted = "id   host     note\nC.1  a        first row of it\n\\u{202e}C.2 b\nC.3  c        third row of it";
        assert_eq!(narrowed(shifted, 20), None);
        let unnamed =
            "     host     note\nC.1  a        first row of it\nC.2  b        second row of it";
        assert_eq!(narrowed(unnamed, 20), None);
        let indented = "  a  b  c\n  1  2  3 and more that makes it wide";
        assert_eq!(narrowed(indented, 10), None);
    }
}

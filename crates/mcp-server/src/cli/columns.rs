//! Tables on a terminal: as wide as it is and no wider. The columns that matter least are left out,
//! which is said; then cells that can be cut are cut.

use std::fmt::Write as _;

use guard::outlet::hostile::escape;

use crate::table::line_of;

/// Between columns.
const GAP: usize = 2;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    heading: &'static str,
    /// Not cut to less than this; `None` where a cell is never cut.
    least: Option<usize>,
    /// The higher it is, the earlier the column is left out; one of 0 stays.
    rank: u8,
}

impl Column {
    /// One whose cells are never cut, and that stays.
    pub(super) const fn whole(heading: &'static str) -> Self {
        Self { heading, least: None, rank: 0 }
    }

    /// One whose cells may be cut to that.
    pub(super) const fn cut_to(heading: &'static str, least: usize) -> Self {
        Self { heading, least: Some(least), rank: 0 }
    }

    /// The same, left out before those of a lower rank.
    pub(super) const fn ranked(self, rank: u8) -> Self {
        Self { rank, ..self }
    }
}

/// Writes rows under headings within a width.
pub(super) fn fitted(columns: &[Column], rows: &[Vec<String>], width: usize) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| line_of(&escape(cell))).collect()).collect();
    let widest = |(at, column): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([column.heading.chars().count()]).max().unwrap_or(0)
    };
    let natural: Vec<usize> = columns.iter().enumerate().map(widest).collect();
    let (shown, widths) = chosen(columns, &natural, width);
    let mut out = String::new();
    let headings = columns.iter().map(|column| column.heading.to_owned()).collect();
    for row in std::iter::once(&headings).chain(&rows) {
        if !out.is_empty() {
            out.push('\n');
        }
        let line = out.len();
        for (at, widest) in shown.iter().zip(&widths) {
            let cell = cut(row.get(*at).map_or("", String::as_str), *widest);
            let _ = write!(out, "{cell:widest$}{:GAP$}", "");
        }
        out.truncate(line + out[line..].trim_end().len());
    }
    let left_out: Vec<&str> =
        (0..columns.len()).filter(|at| !shown.contains(at)).map(|at| columns[at].heading).collect();
    if !left_out.is_empty() {
        let _ = write!(out, "\n(left out, -o json has all: {})", left_out.join(", "));
    }
    out
}

/// The columns that have room, and how wide each is.
fn chosen(columns: &[Column], natural: &[usize], width: usize) -> (Vec<usize>, Vec<usize>) {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let least =
        |at: &usize| columns[*at].least.map_or(natural[*at], |least| least.min(natural[*at]));
    let gaps = |shown: &[usize]| GAP * shown.len().saturating_sub(1);
    while gaps(&shown).saturating_add(shown.iter().map(|at| natural[*at]).sum()) > width {
        let last = shown.iter().copied().filter(|at| columns[*at].rank > 0);
        let Some(last) = last.max_by_key(|at| columns[*at].rank) else { break };
        shown.retain(|at| *at != last);
    }
    let mut widths: Vec<usize> = shown.iter().map(|at| natural[*at]).collect();
    let room = width.saturating_sub(gaps(&shown));
    while widths.iter().sum::<usize>() > room {
        let wide = (0..shown.len()).filter(|at| widths[*at] > least(&shown[*at]));
        let Some(widest) = wide.max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
    }
    (shown, widths)
}

/// At most so many characters, the last of which says that there are more.
pub(super) fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    let mut short: String = cell.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column::whole("id"),
        Column::cut_to("about", 6),
        Column::cut_to("note", 4).ranked(1),
        Column::whole("ms").ranked(2),
    ];

    fn row() -> Vec<String> {
        ["A7", "a long text about it", "another note", "12.5"].map(str::to_owned).to_vec()
    }

    #[test]
    fn what_has_room_is_whole() {
        let shown = fitted(COLUMNS, &[row()], usize::MAX);
        assert_eq!(
            shown,
            "id  about                 note          ms\n\
             A7  a long text about it  another note  12.5"
        );
        assert_eq!(fitted(COLUMNS, &[row()], 44), shown);
    }

    #[test]
    fn no_line_is_wider_than_there_is_room_for_and_what_is_left_out_is_said() {
        for width in 10..44 {
            let shown = fitted(COLUMNS, &[row()], width);
            let lines: Vec<&str> = shown.lines().collect();
            assert!(lines.iter().take(2).all(|line| line.chars().count() <= width), "{shown}");
            assert!(lines[2].starts_with("(left out") && lines[2].contains("ms"), "{shown}");
            assert_eq!(!lines[0].contains("note"), lines[2].contains("note"), "{width}: {shown}");
        }
        let hostile = ["A7", "a\u{202e}b", "", ""].map(str::to_owned);
        let shown = fitted(COLUMNS, &[hostile.to_vec()], 80);
        assert!(shown.starts_with("id  about       note  ms\nA7  a\\u{202e}b"), "{shown}");
        let shown = fitted(COLUMNS, &[row()], 16);
        assert!(shown.starts_with("id  about\nA7  a long text…\n"), "{shown}");
        assert!(shown.ends_with("(left out, -o json has all: note, ms)"), "{shown}");
    }
}

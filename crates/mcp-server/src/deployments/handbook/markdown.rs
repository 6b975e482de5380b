//! The text as Markdown.

use std::fmt::Write as _;

use super::page::{Block, Page, pieces};

pub(super) fn write(page: &Page) -> String {
    let mut out = format!("# {}\n", line(&page.title));
    for block in &page.blocks {
        out.push('\n');
        match block {
            Block::Section(title) => {
                let _ = writeln!(out, "## {}", line(title));
            }
            Block::Line(text) => {
                let _ = writeln!(out, "{}", line(text));
            }
            Block::Warning(text) => {
                let _ = writeln!(out, "> **Keep in mind:** {}", line(text));
            }
            Block::Code(text) => {
                let _ = writeln!(out, "```sh\n{text}\n```");
            }
            Block::List(items) => {
                for item in items {
                    let _ = writeln!(out, "- {}", line(item));
                }
            }
            Block::Table(headings, rows) => {
                let row = |cells: &[String]| {
                    let cells: Vec<String> = cells.iter().map(|cell| line(cell)).collect();
                    format!("| {} |", cells.join(" | "))
                };
                let _ = writeln!(out, "{}", row(headings));
                let _ = writeln!(out, "|{}", "---|".repeat(headings.len()));
                for cells in rows {
                    let _ = writeln!(out, "{}", row(cells));
                }
            }
        }
    }
    out
}

/// A line in which nothing but code has a meaning.
fn line(text: &str) -> String {
    let mut out = String::new();
    for (is_code, piece) in pieces(text) {
        if is_code {
            let _ = write!(out, "`{}`", piece.replace('|', "\\|"));
            continue;
        }
        for c in piece.chars() {
            if r"\*_<>[]|#&".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

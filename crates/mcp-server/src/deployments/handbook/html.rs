//! The text as one page that loads nothing, read on a screen and on paper.

use std::fmt::Write as _;

use super::page::{Block, Page, pieces};

const STYLE: &str = include_str!("handbook.css");

pub(super) fn write(page: &Page) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        title = line(&page.title)
    );
    let sections: Vec<&String> = page
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Section(title) => Some(title),
            _ => None,
        })
        .collect();
    out.push_str("<nav><ul>\n");
    for title in &sections {
        let _ = writeln!(out, "<li><a href=\"#{}\">{}</a></li>", anchor(title), line(title));
    }
    out.push_str("</ul></nav>\n");
    for block in &page.blocks {
        let _ = match block {
            Block::Section(title) => {
                writeln!(out, "<h2 id=\"{}\">{}</h2>", anchor(title), line(title))
            }
            Block::Line(text) => writeln!(out, "<p>{}</p>", line(text)),
            Block::Warning(text) => {
                writeln!(
                    out,
                    "<p class=\"warning\"><strong>Keep in mind:</strong> {}</p>",
                    line(text)
                )
            }
            Block::Code(text) => writeln!(out, "<pre><code>{}</code></pre>", escaped(text)),
            Block::List(items) => {
                let items: Vec<String> =
                    items.iter().map(|item| format!("<li>{}</li>", line(item))).collect();
                writeln!(out, "<ul>\n{}\n</ul>", items.join("\n"))
            }
            Block::Table(headings, rows) => {
                table(&mut out, headings, rows);
                Ok(())
            }
        };
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn table(out: &mut String, headings: &[String], rows: &[Vec<String>]) {
    // Without headings the first cell of a row names it.
    let bare = headings.iter().all(String::is_empty);
    out.push_str(if bare {
        "<div class=\"wide\"><table class=\"facts\">\n"
    } else {
        "<div class=\"wide\"><table>\n"
    });
    if !bare {
        let cells: String =
            headings.iter().map(|cell| format!("<th scope=\"col\">{}</th>", line(cell))).collect();
        let _ = writeln!(out, "<thead><tr>{cells}</tr></thead>");
    }
    out.push_str("<tbody>\n");
    for row in rows {
        let cells: String = row
            .iter()
            .enumerate()
            .map(|(at, cell)| match at {
                0 => format!("<th scope=\"row\">{}</th>", line(cell)),
                _ => format!("<td>{}</td>", line(cell)),
            })
            .collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn line(text: &str) -> String {
    pieces(text)
        .map(|(is_code, piece)| match is_code {
            true => format!("<code>{}</code>", escaped(piece)),
            false => escaped(piece),
        })
        .collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn anchor(title: &str) -> String {
    title.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

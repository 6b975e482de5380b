//! Parse errors as a caller sees them: place, cause, what to write instead, and the line itself.

use std::fmt::Write;

use vql_builder::Diagnostic;

use crate::tool_error::{Code, ToolError};

/// Most places that are told at once.
const MOST: usize = 3;

/// Characters of a long line before the place, and in all.
const BEFORE: usize = 60;
const WIDTH: usize = 100;

/// The error for a text that does not parse. `errors` is not empty.
pub(super) fn error(text: &str, errors: &[Diagnostic]) -> ToolError {
    let mut message = String::from("parse ");
    for (index, error) in errors.iter().take(MOST).enumerate() {
        if index > 0 {
            message.push('\n');
        }
        describe(&mut message, text, error);
    }
    ToolError::new(Code::InvalidQuery, message)
        .next("mend the text; nothing was sent. vql_help {\"topic\":\"syntax\"} lists the traps")
}

fn describe(out: &mut String, text: &str, error: &Diagnostic) {
    let (at_line, at_column) = error.place_to_look(text);
    let _ = write!(out, "{at_line}:{at_column}: {}", error.message);
    if let Some(hint) = &error.hint {
        let _ = write!(out, "; {hint}");
    }
    let line = text.lines().nth(at_line as usize - 1).unwrap_or_default();
    let column = at_column as usize - 1;
    let start = column.saturating_sub(BEFORE);
    let shown: String =
        line.chars().skip(start).take(WIDTH).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let number = at_line.to_string();
    let gutter = " ".repeat(number.len());
    let marked = text.get(error.span.start as usize..error.span.end as usize);
    let marks = marked.and_then(|text| text.lines().next()).map_or(1, |text| text.chars().count());
    let marks = "^".repeat(marks.clamp(1, WIDTH - (column - start).min(WIDTH - 1)));
    let indent = " ".repeat(column - start);
    let _ = write!(out, "\n  {number} | {shown}\n  {gutter} | {indent}{marks}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        error(text, vql_builder::parse(text).errors()).message
    }

    #[test]
    fn the_marks_stand_under_the_place() {
        let shown = message("SELECT a\nFROM clients() WHERE b == 1");
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].starts_with("parse 2:2"), "{shown}");
        assert_eq!(lines[1], "  2 | FROM clients() WHERE b == 1");
        assert_eq!(&lines[1][lines[2].find('^').unwrap()..][..1], "=", "{shown}");
    }

    #[test]
    fn a_misspelt_word_is_named_with_the_one_that_was_meant() {
        let shown = message("SELCT * FROM clients()");
        assert!(shown.starts_with("parse 1:1: "), "{shown}");
        assert!(shown.contains("SELCT") && shown.contains("SELECT"), "{shown}");
        assert!(shown.contains("\n    | ^^^^^"), "{shown}");
    }

    #[test]
    fn an_end_that_comes_too_early_is_marked_behind_the_last_word() {
        for tail in ["", "\n", "  \n\n", " -- for now\n", "\n/* and\nmore */\n"] {
            let shown = message(&format!("SELECT a\nFROM clients() WHERE{tail}"));
            let lines: Vec<&str> = shown.lines().collect();
            assert!(lines[0].starts_with("parse 2:21: the text ends here"), "{shown}");
            assert!(lines[1].starts_with("  2 | FROM clients() WHERE"), "{shown}");
            assert_eq!(lines[2], format!("    | {}^", " ".repeat(20)), "{shown}");
        }
        let shown = message("\n-- nothing\n");
        assert!(shown.starts_with("parse 1:1: the text ends here"), "{shown}");
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let text = format!("SELECT {} == 1 FROM scope()", "a + ".repeat(500) + "a");
        let shown = message(&text);
        let line = shown.lines().nth(1).unwrap();
        assert!(line.len() < 120, "{line}");
    }
}

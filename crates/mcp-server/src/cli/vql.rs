//! `megaraptor vql`: VQL texts, without a server.

mod definitions;
mod effects;

use std::io::{BufRead, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use guard::outlet::hostile::escape;
use serde_json::{Value, json};
use vql_builder::{Diagnostic, Severity, parse};

use super::{Form, Global, output};
use crate::tool_error::ToolError;

#[derive(Debug, Subcommand)]
pub(super) enum VqlCommand {
    /// Say whether VQL parses, and what is wrong where it does not
    Check(CheckArgs),
    /// Say what VQL can do: read, collect, change, and by which of its calls
    Effects(effects::EffectsArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Files to check; none or - is standard input
    files: Vec<PathBuf>,
    /// One JSON string a line in, one object a line out
    #[arg(long)]
    jsonl: bool,
}

pub(super) fn run(global: &Global, command: VqlCommand) -> Result<ExitCode, ToolError> {
    global.refuse_server_options("vql", "looks at texts and asks no server")?;
    if global.lab {
        return Err(ToolError::invalid(
            "vql looks at texts and asks no server: --lab is not for it",
        )
        .next("leave --lab out; --definitions names the artifacts that a text may call"));
    }
    let form = global.output;
    match command {
        VqlCommand::Check(args) => check(args, form),
        VqlCommand::Effects(args) => effects::run(args, form),
    }
}

fn check(args: CheckArgs, form: Form) -> Result<ExitCode, ToolError> {
    let files = if args.files.is_empty() { vec![PathBuf::from("-")] } else { args.files };
    let mut good = true;
    for file in &files {
        good &= if args.jsonl { check_lines(file)? } else { check_file(file, form)? };
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn open(file: &PathBuf) -> Result<Box<dyn BufRead>, ToolError> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    std::fs::File::open(file)
        .map(|file| Box::new(std::io::BufReader::new(file)) as Box<dyn BufRead>)
        .map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &std::path::Path, error: &std::io::Error) -> ToolError {
    ToolError::invalid(format!("{} cannot be read: {error}", file.display()))
}

fn check_file(file: &PathBuf, form: Form) -> Result<bool, ToolError> {
    let text = read_text(file)?;
    let parse = parse(&text);
    let good = !parse.errors().iter().any(is_error);
    match form {
        Form::Json => output::json(&verdict(good, parse.errors()))?,
        Form::Text => {
            let shown = file.display().to_string();
            for diagnostic in parse.errors() {
                output::result(&format!("{shown}:{}", excerpt(&text, diagnostic)));
            }
            if parse.errors().is_empty() {
                output::result(&format!("{shown}: ok"));
            }
        }
    }
    Ok(good)
}

fn check_lines(file: &PathBuf) -> Result<bool, ToolError> {
    let mut all_good = true;
    each_line(file, |text| {
        let parse = parse(text);
        let good = !parse.errors().iter().any(is_error);
        all_good &= good;
        output::json_line(&verdict(good, parse.errors()));
    })?;
    Ok(all_good)
}

/// Calls with the text of each line, which is a JSON string.
fn each_line(file: &PathBuf, mut call: impl FnMut(&str)) -> Result<(), ToolError> {
    for (index, line) in open(file)?.lines().enumerate() {
        let line = line.map_err(|error| unreadable(file, &error))?;
        if line.trim().is_empty() {
            continue;
        }
        let text: String = serde_json::from_str(&line).map_err(|error| {
            ToolError::invalid(format!("line {} is not a JSON string: {error}", index + 1))
        })?;
        call(&text);
    }
    Ok(())
}

fn read_text(file: &PathBuf) -> Result<String, ToolError> {
    let mut text = String::new();
    open(file)?.read_to_string(&mut text).map_err(|error| unreadable(file, &error))?;
    Ok(text)
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.code.severity() == Severity::Error
}

fn verdict(good: bool, diagnostics: &[Diagnostic]) -> Value {
    let list = |errors: bool| -> Vec<Value> {
        diagnostics.iter().filter(|d| is_error(d) == errors).map(object).collect()
    };
    json!({ "ok": good, "errors": list(true), "warnings": list(false) })
}

fn object(diagnostic: &Diagnostic) -> Value {
    json!({
        "code": diagnostic.code.as_str(),
        "offset": diagnostic.span.start,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    })
}

/// The diagnostic, the line that it is about, and a mark under the place.
fn excerpt(text: &str, diagnostic: &Diagnostic) -> String {
    let (at_line, at_column) = diagnostic.place_to_look(text);
    let line = text.lines().nth(at_line as usize - 1).unwrap_or_default();
    let column = at_column as usize - 1;
    // A long line is shown around the place.
    let start = column.saturating_sub(60);
    let window = |from: usize, length: usize| -> String {
        let part: String = line.chars().skip(from).take(length).collect();
        escape(&part).replace('\t', " ")
    };
    // What is escaped is wider than it was, so the mark goes by what is shown before it.
    let before = window(start, column - start);
    let kind = if is_error(diagnostic) { "error" } else { "warning" };
    let mut shown = format!(
        "{at_line}:{at_column}: {kind}: {}\n    {}\n    {}^",
        diagnostic.message,
        before.clone() + &window(column, 100 - (column - start)),
        " ".repeat(before.chars().count()),
    );
    if let Some(hint) = &diagnostic.hint {
        shown.push_str("\n    hint: ");
        shown.push_str(hint);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_the_place() {
        let text = "SELECT a\nFROM clients() WHERE b == 1";
        let parse = parse(text);
        let shown = excerpt(text, &parse.errors()[0]);
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[2].find('^').unwrap();
        assert_eq!(&lines[1][at..=at], "=", "{shown}");
    }

    #[test]
    fn an_end_that_comes_too_early_is_marked_behind_the_last_word() {
        let text = "SELECT a FROM clients() WHERE\n\n";
        let shown = excerpt(text, &parse(text).errors()[0]);
        assert!(shown.starts_with("1:30: error: the text ends here"), "{shown}");
        assert_eq!(shown.lines().nth(1), Some("    SELECT a FROM clients() WHERE"), "{shown}");
    }

    #[test]
    fn what_tricks_a_reader_is_shown_escaped_and_the_mark_stays_in_place() {
        let text = "SELECT '\u{202e}a\u{1b}[2J' + b FROM clients() WHERE b == 1 AND \u{202e}x";
        let parse = parse(text);
        let shown = excerpt(text, &parse.errors()[0]);
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[2].find('^').unwrap();
        assert_eq!(&lines[1][at..], "\\u{202e}x", "{shown}");
    }

    #[test]
    fn a_verdict_has_offset_line_column_message_and_hint() {
        let parse = parse("SELCT 1");
        let verdict = verdict(false, parse.errors());
        let error = &verdict["errors"][0];
        assert_eq!(error["offset"], 0);
        assert_eq!((error["line"].as_u64(), error["column"].as_u64()), (Some(1), Some(1)));
        assert!(error["message"].as_str().unwrap().contains("SELCT"));
    }
}

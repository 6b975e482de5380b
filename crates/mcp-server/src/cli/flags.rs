//! Errors of tools in the words of a command line: `export_to: FOLDER` is `--export-to FOLDER` there.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory as _};

use super::Cli;
use crate::tool_error::{Code, ToolError};

/// The error with the arguments of the tool as the options that they are here. A card is left as it is:
/// what is approved is the call of the tool.
pub(super) fn told(error: ToolError) -> ToolError {
    if error.code == Code::ApprovalRequired {
        return error;
    }
    let known = of_deployments();
    ToolError {
        message: text(&error.message, &known),
        next_step: error.next_step.as_deref().map(|next| text(next, &known)),
        ..error
    }
}

/// The long options of the commands over deployments, under the names that arguments have.
fn of_deployments() -> BTreeSet<String> {
    let cli = Cli::command();
    let commands = cli.get_subcommands();
    commands.filter(|one| one.get_name().starts_with("deploy")).flat_map(options).collect()
}

/// The long options of a command and of those below it.
fn options(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_long());
    let own = own.map(|long| long.replace('-', "_"));
    own.chain(command.get_subcommands().flat_map(options)).collect()
}

/// Only names with an underscore are arguments for sure; others are words, too.
fn text(text: &str, known: &BTreeSet<String>) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        if word.is_empty() {
            told.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        rest = &rest[word.len()..];
        // Part of a path, of an address, of a longer name or of what somebody gave.
        let is_part = told.ends_with(|c: char| "/.-\\\"".contains(c))
            || rest.starts_with(|c: char| "/\\=\"".contains(c));
        if !word.contains('_') || is_part || !known.contains(word) {
            told.push_str(word);
            continue;
        }
        told.push_str("--");
        told.push_str(&word.replace('_', "-"));
        if let Some(after) = rest.strip_prefix(": true") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix(": ")
            && after.starts_with(|c: char| c.is_ascii_uppercase())
        {
            told.push(' ');
            rest = after;
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_options_and_nothing_else_does() {
        let known = of_deployments();
        for (given, expected) in [
            (
                "export_to: FOLDER copies it first; discard_evidence: true says that it is not needed",
                "--export-to FOLDER copies it first; --discard-evidence says that it is not needed",
            ),
            ("agents_at: expected HOST:PORT", "--agents-at: expected HOST:PORT"),
            ("export_to/a, \"export_to\" and read_only = true", ""),
            ("/srv/export_to/a is there, server_config and profile are as they are, ü", ""),
            ("", ""),
        ] {
            let expected = if expected.is_empty() { given } else { expected };
            assert_eq!(text(given, &known), expected);
        }
    }
}

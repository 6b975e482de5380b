//! The reference of the command line, from the program's own help.

use std::fmt::Write as _;

use anyhow::ensure;

use super::{Generated, program};

const REFERENCE: &str = "docs/reference/cli.md";

pub(super) fn generate() -> anyhow::Result<Vec<Generated>> {
    let mut text = String::from(
        "# Command line\n\nWritten by `cargo xtask codegen` from the program's help; do not edit.\n",
    );
    describe(&[], &mut text)?;
    Ok(vec![Generated { path: REFERENCE.into(), text }])
}

/// Writes the help of a command and of the commands below it.
fn describe(path: &[&str], text: &mut String) -> anyhow::Result<()> {
    let mut arguments = path.to_vec();
    arguments.push("--help");
    let help = program::ask(&arguments)?;
    // The first section is about the program itself, the others about its commands.
    let level = "#".repeat(path.len() + 2);
    let name = ["megaraptor"].iter().chain(path).copied().collect::<Vec<_>>().join(" ");
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    let _ = write!(text, "\n{level} `{name}`\n\n```text\n{}\n```\n", help.join("\n").trim());
    let commands = commands(&help);
    ensure!(!path.is_empty() || !commands.is_empty(), "the program's help lists no commands");
    for command in commands {
        let below: Vec<_> = path.iter().copied().chain([command]).collect();
        describe(&below, text)?;
    }
    Ok(())
}

/// The commands that a help text lists.
fn commands<'a>(help: &[&'a str]) -> Vec<&'a str> {
    help.iter()
        .skip_while(|line| **line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A command is indented by two, what goes on from the line before by more.
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_a_help_text() {
        let help = "About\n\nCommands:\n  serve  Serve\n           more of it\n  vql    Work\n  help   Print\n\n\
                    Options:\n  -h, --help";
        assert_eq!(commands(&help.lines().collect::<Vec<_>>()), ["serve", "vql"]);
        assert!(commands(&["Options:", "  -h"]).is_empty());
    }
}

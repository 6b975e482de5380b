//! Help that says a thing once: the options of every command stand at the top alone.

use clap::Command;

/// Below the help of each command.
const POINTER: &str = "\
Options of every command, described by megaraptor --help:
  which server      --config, --settings, --lab, --orgs
  what may run      --policy, --policy-file, --read-only, --families
  record, output    --audit-flush, --audit-copy, -o";

/// Takes the options of every command out of the help of each, and points to where they are. They
/// are taken there as before.
pub(super) fn once(mut command: Command) -> Command {
    // Only then has each command the options of every command.
    command.build();
    below(command)
}

fn below(command: Command) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names.into_iter().filter(|name| name != "help").fold(command, |command, name| {
        command.mut_subcommand(name, |command| below(pointed(command)))
    })
}

fn pointed(command: Command) -> Command {
    let own = command.get_after_help().map(ToString::to_string);
    let pointer = own.map_or_else(|| POINTER.to_owned(), |own| format!("{own}\n\n{POINTER}"));
    command
        .mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg })
        .after_help(pointer)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::examples::with_examples;
    use super::super::{Cli, Global};
    use super::*;

    fn help_of(path: &[&str]) -> String {
        let mut command = once(with_examples(Cli::command()));
        let mut at = &mut command;
        for name in path {
            at = at.find_subcommand_mut(name).unwrap();
        }
        at.render_long_help().to_string()
    }

    /// The long names of the options of every command.
    fn global() -> Vec<String> {
        let command = <Global as clap::Args>::augment_args(Command::new("x"));
        let named = command.get_arguments().filter_map(|arg| arg.get_long());
        named.map(|name| format!("--{name}")).collect()
    }

    #[test]
    fn the_options_of_every_command_stand_at_the_top_and_below_is_a_pointer() {
        let top = help_of(&[]);
        let all = global();
        assert_eq!(all.len(), 11, "{all:?}");
        for option in &all {
            assert!(top.contains(option), "{option}: {top}");
            assert!(
                POINTER.contains(option) || *option == "--output",
                "{option} is not pointed to"
            );
        }
        assert!(top.contains("What may run:") && top.contains("Exit codes:"), "{top}");
        for path in [&["serve"][..], &["grants", "create"], &["audit", "show"], &["doctor"]] {
            let help = help_of(path);
            assert!(help.contains(POINTER) && help.contains("Example"), "{help}");
            let options = help.replace(POINTER, "");
            for name in ["--policy-file", "--audit-copy", "--families", "Server:"] {
                assert!(!options.contains(name), "{name} is repeated: {help}");
            }
        }
        assert!(help_of(&["grants", "create"]).contains("--collections"));
    }

    #[test]
    fn what_is_not_repeated_is_taken_all_the_same() {
        for line in [
            "megaraptor audit show --lab -o json",
            "megaraptor --lab call list_clients --read-only --families clients",
            "megaraptor grants list --audit-flush each",
        ] {
            let parsed = once(with_examples(Cli::command())).try_get_matches_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}

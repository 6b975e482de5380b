//! Examples below the help of each command.

use clap::Command;

/// A command by its words, and lines that somebody can type.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "serve",
        &[
            "megaraptor serve --settings megaraptor.toml",
            "megaraptor serve --http 127.0.0.1:8765 --config reader.api.yaml",
        ],
    ),
    (
        "token create",
        &["megaraptor token create alice --effects read,collect --servers acme-prod --expires 12h"],
    ),
    ("token list", &["megaraptor token list"]),
    ("token revoke", &["megaraptor token revoke alice"]),
    ("approvals list", &["megaraptor approvals list --all"]),
    ("approvals show", &["megaraptor approvals show A7"]),
    ("approvals approve", &["megaraptor approvals approve A7"]),
    ("approvals deny", &["megaraptor approvals deny A7 --reason 'ask for fewer hosts'"]),
    ("grants list", &["megaraptor grants list --all"]),
    (
        "grants create",
        &["megaraptor grants create --case IR-17 --server acme-prod --artifacts 'Windows.Sys.*' \
           --label case-17 --bytes '20 GB' --collections 20 --hours 8"],
    ),
    ("grants revoke", &["megaraptor grants revoke G3"]),
    ("credential list", &["megaraptor credential list --limit 20"]),
    (
        "credential show",
        &[
            "megaraptor credential show cred:site-a/gui-admin",
            "megaraptor credential show cred:D-2345678923/user-siem --out siem.api.yaml",
        ],
    ),
    ("credential delete", &["megaraptor credential delete cred:site-a/gui-admin"]),
    ("credential rebuild", &["megaraptor credential rebuild"]),
    (
        "deploy docker",
        &[
            "megaraptor deploy docker --agents-at vr.example.org:8000 --case IR-17 --validate-only",
            "megaraptor deploy docker --profile rapid --agents-at vr.example.org:8000 --case IR-17",
        ],
    ),
    (
        "deploy linux",
        &["megaraptor deploy linux --local --agent --agents-at vr.example.org:8000 --case IR-17"],
    ),
    ("deployments list", &["megaraptor deployments list --all"]),
    ("deployments show", &["megaraptor deployments show D-2345678923"]),
    ("deployments validate", &["megaraptor deployments validate D-2345678923"]),
    (
        "deployments config",
        &[
            "megaraptor deployments config D-2345678923 --differences",
            "megaraptor deployments config D-2345678923 --what client --out client.config.yaml",
        ],
    ),
    ("deployments agents", &["megaraptor deployments agents D-2345678923 --host FIN-WS07"]),
    ("deployments docs", &["megaraptor deployments docs D-2345678923 --folder IR-17-server"]),
    (
        "deployments installer",
        &[
            "megaraptor deployments installer D-2345678923 --label finance --out agent.deb",
            "megaraptor deployments installer D-2345678923 --format tarball --out agent.tar.gz",
        ],
    ),
    ("deployments resume", &["megaraptor deployments resume D-2345678923"]),
    ("deployments rotate", &["megaraptor deployments rotate D-2345678923 --days 90"]),
    (
        "deployments api-user",
        &["megaraptor deployments api-user D-2345678923 siem --role reader --days 90"],
    ),
    (
        "deployments export",
        &["megaraptor deployments export D-2345678923 --out /cases/IR-17/evidence.tar.gz"],
    ),
    (
        "deployments destroy",
        &[
            "megaraptor deployments destroy D-2345678923 --export-to /cases/IR-17",
            "megaraptor deployments destroy D-2345678923 --discard-evidence",
        ],
    ),
    ("deployments sweep", &["megaraptor deployments sweep --export-to /cases"]),
    ("demo", &["megaraptor demo", "megaraptor demo --real --binary ./velociraptor"]),
    ("lab", &["megaraptor lab --folder lab-files"]),
    (
        "call",
        &[
            "megaraptor call list_clients --config reader.api.yaml",
            r#"megaraptor call get_client_info --lab --json '{"client":"FIN-WS07"}'"#,
        ],
    ),
    ("emergency-stop", &["megaraptor emergency-stop --settings megaraptor.toml"]),
    ("policy", &["megaraptor policy --policy collect=deny"]),
    ("tools", &["megaraptor tools collect_artifact"]),
    ("doctor", &["megaraptor doctor --config reader.api.yaml"]),
    ("client-config", &["megaraptor client-config claude-code --config reader.api.yaml"]),
    ("vql check", &["megaraptor vql check query.vql"]),
    ("vql effects", &["megaraptor vql effects query.vql --definitions artifacts"]),
    ("audit verify", &["megaraptor audit verify"]),
    ("audit show", &["megaraptor audit show --tool run_vql --since 2026-01-02T03:04:05Z"]),
    ("audit export", &["megaraptor audit export --effect respond"]),
    (
        "completions",
        &["megaraptor completions bash > ~/.local/share/bash-completion/completions/megaraptor"],
    ),
];

/// Puts the examples below the help of the commands.
pub(super) fn with_examples(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (path, lines)| {
        let words: Vec<&str> = path.split(' ').collect();
        let heading = if lines.len() == 1 { "Example:" } else { "Examples:" };
        below(command, &words, format!("{heading}\n  {}", lines.join("\n  ")))
    })
}

fn below(command: Command, path: &[&str], text: String) -> Command {
    match path {
        [] => command.after_help(text),
        [name, rest @ ..] => command.mut_subcommand(*name, |command| below(command, rest, text)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Cli;
    use super::*;

    /// The words of a line, as a shell hands them over.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    fn leaves(command: &Command, path: &str, out: &mut Vec<String>) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let name = format!("{path} {}", below.get_name());
            if below.has_subcommands() {
                leaves(below, &name, out);
            } else {
                let help = below.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.starts_with("Example"), "{name} has no example");
                out.push(name.trim().to_owned());
            }
        }
    }

    #[test]
    fn every_command_has_an_example_and_each_can_be_typed() {
        let mut commands = Vec::new();
        leaves(&with_examples(Cli::command()), "", &mut commands);
        assert_eq!(commands.len(), EXAMPLES.len(), "{commands:?}");
        for (path, lines) in EXAMPLES {
            for line in *lines {
                assert!(line.starts_with(&format!("megaraptor {path}")), "{line}");
                let typed = line.split(" > ").next().unwrap();
                let parsed = Cli::command().try_get_matches_from(words(typed));
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
    }
}

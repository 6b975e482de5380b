//! `megaraptor client-config`: the snippet that makes an MCP client start this program.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Global, output};
use crate::tool_error::ToolError;

#[derive(Debug, Args)]
pub(super) struct ClientConfigArgs {
    /// The MCP client
    #[arg(value_enum, default_value_t = Client::ClaudeDesktop)]
    client: Client,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Client {
    /// claude_desktop_config.json
    ClaudeDesktop,
    /// The command `claude mcp add`
    ClaudeCode,
    /// .cursor/mcp.json
    Cursor,
    /// .vscode/mcp.json
    Vscode,
    /// ~/.codex/config.toml
    Codex,
    /// Any client that takes a command and arguments
    Other,
}

pub(super) fn run(global: &Global, args: &ClientConfigArgs) -> Result<ExitCode, ToolError> {
    // The servers are opened, so that a snippet is never printed for files that cannot work.
    let services = global.services()?;
    let program = std::env::current_exe()
        .map_err(|error| ToolError::invalid(format!("this program's path is unknown: {error}")))?;
    let arguments = arguments(global)?;
    output::passed(&snippet(args.client, &program, &arguments));
    if services.targets().is_empty() {
        output::error(
            "! no server is named; add --config api.config.yaml, or --settings megaraptor.toml",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The arguments of `serve`, with paths made absolute: the client starts it in another folder.
fn arguments(global: &Global) -> Result<Vec<String>, ToolError> {
    let mut arguments = vec![String::from("serve")];
    let mut path = |flag: &str, path: &PathBuf| -> Result<(), ToolError> {
        let absolute = std::path::absolute(path).map_err(|error| {
            ToolError::invalid(format!("{} has no absolute path: {error}", path.display()))
        })?;
        arguments.extend([flag.to_owned(), absolute.display().to_string()]);
        Ok(())
    };
    for config in &global.config {
        path("--config", config)?;
    }
    match &global.settings {
        Some(settings) => path("--settings", settings)?,
        None if global.config.is_empty()
            && !global.lab
            && Path::new(crate::settings::FILE_NAME).exists() =>
        {
            path("--settings", &PathBuf::from(crate::settings::FILE_NAME))?;
        }
        None => {}
    }
    if let Some(file) = &global.policy_file {
        path("--policy-file", file)?;
    }
    if global.lab {
        arguments.push(String::from("--lab"));
    }
    for (flag, list) in [("--orgs", &global.orgs), ("--families", &global.families)] {
        if !list.is_empty() {
            arguments.extend([flag.to_owned(), list.join(",")]);
        }
    }
    for assignment in &global.policy {
        arguments.extend([String::from("--policy"), assignment.clone()]);
    }
    if global.read_only {
        arguments.push(String::from("--read-only"));
    }
    Ok(arguments)
}

fn snippet(client: Client, program: &Path, arguments: &[String]) -> String {
    let program = program.display().to_string();
    let entry = json!({ "command": program, "args": arguments });
    let pretty = |value: Value| format!("{value:#}");
    match client {
        Client::ClaudeDesktop | Client::Cursor => {
            pretty(json!({ "mcpServers": { "megaraptor": entry } }))
        }
        Client::Vscode => pretty(json!({ "servers": { "megaraptor": {
            "type": "stdio", "command": program, "args": arguments } } })),
        Client::Codex => {
            // Strings of JSON are strings of TOML.
            format!(
                "[mcp_servers.megaraptor]\ncommand = {}\nargs = {}",
                Value::from(program),
                Value::from(arguments)
            )
        }
        Client::ClaudeCode => {
            let mut words = vec![String::from("claude mcp add megaraptor --"), quote(&program)];
            words.extend(arguments.iter().map(|argument| quote(argument)));
            words.join(" ")
        }
        Client::Other => pretty(entry),
    }
}

/// Quotes a word for a POSIX shell.
pub(super) fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./=:,@".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_gets_command_and_arguments() {
        let arguments = [String::from("serve"), String::from("--config"), String::from("/a b/c")];
        for client in Client::value_variants() {
            let text = snippet(*client, Path::new("/opt/mega raptor"), &arguments);
            for part in ["mega raptor", "serve", "--config", "/a b/c"] {
                assert!(text.contains(part), "{client:?}: {text}");
            }
        }
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quote("/usr/bin/x"), "/usr/bin/x");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
    }
}

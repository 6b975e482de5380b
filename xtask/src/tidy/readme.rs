//! The README's two commands, which a newcomer types first, are there and mean what they say.

use std::fs;

use anyhow::Context;
use toml::Table;

use super::Findings;
use crate::workspace;

const COMMANDS: [&str; 2] = ["cargo run --release -- demo", "cargo xtask test"];

/// `cargo run` in the root means this crate.
const PROGRAM: &str = "crates/mcp-server";

pub(super) fn check() -> anyhow::Result<Findings> {
    let root = workspace::root();
    let readme = fs::read_to_string(root.join("README.md")).context("reading README.md")?;
    let manifest = fs::read_to_string(root.join("Cargo.toml")).context("reading Cargo.toml")?;
    let manifest: Table = toml::from_str(&manifest).context("parsing Cargo.toml")?;
    let aliases = fs::read_to_string(root.join(".cargo/config.toml"))
        .context("reading .cargo/config.toml")?;
    let aliases: Table = toml::from_str(&aliases).context("parsing .cargo/config.toml")?;

    let mut findings: Findings = COMMANDS
        .iter()
        .filter(|command| !readme.contains(*command))
        .map(|command| format!("README.md does not show `{command}`"))
        .collect();
    let default = manifest["workspace"].get("default-members").and_then(|value| value.as_array());
    if default.map(Vec::as_slice) != Some(&[PROGRAM.into()]) {
        findings.push(format!("Cargo.toml: default-members is not [\"{PROGRAM}\"]"));
    }
    if aliases.get("alias").and_then(|alias| alias.get("xtask")).is_none() {
        findings.push(".cargo/config.toml: the alias xtask is missing".to_owned());
    }
    Ok(findings)
}

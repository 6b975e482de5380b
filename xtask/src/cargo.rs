//! Running cargo from within cargo.

use std::env;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::workspace;

/// A call of the cargo that started this program, in the workspace's root.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace::root());
    command
}

/// Runs cargo and shows its output.
///
/// # Errors
/// Cargo does not start or does not succeed.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let line = arguments.join(" ");
    let status = command(arguments).status().with_context(|| format!("starting `cargo {line}`"))?;
    ensure!(status.success(), "`cargo {line}` ended with {status}");
    Ok(())
}

/// Runs cargo and returns what it writes to its standard output.
///
/// # Errors
/// Cargo does not start or does not succeed; the message holds its error output.
pub(crate) fn output(arguments: &[&str]) -> anyhow::Result<String> {
    let line = arguments.join(" ");
    let output = command(arguments).output().with_context(|| format!("starting `cargo {line}`"))?;
    ensure!(
        output.status.success(),
        "`cargo {line}` ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).with_context(|| format!("`cargo {line}` wrote no text"))
}

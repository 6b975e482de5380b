//! Asking the built program what it can do.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, ensure};

use crate::{cargo, workspace};

/// Runs the program, away from any configuration of this machine, and returns what it prints.
///
/// # Errors
/// It does not build, or it fails.
pub(super) fn ask(arguments: &[&str]) -> anyhow::Result<String> {
    let program = built()?;
    let nowhere = tempfile::tempdir().context("creating an empty folder")?;
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir(nowhere.path())
        .output()
        .context("starting megaraptor")?;
    ensure!(
        output.status.success(),
        "megaraptor {} ended with {}: {}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).context("megaraptor wrote no text")
}

/// Builds the program once.
fn built() -> anyhow::Result<PathBuf> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program.clone());
    }
    cargo::run(&["build", "--quiet", "--package=mcp-server"])?;
    let program = workspace::executable(&workspace::target_folder()?.join("debug"), "megaraptor");
    Ok(PROGRAM.get_or_init(|| program).clone())
}

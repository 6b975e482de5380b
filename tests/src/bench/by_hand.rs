//! What a person would type instead: scripts beside this file.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, ensure};
use tokio::process::Command;

/// In a container.
pub(crate) const DOCKER: &str = include_str!("by_hand/docker.sh");

/// On a systemd host.
pub(crate) const SYSTEMD: &str = include_str!("by_hand/systemd.sh");

/// Runs a script, which has to end well.
pub(crate) async fn run(script: &str, binary: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let done = Command::new("sh")
        .args(["-c", script, "by-hand"])
        .args(arguments)
        .env("VELOCIRAPTOR", binary)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("running sh")?;
    let err = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "by hand, {}: {err}", arguments.join(" "));
    Ok(())
}

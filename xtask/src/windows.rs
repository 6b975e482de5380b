//! `cargo xtask windows`: compiles what is written for Windows alone.
//!
//! It shows that the code fits the system's interfaces, and not that it works: nothing is run.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::cargo;

const TARGET: &str = "x86_64-pc-windows-gnu";

/// Crates with code for Windows whose dependencies need no C compiler for it.
const CRATES: &[&str] = &["owner-only", "credstore"];

/// What came of it.
pub(crate) enum Checked {
    Passed,
    Failed,
    /// With the reason.
    Skipped(String),
}

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    Ok(match checked()? {
        Checked::Passed => ExitCode::SUCCESS,
        Checked::Failed => ExitCode::FAILURE,
        Checked::Skipped(why) => {
            println!("skipped: {why}");
            ExitCode::SUCCESS
        }
    })
}

/// Compiles the crates and their tests, where the target is installed.
///
/// # Errors
/// The compiler does not start.
pub(crate) fn checked() -> anyhow::Result<Checked> {
    let found = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(crate::workspace::root())
        .output()
        .context("starting rustc")?;
    let folder = String::from_utf8_lossy(&found.stdout);
    if !found.status.success() || !Path::new(folder.trim()).is_dir() {
        return Ok(Checked::Skipped(format!(
            "the target {TARGET} is not installed: rustup target add {TARGET}"
        )));
    }
    let mut arguments = vec!["clippy", "--quiet", "--all-targets", "--target", TARGET];
    for name in CRATES {
        arguments.extend(["--package", name]);
    }
    arguments.extend(["--", "-D", "warnings"]);
    let status = cargo::command(&arguments).status().context("starting cargo")?;
    if !status.success() {
        println!("failed: cargo {} ended with {status}", arguments.join(" "));
        return Ok(Checked::Failed);
    }
    println!("{} compile for {TARGET}; nothing of them was run there", CRATES.join(", "));
    Ok(Checked::Passed)
}

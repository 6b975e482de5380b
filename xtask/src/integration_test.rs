//! `cargo xtask integration-test`: runs the live suites.
//!
//! The suites are one program, the crate in `tests/`. This command builds it and the product, and
//! tells the one where the other is.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::{cargo, workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Suites to run; all when none is named
    suites: Vec<String>,
    /// A suite that must not be skipped
    #[arg(long, value_name = "SUITE")]
    require: Vec<String>,
    /// List the suites and run nothing
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut command = prepare()?;
    command.args(&options.suites);
    for suite in &options.require {
        command.args(["--require", suite]);
    }
    if options.list {
        command.arg("--list");
    }
    let status = command.status().context("starting the suites")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Builds the suites and the product; the command runs all suites.
pub(crate) fn prepare() -> anyhow::Result<Command> {
    let packages = ["--package=integration-tests", "--package=mcp-server"];
    cargo::run(&[&["build", "--quiet"], &packages[..]].concat())?;
    // The conformance suite wants a server with names that the product does not have.
    cargo::run(&["build", "--quiet", "--package=mcp-server", "--example=conformance"])?;
    let folder = workspace::target_folder()?.join("debug");
    let mut command = Command::new(workspace::executable(&folder, "integration-tests"));
    command.current_dir(workspace::root());
    command.env("MEGARAPTOR_BINARY", workspace::executable(&folder, "megaraptor"));
    // Whatever is started without a folder of its own keeps its records here, not at home.
    command.env("MEGARAPTOR_HOME", workspace::target_folder()?.join("integration-tests-state"));
    Ok(command)
}

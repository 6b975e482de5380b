//! `cargo xtask bench`: runs the benchmarks, which are a program of the crate in `tests/`.
//!
//! They are built for release, and so is the product that they measure.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::{cargo, workspace};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Cases to run; all when none is named
    cases: Vec<String>,
    /// List the cases and run nothing
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    cargo::run(&[
        "build",
        "--quiet",
        "--release",
        "--package=integration-tests",
        "--package=mcp-server",
    ])?;
    // The baseline is a bench target: it alone may name the gRPC library in its own way.
    cargo::run(&["build", "--quiet", "--release", "--package=velociraptor-api", "--bench=bare"])?;
    let folder = workspace::target_folder()?.join("release");
    let mut command = Command::new(workspace::executable(&folder, "bench"));
    command.current_dir(workspace::root());
    command.env("MEGARAPTOR_BINARY", workspace::executable(&folder, "megaraptor"));
    command.args(&options.cases);
    if options.list {
        command.arg("--list");
    }
    let status = command.status().context("starting the benchmarks")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

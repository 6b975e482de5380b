//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! One module holds one command. Nothing of the product depends on this crate.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "these commands talk to a person on the terminal"
)]

mod bench;
mod cargo;
mod codegen;
mod integration_test;
mod test;
mod tidy;
mod windows;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, and print each figure as a ratio to a baseline of the same run
    Bench(bench::Options),
    /// Write the generated code and documents, or check that they are current
    Codegen(codegen::Options),
    /// Run the live suites against whatever real counterparts this machine has
    IntegrationTest(integration_test::Options),
    /// Run all tests: of every crate, then the live suites
    Test(test::Options),
    /// Check the rules of the house that the compiler does not know
    Tidy,
    /// Compile what is written for Windows alone, where the target is installed
    Windows,
}

fn main() -> ExitCode {
    let end = match Arguments::parse().command {
        Command::Bench(options) => bench::run(&options),
        Command::Codegen(options) => codegen::run(&options).map(|()| ExitCode::SUCCESS),
        Command::IntegrationTest(options) => integration_test::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Tidy => tidy::run().map(|()| ExitCode::SUCCESS),
        Command::Windows => windows::run(),
    };
    end.unwrap_or_else(|error| {
        eprintln!("cargo xtask: {error:#}");
        ExitCode::FAILURE
    })
}

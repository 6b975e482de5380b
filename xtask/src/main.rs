//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! One module holds one command. Nothing of the product depends on this crate.
#![expect(clippy::print_stdout, reason = "these commands talk to a person on the terminal")]

mod codegen;
mod workspace;

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
    /// Write the generated code and documents, or check that they are current
    Codegen(codegen::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Codegen(options) => codegen::run(&options),
    }
}

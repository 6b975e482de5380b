//! Benchmarks: each figure is a ratio to a baseline that was measured in the same run, in turn
//! with the product, because one machine's absolute times say nothing on another.
//!
//! ```text
//! bench [CASE…] [--list]
//! ```
//! The baselines are a bare gRPC client (`bare`, a program of velociraptor-api), an empty process,
//! openssl, the engine's own parser, and for deployments what a person would type (`by_hand/`).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "talks to a person on the terminal")]

use std::process::ExitCode;

use integration_tests::suite::Halt;

mod bare;
mod bed;
mod by_hand;
mod cases;
mod figures;

use bed::Bed;
use cases::{Case, Run};
use figures::Row;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--empty") {
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        for case in cases::ALL {
            println!("{:<13} {}", case.name, case.about);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = arguments.iter().find(|a| cases::ALL.iter().all(|c| c.name != **a)) {
        eprintln!("bench: there is no case {unknown:?}; --list lists them");
        return ExitCode::from(2);
    }
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Halt::Skip(reason)) => {
            eprintln!("bench: nothing was measured: {reason}");
            ExitCode::from(1)
        }
        Err(Halt::Fail(error)) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(1)
        }
    }
}

async fn run(named: &[String]) -> Result<(), Halt> {
    let wanted = |case: &&Case| named.is_empty() || named.iter().any(|name| name == case.name);
    let mut bed = None;
    println!("{}", Row::heading());
    for case in cases::ALL.iter().filter(wanted) {
        let rows = match case.run {
            Run::Alone(run) => run().await?,
            Run::On(run) => {
                if bed.is_none() {
                    bed = Some(Bed::prepare().await?);
                }
                let bed = bed.as_ref().ok_or_else(|| anyhow::anyhow!("no server"))?;
                run(bed).await?
            }
        };
        for row in rows {
            println!("{row}");
        }
    }
    Ok(())
}

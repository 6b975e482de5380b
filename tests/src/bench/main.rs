//! Benchmarks: each figure is a ratio to a baseline that was measured in the same run, in turn
//! with the product, because one machine's absolute times say nothing on another.
//!
//! ```text
//! bench [CASE…] [--list]
//! ```
//! The baselines are a bare gRPC client (`bare`, a program of velociraptor-api), an empty process,
//! openssl, and the engine's own parser. All but the empty process and openssl need a real server.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "talks to a person on the terminal")]

use std::process::ExitCode;

use integration_tests::suite::Halt;

mod bare;
mod bed;
mod cases;
mod figures;

use bed::Bed;
use figures::Row;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--empty") {
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        for case in cases::ALL {
            println!("{:<10} {}", case.name, case.about);
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
    let bed = Bed::prepare().await?;
    println!("{}", Row::heading());
    for case in cases::ALL.iter().filter(|c| named.is_empty() || named.iter().any(|n| n == c.name))
    {
        for row in (case.run)(&bed).await? {
            println!("{row}");
        }
    }
    Ok(())
}

//! Runs the live suites and prints one line for each.
//!
//! ```text
//! integration-tests [SUITE…] [--require SUITE]… [--list]
//! ```
//! The last line is `N passed, N failed, N skipped`. The exit code is 1 when anything failed, 2
//! when the command line is wrong, and 130 when it was interrupted; servers and agents are stopped
//! in every case.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "talks to a person on the terminal")]

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{anyhow, bail};
use integration_tests::suite::{Cases, Halt, Suite};
use integration_tests::suites;

/// What to run, from the command line.
#[derive(Debug, Default)]
struct Selection {
    /// Empty means all.
    named: Vec<String>,
    /// Suites for which a skip is a failure.
    required: Vec<String>,
    list: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let selection = match Selection::parse(std::env::args().skip(1)) {
        Ok(selection) => selection,
        Err(error) => {
            eprintln!("integration-tests: {error}");
            return ExitCode::from(2);
        }
    };
    if selection.list {
        for suite in suites::ALL {
            println!("{:<14} {}", suite.name, suite.about);
        }
        return ExitCode::SUCCESS;
    }
    // Dropping the work stops whatever the suites had started.
    tokio::select! {
        total = run(&selection) => total.print(),
        signal = interrupted() => {
            eprintln!("integration-tests: {signal}; everything started was stopped");
            ExitCode::from(130)
        }
    }
}

#[derive(Debug, Default)]
struct Total {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Total {
    fn print(&self) -> ExitCode {
        println!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

async fn run(selection: &Selection) -> Total {
    let mut total = Total::default();
    for suite in suites::ALL.iter().filter(|suite| selection.wants(suite)) {
        let start = Instant::now();
        let mut cases = Cases::default();
        let end = (suite.run)(&mut cases).await;
        let skipped_as_a_whole = match end {
            Ok(()) if cases.passed().is_empty() && cases.failed().is_empty() => {
                cases.record("the suite", Err(anyhow!("it ended without having tried anything")));
                None
            }
            Ok(()) => None,
            Err(Halt::Skip(reason)) if selection.requires(suite) => {
                let error = anyhow!("required, and its counterpart is not here: {reason}");
                cases.record("the suite", Err(error));
                None
            }
            Err(Halt::Skip(reason)) => Some(reason),
            Err(Halt::Fail(error)) => {
                cases.record("the suite", Err(error.context("it could not go on")));
                None
            }
        };
        report(suite, &cases, skipped_as_a_whole.as_deref(), start);
        total.passed += cases.passed().len();
        total.failed += cases.failed().len();
        total.skipped += cases.skipped().len() + usize::from(skipped_as_a_whole.is_some());
    }
    total
}

fn report(suite: &Suite, cases: &Cases, skipped: Option<&str>, start: Instant) {
    let name = suite.name;
    let (passed, failed) = (cases.passed().len(), cases.failed().len());
    let seconds = start.elapsed().as_secs_f64();
    match skipped {
        _ if failed > 0 => {
            println!("{name:<14} FAILED   {failed} of {} cases, {seconds:.1} s", passed + failed);
        }
        Some(reason) => println!("{name:<14} skipped  {reason}"),
        None => println!("{name:<14} passed   {passed} cases, {seconds:.1} s"),
    }
    for (case, error) in cases.failed() {
        println!("  failed   {case}: {error:#}");
    }
    for (case, reason) in cases.skipped() {
        println!("  skipped  {case}: {reason}");
    }
}

impl Selection {
    fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut selection = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => selection.list = true,
                "--require" => {
                    let name =
                        arguments.next().ok_or_else(|| anyhow!("--require needs a suite"))?;
                    selection.required.push(known(name)?);
                }
                option if option.starts_with('-') => bail!("unknown option {option}"),
                _ => selection.named.push(known(argument)?),
            }
        }
        Ok(selection)
    }

    /// A required suite runs even when only others are named.
    fn wants(&self, suite: &Suite) -> bool {
        self.named.is_empty()
            || self.named.iter().any(|name| name == suite.name)
            || self.requires(suite)
    }

    fn requires(&self, suite: &Suite) -> bool {
        self.required.iter().any(|name| name == suite.name)
    }
}

fn known(name: String) -> anyhow::Result<String> {
    if suites::ALL.iter().any(|suite| suite.name == name) {
        return Ok(name);
    }
    let names: Vec<_> = suites::ALL.iter().map(|suite| suite.name).collect();
    bail!("no suite is called {name}; there are: {}", names.join(", "))
}

#[cfg(unix)]
async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => "asked to end",
            _ = tokio::signal::ctrl_c() => "interrupted",
        },
        Err(error) => {
            eprintln!("integration-tests: only Ctrl-C is handled: {error}");
            ctrl_c().await
        }
    }
}

#[cfg(not(unix))]
async fn interrupted() -> &'static str {
    ctrl_c().await
}

async fn ctrl_c() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "interrupted",
        // Without a handler the system ends the process itself: nothing is left to wait for.
        Err(_) => std::future::pending().await,
    }
}

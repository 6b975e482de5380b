//! `cargo xtask test`: every test there is, and their sum as the last line.
//!
//! First the tests of all crates, then the parser's once more as it is released, then what is
//! written for Windows, which is compiled only, then the live suites. A suite or a case that is skipped says why
//! on a line of its own. The exit code is 1 when anything failed.

use std::io::{BufRead as _, BufReader};
use std::ops::AddAssign;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;

use crate::windows::{self, Checked};
use crate::{cargo, integration_test};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave out the live suites
    #[arg(long)]
    no_live: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    println!("== tests of the crates");
    let mut crates = cargo::command(&["test", "--workspace", "--no-fail-fast"]);
    let mut total = watch(&mut crates, Counts::of_test_binary)?;
    println!("== tests of the parser, optimised as in a release");
    total += watch(&mut optimised_parser(), Counts::of_test_binary)?;
    println!("== what is written for Windows, compiled and not run");
    match windows::checked()? {
        Checked::Passed => total.passed += 1,
        Checked::Failed => total.failed += 1,
        Checked::Skipped(why) => {
            println!("skipped: {why}");
            total.skipped += 1;
        }
    }
    if options.no_live {
        println!("== live suites left out, as --no-live asks");
    } else {
        println!("== live suites");
        match integration_test::prepare() {
            Ok(mut suites) => total += watch(&mut suites, Counts::of_suites)?,
            Err(error) => {
                println!("failed to prepare the live suites: {error:#}");
                total.failed += 1;
            }
        }
    }
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Random texts of the run that is optimised: some seconds.
const RANDOM_TEXTS: &str = "200000";

/// What reads foreign text is tested as it is shipped, too: rustc 1.95 has miscompiled
/// `self.pos += usize::from(matched)` in the parser, at the optimisation of a release alone.
/// Only that crate and its few dependencies are built for it.
fn optimised_parser() -> Command {
    let mut command =
        cargo::command(&["test", "--release", "--package", "vql-builder", "--test", "it"]);
    if std::env::var_os("VQL_FUZZ_INPUTS").is_none() {
        command.env("VQL_FUZZ_INPUTS", RANDOM_TEXTS);
    }
    command
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Counts {
    /// The summary of one test binary: `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
    fn of_test_binary(line: &str) -> Option<Self> {
        let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
        let mut counts = counts.split("; ");
        let passed = count(counts.next()?, " passed")?;
        let failed = count(counts.next()?, " failed")?;
        let skipped = count(counts.next()?, " ignored")?;
        Some(Self { passed, failed, skipped })
    }

    /// The last line of the live suites: `3 passed, 0 failed, 1 skipped`.
    fn of_suites(line: &str) -> Option<Self> {
        let mut counts = line.split(", ");
        let passed = count(counts.next()?, " passed")?;
        let failed = count(counts.next()?, " failed")?;
        let skipped = count(counts.next()?, " skipped")?;
        counts.next().is_none().then_some(Self { passed, failed, skipped })
    }
}

fn count(text: &str, word: &str) -> Option<u64> {
    text.strip_suffix(word)?.parse().ok()
}

/// Runs a command, shows its output as it comes, and sums what `read` finds in its lines.
///
/// A command that fails although no count says so (it did not compile, it died) counts as one
/// failure, and so does one that succeeds without any count.
fn watch(command: &mut Command, read: fn(&str) -> Option<Counts>) -> anyhow::Result<Counts> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("starting the tests")?;
    let output = child.stdout.take().context("the tests have no output")?;
    let (mut total, mut summaries) = (Counts::default(), 0_u32);
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("reading the tests' output")?;
        let line = String::from_utf8_lossy(&line);
        match read(&line) {
            // The sum is printed once, at the end.
            Some(counts) => {
                total += counts;
                summaries += 1;
            }
            None => println!("{line}"),
        }
    }
    let status = child.wait().context("waiting for the tests")?;
    if total.failed == 0 && (!status.success() || summaries == 0) {
        println!("the tests ended with {status} after {summaries} summaries");
        total.failed = 1;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_read() {
        let line =
            "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        let counts = Counts { passed: 12, failed: 2, skipped: 1 };
        assert_eq!(Counts::of_test_binary(line), Some(counts));
        let counts = Counts { passed: 12, failed: 0, skipped: 3 };
        assert_eq!(Counts::of_suites("12 passed, 0 failed, 3 skipped"), Some(counts));
        for other in ["", "12 passed", "test a::b ... ok", "1 passed, 0 failed, 0 skipped, 1 x"] {
            assert_eq!(Counts::of_suites(other), None, "{other}");
            assert_eq!(Counts::of_test_binary(other), None, "{other}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_dies_without_a_word_has_failed() {
        let counts = watch(Command::new("sh").args(["-c", "exit 1"]), Counts::of_suites).unwrap();
        assert_eq!(counts, Counts { passed: 0, failed: 1, skipped: 0 });
        let counts = watch(Command::new("sh").args(["-c", "exit 0"]), Counts::of_suites).unwrap();
        assert_eq!(counts.failed, 1, "nothing was run");
        let script = "echo '1 passed, 0 failed, 0 skipped'; exit 1";
        let counts = watch(Command::new("sh").args(["-c", script]), Counts::of_suites).unwrap();
        assert_eq!(counts, Counts { passed: 1, failed: 1, skipped: 0 });
        let script = "echo noise; echo '2 passed, 0 failed, 1 skipped'";
        let counts = watch(Command::new("sh").args(["-c", script]), Counts::of_suites).unwrap();
        assert_eq!(counts, Counts { passed: 2, failed: 0, skipped: 1 });
    }
}

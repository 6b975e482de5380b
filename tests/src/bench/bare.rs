//! The bare client: a program of velociraptor-api, driven over its standard input.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The running program. Dropping it kills it.
pub(crate) struct Bare {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Bare {
    pub(crate) fn start(api_file: &Path) -> anyhow::Result<Self> {
        let program = program()?;
        let mut child = Command::new(&program)
            .arg(api_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        Ok(Self { _child: child, input, output })
    }

    /// The microseconds of one call.
    pub(crate) async fn call(&mut self, query: &str) -> anyhow::Result<f64> {
        let answer = self.ask(&format!("latency 1 100 {query}")).await?;
        answer["micros"][0].as_f64().context("no figure")
    }

    /// The microseconds of so many calls at once.
    pub(crate) async fn together(&mut self, count: usize, query: &str) -> anyhow::Result<f64> {
        let answer = self.ask(&format!("together {count} 100 {query}")).await?;
        answer["micros"].as_f64().context("no figure")
    }

    /// Microseconds and rows of one stream, read to its end.
    pub(crate) async fn drain(&mut self, max_row: u64, query: &str) -> anyhow::Result<(f64, u64)> {
        let answer = self.ask(&format!("drain {max_row} {query}")).await?;
        let micros = answer["micros"].as_f64().context("no figure")?;
        Ok((micros, answer["rows"].as_u64().context("no count")?))
    }

    async fn ask(&mut self, command: &str) -> anyhow::Result<Value> {
        // One line is one command; VQL takes any white space.
        let line = format!("{}\n", command.replace('\n', " "));
        self.input.write_all(line.as_bytes()).await?;
        self.input.flush().await?;
        let line = self.output.next_line().await?.context("the bare client ended")?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// The newest build of it: a bench target has a hash in its name.
fn program() -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("deps");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&beside)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("bare-") && path.extension().is_none_or(|end| end == "exe") {
            found.push((path.metadata()?.modified()?, path));
        }
    }
    found.sort();
    let (_, newest) = found.pop().context("the bare client was not built: cargo xtask bench")?;
    Ok(newest)
}

//! The official Python SDK of MCP as the client: a reader of the protocol that we did not write.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::http::HttpServer;
use crate::mcp::{HANDSHAKE_REVISIONS, STATELESS_REVISION, find_megaraptor};
use crate::real::{RealAgent, RealServer, Role, endless};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "python_sdk",
    about: "the official Python SDK drives megaraptor in every protocol revision that it speaks",
    run,
};

/// Pinned: another version may check other things.
const SDK: &str = "mcp==2.3.0";

/// Downloading takes seconds, on a slow line minutes.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

const DRIVE_LIMIT: Duration = Duration::from_secs(120);

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let program = find_megaraptor()?;
    let python = python_with_sdk(&program).await?;
    let server = RealServer::start().await?;
    let agent = RealAgent::enrol(&server, "root").await?;
    endless::define(&server).await?;

    let over_http = OverHttp::start(&program, &server).await?;
    let revisions = || HANDSHAKE_REVISIONS.iter().chain([&STATELESS_REVISION]);
    let ways = [None, Some(&over_http)];
    for (way, revision) in ways.iter().flat_map(|way| revisions().map(move |r| (*way, r))) {
        let name = if way.is_some() { "http" } else { "stdio" };
        let mut driver = driver(&python, server.folder(), &agent, revision);
        match way {
            Some(way) => way.reach(&mut driver),
            None => start_by_driver(&mut driver, &program, &server),
        }
        // The driver cancels a call that it saw no end of; it must have run on the server by then.
        let (verdicts, seen) =
            tokio::join!(drive(driver), server.wait_running(endless::WORD, true));
        match verdicts {
            Ok(verdicts) => {
                for Verdict { case, error, skipped } in verdicts {
                    match (error, skipped) {
                        (None, Some(reason)) => cases.skip(case, reason),
                        (error, _) => {
                            cases.record(case, error.map_or(Ok(()), |error| Err(anyhow!(error))));
                        }
                    }
                }
            }
            Err(error) => {
                cases.record(format!("{revision}, {name}: the driver"), Err(error));
            }
        }
        cases
            .case(
                format!("{revision}, {name}: the cancelled query ran on the server, and ended"),
                async {
                    seen?;
                    server.wait_running(endless::WORD, false).await
                },
            )
            .await;
    }
    Ok(())
}

/// What the driver says of one case.
#[derive(Debug)]
struct Verdict {
    case: String,
    error: Option<String>,
    skipped: Option<String>,
}

/// Two servers over HTTP: one that reads, and one for the query that a reader may not run.
struct OverHttp {
    reading: HttpServer,
    changing: HttpServer,
}

impl OverHttp {
    async fn start(program: &Path, server: &RealServer) -> anyhow::Result<Self> {
        let file = |role| server.api_file(role).into_os_string();
        let reading = ["--config".into(), file(Role::Reader)];
        let changing = ["--read-only".into(), "--config".into(), file(Role::Administrator)];
        Ok(Self {
            reading: HttpServer::start(program, "read", reading).await?,
            changing: HttpServer::start(program, "read,collect,respond", changing).await?,
        })
    }

    /// Tells the driver where they are.
    fn reach(&self, driver: &mut Command) {
        driver.args(["http", &self.reading.url(), "--", &self.changing.url()]);
        driver.env("TOKEN_READING", self.reading.token().expose());
        driver.env("TOKEN_CHANGING", self.changing.token().expose());
    }
}

/// The driver, which is still to be told how it reaches megaraptor.
fn driver(python: &Path, home: &Path, agent: &RealAgent, revision: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/drive.py");
    let mut command = Command::new(python);
    // The SDK hands this on to the program, which keeps its records there.
    command.env("HOME", home).env_remove("XDG_DATA_HOME");
    command.arg(script).args([revision, agent.client_id(), endless::QUERY]);
    command
}

/// Lets the driver start the program itself.
fn start_by_driver(driver: &mut Command, program: &Path, server: &RealServer) {
    driver
        .arg(program)
        .args(["serve", "--read-only", "--config"])
        .arg(server.api_file(Role::Reader));
    // For the one case whose query a reader may not run.
    driver.args(["--", "serve", "--read-only", "--config"]);
    driver.arg(server.api_file(Role::Administrator));
}

async fn drive(mut command: Command) -> anyhow::Result<Vec<Verdict>> {
    let output = run_to_end(&mut command, DRIVE_LIMIT).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let verdicts = text.lines().map(read_verdict).collect::<anyhow::Result<Vec<_>>>()?;
    let finished = verdicts.last().is_some_and(|last| last.case.ends_with("disconnects"));
    ensure!(
        output.status.success() && finished,
        "it ended with {} after {verdicts:?}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(verdicts)
}

fn read_verdict(line: &str) -> anyhow::Result<Verdict> {
    let value: Value = serde_json::from_str(line).with_context(|| format!("no verdict: {line}"))?;
    let text = |key| value[key].as_str().map(str::to_owned);
    let case = text("case").context("a verdict without a case")?;
    Ok(Verdict { case, error: text("error"), skipped: text("skipped") })
}

/// A Python that has the SDK, in an environment beside the program, made when it is not there.
async fn python_with_sdk(program: &Path) -> Result<PathBuf, Halt> {
    let folder = program.parent().context("the program has no folder")?.join("python-sdk");
    let python = folder.join("bin/python");
    if check(&python).await.is_ok() {
        return Ok(python);
    }
    let venv = ["-m", "venv", "--clear"];
    let made = run_to_end(Command::new("python3").args(venv).arg(&folder), INSTALL_LIMIT).await;
    match made {
        Ok(output) if output.status.success() => {}
        Ok(output) => return Err(skip("python3 makes no environment", &output)),
        Err(error) => return Err(Halt::Skip(format!("no python3: {error:#}"))),
    }
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", SDK];
    let output = run_to_end(Command::new(&python).args(install), INSTALL_LIMIT).await?;
    if !output.status.success() {
        return Err(skip(&format!("pip does not install {SDK}"), &output));
    }
    check(&python).await?;
    Ok(python)
}

async fn check(python: &Path) -> anyhow::Result<()> {
    let (_, version) = SDK.split_once("==").context("the SDK is not pinned")?;
    let script = "from importlib.metadata import version; print(version('mcp'))";
    let output = run_to_end(Command::new(python).args(["-c", script]), DRIVE_LIMIT).await?;
    let found = String::from_utf8_lossy(&output.stdout);
    ensure!(found.trim() == version, "found {found}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

async fn run_to_end(command: &mut Command, limit: Duration) -> anyhow::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(limit, command.output()).await;
    Ok(output.with_context(|| format!("no end within {limit:?}"))??)
}

fn skip(what: &str, output: &Output) -> Halt {
    let errors = String::from_utf8_lossy(&output.stderr);
    Halt::Skip(format!("{what}: {}", errors.lines().last().unwrap_or("no reason was given")))
}

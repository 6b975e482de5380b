//! A server and an agent on a systemd host, against the same by hand: in a container that systemd
//! leads, all of it.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, ensure};
use integration_tests::mcp::find_megaraptor;
use integration_tests::real::find_binary;
use integration_tests::suite::Halt;
use integration_tests::suites::linux::{Container, image};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::by_hand;
use crate::figures::{Row, median, seconds};

const ROUNDS: usize = 5;

/// What the product does beside is at most a fifth.
const MOST: f64 = 1.2;

const BINARY: &str = "/bed/velociraptor";
const MEGARAPTOR: &str = "/bed/megaraptor";

/// The first step of the agent, of a plan with one.
const AGENT: &str = "11/13 ";

/// From nothing to an answered query, in turn.
pub(crate) async fn server() -> Result<Vec<Row>, Halt> {
    let host = Host::start().await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(host.typed("server").await?);
        host.typed("down").await?;
        let Took { whole, agent: _, id } = host.deployed(false).await?;
        ours.push(whole);
        host.destroyed(&id).await?;
    }
    host.0.remove().await?;
    Ok(vec![row("systemd host, from nothing to an answer", &ours, &theirs)])
}

/// From a server that is there to the first collection of an agent, in turn.
pub(crate) async fn agent() -> Result<Vec<Row>, Halt> {
    let host = Host::start().await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        host.typed("server").await?;
        theirs.push(host.typed("agent").await?);
        host.typed("down").await?;
        let Took { whole: _, agent, id } = host.deployed(true).await?;
        ours.push(agent.context("no step of an agent was told of")?);
        host.destroyed(&id).await?;
    }
    host.0.remove().await?;
    Ok(vec![row("agent installed, first collection", &ours, &theirs)])
}

fn row(what: &str, ours: &[f64], theirs: &[f64]) -> Row {
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours / theirs;
    Row {
        what: what.to_owned(),
        product: seconds(ours),
        baseline: seconds(theirs),
        result: format!("{ratio:.2} x"),
        wanted: "at most 1.2 x",
        reached: ratio <= MOST,
    }
}

/// A systemd host that both use.
struct Host(Container);

/// Seconds of a deployment, and of the agent's part of it.
struct Took {
    whole: f64,
    agent: Option<f64>,
    id: String,
}

impl Host {
    async fn start() -> Result<Self, Halt> {
        let (binary, megaraptor) = (find_binary()?, find_megaraptor()?);
        let image = image::find().await?;
        let files = [(binary.as_path(), BINARY), (megaraptor.as_path(), MEGARAPTOR)];
        Ok(Self(Container::start(&image, "linuxhost", "none", &files).await?))
    }

    async fn typed(&self, what: &str) -> anyhow::Result<f64> {
        let velociraptor = format!("VELOCIRAPTOR={BINARY}");
        let begin = Instant::now();
        let arguments = ["env", &velociraptor, "sh", "-c", by_hand::SYSTEMD, "by-hand", what];
        let ended = self.0.exec(&arguments).await?;
        let took = begin.elapsed().as_secs_f64();
        let err = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.success(), "by hand, {what}: {err}");
        Ok(took)
    }

    async fn deployed(&self, agent: bool) -> anyhow::Result<Took> {
        let mut arguments = vec!["deploy", "linux", "--local", "--profile", "minimal"];
        arguments.extend(["--binary", BINARY, "--agents-at", "localhost:8000"]);
        arguments.extend(["--gui-on", "127.0.0.1:8889", "--api-on", "127.0.0.1:8001"]);
        arguments.extend(agent.then_some("--agent"));
        let begin = Instant::now();
        let mut child = self
            .0
            .command(&product(&arguments))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut out = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(child.stderr.take().context("no errors")?).lines();
        let (mut said, mut agent) = (Vec::new(), None);
        while let Some(line) = lines.next_line().await? {
            if agent.is_none() && line.trim_start().starts_with(AGENT) {
                agent = Some(Instant::now());
            }
            said.push(line);
        }
        let mut text = String::new();
        out.read_to_string(&mut text).await?;
        let status = child.wait().await?;
        let whole = begin.elapsed().as_secs_f64();
        ensure!(status.success(), "megaraptor ended with {status}: {}", said.join("\n"));
        let up: Value = serde_json::from_str(&text)?;
        ensure!(up["deployment"]["status"] == "up", "{up}");
        let id = up["deployment"]["id"].as_str().context("no id")?.to_owned();
        Ok(Took { whole, agent: agent.map(|at| at.elapsed().as_secs_f64()), id })
    }

    async fn destroyed(&self, id: &str) -> anyhow::Result<()> {
        let arguments = ["deployments", "destroy", id, "--discard-evidence"];
        let ended = self.0.exec(&product(&arguments)).await?;
        let err = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.success(), "{err}");
        Ok(())
    }
}

fn product<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["env", "MEGARAPTOR_HOME=/root/state", MEGARAPTOR, "-o", "json"];
    all.extend(["--policy", "deploy=allow", "--policy", "destroy=allow"]);
    all.extend(arguments);
    all
}

//! The official conformance suite of MCP, over HTTP.
//!
//! Most of its scenarios call tools, resources and prompts by names that it prescribes. These are
//! served by a fixture, an example of `mcp-server`, on the very stack of the product. Scenarios
//! that name nothing are run against the product itself.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use secret::Secret;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::http::{HttpServer, TokenProxy};
use crate::mcp::find_megaraptor;
use crate::node::{self, Node};
use crate::suite::{Cases, Halt, Running, Suite};

mod report;

use report::{Expected, Report};

pub(super) const SUITE: Suite = Suite {
    name: "conformance",
    about: "the official MCP conformance suite, against a fixture on our stack and the product",
    run,
};

/// The revisions whose required scenarios are all run against the fixture.
const REVISIONS: &[&str] = &["2025-11-25", "2026-07-28"];

/// Scenarios that name no fixture, run against the product.
const NAME_FREE: &[(&str, &[&str])] = &[
    (
        "2025-11-25",
        &[
            "server-initialize",
            "server-session-lifecycle",
            "ping",
            "tools-list",
            "resources-list",
            "prompts-list",
            "server-sse-multiple-streams",
            "dns-rebinding-protection",
        ],
    ),
    (
        "2026-07-28",
        &[
            "server-stateless",
            "tools-list",
            "resources-list",
            "prompts-list",
            "caching",
            "sep-2164-resource-not-found",
            "http-header-validation",
            "input-required-result-unsupported-methods",
            "server-sse-multiple-streams",
            "dns-rebinding-protection",
        ],
    ),
];

/// What cannot hold for the product.
const NOT_THERE: &[Expected] = &[
    (STATELESS, "sep-2575-server-rejects-undeclared-capability", BY_NAME),
    (STATELESS, "sep-2575-missing-capability-http-400", BY_NAME),
    (STATELESS, "sep-2575-http-server-no-independent-requests-on-stream", BY_NAME),
    (STATELESS, "sep-2575-server-no-log-without-loglevel", BY_NAME),
];

const STATELESS: &str = "server-stateless";

const BY_NAME: &str =
    "calls a tool by a name that the product does not have; holds for the fixture";

/// A run of one revision takes some seconds.
const RUN_LIMIT: Duration = Duration::from_secs(110);

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let program = find_megaraptor()?;
    let node = Node::prepare(&program).await?;
    let mut fixture = Fixture::start(&fixture_beside(&program)?).await?;
    for revision in REVISIONS {
        let required = report::required(&node.text_of(&format!(
            "@modelcontextprotocol/conformance/requirements/{revision}.yaml"
        ))?)?;
        let report = fixture.all_of(&node, revision).await?;
        report::record(cases, &format!("{revision}, fixture"), &report, &required, &[]);
    }
    fixture.child.kill().await.context("ending the fixture")?;

    let mut proxy = TokenProxy::listen().await?;
    let (name, port) = (proxy.name(), proxy.port());
    let arguments = [
        "--lab".to_owned(),
        format!("--allowed-host=127.0.0.1:{port}"),
        format!("--allowed-host=localhost:{port}"),
        format!("--allowed-origin=http://127.0.0.1:{port}"),
    ];
    let product = HttpServer::start(&program, "read", arguments).await?;
    proxy.pass_on(product.address(), product.token())?;
    let url = format!("http://{name}/mcp");
    for (revision, scenarios) in NAME_FREE {
        for scenario in *scenarios {
            let report = one(&node, &url, revision, scenario).await?;
            let whom = format!("{revision}, product");
            report::record(cases, &whom, &report, &[(*scenario).to_owned()], NOT_THERE);
        }
    }
    cases.case("the product ends when it is asked to", async { product.stop() }).await;
    Ok(())
}

/// The fixture, where it was built.
fn fixture_beside(program: &Path) -> Result<PathBuf, Halt> {
    let name = format!("conformance{}", std::env::consts::EXE_SUFFIX);
    let path = program.parent().context("the program has no folder")?.join("examples").join(name);
    if path.is_file() {
        return Ok(path);
    }
    let path = path.display();
    Err(Halt::Skip(format!("no {path}: cargo build -p mcp-server --example conformance")))
}

/// The running fixture, behind a proxy that adds its token.
struct Fixture {
    child: Child,
    _proxy: TokenProxy,
    url: String,
}

impl Fixture {
    async fn start(program: &Path) -> anyhow::Result<Self> {
        let mut proxy = TokenProxy::listen().await?;
        let mut child = Command::new(program)
            .args([proxy.name(), format!("localhost:{}", proxy.port())])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the fixture")?;
        let output = child.stdout.take().context("the fixture has no output")?;
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line).await;
        ensure!(read? > 0, "the fixture ended without a word");
        let told: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        let text = |key| told[key].as_str().map(str::to_owned).context("the fixture's address");
        proxy.pass_on(&text("address")?, &Secret::new(text("token")?))?;
        let url = format!("http://{}/mcp", proxy.name());
        Ok(Self { child, _proxy: proxy, url })
    }

    /// Runs all that a revision requires, and what it does not.
    async fn all_of(&self, node: &Node, revision: &str) -> anyhow::Result<Report> {
        let folder = tempfile::tempdir()?;
        let mut command = node.command("conformance");
        command.args(["server", "--url", &self.url, "--requirements", revision]);
        command.arg("--output-dir").arg(folder.path());
        // Its exit code says what the checks say.
        node::run(&mut command, RUN_LIMIT).await?;
        report::read(folder.path())
    }
}

/// Runs one scenario.
async fn one(node: &Node, url: &str, revision: &str, scenario: &str) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir()?;
    let mut command = node.command("conformance");
    command.args(["server", "--url", url, "--spec-version", revision, "--scenario", scenario]);
    command.arg("--output-dir").arg(folder.path());
    node::run(&mut command, RUN_LIMIT).await?;
    report::read(folder.path())
}

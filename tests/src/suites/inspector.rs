//! The command line of the official Inspector as the client, over stdio and over HTTP.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::http::HttpServer;
use crate::mcp::find_megaraptor;
use crate::node::{self, Node, printed};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "inspector",
    about: "the Inspector's command line drives megaraptor over stdio and over HTTP",
    run,
};

/// Node takes a second to start on a busy machine.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// The exit code where the server wants to know who calls.
const AUTH_NEEDED: i32 = 3;

/// The exit code for a tool that fails.
const TOOL_FAILED: i32 = 5;

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

/// How the server is reached.
struct Way<'a> {
    node: &'a Node,
    arguments: Vec<String>,
    name: &'static str,
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let program = find_megaraptor()?;
    let node = Node::prepare(&program).await?;
    let stdio = Way { node: &node, arguments: over_stdio(&program), name: "stdio" };
    drive(cases, &stdio).await;

    let server = HttpServer::start(&program, "read", ["--lab"]).await?;
    let token = format!("Authorization: Bearer {}", server.token().expose());
    let address = [&server.url(), "--transport", "http", "--header", &token].map(str::to_owned);
    let http = Way { node: &node, arguments: address.into(), name: "http" };
    drive(cases, &http).await;
    cases
        .case("http: without a token it is told so", async {
            let address = [&server.url(), "--transport", "http"].map(str::to_owned);
            let way = Way { node: &node, arguments: address.into(), name: "http" };
            let output = way.ask(&["--method", "tools/list"]).await?;
            let errors = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.code() == Some(AUTH_NEEDED), "{}: {errors}", output.status);
            Ok(())
        })
        .await;
    cases
        .case("http: a token that is revoked on the command line opens nothing more", async {
            server.revoke(&program)?;
            let output = http.ask(&["--method", "tools/list"]).await?;
            let errors = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.code() == Some(AUTH_NEEDED), "{}: {errors}", output.status);
            Ok(())
        })
        .await;
    Ok(())
}

fn over_stdio(program: &Path) -> Vec<String> {
    vec![program.display().to_string(), "serve".into(), "--lab".into()]
}

impl Way<'_> {
    async fn ask(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.node.command("mcp-inspector");
        command.arg("--cli").args(&self.arguments).args(arguments);
        node::run(&mut command, CALL_LIMIT).await
    }

    async fn data(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = printed(self.ask(arguments).await?)?;
        serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))
    }
}

async fn drive(cases: &mut Cases, way: &Way<'_>) {
    let name = way.name;
    cases
        .case(format!("{name}: every tool is listed"), async {
            let listed = way.data(&["--method", "tools/list"]).await?;
            let names: Vec<_> = listed["tools"]
                .as_array()
                .context("no tools")?
                .iter()
                .filter_map(|tool| tool["name"].as_str())
                .collect();
            // A tool whose schema the Inspector does not like is dropped without a word.
            ensure!(names.contains(&"run_vql") && names.len() >= 9, "{names:?}");
            Ok(())
        })
        .await;
    cases
        .case(format!("{name}: a tool answers as its schema says"), async {
            let call = ["--method", "tools/call", "--tool-name", "list_clients"];
            let result = way.data(&[&call[..], &["--tool-arg", "limit=3"]].concat()).await?;
            ensure!(result["structuredContent"]["returned"] == 3, "{result}");
            Ok(())
        })
        .await;
    cases
        .case(format!("{name}: a tool that fails is told apart"), async {
            let call = ["--method", "tools/call", "--tool-name", "get_client_info"];
            let output = way.ask(&[&call[..], &["--tool-arg", "client=nobody"]].concat()).await?;
            ensure!(output.status.code() == Some(TOOL_FAILED), "it ended with {}", output.status);
            let text = String::from_utf8_lossy(&output.stdout);
            ensure!(text.contains("not_found"), "{text}");
            Ok(())
        })
        .await;
    cases
        .case(format!("{name}: resources and prompts are listed and read"), async {
            let resources = way.data(&["--method", "resources/list"]).await?;
            let uri = resources["resources"][0]["uri"].as_str().context("no resource")?;
            let read = way.data(&["--method", "resources/read", "--uri", uri]).await?;
            ensure!(read["contents"][0]["uri"] == uri, "{read}");
            let prompts = way.data(&["--method", "prompts/list"]).await?;
            ensure!(prompts["prompts"].as_array().is_some_and(|p| p.len() >= 5), "{prompts}");
            Ok(())
        })
        .await;
}

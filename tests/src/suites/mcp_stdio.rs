//! The program as an MCP server over stdio, on a real Velociraptor, in every protocol revision.

mod faults;
mod guide;
mod hostile;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::mcp::{HANDSHAKE_REVISIONS, McpChild, STATELESS_REVISION, find_megaraptor};
use crate::real::{RealAgent, RealServer, Role};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "mcp_stdio",
    about: "megaraptor serves MCP over stdio for a real server, in every protocol revision",
    run,
};

/// The program, and the server it is to serve for.
pub(super) struct Stage {
    pub(super) program: PathBuf,
    pub(super) server: RealServer,
}

impl Stage {
    /// Starts the program with the API files of `roles`; no message is sent yet.
    pub(super) fn start(&self, roles: &[Role], more: &[&str]) -> anyhow::Result<McpChild> {
        let mut arguments = vec!["serve".to_owned()];
        for role in roles {
            arguments
                .extend(["--config".into(), self.server.api_file(*role).display().to_string()]);
        }
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        McpChild::start(&self.program, arguments, &self.server.folder().join("megaraptor.log"))
    }

    /// The same, ready for requests in the newest revision that has a handshake.
    pub(super) async fn ready(&self, roles: &[Role], more: &[&str]) -> anyhow::Result<McpChild> {
        let mut child = self.start(roles, more)?;
        let newest = HANDSHAKE_REVISIONS.last().context("no revision")?;
        child.initialize(newest).await?;
        Ok(child)
    }
}

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let stage = Stage { program: find_megaraptor()?, server: RealServer::start().await? };
    let agent = RealAgent::enrol(&stage.server, "root").await?;

    for revision in HANDSHAKE_REVISIONS {
        cases
            .case(format!("{revision}: handshake, list, calls, end"), async {
                let mut child = stage.start(&[Role::Reader], &[])?;
                let about = child.initialize(revision).await?;
                ensure!(about["serverInfo"]["name"] == "megaraptor", "{about}");
                session(&mut child, &agent).await?;
                ended_well(child).await
            })
            .await;
    }
    cases
        .case(format!("{STATELESS_REVISION}: discovery, list, calls, end"), async {
            let mut child = stage.start(&[Role::Reader], &[])?;
            child.discover().await?;
            session(&mut child, &agent).await?;
            ended_well(child).await
        })
        .await;

    cases
        .case("changing tools are listed only when changes are allowed", async {
            let mut child = stage.ready(&Role::ALL, &["--read-only"]).await?;
            let closed = tools(&mut child).await?;
            ended_well(child).await?;
            // Where nothing is said they are listed: a person is asked before they run.
            let mut child = stage.ready(&Role::ALL, &[]).await?;
            let asking = tools(&mut child).await?;
            ended_well(child).await?;
            let mut child = stage
                .ready(&Role::ALL, &["--policy", "collect=allow", "--policy", "respond=allow"])
                .await?;
            let open = tools(&mut child).await?;
            ended_well(child).await?;
            let mut child = stage
                .ready(
                    &Role::ALL,
                    &["--policy", "collect=allow", "--policy", "respond=allow", "--read-only"],
                )
                .await?;
            let read_only = tools(&mut child).await?;
            ended_well(child).await?;
            // One only ends what was begun, and is listed whatever is allowed.
            for tool in closed.iter().filter(|tool| tool["name"] != "emergency_stop") {
                ensure!(tool["annotations"]["readOnlyHint"] == true, "{} changes", tool["name"]);
            }
            ensure!(closed == read_only, "--read-only does not win over the policy");
            ensure!(asking == open, "what is asked for is not listed");
            let names =
                |tools: &[Value]| tools.iter().map(|t| t["name"].clone()).collect::<Vec<_>>();
            let all = names(&open);
            ensure!(names(&closed).iter().all(|name| all.contains(name)), "{closed:?}");
            Ok(())
        })
        .await;

    guide::run(cases, &stage, agent.client_id()).await;
    cases
        .case("hostile names in every argument change no query", hostile::run(&stage, &agent))
        .await;
    faults::run(cases, &stage).await;
    Ok(())
}

/// What every revision must be able to do.
async fn session(child: &mut McpChild, agent: &RealAgent) -> anyhow::Result<()> {
    let tools = tools(child).await?;
    for name in ["list_clients", "run_vql"] {
        let tool = tools.iter().find(|tool| tool["name"] == name).context(name)?;
        ensure!(tool["inputSchema"]["type"] == "object", "{tool}");
        ensure!(tool["outputSchema"]["type"] == "object", "{tool}");
    }
    let clients = child.call_ok("list_clients", json!({})).await?;
    ensure!(clients.to_string().contains(agent.client_id()), "{clients}");
    let rows = child
        .call_ok(
            "run_vql",
            json!({ "query": "SELECT whoami() AS User, 1 + 1 AS Sum FROM scope()" }),
        )
        .await?;
    ensure!(rows["rows"] == json!([{ "User": "reader", "Sum": 2 }]), "{rows}");
    let error = child.call_error("run_vql", json!({ "query": "SELCT * FROM clients()" })).await?;
    ensure!(
        error["content"][0]["text"].as_str().is_some_and(|text| text.contains("1:1")),
        "{error}"
    );
    Ok(())
}

pub(super) async fn tools(child: &mut McpChild) -> anyhow::Result<Vec<Value>> {
    let mut result = child.request("tools/list", json!({})).await?;
    ensure!(result["nextCursor"].is_null(), "the tools do not fit one page");
    match result["tools"].take() {
        Value::Array(tools) => Ok(tools),
        other => anyhow::bail!("tools is {other}"),
    }
}

/// The host goes away, and the program with it.
pub(super) async fn ended_well(child: McpChild) -> anyhow::Result<()> {
    ensure!(child.unclaimed().is_empty(), "unasked messages: {:?}", child.unclaimed());
    let status = child.close().await?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

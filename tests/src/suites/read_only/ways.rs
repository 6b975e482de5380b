//! The ways to the program: standard input, HTTP, the command line.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use secret::Secret;
use serde_json::{Value, json};
use tokio::process::Command;

use super::Bench;
use crate::http::{Connection, HttpServer};
use crate::mcp::{HANDSHAKE_REVISIONS, McpChild};

/// A process starts, connects and answers.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// A program that serves, read only.
pub(super) enum Way {
    Stdio(Box<McpChild>),
    Http { server: HttpServer, token: Secret<String>, session: String },
}

impl Way {
    pub(super) async fn stdio(bench: &Bench) -> anyhow::Result<Self> {
        let log = bench.stage.server.folder().join("read-only.log");
        let arguments = [String::from("serve")].into_iter().chain(bench.arguments());
        let mut child = McpChild::start(&bench.stage.program, arguments, &log)?;
        child.initialize(HANDSHAKE_REVISIONS.last().context("no revision")?).await?;
        Ok(Self::Stdio(Box::new(child)))
    }

    pub(super) async fn http(bench: &Bench) -> anyhow::Result<Self> {
        let mut arguments = bench.arguments();
        // As fast as the machine can: it is not the rate that is to refuse.
        arguments.push(String::from("--max-rate=100000"));
        // The token covers every effect, too.
        let effects = "read,collect,respond,deploy,destroy";
        let server = HttpServer::start(&bench.stage.program, effects, arguments).await?;
        let token = server.token().clone();
        let session = Connection::open(server.address(), &token).await?.begin_session().await?;
        Ok(Self::Http { server, token, session })
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Stdio(_) => "stdio",
            Self::Http { .. } => "http",
        }
    }

    /// The whole answer to a request: a result or an error.
    pub(super) async fn ask(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        match self {
            Self::Stdio(child) => {
                let id = child.send(method, params).await?;
                Ok(match child.answer(id).await? {
                    Ok(result) => json!({ "result": result }),
                    Err(error) => {
                        json!({ "error": { "code": error.code, "message": error.message } })
                    }
                })
            }
            Self::Http { server, token, session } => {
                let mut connection = Connection::open(server.address(), token).await?;
                connection.ask(session, method, params).await
            }
        }
    }

    /// The whole answer to a call of a tool.
    pub(super) async fn call(&mut self, tool: &str, arguments: &Value) -> anyhow::Result<Value> {
        let answer = self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        answer.with_context(|| {
            let given: String = arguments.to_string().chars().take(300).collect();
            format!("{} gives no answer to {tool} {given}", self.name())
        })
    }

    /// Ends the program, which ends well.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Stdio(child) => {
                let status = child.close().await?;
                ensure!(status.success(), "it ended with {status}");
                Ok(())
            }
            Self::Http { server, .. } => server.stop(),
        }
    }
}

/// Calls a tool with `megaraptor call`: the exit code, and what it said.
pub(super) async fn call_command(
    bench: &Bench,
    tool: &str,
    arguments: &Value,
) -> anyhow::Result<(i32, String)> {
    let mut command = Command::new(&bench.stage.program);
    command
        .arg("call")
        .args(bench.arguments())
        .arg(tool)
        .arg(format!("--json={arguments}"))
        .env("MEGARAPTOR_HOME", bench.stage.server.folder().join("read-only.state"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let done = tokio::time::timeout(COMMAND_LIMIT, command.output());
    let done = done.await.with_context(|| format!("megaraptor call {tool} does not end"))??;
    let code = done.status.code().with_context(|| format!("{tool}: it crashed"))?;
    Ok((code, String::from_utf8_lossy(&done.stderr).into_owned()))
}

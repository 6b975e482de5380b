//! Megaraptor as the child of an MCP host, spoken to in plain JSON-RPC over its pipes.
//!
//! No MCP library stands between: what the program writes is judged line by line, and a line on its
//! standard output that is not a JSON-RPC message fails whatever case reads it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::suite::Halt;

/// A message takes milliseconds, a collection some seconds.
const MESSAGE_LIMIT: Duration = Duration::from_secs(30);

const CLIENT: &str = "integration-tests";

/// Revisions of the protocol that begin with a handshake, oldest first.
pub const HANDSHAKE_REVISIONS: &[&str] = &["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// The revision without a handshake: each request tells who asks.
pub const STATELESS_REVISION: &str = "2026-07-28";

/// The program under test: what `MEGARAPTOR_BINARY` names, else `megaraptor` beside this program.
///
/// # Errors
/// [`Halt::Skip`] when it is not there, because it was not built.
pub fn find_megaraptor() -> Result<PathBuf, Halt> {
    let beside = || {
        let name = format!("megaraptor{}", env::consts::EXE_SUFFIX);
        env::current_exe().map(|program| program.with_file_name(name))
    };
    let path = match env::var_os("MEGARAPTOR_BINARY") {
        Some(named) => PathBuf::from(named),
        None => beside()?,
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(Halt::Skip(format!("no megaraptor at {}: cargo build -p mcp-server", path.display())))
}

/// A running `megaraptor`. Dropping it kills it.
#[derive(Debug)]
pub struct McpChild {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    next_id: u64,
    /// What came while something else was waited for.
    waiting: Vec<Value>,
    /// Sent with every request of the stateless revision.
    meta: Option<Value>,
}

/// An error that the program answered with, as JSON-RPC has it.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    pub code: i64,
    pub message: String,
}

impl McpChild {
    /// Starts the program. What it logs goes to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let errors = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .context("opening the log of megaraptor")?;
        let mut child = Command::new(program)
            .args(arguments)
            .env("MEGARAPTOR_HOME", log.with_extension("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .context("starting megaraptor")?;
        let input = child.stdin.take().context("megaraptor has no standard input")?;
        let output = child.stdout.take().context("megaraptor has no standard output")?;
        Ok(Self {
            child,
            input: Some(input),
            output: BufReader::new(output).lines(),
            log: log.to_path_buf(),
            next_id: 1,
            waiting: Vec::new(),
            meta: None,
        })
    }

    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Does the handshake of `revision` and returns what the server says of itself.
    ///
    /// # Errors
    /// The server does not speak that revision, or breaks the protocol.
    pub async fn initialize(&mut self, revision: &str) -> anyhow::Result<Value> {
        let result = self
            .request(
                "initialize",
                json!({
                    "protocolVersion": revision,
                    "capabilities": {},
                    "clientInfo": { "name": CLIENT, "version": "1" },
                }),
            )
            .await?;
        ensure!(
            result["protocolVersion"] == revision,
            "asked for {revision}, got {}",
            result["protocolVersion"]
        );
        self.notify("notifications/initialized", json!({})).await?;
        Ok(result)
    }

    /// Asks who the server is in the revision that knows no handshake. All later requests carry
    /// what that revision wants.
    ///
    /// # Errors
    /// The server does not speak that revision, or breaks the protocol.
    pub async fn discover(&mut self) -> anyhow::Result<Value> {
        self.meta = Some(json!({
            "io.modelcontextprotocol/protocolVersion": STATELESS_REVISION,
            "io.modelcontextprotocol/clientInfo": { "name": CLIENT, "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        }));
        let result = self.request("server/discover", json!({})).await?;
        let versions = result["supportedVersions"].as_array().context("no supportedVersions")?;
        ensure!(versions.contains(&json!(STATELESS_REVISION)), "{versions:?}");
        Ok(result)
    }

    /// Sends a request and waits for its result.
    ///
    /// # Errors
    /// The server answers with an error, not in time, or with something that is no JSON-RPC.
    pub async fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        let id = self.send(method, params).await?;
        let answer = self.answer(id).await?;
        answer.map_err(|error| anyhow!("{method}: error {}: {}", error.code, error.message))
    }

    /// Calls a tool and returns its result, whose `isError` is up to the caller.
    ///
    /// # Errors
    /// As [`McpChild::request`].
    pub async fn call(&mut self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Calls a tool that must succeed and returns its structured content.
    ///
    /// # Errors
    /// The tool fails, or answers without structured content.
    pub async fn call_ok(&mut self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        let mut result = self.call(tool, arguments).await?;
        ensure!(result["isError"] != true, "{tool}: {}", result["content"]);
        let structured = result["structuredContent"].take();
        ensure!(structured.is_object(), "{tool}: no structured content");
        Ok(structured)
    }

    /// Calls a tool that must fail and returns the whole result.
    ///
    /// # Errors
    /// The tool succeeds.
    pub async fn call_error(&mut self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        let result = self.call(tool, arguments).await?;
        ensure!(result["isError"] == true, "{tool} did not fail: {result}");
        Ok(result)
    }

    /// Sends a request and returns its id without waiting.
    ///
    /// # Errors
    /// The program reads no more.
    pub async fn send(&mut self, method: &str, mut params: Value) -> anyhow::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        if let (Some(meta), Some(params)) = (&self.meta, params.as_object_mut()) {
            let own = params.entry("_meta").or_insert_with(|| Value::Object(Map::new()));
            if let (Some(own), Some(meta)) = (own.as_object_mut(), meta.as_object()) {
                own.extend(meta.clone());
            }
        }
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send_line(&message.to_string()).await?;
        Ok(id)
    }

    /// # Errors
    /// The program reads no more.
    pub async fn notify(&mut self, method: &str, params: Value) -> anyhow::Result<()> {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.send_line(&message.to_string()).await
    }

    /// Sends any bytes as one line.
    ///
    /// # Errors
    /// The program reads no more.
    pub async fn send_line(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("the standard input was closed")?;
        let write = async {
            input.write_all(line.as_bytes()).await?;
            input.write_all(b"\n").await?;
            input.flush().await
        };
        timeout(MESSAGE_LIMIT, write).await.context("megaraptor reads no more")??;
        Ok(())
    }

    /// Waits for the answer to a request; other messages are kept.
    ///
    /// # Errors
    /// It does not come in time, or the server breaks the protocol.
    pub async fn answer(&mut self, id: u64) -> anyhow::Result<Result<Value, RpcError>> {
        let message = self.next_where(|message| message["id"] == id).await?;
        outcome(message)
    }

    /// Waits for the next message of the server to which `wanted` applies; others are kept.
    ///
    /// # Errors
    /// It does not come in time, or the server breaks the protocol.
    pub async fn next_where(&mut self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        if let Some(at) = self.waiting.iter().position(&wanted) {
            return Ok(self.waiting.remove(at));
        }
        let wait = async {
            loop {
                let Some(line) = self.output.next_line().await.context("reading its output")?
                else {
                    bail!("megaraptor closed its output; its log ends:\n{}", log_end(&self.log));
                };
                let message = check_message(&line)?;
                if wanted(&message) {
                    return Ok(message);
                }
                self.waiting.push(message);
            }
        };
        match timeout(MESSAGE_LIMIT, wait).await {
            Ok(message) => message,
            Err(_) => bail!("no such message within {MESSAGE_LIMIT:?}; kept: {:?}", self.waiting),
        }
    }

    /// Messages that nobody waited for, in the order in which they came.
    pub fn unclaimed(&self) -> &[Value] {
        &self.waiting
    }

    /// Closes the program's input, as a host does that goes away, and waits for its end.
    ///
    /// # Errors
    /// It does not end, or it wrote something else than JSON-RPC on its way out.
    pub async fn close(mut self) -> anyhow::Result<ExitStatus> {
        drop(self.input.take());
        let mut rest = String::new();
        let output = self.output.get_mut();
        timeout(MESSAGE_LIMIT, output.read_to_string(&mut rest))
            .await
            .context("megaraptor does not close its output")??;
        for line in rest.lines() {
            check_message(line)?;
        }
        let status = timeout(MESSAGE_LIMIT, self.child.wait()).await;
        Ok(status.context("megaraptor does not end when its input is closed")??)
    }
}

/// The result or the error of a response.
///
/// # Errors
/// It is no response.
pub fn outcome(mut message: Value) -> anyhow::Result<Result<Value, RpcError>> {
    if let Some(error) = message.get("error") {
        let code = error["code"].as_i64().context("an error without a code")?;
        let text = error["message"].as_str().context("an error without a message")?;
        return Ok(Err(RpcError { code, message: text.to_owned() }));
    }
    Ok(Ok(message["result"].take()))
}

/// Parses a line of the server's output, which must be one JSON-RPC 2.0 message.
fn check_message(line: &str) -> anyhow::Result<Value> {
    let message: Value = serde_json::from_str(line).map_err(|error| {
        anyhow!("the standard output has a line that is no JSON ({error}): {line:?}")
    })?;
    let has = |key| message.get(key).is_some();
    let is_call = message["method"].is_string();
    let is_response = has("result") != has("error");
    ensure!(
        message["jsonrpc"] == "2.0" && is_call != is_response,
        "the standard output has a line that is no JSON-RPC message: {line:?}"
    );
    Ok(message)
}

fn log_end(log: &Path) -> String {
    match std::fs::read_to_string(log) {
        Ok(text) => {
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(15)..].join("\n")
        }
        Err(error) => format!("(not readable: {error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_rpc_passes_on_standard_output() {
        for good in [
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#,
        ] {
            check_message(good).unwrap();
        }
        for bad in [
            "",
            "starting up",
            "{}",
            r#"{"jsonrpc":"1.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#,
        ] {
            assert!(check_message(bad).is_err(), "{bad}");
        }
    }
}

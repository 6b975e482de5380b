//! An MCP client over the standard input and output of a child process: enough of one to walk
//! through an investigation as any client would.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::tool_error::{Code, ToolError};

/// The revision that is spoken: the newest with a handshake.
const REVISION: &str = "2025-11-25";

/// How long one answer may take. The longest step of the walk waits for a hunt of some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server and the pipe to it. The process ends when this is dropped.
pub(super) struct McpClient {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    next_id: u64,
}

/// The answer to a tool call.
pub(super) struct Called {
    /// The typed data, or the error's.
    pub(super) data: Value,
    /// The text for reading.
    pub(super) text: String,
    /// The call failed.
    pub(super) is_error: bool,
}

impl McpClient {
    /// Starts `program` with `arguments` and shakes hands.
    pub(super) async fn start(
        program: &Path,
        arguments: &[String],
        state: &Path,
    ) -> Result<Self, ToolError> {
        let mut command = Command::new(program);
        // Ctrl-C on a terminal is for the demo, which ends its child.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command
            .args(arguments)
            .env(guard::home::VARIABLE, state)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| broken(&format!("{} does not start: {error}", program.display())))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(broken("the child has no pipes"));
        };
        let output = BufReader::new(output).lines();
        let mut client = Self { child, input, output, next_id: 1 };
        let hello = json!({
            "protocolVersion": REVISION,
            "capabilities": {},
            "clientInfo": { "name": "megaraptor-demo", "version": env!("CARGO_PKG_VERSION") },
        });
        client.request("initialize", hello).await?;
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(client)
    }

    /// How many tools the server lists.
    pub(super) async fn count_tools(&mut self) -> Result<usize, ToolError> {
        let listed = self.request("tools/list", json!({})).await?;
        Ok(listed["tools"].as_array().map_or(0, Vec::len))
    }

    /// Calls a tool. A failed call is an answer, not an error.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Called, ToolError> {
        let params = json!({ "name": tool, "arguments": arguments });
        let result = self.request("tools/call", params).await?;
        Ok(Called {
            data: result["structuredContent"].clone(),
            text: result["content"][0]["text"].as_str().unwrap_or_default().to_owned(),
            is_error: result["isError"] == true,
        })
    }

    /// Closes the pipe and waits for the server to end by itself.
    pub(super) async fn stop(mut self) -> Result<(), ToolError> {
        drop(self.input);
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(broken(&format!("the server ended with {status}"))),
            Ok(Err(error)) => Err(broken(&error.to_string())),
            Err(_) => Err(broken("the server did not end when its input was closed")),
        }
    }

    /// Ends the server at once, and waits until it is gone.
    pub(super) async fn kill(mut self) -> Result<(), ToolError> {
        self.child.kill().await.map_err(|error| broken(&error.to_string()))
    }

    async fn request(&mut self, method: &str, params: Value) -> Result<Value, ToolError> {
        let id = self.next_id;
        self.next_id += 1;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(&request).await?;
        let answer = tokio::time::timeout(PATIENCE, self.answer(id)).await;
        answer.map_err(|_| broken(&format!("no answer to {method} within {PATIENCE:?}")))?
    }

    async fn answer(&mut self, id: u64) -> Result<Value, ToolError> {
        loop {
            let line = self
                .output
                .next_line()
                .await
                .map_err(|error| broken(&error.to_string()))?
                .ok_or_else(|| broken("the server closed its output"))?;
            let mut message: Value = serde_json::from_str(&line)
                .map_err(|error| broken(&format!("not JSON-RPC on standard output: {error}")))?;
            if message["id"] == id {
                if let Some(error) = message.get("error") {
                    return Err(broken(&error.to_string()));
                }
                return Ok(message["result"].take());
            }
        }
    }

    async fn send(&mut self, message: &Value) -> Result<(), ToolError> {
        let line = format!("{message}\n");
        let write = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await
        };
        write.await.map_err(|error: std::io::Error| broken(&error.to_string()))
    }
}

fn broken(what: &str) -> ToolError {
    ToolError::new(Code::Internal, format!("the conversation over MCP broke: {what}"))
}

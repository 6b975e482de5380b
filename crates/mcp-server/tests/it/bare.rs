//! The program where nothing is configured: no file, no environment, no server.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_megaraptor");

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

const TOOLS: usize = 19;

/// The built program, in an empty folder and an empty environment.
pub(crate) struct Bare {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    next_id: u64,
    folder: tempfile::TempDir,
}

impl Bare {
    /// Starts it and does the handshake.
    pub(crate) async fn serve(arguments: &[&str]) -> Self {
        Self::start(Command::new(PROGRAM), arguments).await
    }

    /// The same, after a shell has run a script.
    pub(crate) async fn serve_after(script: &str, arguments: &[&str]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{script}; exec \"$0\" \"$@\""), PROGRAM]);
        Self::start(shell, arguments).await
    }

    async fn start(mut command: Command, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = command
            .arg("serve")
            .args(arguments)
            .env_clear()
            .env("MEGARAPTOR_HOME", folder.path().join("state"))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take().expect("it has an input");
        let lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
        let mut bare = Self { child, input, lines, next_id: 1, folder };
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "bare", "version": "1" },
        });
        bare.ask("initialize", params).await;
        bare.line(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        bare
    }

    async fn line(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.input.write_all(line.as_bytes()).await.expect("it reads");
    }

    /// Calls a tool; the result, which may be an error.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// What another command of the program says of the same state folder, and its exit code.
    pub(crate) async fn beside(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let said = Command::new(PROGRAM)
            .args(arguments)
            .env_clear()
            .env("MEGARAPTOR_HOME", self.folder.path().join("state"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output();
        let said = said.await.expect("the program starts");
        (said.status.code(), String::from_utf8(said.stdout).expect("text is said"))
    }

    /// Sends a request and gives its result.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.line(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("an answer in time").expect("the pipe holds").expect("an answer");
        let mut answer: Value = serde_json::from_str(&line).expect("a line of JSON");
        assert_eq!(answer["id"], id, "{answer}");
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    async fn tools(&mut self) -> Vec<String> {
        let listed = self.ask("tools/list", json!({})).await;
        let tools = listed["tools"].as_array().expect("tools");
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }
}

#[tokio::test]
async fn d10_the_program_starts_with_nothing_beside_it_and_ends_well() {
    let mut bare = Bare::serve(&[]).await;
    assert!(bare.tools().await.iter().any(|name| name == "list_clients"));
    let Bare { mut child, input, .. } = bare;
    drop(input);
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends");
    assert!(ended.expect("a status").success());
}

#[tokio::test]
async fn d11_every_tool_is_there_and_says_that_no_server_is_configured() {
    let mut bare = Bare::serve(&["--policy", "collect=allow", "--policy", "respond=allow"]).await;
    let tools = bare.tools().await;
    assert_eq!(tools.len(), TOOLS, "{tools:?}");
    for tool in tools {
        let result = bare.ask("tools/call", json!({ "name": tool, "arguments": {} })).await;
        assert_eq!(result["isError"], true, "{tool}: {result}");
        let error = &result["structuredContent"]["error"];
        assert_eq!(error["code"], "unavailable", "{tool}: {error}");
        assert_eq!(error["message"], "no server is configured", "{tool}: {error}");
        assert!(
            error["next_step"].as_str().is_some_and(|next| next.contains("--config")),
            "{error}"
        );
    }
    // What needs no server is given.
    let read = bare.ask("resources/read", json!({ "uri": "velociraptor://vql-guide" })).await;
    assert!(read["contents"][0]["text"].as_str().is_some_and(|text| text.len() > 1000), "{read}");
}

//! A client that speaks raw lines to a served connection.

use std::time::Duration;

use mcp_server::gateway::Gateway;
use mcp_server::services::Services;
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::task::JoinHandle;

use crate::simulated::guarded;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The newest revision, which knows no handshake.
pub(crate) const STATELESS: &str = "2026-07-28";

/// One end of a pipe; Megaraptor serves the other.
pub(crate) struct Wire {
    write: Option<WriteHalf<DuplexStream>>,
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    served: JoinHandle<Result<(), String>>,
    kept: Vec<Value>,
    next_id: u64,
}

impl Wire {
    /// Serves `services` on a new pipe. Nothing is said yet.
    pub(crate) fn open(services: Services) -> Self {
        Self::over(guarded(services))
    }

    /// The same through a gateway whose records are in the caller's hand.
    pub(crate) fn over(gateway: Gateway) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (input, output) = tokio::io::split(theirs);
        let served = tokio::spawn(async move {
            mcp_server::mcp::serve(gateway, input, output).await.map_err(|error| error.to_string())
        });
        let (read, write) = tokio::io::split(ours);
        let lines = BufReader::new(read).lines();
        Self { write: Some(write), lines, served, kept: Vec::new(), next_id: 1 }
    }

    /// The same after a handshake of the last revision that has one.
    pub(crate) async fn ready(services: Services) -> Self {
        let mut wire = Self::open(services);
        wire.initialize("2025-11-25").await;
        wire
    }

    /// Does the handshake and gives the server's part of it.
    pub(crate) async fn initialize(&mut self, revision: &str) -> Value {
        let params = json!({
            "protocolVersion": revision, "capabilities": {},
            "clientInfo": { "name": "wire", "version": "1" },
        });
        let result = self.ask("initialize", params).await;
        self.line(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        result
    }

    /// Writes bytes and a line feed.
    pub(crate) async fn line(&mut self, line: impl AsRef<[u8]>) {
        self.bytes(line).await;
        self.bytes(b"\n").await;
    }

    /// Writes bytes.
    pub(crate) async fn bytes(&mut self, bytes: impl AsRef<[u8]>) {
        let write = self.write.as_mut().expect("our end was closed");
        write.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// Sends a request and gives its id.
    pub(crate) async fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.line(message.to_string()).await;
        id
    }

    /// Sends a request and gives its whole answer.
    pub(crate) async fn exchange(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        self.find(|message| message["id"] == id).await
    }

    /// Sends a request that must succeed and gives its result.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.exchange(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Sends a request that must fail and gives the error.
    pub(crate) async fn refused(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.exchange(method, params).await;
        assert!(answer.get("result").is_none(), "{method}: {answer}");
        answer["error"].take()
    }

    /// The next message, whatever it is; none where the server has closed its end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line())
            .await
            .unwrap_or_else(|_| panic!("no line came; kept: {:?}", self.kept))
            .expect("the pipe holds")?;
        let message: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        Some(message)
    }

    /// The first message to which `wanted` applies; others are kept.
    pub(crate) async fn find(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&wanted) {
            return self.kept.remove(at);
        }
        loop {
            let Some(message) = self.next().await else {
                panic!("the server closed its end; kept: {:?}", self.kept)
            };
            if wanted(&message) {
                return message;
            }
            self.kept.push(message);
        }
    }

    /// Messages that came and that nobody asked for.
    pub(crate) fn kept(&self) -> &[Value] {
        &self.kept
    }

    /// Closes our end and waits until serving has ended; gives what came last, and how it ended.
    pub(crate) async fn close(mut self) -> (Vec<Value>, Result<(), String>) {
        let mut last = Vec::new();
        if let Some(mut write) = self.write.take() {
            write.shutdown().await.expect("our end closes");
        }
        while let Some(message) = self.next().await {
            last.push(message);
        }
        let ended = tokio::time::timeout(PATIENCE, self.served).await.expect("serving ends");
        (last, ended.expect("serving does not panic"))
    }
}

/// What the stateless revision wants with every request.
pub(crate) fn stateless(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientInfo": { "name": "wire", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

//! A client of HTTP that sends what a test wants, decent or not.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything may take before a test gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    /// The value of a header; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header is a text"))
    }

    /// The messages in it, from JSON or from a stream of events.
    pub(super) fn messages(&self) -> Vec<Value> {
        let read =
            |text: &str| serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        if self.header("content-type").starts_with("application/json") {
            return vec![read(&self.body)];
        }
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data:"));
        data.map(str::trim).filter(|data| !data.is_empty()).map(read).collect()
    }

    /// The answer to a request that was understood.
    pub(super) fn answer(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        self.messages().pop().unwrap_or_else(|| panic!("no message: {self:?}"))
    }
}

/// One caller of a server.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) token: Option<String>,
    pub(super) session: Option<String>,
    /// Sent with every request, and in place of what is usual.
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Client {
    pub(super) fn new(address: SocketAddr, token: Option<&str>) -> Self {
        Self { address, token: token.map(str::to_owned), session: None, headers: Vec::new() }
    }

    /// The same caller with another header.
    pub(super) fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut client = self.clone();
        client.headers.push((name, value.into()));
        client
    }

    /// The same caller in a session of that id.
    pub(super) fn within(&self, session: &str) -> Self {
        Self { session: Some(session.to_owned()), ..self.clone() }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "text/event-stream", Body::empty()).await
    }

    pub(super) async fn method(&self, method: &str) -> Reply {
        self.send(method, "/mcp", "*/*", Body::empty()).await
    }

    /// Posts a text as a message.
    pub(super) async fn post(&self, body: impl Into<Body>) -> Reply {
        self.send("POST", "/mcp", "application/json, text/event-stream", body.into()).await
    }

    /// A request of the stateless revision.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Reply {
        let mut client = self.with("mcp-protocol-version", crate::wire::STATELESS);
        client.headers.push(("mcp-method", method.to_owned()));
        if let Some(name) = params.get("name").or_else(|| params.get("uri")) {
            client.headers.push(("mcp-name", name.as_str().expect("a name").to_owned()));
        }
        let params = crate::wire::stateless(params);
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        client.post(message.to_string()).await
    }

    /// Calls a tool in the stateless revision; the result.
    pub(super) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let reply = self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        let mut answer = reply.answer();
        assert!(answer.get("error").is_none(), "{tool}: {answer}");
        answer["result"].take()
    }

    /// The names of the tools that are listed.
    pub(super) async fn tools(&self) -> Vec<String> {
        let answer = self.ask("tools/list", json!({})).await.answer();
        let tools = answer["result"]["tools"].as_array().expect("tools");
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// A request within a session.
    pub(super) async fn exchange(&self, method: &str, params: Value) -> Reply {
        let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        self.post(message.to_string()).await
    }

    /// Does the handshake of a revision that has one; the caller within the new session.
    pub(super) async fn initialized(&self, revision: &str) -> Self {
        let params = json!({
            "protocolVersion": revision, "capabilities": {},
            "clientInfo": { "name": "raw", "version": "7" },
        });
        let reply = self.exchange("initialize", params).await;
        assert_eq!(reply.answer()["result"]["protocolVersion"], revision, "{reply:?}");
        let session = reply.header("mcp-session-id");
        assert!(!session.is_empty(), "{reply:?}");
        let mut client = self.within(session);
        if revision >= "2025-06-18" {
            client.headers.push(("mcp-protocol-version", revision.to_owned()));
        }
        let noted = client.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        assert_eq!(noted.status, StatusCode::ACCEPTED, "{noted:?}");
        client
    }

    async fn send(&self, method: &str, path: &str, accept: &str, body: Body) -> Reply {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        let request = self.request(method, path, accept, body);
        tokio::time::timeout(PATIENCE, over(stream, request)).await.expect("an answer comes")
    }

    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        accept: &str,
        body: Body,
    ) -> Request<Body> {
        let mut request =
            Request::builder().method(method).uri(path).body(body).expect("a request");
        let mut set = |name: &'static str, value: &str| {
            request.headers_mut().insert(name, value.parse().expect("a header"));
        };
        set("host", &self.address.to_string());
        set("accept", accept);
        if method == "POST" {
            set("content-type", "application/json");
        }
        if let Some(token) = &self.token {
            set("authorization", &format!("Bearer {token}"));
        }
        if let Some(session) = &self.session {
            set("mcp-session-id", session);
        }
        for (name, value) in &self.headers {
            set(name, value);
        }
        request
    }
}

/// Sends one request over a connection and reads the whole answer.
pub(super) async fn over<S>(stream: S, request: Request<Body>) -> Reply
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    let connection = tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = axum::body::to_bytes(Body::new(body), 64 << 20).await.expect("a whole body");
    connection.abort();
    let body = String::from_utf8(body.to_vec()).expect("a text");
    Reply { status: head.status, headers: head.headers, body }
}

/// Writes bytes, and reads until the server closes its end.
pub(super) async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(bytes).await.expect("the server reads");
    to_end(stream).await
}

/// Reads until the server closes its end.
pub(super) async fn to_end(mut stream: impl AsyncRead + Unpin) -> String {
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    // A reset is an end, too.
    let _ = tokio::time::timeout(PATIENCE, read).await.expect("the server closes its end");
    String::from_utf8_lossy(&text).into_owned()
}

//! One connection over which calls go one after the other, as cheaply as can be.

use anyhow::{Context, bail, ensure};
use secret::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::mcp::STATELESS_REVISION;

/// A kept connection of one caller, in the revision without a handshake.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
    token: Secret<String>,
}

impl Connection {
    /// # Errors
    /// Nobody listens there.
    pub async fn open(address: &str, token: &Secret<String>) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let stream = BufReader::new(stream);
        Ok(Self { stream, host: address.to_owned(), token: token.clone() })
    }

    /// Calls a tool that must succeed; its result.
    ///
    /// # Errors
    /// The connection breaks, or the call fails.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        let params = json!({
            "name": tool, "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": STATELESS_REVISION,
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        });
        let extra = format!(
            "Mcp-Protocol-Version: {STATELESS_REVISION}\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
        );
        let mut answer = self.request("tools/call", params, &extra).await?;
        let result = answer["result"].take();
        ensure!(result.is_object() && result["isError"] != true, "{tool}: {answer} {result}");
        Ok(result)
    }

    /// Begins a session of the last revision that has them; its id.
    ///
    /// # Errors
    /// The connection breaks, or the server gives no session.
    pub async fn begin_session(&mut self) -> anyhow::Result<String> {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "integration-tests", "version": "1" },
        });
        let message =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        let (status, headers, _) = self.exchange(&message.to_string(), "").await?;
        ensure!(status == 200, "initialize: {status}");
        let session = headers.iter().find(|(name, _)| name == "mcp-session-id");
        let session = session.context("no session id")?.1.clone();
        let noted = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let within = format!("Mcp-Session-Id: {session}\r\n");
        let (status, _, _) = self.exchange(noted, &within).await?;
        ensure!(status == 202, "notifications/initialized: {status}");
        Ok(session)
    }

    /// Asks within a session; the whole answer, a result or an error. What is no answer to a message
    /// is told as one: an error with the status as its code.
    ///
    /// # Errors
    /// The connection breaks, or what comes is neither.
    pub async fn ask(
        &mut self,
        session: &str,
        method: &str,
        params: Value,
    ) -> anyhow::Result<Value> {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let within = format!("Mcp-Session-Id: {session}\r\nMcp-Protocol-Version: 2025-11-25\r\n");
        let (status, headers, body) = self.exchange(&message.to_string(), &within).await?;
        let text = String::from_utf8(body).context("the body is no text")?;
        if status != 200 {
            return Ok(json!({ "error": { "code": status, "message": text } }));
        }
        let streams = headers
            .iter()
            .any(|(name, value)| name == "content-type" && value.starts_with("text/event-stream"));
        if !streams {
            return serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"));
        }
        let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let mut messages = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
        messages.find(|message| message["id"] == 1).with_context(|| format!("no answer: {text}"))
    }

    async fn request(&mut self, method: &str, params: Value, extra: &str) -> anyhow::Result<Value> {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let (status, _, body) = self.exchange(&message.to_string(), extra).await?;
        ensure!(status == 200, "{method}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    async fn exchange(
        &mut self,
        body: &str,
        extra: &str,
    ) -> anyhow::Result<(u16, Vec<(String, String)>, Vec<u8>)> {
        let text = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            self.host,
            self.token.expose(),
            body.len(),
        );
        self.stream.write_all(text.as_bytes()).await.context("the server reads no more")?;
        let (status, headers) = self.head().await?;
        let value = |name: &str| {
            headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        let body = match (value("content-length"), value("transfer-encoding")) {
            (Some(length), _) => {
                let mut body = vec![0; length.parse().context("a content-length")?];
                self.stream.read_exact(&mut body).await?;
                body
            }
            (None, Some("chunked")) => self.chunks().await?,
            other => bail!("no framing: {other:?}"),
        };
        Ok((status, headers, body))
    }

    async fn head(&mut self) -> anyhow::Result<(u16, Vec<(String, String)>)> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("no status: {first:?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line.split_once(':').context("a header without a colon")?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    async fn chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line().await?, 16).context("a chunk's size")?;
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(line.trim_end().to_owned())
    }
}

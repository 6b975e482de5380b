//! MCP over standard input and output, one message a line.
//!
//! Sending is rmcp's. Receiving is ours, because every line is answered as JSON-RPC says: a line
//! that is no JSON or is too long gets an error too, instead of silence in which a client waits.

use std::io;
use std::pin::Pin;

use rmcp::model::JsonRpcMessage;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader, Empty, Stdin, Stdout};

/// Longer than any message that makes sense. The rest of such a line is passed over.
const LONGEST: usize = 16 << 20;

type Sending = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// The two pipes to the client.
pub(super) struct Lines<R, W: AsyncWrite> {
    input: BufReader<R>,
    /// The line so far. It outlives a dropped `receive`, so that no byte is lost.
    line: Vec<u8>,
    too_long: bool,
    output: AsyncRwTransport<RoleServer, Empty, W>,
    /// The answer to a bad line that is being sent.
    answering: Option<Sending>,
}

/// What a line was.
enum Line {
    Message(Box<RxJsonRpcMessage<RoleServer>>),
    /// To be answered with this.
    Bad(ErrorData),
    /// A notification that nobody here knows; notifications are never answered.
    Ignored,
}

/// The pipes of this process.
pub(super) fn pipes() -> Lines<Stdin, Stdout> {
    Lines::new(tokio::io::stdin(), tokio::io::stdout())
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    fn new(input: R, output: W) -> Self {
        Self {
            input: BufReader::new(input),
            line: Vec::new(),
            too_long: false,
            output: AsyncRwTransport::new(tokio::io::empty(), output),
            answering: None,
        }
    }

    /// Reads to the end of the line. False at the end of the input; what stands there without a
    /// line end was not finished.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let bytes = self.input.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > LONGEST {
                self.too_long = true;
                self.line = Vec::new();
            }
            if !self.too_long {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.output.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(answer) = &mut self.answering {
                let sent = answer.await;
                self.answering = None;
                sent.ok()?;
            }
            match self.read_line().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    tracing::error!("the client's pipe cannot be read: {error}");
                    return None;
                }
            }
            let line = if std::mem::take(&mut self.too_long) {
                let message = format!("the message is longer than {LONGEST} bytes");
                Line::Bad(ErrorData::invalid_request(message, None))
            } else if self.line.trim_ascii().is_empty() {
                Line::Ignored
            } else {
                read(self.line.trim_ascii())
            };
            self.line.clear();
            match line {
                Line::Message(message) => return Some(*message),
                Line::Ignored => {}
                // Which request it was is not known, so the answer has no id.
                Line::Bad(error) => {
                    let answer = JsonRpcMessage::error(error, None);
                    self.answering = Some(Box::pin(self.output.send(answer)));
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.output.close().await
    }
}

fn read(line: &[u8]) -> Line {
    // Some clients begin with a byte order mark.
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let error = match serde_json::from_slice(line) {
        Ok(message) => return Line::Message(Box::new(message)),
        Err(error) => error,
    };
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return Line::Bad(ErrorData::parse_error(format!("not JSON: {error}"), None));
    };
    let names_method = value["jsonrpc"] == "2.0" && value["method"].is_string();
    if names_method && value.get("id").is_none() {
        return Line::Ignored;
    }
    let message = "not a JSON-RPC 2.0 request, notification or response";
    Line::Bad(ErrorData::invalid_request(message, None))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const PING: &str = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}\n";

    /// What comes through of an input, and what is answered meanwhile.
    async fn through(input: &[u8]) -> (Vec<String>, Vec<Value>) {
        let (mut answers, output) = tokio::io::duplex(1 << 16);
        let mut lines = Lines::new(input, output);
        let mut received = Vec::new();
        while let Some(message) = lines.receive().await {
            received.push(serde_json::to_string(&message).unwrap());
        }
        drop(lines);
        let mut text = String::new();
        answers.read_to_string(&mut text).await.unwrap();
        (received, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[tokio::test]
    async fn every_bad_line_is_answered_and_the_next_one_is_read() {
        for (bad, code) in [
            ("no JSON", -32700),
            ("{\"jsonrpc\":\"2.0\",\"id\":", -32700),
            ("\u{0}\u{7f}", -32700),
            ("[]", -32600),
            ("{}", -32600),
            ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", -32600),
        ] {
            let (received, answers) = through(format!("{bad}\n{PING}").as_bytes()).await;
            assert_eq!(received.len(), 1, "{bad}: {received:?}");
            assert_eq!(answers.len(), 1, "{bad}: {answers:?}");
            assert_eq!(answers[0]["error"]["code"], code, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_line_without_bounds_is_refused_and_passed_over() {
        let mut input = vec![b'x'; LONGEST + 1];
        input.extend(format!("\n{PING}").bytes());
        let (received, answers) = through(&input).await;
        assert_eq!((received.len(), answers.len()), (1, 1));
        assert_eq!(answers[0]["error"]["code"], -32600);
    }

    #[tokio::test]
    async fn empty_lines_and_unknown_notifications_are_not_answered() {
        let unknown = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/odd\",\"params\":{}}\n";
        let input = format!("\n \r\n{unknown}\u{feff}{PING}");
        let (received, answers) = through(input.as_bytes()).await;
        assert!(received.iter().any(|message| message.contains("ping")), "{received:?}");
        assert_eq!(answers, Vec::<Value>::new());
    }

    #[tokio::test]
    async fn a_line_that_comes_in_pieces_survives_a_dropped_receive() {
        let (mut client, input) = tokio::io::duplex(64);
        let mut lines = Lines::new(input, tokio::io::sink());
        let (first, rest) = PING.split_at(10);
        client.write_all(first.as_bytes()).await.unwrap();
        let dropped = tokio::time::timeout(std::time::Duration::from_millis(10), lines.receive());
        assert!(dropped.await.is_err());
        client.write_all(rest.as_bytes()).await.unwrap();
        assert!(lines.receive().await.is_some());
    }
}

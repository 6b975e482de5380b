//! JSON-RPC over lines: every line that comes in is answered, delivered, or known to want no answer.
//!
//! The library's own line transport drops what is not JSON and what is too long without a word. A
//! client whose message was lost that way waits for ever, so lines are read here.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, GetMeta, JsonRpcMessage, ProtocolVersion, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::encode::encode;
use super::refusal::{self, Refusal};

/// The longest line.
pub(super) const MAX_LINE: usize = super::MAX_MESSAGE;

/// How long answers may still be finished after the client has closed its end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// One client on a pair of byte streams.
pub(super) struct Lines<R, W> {
    read: BufReader<R>,
    /// The line so far: reading is interrupted and resumed.
    line: Vec<u8>,
    /// The rest of a line that was too long is being passed over.
    skipping: bool,
    write: Arc<tokio::sync::Mutex<W>>,
    /// A refusal on its way out. Nothing more is read before it is written: a client that sends
    /// only rubbish and reads nothing is not remembered without bound.
    refusing: Option<JoinHandle<()>>,
    /// The client has begun to speak a revision; before that, only requests matter.
    opened: bool,
    in_flight: Arc<InFlight>,
    /// Cancelled when nobody is left to answer.
    gone: CancellationToken,
}

/// The requests that have not been answered. An id in use twice would lose an answer, or give one
/// request that of the other: that of a cancelled request stays in use, since no answer ends it.
#[derive(Default)]
struct InFlight(Mutex<HashSet<RequestId>>);

impl InFlight {
    fn begin(&self, id: &RequestId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone())
    }

    fn end(&self, id: &RequestId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// What the input gave.
enum Input {
    Line,
    TooLong,
    End,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    pub(super) fn new(read: R, write: W, gone: CancellationToken) -> Self {
        Self {
            read: BufReader::new(read),
            line: Vec::new(),
            skipping: false,
            write: Arc::new(tokio::sync::Mutex::new(write)),
            refusing: None,
            opened: false,
            in_flight: Arc::default(),
            gone,
        }
    }

    /// Reads one line into `self.line`, its end not included. May be dropped and begun again.
    async fn read_line(&mut self) -> io::Result<Input> {
        loop {
            let available = self.read.fill_buf().await?;
            if available.is_empty() {
                return Ok(Input::End);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            let consumed = part.len() + usize::from(end.is_some());
            let too_long = !self.skipping && self.line.len() + part.len() > MAX_LINE;
            if too_long {
                self.line = Vec::new();
            } else if !self.skipping {
                self.line.extend_from_slice(part);
            }
            let skipped = self.skipping;
            self.skipping = end.is_none() && (self.skipping || too_long);
            self.read.consume(consumed);
            if too_long {
                return Ok(Input::TooLong);
            }
            if end.is_some() && !skipped {
                return Ok(Input::Line);
            }
        }
    }

    /// The message of a line, or what is to be answered in its place.
    fn take_line(&mut self) -> Option<ClientJsonRpcMessage> {
        let line = self.line.trim_ascii();
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        let parsed = match line {
            [] => Ok(None),
            line => refusal::parse(line),
        };
        self.line.clear();
        match parsed {
            Ok(None) => None,
            Ok(Some(message)) => self.admit(message),
            Err(answer) => {
                self.refuse(*answer);
                None
            }
        }
    }

    /// Keeps out what would end or confuse the service behind.
    fn admit(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        match message {
            JsonRpcMessage::Request(mut request) => {
                if !self.in_flight.begin(&request.id) {
                    let text = format!("the request id {} is still in use", request.id);
                    self.refuse(refusal::invalid(text, None));
                    return None;
                }
                self.opened |= opens(&mut request.request);
                Some(JsonRpcMessage::Request(request))
            }
            // The service takes any of these before a request for the end of the conversation.
            _ if !self.opened => None,
            other => Some(other),
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        let (write, gone) = (Arc::clone(&self.write), self.gone.clone());
        let line = encode(&refusal.into());
        self.refusing = Some(tokio::spawn(async move {
            let written = match line {
                Ok(line) => write_line(&write, &line).await,
                Err(error) => Err(error),
            };
            if let Err(error) = written {
                tracing::debug!(%error, "the client reads no more");
                gone.cancel();
            }
        }));
    }
}

/// Whether the service takes this request as the beginning of a conversation.
fn opens(request: &mut ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        other => {
            let meta = other.get_meta_mut();
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                && meta
                    .protocol_version()
                    .is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let (write, gone) = (Arc::clone(&self.write), self.gone.clone());
        let in_flight = Arc::clone(&self.in_flight);
        async move {
            let answered = match &message {
                JsonRpcMessage::Response(response) => Some(&response.id),
                JsonRpcMessage::Error(error) => error.id.as_ref(),
                JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
            };
            if let Some(id) = answered {
                in_flight.end(id);
            }
            let written = write_line(&write, &encode(&message)?).await;
            if written.is_err() {
                gone.cancel();
            }
            written
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if let Some(refusing) = &mut self.refusing {
                // The task tells of its own failure.
                let _ = refusing.await;
                self.refusing = None;
            }
            match self.read_line().await {
                Ok(Input::Line) => {
                    if let Some(message) = self.take_line() {
                        return Some(message);
                    }
                }
                Ok(Input::TooLong) => self.refuse(refusal::too_long(MAX_LINE)),
                Ok(Input::End) => break,
                Err(error) => {
                    tracing::debug!(%error, "the client's end cannot be read");
                    break;
                }
            }
        }
        let gone = self.gone.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LAST_WORDS).await;
            gone.cancel();
        });
        None
    }

    async fn close(&mut self) -> io::Result<()> {
        self.write.lock().await.shutdown().await
    }
}

async fn write_line<W: AsyncWrite + Unpin>(
    write: &tokio::sync::Mutex<W>,
    line: &[u8],
) -> io::Result<()> {
    let mut write = write.lock().await;
    write.write_all(line).await?;
    write.flush().await
}

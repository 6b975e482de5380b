//! A release host on this machine that does as it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What is answered at a path.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A file with a strong mark; pieces are given.
    File(Vec<u8>),
    /// The same without a mark, and only whole.
    Plain(Vec<u8>),
    /// The same as `File`, but each answer breaks off after so many bytes.
    Breaks(Vec<u8>, usize),
    /// A status with a text.
    Status(u16, &'static str),
    /// A page with status 200.
    Page(&'static str),
    /// Another address.
    Redirect(String),
    /// A program that never ends.
    Endless(Vec<u8>),
    /// A size in front of which nobody should wait.
    Announces(u64),
    /// So many bytes, and then nothing more, with the connection open.
    Stalls(Vec<u8>, usize),
}

#[derive(Default)]
struct State {
    replies: HashMap<String, Vec<Reply>>,
    /// Path and range of every request.
    asked: Vec<(String, Option<String>)>,
}

/// Ends with its value.
pub(crate) struct Host {
    state: Arc<Mutex<State>>,
    port: u16,
    _running: JoinSet<()>,
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::serve(None).await
    }

    pub(crate) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::serve(Some(acceptor)).await
    }

    async fn serve(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let mut running = JoinSet::new();
        let shared = Arc::clone(&state);
        running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (state, acceptor) = (Arc::clone(&shared), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => answer(stream, &state).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => answer(stream, &state).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { state, port, _running: running }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Answers so from now on.
    pub(crate) fn put(&self, path: &str, reply: Reply) {
        self.then(path, [reply]);
    }

    /// Answers so, one after the other; the last for ever.
    pub(crate) fn then(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut replies: Vec<Reply> = replies.into_iter().collect();
        replies.reverse();
        self.state.lock().unwrap().replies.insert(path.to_owned(), replies);
    }

    pub(crate) fn asked(&self) -> Vec<(String, Option<String>)> {
        self.state.lock().unwrap().asked.clone()
    }
}

/// Nothing comes of it when the other side hangs up.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: &Mutex<State>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let range = header("range");
    let reply = {
        let mut state = state.lock().unwrap();
        state.asked.push((path.clone(), range.clone()));
        match state.replies.get_mut(&path) {
            Some(replies) if replies.len() > 1 => replies.pop().unwrap(),
            Some(replies) => replies[0].clone(),
            None => Reply::Status(404, "Not Found"),
        }
    };
    let piece = range.filter(|_| header("if-range").is_none_or(|mark| mark == MARK));
    send(&mut stream, reply, piece).await.ok()?;
    stream.shutdown().await.ok()
}

const MARK: &str = "\"one\"";

async fn send(
    stream: &mut (impl AsyncWrite + AsyncRead + Unpin),
    reply: Reply,
    piece: Option<String>,
) -> std::io::Result<()> {
    let (bytes, sent, marked) = match reply {
        Reply::File(bytes) => (bytes, usize::MAX, true),
        Reply::Plain(bytes) => (bytes, usize::MAX, false),
        Reply::Breaks(bytes, sent) => (bytes, sent, true),
        Reply::Stalls(bytes, sent) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&bytes[..sent]).await?;
            stream.flush().await?;
            // Until the other side hangs up.
            stream.read_u8().await?;
            return Ok(());
        }
        Reply::Status(status, text) => {
            let length = text.len();
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{text}");
            return stream.write_all(answer.as_bytes()).await;
        }
        Reply::Page(text) => {
            let length = text.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{text}"
            );
            return stream.write_all(answer.as_bytes()).await;
        }
        Reply::Redirect(to) => {
            let answer =
                format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            return stream.write_all(answer.as_bytes()).await;
        }
        Reply::Announces(size) => {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\nx");
            return stream.write_all(answer.as_bytes()).await;
        }
        Reply::Endless(block) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            loop {
                stream.write_all(format!("{:x}\r\n", block.len()).as_bytes()).await?;
                stream.write_all(&block).await?;
                stream.write_all(b"\r\n").await?;
            }
        }
    };
    let total = bytes.len();
    let from: Option<usize> = piece
        .filter(|_| marked)
        .map(|range| range["bytes=".len()..].split('-').next().unwrap().parse().unwrap());
    let mark = if marked { format!("ETag: {MARK}\r\n") } else { String::new() };
    let (head, bytes) = match from {
        Some(from) if from >= total => (
            format!(
                "HTTP/1.1 416 X\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\n\r\n"
            ),
            &[][..],
        ),
        Some(from) => (
            format!(
                "HTTP/1.1 206 X\r\n{mark}Content-Range: bytes {from}-{}/{total}\r\nContent-Length: {}\r\n\r\n",
                total - 1,
                total - from
            ),
            &bytes[from..],
        ),
        None => (format!("HTTP/1.1 200 OK\r\n{mark}Content-Length: {total}\r\n\r\n"), &bytes[..]),
    };
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&bytes[..bytes.len().min(sent)]).await?;
    stream.flush().await
}

//! A second place for the lines: another file, or a syslog server.
//!
//! It never holds a call up. Lines wait in a bounded queue for a thread of their own; what does not
//! fit, or cannot be sent, is counted and told: by [`CopyState`], in the program's log, and by a
//! line in the record itself when it begins to fail and when it works again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Pieces that may wait. Each is what one flush wrote.
const QUEUE: usize = 1024;

/// How long a connection to a syslog server may take, and a write to it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before a failed place is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// A datagram with more is not sent by common servers' defaults.
const DATAGRAM: usize = 8 * 1024;

/// `<local0.notice>` in the numbers of RFC 5424.
const PRIORITY: u8 = 16 * 8 + 5;

/// Where the second copy goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copy {
    /// A file, for example on another disk or a mounted share. Only appended to.
    File(PathBuf),
    /// A syslog server over UDP, as `host:port`. Long lines are shortened to what identifies them.
    SyslogUdp(String),
    /// A syslog server over TCP, as `host:port`, framed by octet counts (RFC 6587).
    SyslogTcp(String),
    /// A local syslog socket, such as `/dev/log`.
    #[cfg(unix)]
    SyslogUnix(PathBuf),
}

impl Copy {
    /// The forms in settings.
    pub const FORMS: &'static str =
        "file:PATH, syslog:udp:HOST:PORT, syslog:tcp:HOST:PORT or syslog:SOCKET";

    /// What a text in settings means.
    ///
    /// # Errors
    ///
    /// In words: the text, and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no place for a copy; expected {}", Self::FORMS);
        let address = |address: &str| {
            let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
            let good = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
            if good { Ok(address.to_owned()) } else { Err(bad()) }
        };
        // What is relative would be another file in each working folder.
        let path = |path: &str| {
            let path = PathBuf::from(path);
            if path.is_absolute() { Ok(path) } else { Err(bad()) }
        };
        match text.split_once(':').ok_or_else(bad)? {
            ("file", file) => Ok(Self::File(path(file)?)),
            ("syslog", rest) => match rest.split_once(':') {
                Some(("udp", to)) => Ok(Self::SyslogUdp(address(to)?)),
                Some(("tcp", to)) => Ok(Self::SyslogTcp(address(to)?)),
                #[cfg(unix)]
                _ => Ok(Self::SyslogUnix(path(rest)?)),
                #[cfg(not(unix))]
                _ => Err(bad()),
            },
            _ => Err(bad()),
        }
    }
}

impl std::fmt::Display for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::SyslogUdp(address) => write!(f, "syslog udp {address}"),
            Self::SyslogTcp(address) => write!(f, "syslog tcp {address}"),
            #[cfg(unix)]
            Self::SyslogUnix(path) => write!(f, "syslog {}", path.display()),
        }
    }
}

/// How the second copy fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CopyState {
    /// Lines that were given to the place.
    pub sent: u64,
    /// Lines that were not.
    pub lost: u64,
    /// What was wrong the last time, while it is.
    pub failing: Option<String>,
}

/// A change of state, for the record.
pub(super) struct CopyChange {
    pub(super) to: String,
    pub(super) state: String,
}

#[derive(Default)]
struct Shared {
    state: CopyState,
    changes: Vec<String>,
}

impl Shared {
    fn failed(&mut self, lines: u64, why: &str) {
        self.state.lost += lines;
        if self.state.failing.is_none() {
            tracing::warn!(why, "the second copy of the audit record fails");
            self.changes.push(format!("failed: {why}"));
        }
        self.state.failing = Some(why.to_owned());
    }

    fn worked(&mut self, lines: u64) {
        self.state.sent += lines;
        if self.state.failing.take().is_some() {
            self.changes.push(format!("works again; {} lines were lost so far", self.state.lost));
        }
    }
}

/// The state as the caller sees it.
#[derive(Clone)]
pub(super) struct Watch(Arc<Mutex<Shared>>);

impl Watch {
    pub(super) fn state(&self) -> CopyState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).state.clone()
    }
}

/// A running copy.
pub(super) struct Copying {
    queue: SyncSender<Vec<u8>>,
    thread: JoinHandle<()>,
    shared: Arc<Mutex<Shared>>,
    to: String,
}

impl Copying {
    pub(super) fn start(to: Copy) -> io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let shared = Arc::<Mutex<Shared>>::default();
        let name = to.to_string();
        let thread = thread::Builder::new().name("audit-copy".into()).spawn({
            let shared = Arc::clone(&shared);
            move || run(&to, &lines, &shared)
        })?;
        Ok(Self { queue, thread, shared, to: name })
    }

    pub(super) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.shared))
    }

    /// Hands lines over, or counts them as lost where too many wait.
    pub(super) fn send(&self, lines: &[u8]) {
        let count = count(lines);
        let why = match self.queue.try_send(lines.to_vec()) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => "too many lines wait",
            Err(TrySendError::Disconnected(_)) => "its thread has ended",
        };
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).failed(count, why);
    }

    /// What changed since this was asked last.
    pub(super) fn changes(&self) -> Vec<CopyChange> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = std::mem::take(&mut shared.changes);
        changes.into_iter().map(|state| CopyChange { to: self.to.clone(), state }).collect()
    }

    /// Sends what waits, and ends.
    pub(super) fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!("the thread of the audit record's second copy panicked");
        }
    }
}

fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

fn run(to: &Copy, queue: &Receiver<Vec<u8>>, shared: &Mutex<Shared>) {
    let mut open: Option<Sink> = None;
    let mut retry_at: Option<Instant> = None;
    while let Ok(lines) = queue.recv() {
        let count = count(&lines);
        let result = if retry_at.is_some_and(|at| Instant::now() < at) {
            Err(io::Error::other("it failed a moment ago and is tried again soon"))
        } else {
            let sink = match open.take() {
                Some(sink) => Ok(sink),
                None => Sink::open(to),
            };
            sink.and_then(|mut sink| {
                sink.write(&lines)?;
                open = Some(sink);
                Ok(())
            })
        };
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(()) => {
                retry_at = None;
                shared.worked(count);
            }
            Err(error) => {
                retry_at = retry_at.filter(|at| Instant::now() < *at);
                let first = retry_at.is_none();
                retry_at.get_or_insert_with(|| Instant::now() + RETRY);
                let told = shared.state.failing.clone().filter(|_| !first);
                shared.failed(count, &told.unwrap_or_else(|| error.to_string()));
            }
        }
    }
}

enum Sink {
    File(File),
    Udp(UdpSocket),
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixDatagram),
}

impl Sink {
    fn open(to: &Copy) -> io::Result<Self> {
        Ok(match to {
            Copy::File(path) => {
                let mut options = OpenOptions::new();
                options.append(true).create(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                Self::File(options.open(path)?)
            }
            Copy::SyslogUdp(address) => {
                let address = resolve(address)?;
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                Self::Udp(socket)
            }
            Copy::SyslogTcp(address) => {
                let stream = TcpStream::connect_timeout(&resolve(address)?, PATIENCE)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Self::Tcp(stream)
            }
            #[cfg(unix)]
            Copy::SyslogUnix(path) => {
                let socket = std::os::unix::net::UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Self::Unix(socket)
            }
        })
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Self::File(file) = self {
            return file.write_all(lines);
        }
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match self {
                Self::File(_) => {}
                Self::Udp(socket) => drop(socket.send(&message(line, DATAGRAM))?),
                #[cfg(unix)]
                Self::Unix(socket) => drop(socket.send(&message(line, DATAGRAM))?),
                Self::Tcp(stream) => {
                    let message = message(line, usize::MAX);
                    let mut framed = format!("{} ", message.len()).into_bytes();
                    framed.extend_from_slice(&message);
                    stream.write_all(&framed)?;
                }
            }
        }
        Ok(())
    }
}

fn resolve(address: &str) -> io::Result<std::net::SocketAddr> {
    address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address")))
}

/// A message of RFC 5424 with the line as its text. One that is too long keeps what identifies it:
/// its members but the arguments and the VQL text; its hash says what the full line was.
fn message(line: &[u8], limit: usize) -> Vec<u8> {
    let pid = std::process::id();
    let mut message = format!("<{PRIORITY}>1 - - megaraptor {pid} audit - ").into_bytes();
    if message.len() + line.len() <= limit {
        message.extend_from_slice(line);
        return message;
    }
    let shortened = serde_json::from_slice(line).map(|mut value: serde_json::Value| {
        if let Some(members) = value.as_object_mut() {
            members.retain(|name, _| !matches!(name.as_str(), "arguments" | "vql"));
            members.insert("shortened".into(), line.len().into());
        }
        value.to_string()
    });
    let text = shortened.unwrap_or_else(|_| String::from("{\"shortened\":true}"));
    message.extend_from_slice(text.as_bytes());
    message.truncate(limit);
    message
}

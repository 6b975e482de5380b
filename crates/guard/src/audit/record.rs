//! The record as its caller sees it: a line before a call, a line after.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::effect::Effect;

use super::append::{Appender, Body, RealDisk, body, line};
use super::copy::{Copy, CopyState, Copying, Watch};
use super::emergency::{self, EmergencySink};
use super::error::AuditError;
use super::line::event::{Ended, Event, Intent, Outcome};
use super::log::Disk;
use super::writer::{Checkpoints, Request, Waiting, Writer};

pub(super) mod bounds;

/// Where and how the record is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder. It is made for its owner only if it is not there.
    pub folder: PathBuf,
    /// The program with its version, for the record.
    pub program: String,
    /// A file that has this many bytes is the last but one.
    pub rotate_bytes: u64,
    /// A checkpoint is signed after this many lines at the latest …
    pub checkpoint_lines: u64,
    /// … and after this time, if there were any.
    pub checkpoint_after: Duration,
    /// How long to wait for another process that writes.
    pub lock_wait: Duration,
    /// When lines are put onto the disk.
    pub flush: Flush,
    /// How long a line may wait that need not be on the disk at once.
    pub flush_within: Duration,
    /// A second place for the lines.
    pub copy: Option<Copy>,
}

/// When the line before a call is put onto the disk. It is always written before the call runs, so
/// that a full disk and a file that somebody touched are found; a process that dies loses nothing.
/// What is not flushed yet, a power cut can take away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flush {
    /// Before the call runs, whatever the call is.
    Each,
    /// Before it runs where the call may change something; that of a read within a second.
    #[default]
    Second,
}

impl Flush {
    /// The words in settings.
    pub const WORDS: &'static [&'static str] = &["each", "second"];

    /// What a word in settings means.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "each" => Some(Self::Each),
            "second" => Some(Self::Second),
            _ => None,
        }
    }
}

impl Options {
    /// 64 MB a file, a checkpoint each 128 lines or minute, 5 s for another process, no copy.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            program: String::from("megaraptor"),
            rotate_bytes: 64 * 1024 * 1024,
            checkpoint_lines: 128,
            checkpoint_after: Duration::from_secs(60),
            lock_wait: Duration::from_secs(5),
            flush: Flush::default(),
            flush_within: Duration::from_secs(1),
            copy: None,
        }
    }
}

/// The open record. Clones share it; the last one to go closes it.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    flush: Flush,
    requests: Mutex<Option<Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    watch: Option<Watch>,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("folder", &self.0.folder).finish_non_exhaustive()
    }
}

impl Audit {
    /// Opens the record, or begins one, and writes that this process started. It blocks for as long
    /// as a flush takes.
    ///
    /// # Errors
    /// Whatever says that the record cannot be kept: the folder or the disk, another process that
    /// holds the lock, and what shows that somebody changed it since it was written.
    pub fn open(options: &Options) -> Result<Self, AuditError> {
        Self::open_on(options, Box::new(RealDisk), Timestamp::now)
    }

    pub(super) fn open_on(
        options: &Options,
        disk: Box<dyn Disk>,
        now: fn() -> Timestamp,
    ) -> Result<Self, AuditError> {
        let folder = &options.folder;
        let mut appender =
            Appender::open(folder, disk, now, options.rotate_bytes, options.lock_wait)?;
        let start = Event::Start {
            program: options.program.as_str().into(),
            pid: std::process::id(),
            emergency: emergency::tip(folder)?,
        };
        let mut first = vec![written(folder, &start)?];
        if let Some(copy) = &options.copy {
            let (to, state) = (copy.to_string().into(), "begins".into());
            first.push(written(folder, &Event::Copy { to, state })?);
        }
        first.push(Body::Checkpoint);
        let begun = appender.append(&first, true)?;

        let failed = |error| AuditError::io("starting the writer of", folder, error);
        let copying = options.copy.clone().map(Copying::start).transpose().map_err(failed)?;
        let watch = copying.as_ref().map(Copying::watch);
        if let Some(copying) = &copying {
            copying.send(&begun);
        }
        let (sender, requests) = channel();
        let checkpoints =
            Checkpoints { lines: options.checkpoint_lines, after: options.checkpoint_after };
        let flush_within = options.flush_within;
        let writer =
            Writer { appender, requests, checkpoints, copying, flush_within, doubtful: false };
        let thread = thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run())
            .map_err(failed)?;
        Ok(Self(Arc::new(Inner {
            folder: folder.clone(),
            flush: options.flush,
            requests: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            watch,
        })))
    }

    /// The folder of the record.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Records that a call is about to run. It is written when this returns, and only then may the
    /// call run; what is more than a read is on the disk ([`Flush`]). Dropping the future leaves a
    /// line without an outcome at the most.
    ///
    /// # Errors
    /// The call cannot be recorded and must not run.
    pub async fn begin(&self, intent: Intent) -> Result<Begun, AuditError> {
        let intent = bounds::fit(intent);
        let body = self.body(&Event::Intent(Cow::Borrowed(&intent)))?;
        let flush = intent.effect != Effect::Read || self.0.flush == Flush::Each;
        self.line(body, flush).await?;
        Ok(Begun {
            audit: self.clone(),
            call: intent.call,
            tool: intent.tool,
            started: Instant::now(),
            open: true,
        })
    }

    /// Records a call that ended before it began: its caller went away while it was prepared. Nobody
    /// waits for it.
    pub fn abandon(&self, intent: Intent) {
        let call = intent.call.clone();
        let intent = bounds::fit(intent);
        let begun = Begun {
            audit: self.clone(),
            call: intent.call.clone(),
            tool: intent.tool.clone(),
            started: Instant::now(),
            open: true,
        };
        let sent = self
            .body(&Event::Intent(Cow::Borrowed(&intent)))
            .and_then(|body| self.send(Request::Line { body, flush: false, done: None }));
        if let Err(error) = sent {
            tracing::error!(call, %error, "a call that was given up is not on record");
        }
        drop(begun);
    }

    /// Records what an emergency stop did, in lines that are on the disk when this returns.
    ///
    /// # Errors
    /// They cannot be recorded here: [`Audit::emergency`] takes them.
    pub async fn stopped(&self, call: &str, lines: &[String]) -> Result<(), AuditError> {
        let mut written = Vec::new();
        for text in lines {
            let text = emergency::fit(text);
            let body = self.body(&Event::Emergency { call: call.into(), text })?;
            let (done, wait) = oneshot::channel();
            self.send(Request::Line { body, flush: true, done: Some(Waiting::Task(done)) })?;
            written.push(wait);
        }
        // All of them share a flush or two.
        for wait in written {
            wait.await.map_err(|_| AuditError::Closed)??;
        }
        Ok(())
    }

    /// Where an emergency stop is recorded, whatever becomes of this record.
    pub fn emergency(&self) -> EmergencySink {
        EmergencySink::new(&self.0.folder)
    }

    /// How the second copy fares, where there is one.
    pub fn copy_state(&self) -> Option<CopyState> {
        self.0.watch.as_ref().map(Watch::state)
    }

    /// Writes the last line and a checkpoint. Later calls are refused.
    ///
    /// # Errors
    /// The last lines are not on the disk.
    pub async fn close(&self) -> Result<(), AuditError> {
        let (done, wait) = oneshot::channel();
        self.send(Request::Stop { done })?;
        wait.await.map_err(|_| AuditError::Closed)?
    }

    pub(super) fn body(&self, event: &Event<'_>) -> Result<String, AuditError> {
        body(event).map_err(|error| AuditError::write(&self.0.folder, error.into()))
    }

    async fn line(&self, body: String, flush: bool) -> Result<(), AuditError> {
        let (done, wait) = oneshot::channel();
        self.send(Request::Line { body, flush, done: Some(Waiting::Task(done)) })?;
        wait.await.map_err(|_| AuditError::Closed)?
    }

    pub(super) fn send(&self, request: Request) -> Result<(), AuditError> {
        let requests = self.0.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = requests.as_ref().ok_or(AuditError::Closed)?;
        sender.send(request).map_err(|_| AuditError::Closed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.requests.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread of the audit record panicked");
        }
    }
}

fn written(folder: &Path, event: &Event<'_>) -> Result<Body, AuditError> {
    line(event).map_err(|error| AuditError::write(folder, error.into()))
}

/// A call that is on record and may run. Dropped without [`Begun::end`], it is recorded as
/// `abandoned`.
#[derive(Debug)]
#[must_use = "a call that is dropped is recorded as abandoned"]
pub struct Begun {
    audit: Audit,
    call: String,
    tool: String,
    started: Instant,
    open: bool,
}

impl Begun {
    /// Records what came of the call. It is written when this returns, and flushed with the next
    /// call or within a second.
    ///
    /// # Errors
    /// The call ran, but what came of it is not on record: say so with the answer.
    pub async fn end(mut self, outcome: Outcome) -> Result<(), AuditError> {
        let body = self.outcome(outcome)?;
        self.open = false;
        self.audit.line(body, false).await
    }

    fn outcome(&self, outcome: Outcome) -> Result<String, AuditError> {
        let (answer, bytes) = outcome.answer.unzip();
        let ended = Ended {
            call: self.call.clone(),
            tool: self.tool.clone(),
            outcome: outcome.code,
            answer,
            bytes,
            identity: outcome.identity,
            took_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        self.audit.body(&Event::Outcome(Cow::Owned(ended)))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let sent = self
            .outcome(Outcome::without_answer("abandoned"))
            .and_then(|body| self.audit.send(Request::Line { body, flush: false, done: None }));
        if let Err(error) = sent {
            tracing::error!(call = self.call, %error, "an abandoned call has no outcome on record");
        }
    }
}

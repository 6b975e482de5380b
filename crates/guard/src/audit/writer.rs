//! The thread that writes: all calls that wait at a time share one flush, and what need not wait
//! for one is flushed within a second.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::append::{Appender, Body, line};
use super::copy::{CopyChange, Copying};
use super::error::AuditError;
use super::line::event::Event;

/// No more lines than this are written in one piece.
const BATCH: usize = 256;

/// What the writer is asked.
pub(super) enum Request {
    /// Add a line. With `flush` the answer comes when it is on the disk.
    Line { body: String, flush: bool, done: Option<Waiting> },
    /// End in order: a last line, a last checkpoint.
    Stop { done: oneshot::Sender<Result<(), AuditError>> },
}

/// Who waits for a line: a task of the runtime, or a thread.
pub(super) enum Waiting {
    Task(oneshot::Sender<Result<(), AuditError>>),
    Thread(SyncSender<Result<(), AuditError>>),
}

impl Waiting {
    fn tell(self, result: Result<(), AuditError>) {
        // Whoever asked may have stopped waiting.
        match self {
            Self::Task(done) => drop(done.send(result)),
            Self::Thread(done) => drop(done.try_send(result)),
        }
    }
}

/// When checkpoints are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checkpoints {
    pub(super) lines: u64,
    pub(super) after: Duration,
}

pub(super) struct Writer {
    pub(super) appender: Appender,
    pub(super) requests: Receiver<Request>,
    pub(super) checkpoints: Checkpoints,
    pub(super) copying: Option<Copying>,
    /// How long a line may wait for the flush of another.
    pub(super) flush_within: Duration,
    /// The last write or flush failed: until one succeeds, nobody is answered before a flush.
    pub(super) doubtful: bool,
}

impl Writer {
    /// Serves requests until the last sender is gone.
    pub(super) fn run(mut self) {
        let mut flush_at: Option<Instant> = None;
        let mut checkpoint_at = Instant::now() + self.checkpoints.after;
        let mut stopped = false;
        loop {
            let idle = self.appender.unsigned_lines() == 0;
            let due = match (flush_at, idle) {
                (Some(at), _) => Some(at),
                (None, false) => Some(checkpoint_at),
                (None, true) => None,
            };
            let next = match due {
                Some(due) => {
                    self.requests.recv_timeout(due.saturating_duration_since(Instant::now()))
                }
                None => self.requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let first = match next {
                Ok(request) => Some(request),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let Some(mut batch) = Batch::of(first, &self.requests, stopped) else { continue };
            stopped |= batch.stop.is_some();
            let now = Instant::now();
            let checkpoint = batch.stop.is_some()
                || self.appender.unsigned_lines() + batch.bodies.len() as u64
                    >= self.checkpoints.lines
                || (now >= checkpoint_at && !(idle && batch.bodies.is_empty()));
            let due = flush_at.is_some_and(|at| now >= at);
            // The timer's flush is nobody's to wait for, unless a flush failed before.
            let flush = batch.flush || batch.stop.is_some() || self.doubtful;
            if checkpoint {
                checkpoint_at = now + self.checkpoints.after;
            }
            let mut result = self.write(batch.bodies, checkpoint, flush);
            if due && !flush && result.is_ok() {
                answer(&mut batch.waiting, &result);
                result = self.write(Vec::new(), false, true);
            }
            self.doubtful = result.is_err();
            if let Err(error) = &result {
                tracing::error!(%error, "the audit record is not kept");
            }
            // A timer that fails is not tried again at once: the next call brings the next try.
            flush_at = match (self.appender.is_dirty(), &result) {
                (true, Ok(())) => Some(flush_at.unwrap_or(now + self.flush_within)),
                _ => None,
            };
            if result.is_err() {
                checkpoint_at = now + self.checkpoints.after;
            }
            batch.waiting.extend(batch.stop.map(Waiting::Task));
            answer(&mut batch.waiting, &result);
        }
        if !stopped && let Err(error) = self.stop() {
            tracing::error!(%error, "the audit record was not closed in order");
        }
        if let Some(copying) = self.copying {
            copying.finish();
        }
    }

    fn stop(&mut self) -> Result<(), AuditError> {
        let stop = line(&Event::Stop {}).map_err(|error| AuditError::write("", error.into()))?;
        self.write(vec![stop], true, true)
    }

    fn write(
        &mut self,
        mut bodies: Vec<Body>,
        checkpoint: bool,
        flush: bool,
    ) -> Result<(), AuditError> {
        for CopyChange { to, state } in self.copying.iter().flat_map(Copying::changes) {
            let event = Event::Copy { to: to.into(), state: state.into() };
            let failed = |error: serde_json::Error| AuditError::write("", error.into());
            bodies.push(line(&event).map_err(failed)?);
        }
        if checkpoint {
            bodies.push(Body::Checkpoint);
        }
        if bodies.is_empty() && !flush {
            return Ok(());
        }
        let added = self.appender.append(&bodies, flush)?;
        if let Some(copying) = &self.copying {
            copying.send(&added);
        }
        Ok(())
    }
}

/// Requests that are served together.
#[derive(Default)]
struct Batch {
    bodies: Vec<Body>,
    flush: bool,
    waiting: Vec<Waiting>,
    stop: Option<oneshot::Sender<Result<(), AuditError>>>,
}

impl Batch {
    /// Takes what waits. After a stop everything else is refused; `None` says that this was all.
    fn of(first: Option<Request>, queue: &Receiver<Request>, stopped: bool) -> Option<Self> {
        let mut batch = Self::default();
        let timer = first.is_none();
        let mut next = first;
        while let Some(request) = next {
            match request {
                _ if stopped || batch.stop.is_some() => refuse(request),
                Request::Line { body, flush, done } => {
                    batch.bodies.push(Body::Event(body));
                    batch.flush |= flush;
                    batch.waiting.extend(done);
                }
                Request::Stop { done } => match line(&Event::Stop {}) {
                    Ok(stop) => {
                        batch.bodies.push(stop);
                        batch.stop = Some(done);
                    }
                    Err(error) => drop(done.send(Err(AuditError::write("", error.into())))),
                },
            }
            next = if batch.bodies.len() < BATCH { queue.try_recv().ok() } else { None };
        }
        (timer || !batch.bodies.is_empty()).then_some(batch)
    }
}

fn answer(waiting: &mut Vec<Waiting>, result: &Result<(), AuditError>) {
    for done in waiting.drain(..) {
        done.tell(result.clone());
    }
}

fn refuse(request: Request) {
    let done = match request {
        Request::Line { done, .. } => done,
        Request::Stop { done } => Some(Waiting::Task(done)),
    };
    if let Some(done) = done {
        done.tell(Err(AuditError::Closed));
    }
}

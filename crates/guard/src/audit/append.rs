//! Adding lines to a log: sealed, written in one piece, flushed, signed for.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::error::AuditError;
use super::head::{self, Head};
use super::key::Message;
use super::line::ascii_hostile;
use super::line::event::{Event, Stamp};
use super::log::{Disk, Log, random_id};

/// The disk as it is.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn flush(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn write_again(&mut self, path: &Path, from: u64, to: u64) -> io::Result<()> {
        // A handle that does not append.
        let mut file = File::options().read(true).write(true).open(path)?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        (&file).take(to.saturating_sub(from)).read_to_end(&mut bytes)?;
        file.seek(SeekFrom::Start(from))?;
        file.write_all(&bytes)
    }
}

/// A log with this process's place in it.
pub(super) struct Appender {
    log: Log,
    process: String,
    start: Instant,
    /// The wall clock.
    now: fn() -> Timestamp,
    rotate_bytes: u64,
    lock_wait: Duration,
    /// Where the lines begin that were written and are not flushed: the file and the place in it.
    unflushed: Option<(u64, u64)>,
    /// A flush failed, and they are to be written again before the next one.
    doubtful: bool,
    /// What this append has added so far.
    added: Vec<u8>,
}

/// A line to be written.
pub(super) enum Body {
    /// Its members, as [`body`] makes them.
    Event(String),
    /// A signature over the line before it.
    Checkpoint,
}

/// A line of an event.
pub(super) fn line(event: &Event<'_>) -> Result<Body, serde_json::Error> {
    body(event).map(Body::Event)
}

/// The members of an event, without braces.
pub(super) fn body(event: &Event<'_>) -> Result<String, serde_json::Error> {
    let json = ascii_hostile(serde_json::to_string(event)?);
    Ok(json[1..json.len() - 1].to_owned())
}

impl Appender {
    /// Opens the log and goes to its end.
    pub(super) fn open(
        folder: &Path,
        disk: Box<dyn Disk>,
        now: fn() -> Timestamp,
        rotate_bytes: u64,
        lock_wait: Duration,
    ) -> Result<Self, AuditError> {
        Ok(Self {
            log: Log::open(folder, disk, lock_wait)?,
            process: random_id::<8>()?,
            start: Instant::now(),
            now,
            rotate_bytes,
            lock_wait,
            unflushed: None,
            doubtful: false,
            added: Vec::new(),
        })
    }

    /// Lines since the last checkpoint.
    pub(super) const fn unsigned_lines(&self) -> u64 {
        self.log.at.seq.saturating_sub(self.log.at.checkpoint)
    }

    pub(super) const fn is_dirty(&self) -> bool {
        self.unflushed.is_some()
    }

    /// Appends lines; with `flush`, they are on the disk and signed for when this returns. Gives
    /// the bytes that were added. After an error none of them counts.
    pub(super) fn append(&mut self, bodies: &[Body], flush: bool) -> Result<Vec<u8>, AuditError> {
        let handle = self.log.head.handle()?;
        let _lock = head::lock(&handle, self.log.head.path(), self.lock_wait)?;
        self.added.clear();
        self.log.follow()?;
        // Whoever went on to the next file has flushed the one before.
        self.unflushed = self.unflushed.filter(|(file, _)| *file == self.log.at.file);
        if self.log.at.offset >= self.rotate_bytes {
            self.rotate()?;
        }
        let before = self.log.at.clone();
        let unflushed = self.unflushed;
        self.write(bodies)?;
        if flush && let Err(error) = self.flush() {
            // The system may take the pages for clean now: what is written again is flushed again.
            // Where this fails too, the lines are found when the next ones are added.
            if self.log.active.set_len(before.offset).is_ok() {
                self.log.at = before;
                self.unflushed = unflushed;
            }
            self.doubtful = true;
            return Err(error);
        }
        Ok(std::mem::take(&mut self.added))
    }

    /// Flushes what was written, and signs for it.
    fn flush(&mut self) -> Result<(), AuditError> {
        let log = &mut self.log;
        if self.doubtful
            && let Some((_, from)) = self.unflushed
        {
            let path = log.path();
            log.disk
                .write_again(&path, from, log.at.offset)
                .map_err(|error| AuditError::write(path, error))?;
        }
        log.disk.flush(&log.active).map_err(|error| AuditError::write(log.path(), error))?;
        self.unflushed = None;
        self.doubtful = false;
        let at = &log.at;
        if at.seq > log.signed {
            let head = Head::sign(log.chain.id(), at.seq, at.hash, at.file, at.offset, &log.key);
            let slot = 1 - log.slot;
            log.head.write(&head, slot)?;
            log.slot = slot;
            log.signed = head.seq;
        }
        Ok(())
    }

    /// Ends the file and begins the next one. A crash between any two steps is gone on from.
    fn rotate(&mut self) -> Result<(), AuditError> {
        let next = self.log.at.file + 1;
        let rotate = body(&Event::Rotate { next })
            .map_err(|error| AuditError::write(self.log.path(), error.into()))?;
        self.write(&[Body::Checkpoint, Body::Event(rotate)])?;
        // From here on the next file is the one to write to, also after an error below.
        self.log.at.rotated = true;
        self.flush()?;
        self.log.enter_next()
    }

    fn write(&mut self, bodies: &[Body]) -> Result<(), AuditError> {
        let log = &mut self.log;
        let mut out = Vec::new();
        let mut first = Vec::new();
        let unwritten = |error: serde_json::Error| AuditError::write(log.path(), error.into());
        if let Some(torn) = log.torn {
            if !torn.ends_line {
                out.push(b'\n');
            }
            let mark = Event::Torn { at: log.at.offset, bytes: torn.bytes, sha256: torn.sha256 };
            first.push(Body::Event(body(&mark).map_err(unwritten)?));
        }
        let begins = log.at.fresh.then(|| Cow::Borrowed(log.chain.id()));
        let header = match begins {
            Some(id) if log.at.file == 1 => {
                Some(Event::Log { log: id, key: log.key.public().to_string().into() })
            }
            Some(id) => Some(Event::Continue { log: id, from: log.at.file - 1 }),
            None => None,
        };
        if let Some(header) = header {
            first.push(Body::Event(body(&header).map_err(unwritten)?));
        }

        let time = (self.now)();
        let up_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut at = log.at.clone();
        // Where a torn end stands, the lines begin after it.
        let end = at.offset + log.torn.map_or(0, |torn| torn.bytes);
        for line in first.iter().chain(bodies) {
            let process = Cow::Borrowed(self.process.as_str());
            let stamp = Stamp { seq: at.seq + 1, time, up_ms, process };
            let stamp = serde_json::to_string(&stamp).map_err(unwritten)?;
            let stamp = &stamp[1..stamp.len() - 1];
            let hash = match line {
                Body::Event(body) => log.chain.seal(&mut out, stamp, body, at.hash),
                Body::Checkpoint => {
                    let signed =
                        Message::Checkpoint { log: log.chain.id(), seq: at.seq, hash: at.hash };
                    let sig = log.key.sign(&signed).into();
                    let body = body(&Event::Checkpoint { sig }).map_err(unwritten)?;
                    at.checkpoint = at.seq + 1;
                    log.chain.seal(&mut out, stamp, &body, at.hash)
                }
            };
            at.seq += 1;
            at.hash = hash;
        }
        if let Err(error) = log.disk.write(&mut log.active, &out) {
            // Take back what was written by half. Where that fails too, it is found torn.
            let _ = log.active.set_len(end);
            return Err(AuditError::write(log.path(), error));
        }
        if !out.is_empty() {
            self.unflushed.get_or_insert((at.file, end));
        }
        at.offset = end + out.len() as u64;
        at.fresh = false;
        log.at = at;
        log.torn = None;
        self.added.append(&mut out);
        Ok(())
    }
}

//! The files of a log, and where its end is.
//!
//! [`Log::follow`] is the one way to the end: on start from the signed head, later from what this
//! process knew last. It reads what was added, checks that it continues the chain, and finds what
//! was cut, replaced or torn.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::digest::Digest;

use super::error::AuditError;
use super::head::{self, Head, HeadFile, Slots};
use super::key::hex;
use super::key::{Key, PublicKey};
use super::line::event::Kind;
use super::line::{Chain, Frame, MAX_BYTES, NOTHING};
use super::torn::Marks;

mod files;

pub(super) use files::{file_name, files};
use files::{make_file, make_folder, open_file, same_file};

pub(super) const HEAD: &str = "head";
pub(super) const KEY: &str = "audit.key";

/// The end of what is known.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub(super) file: u64,
    /// The end of the last line, in bytes.
    pub(super) offset: u64,
    pub(super) seq: u64,
    pub(super) hash: Digest,
    /// No line of this file is known yet.
    pub(super) fresh: bool,
    /// The last line says that the next file goes on.
    pub(super) rotated: bool,
    /// The last checkpoint.
    pub(super) checkpoint: u64,
}

/// Bytes at the end of the file that are no lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Torn {
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
    pub(super) ends_line: bool,
}

/// Writes to a file. Tests put faults in its place.
pub(super) trait Disk: Send {
    /// Writes all bytes at the end.
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    /// Returns when what was written is on the disk.
    fn flush(&mut self, file: &File) -> io::Result<()>;
    /// Writes these bytes of a file over with themselves: a flush that failed may have let the
    /// system take them for written.
    fn write_again(&mut self, path: &Path, from: u64, to: u64) -> io::Result<()>;
}

/// An open log.
pub(super) struct Log {
    pub(super) folder: PathBuf,
    pub(super) head: HeadFile,
    pub(super) key: Key,
    pub(super) chain: Chain,
    pub(super) at: Position,
    /// The sequence number of the last head that was read or written.
    pub(super) signed: u64,
    pub(super) slot: usize,
    /// The head's bytes when they were last checked: the same bytes say the same.
    seen: Vec<u8>,
    pub(super) torn: Option<Torn>,
    pub(super) active: File,
    pub(super) disk: Box<dyn Disk>,
}

impl Log {
    /// Opens the log of a folder, or begins one. A new log has no line yet.
    pub(super) fn open(
        folder: &Path,
        disk: Box<dyn Disk>,
        wait: Duration,
    ) -> Result<Self, AuditError> {
        make_folder(folder).map_err(|error| AuditError::io("making", folder, error))?;
        let mut head = HeadFile::open(&folder.join(HEAD))?;
        let handle = head.handle()?;
        let _lock = head::lock(&handle, head.path(), wait)?;

        let slots = head.read()?;
        let key_path = folder.join(KEY);
        let (slot, last, key) = match slots.latest() {
            Some((slot, last)) => {
                let key = Key::load(&key_path)?;
                check_head(last, &key.public(), head.path())?;
                (*slot, last.clone(), key)
            }
            None => {
                if slots.unreadable > 0 || !files(folder)?.is_empty() {
                    return Err(AuditError::HeadMissing { path: head.path().to_owned() });
                }
                let key = Key::load_or_make(&key_path)?;
                let first = Head::sign(&new_id()?, 0, NOTHING, 1, 0, &key);
                head.write(&first, 0)?;
                head.sync()?;
                (0, first, key)
            }
        };
        let at = Position {
            file: last.file,
            offset: last.length,
            seq: last.seq,
            hash: last.hash,
            fresh: last.length == 0,
            rotated: false,
            checkpoint: last.seq,
        };
        let path = folder.join(file_name(at.file));
        let active = if at.offset == 0 { make_file(folder, &path)? } else { open_file(&path)? };
        let chain = Chain::log(&last.log);
        let signed = last.seq;
        let mut log = Self {
            folder: folder.to_owned(),
            head,
            key,
            chain,
            at,
            signed,
            slot,
            seen: Vec::new(),
            torn: None,
            active,
            disk,
        };
        log.check_signed_line()?;
        log.follow()?;
        Ok(log)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(file_name(self.at.file))
    }

    /// Goes to the end of the log. The caller holds the lock.
    pub(super) fn follow(&mut self) -> Result<(), AuditError> {
        same_file(self.head.file(), self.head.path())?;
        loop {
            let path = self.path();
            same_file(&self.active, &path)?;
            let found =
                self.active.metadata().map_err(|e| AuditError::io("reading", &path, e))?.len();
            if found < self.at.offset {
                return Err(AuditError::Truncated { path, expected: self.at.offset, found });
            }
            self.torn = None;
            if found > self.at.offset {
                self.read_on(&path)?;
            }
            if !self.at.rotated {
                break;
            }
            self.enter_next()?;
        }
        self.compare_with_head()
    }

    /// Reads the lines after the position in the file.
    fn read_on(&mut self, path: &Path) -> Result<(), AuditError> {
        let mut bytes = Vec::new();
        self.active
            .seek(SeekFrom::Start(self.at.offset))
            .and_then(|_| self.active.read_to_end(&mut bytes))
            .map_err(|error| AuditError::io("reading", path, error))?;
        let start = self.at.offset;
        let mut marks = None;
        let mut at = 0;
        while at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map(|feed| at + feed);
            if let Some(end) = end
                && let Some(frame) = self.next_line(&bytes[at..end])
            {
                at = end + 1;
                self.advance(&frame, start + at as u64);
                continue;
            }
            // The offsets in marks are those of the file.
            let marks = match &marks {
                Some(marks) => marks,
                None => marks.insert(Marks::of(&self.whole(path)?, &self.chain)),
            };
            let Ok(place) = usize::try_from(start + at as u64) else { break };
            if let Some(next) = marks.at(place) {
                at += next - place;
                continue;
            }
            let rest = &bytes[at..];
            self.torn = Some(Torn {
                bytes: rest.len() as u64,
                sha256: Digest::of_bytes(rest),
                ends_line: rest.last() == Some(&b'\n'),
            });
            break;
        }
        Ok(())
    }

    fn whole(&mut self, path: &Path) -> Result<Vec<u8>, AuditError> {
        let mut bytes = Vec::new();
        self.active
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.active.read_to_end(&mut bytes))
            .map_err(|error| AuditError::io("reading", path, error))?;
        Ok(bytes)
    }

    fn next_line(&self, line: &[u8]) -> Option<Frame> {
        let frame = self.chain.open(line).ok()?;
        let follows = frame.seq == self.at.seq + 1 && frame.prev == self.at.hash;
        (follows && !self.at.rotated).then_some(frame)
    }

    fn advance(&mut self, frame: &Frame, offset: u64) {
        self.at.offset = offset;
        self.at.seq = frame.seq;
        self.at.hash = frame.hash;
        self.at.fresh = false;
        match frame.kind {
            Kind::Rotate => self.at.rotated = true,
            Kind::Checkpoint => self.at.checkpoint = frame.seq,
            _ => {}
        }
    }

    /// Goes to the file after the one that is full; makes it if it is not there.
    pub(super) fn enter_next(&mut self) -> Result<(), AuditError> {
        let path = self.folder.join(file_name(self.at.file + 1));
        self.active = make_file(&self.folder, &path)?;
        self.at.file += 1;
        self.at.offset = 0;
        self.at.fresh = true;
        self.at.rotated = false;
        Ok(())
    }

    /// What the signed head says must be there.
    fn compare_with_head(&mut self) -> Result<(), AuditError> {
        let bytes = self.head.bytes()?;
        if bytes == self.seen {
            return Ok(());
        }
        let slots = Slots::parse(&bytes);
        let path = self.head.path().to_owned();
        let Some((slot, last)) = slots.latest() else {
            return Err(AuditError::HeadMissing { path });
        };
        check_head(last, &self.key.public(), &path)?;
        if last.seq < self.signed || last.log != self.chain.id() {
            let why = format!(
                "it signs for line {} of log {}, after line {} of log {} was signed for",
                last.seq,
                last.log,
                self.signed,
                self.chain.id()
            );
            return Err(AuditError::Changed { path, at: 0, why });
        }
        if last.seq > self.at.seq {
            if self.torn.is_some() {
                let why = format!("line {} does not stand there", self.at.seq + 1);
                return Err(AuditError::Changed { path: self.path(), at: self.at.offset, why });
            }
            return Err(AuditError::Cut { expected: last.seq, found: self.at.seq });
        }
        if last.seq == self.at.seq && last.hash != self.at.hash {
            let why = format!("line {} is not the one that the head signs for", last.seq);
            return Err(AuditError::Changed { path: self.path(), at: self.at.offset, why });
        }
        self.slot = *slot;
        self.signed = last.seq;
        self.seen = bytes;
        Ok(())
    }

    /// The line that the head signs for stands where it says. Only its end is looked at: the rest
    /// is for `verify`.
    fn check_signed_line(&mut self) -> Result<(), AuditError> {
        let path = self.path();
        let io = |error| AuditError::io("reading", &path, error);
        let found = self.active.metadata().map_err(io)?.len();
        let expected = self.at.offset;
        if found < expected {
            return Err(AuditError::Truncated { path, expected, found });
        }
        if expected == 0 {
            return Ok(());
        }
        let from = expected.saturating_sub(MAX_BYTES as u64);
        let mut bytes = Vec::new();
        self.active
            .seek(SeekFrom::Start(from))
            .and_then(|_| (&self.active).take(expected - from).read_to_end(&mut bytes))
            .map_err(io)?;
        let line = bytes
            .strip_suffix(b"\n")
            .map(|line| &line[memchr::memrchr(b'\n', line).map_or(0, |feed| feed + 1)..]);
        match line.map(|line| self.chain.open(line)) {
            Some(Ok(frame)) if frame.seq == self.at.seq && frame.hash == self.at.hash => {
                self.at.rotated = frame.kind == Kind::Rotate;
                Ok(())
            }
            _ => {
                let why =
                    format!("line {}, which the head signs for, does not end there", self.at.seq);
                Err(AuditError::Changed { path, at: expected, why })
            }
        }
    }
}

fn check_head(head: &Head, key: &PublicKey, path: &Path) -> Result<(), AuditError> {
    if head.is_signed_by(key) {
        return Ok(());
    }
    let why = String::from("its signature is not that of the audit key");
    Err(AuditError::Changed { path: path.to_owned(), at: 0, why })
}

fn new_id() -> Result<String, AuditError> {
    random_id::<16>()
}

/// An id that no other process and no other log has.
pub(super) fn random_id<const N: usize>() -> Result<String, AuditError> {
    let mut bytes = [0; N];
    // Of the system: the library's own source takes 30 ms to begin, at each start.
    getrandom::fill(&mut bytes)
        .map_err(|_| AuditError::io("making an id for", "", io::Error::other("no random bytes")))?;
    Ok(hex(&bytes))
}

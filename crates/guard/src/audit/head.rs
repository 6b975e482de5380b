//! The head: the last line that is known to be on disk, signed. Its file is also the lock.
//!
//! The file holds two slots of a fixed size, written in turn, so that a crash in the middle of a
//! write leaves the other one. It is never replaced: a lock on a file that another has taken the
//! place of would lock nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

use super::error::AuditError;
use super::key::{Key, Message, PublicKey};

const SLOT: usize = 512;

/// The last line on disk and where it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) log: String,
    pub(super) seq: u64,
    pub(super) hash: Digest,
    pub(super) file: u64,
    pub(super) length: u64,
    pub(super) key: String,
    pub(super) sig: String,
}

impl Head {
    pub(super) fn sign(
        log: &str,
        seq: u64,
        hash: Digest,
        file: u64,
        length: u64,
        key: &Key,
    ) -> Self {
        let sig = key.sign(&Message::Head { log, seq, hash, file, length });
        Self { log: log.to_owned(), seq, hash, file, length, key: key.public().to_string(), sig }
    }

    /// Says whether the signature is that of the key.
    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let Self { log, seq, hash, file, length, .. } = self;
        let message = Message::Head { log, seq: *seq, hash: *hash, file: *file, length: *length };
        self.key == key.to_string() && key.signed(&message, &self.sig)
    }
}

/// What the head's file holds.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// The slots that can be read, with their number.
    pub(super) heads: Vec<(usize, Head)>,
    /// Slots that hold something else.
    pub(super) unreadable: usize,
}

impl Slots {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut slots = Self::default();
        for (number, slot) in bytes.chunks(SLOT).take(2).enumerate() {
            match serde_json::from_slice(slot) {
                Ok(head) => slots.heads.push((number, head)),
                // The second slot is empty until a second head was written.
                Err(_) if slot.iter().all(|byte| *byte == 0) => {}
                Err(_) => slots.unreadable += 1,
            }
        }
        slots
    }

    /// The slot with the latest head.
    pub(super) fn latest(&self) -> Option<&(usize, Head)> {
        self.heads.iter().max_by_key(|(_, head)| head.seq)
    }
}

/// The open head file.
pub(super) struct HeadFile {
    file: File,
    path: PathBuf,
}

/// The lock between processes. It ends with the value, and with the process.
pub(super) struct Locked<'a>(&'a File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // It fails only where the file is no longer open, and then the lock is gone too.
        let _ = self.0.unlock();
    }
}

impl HeadFile {
    /// Opens the file, or makes an empty one.
    pub(super) fn open(path: &Path) -> Result<Self, AuditError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| AuditError::io("opening", path, error))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// A second handle of the same open file, to hold the lock with.
    pub(super) fn handle(&self) -> Result<File, AuditError> {
        self.file.try_clone().map_err(|error| AuditError::io("opening", &self.path, error))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Reads both slots.
    pub(super) fn read(&mut self) -> Result<Slots, AuditError> {
        Ok(Slots::parse(&self.bytes()?))
    }

    /// The bytes of both slots.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, AuditError> {
        let mut bytes = Vec::with_capacity(2 * SLOT);
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| (&self.file).take(2 * SLOT as u64).read_to_end(&mut bytes))
            .map_err(|error| AuditError::io("reading", &self.path, error))?;
        Ok(bytes)
    }

    /// Writes a head over the older of the two slots. It is not flushed: a head that is behind its
    /// log after a power cut is no fault, and one that is ahead cannot be, since the log was.
    pub(super) fn write(&mut self, head: &Head, over: usize) -> Result<(), AuditError> {
        let mut slot = serde_json::to_vec(head)
            .map_err(|error| AuditError::write(&self.path, error.into()))?;
        slot.resize(SLOT - 1, b' ');
        slot.push(b'\n');
        self.file
            .seek(SeekFrom::Start((over * SLOT) as u64))
            .and_then(|_| self.file.write_all(&slot))
            .map_err(|error| AuditError::write(&self.path, error))
    }

    pub(super) fn sync(&self) -> Result<(), AuditError> {
        self.file.sync_all().map_err(|error| AuditError::write(&self.path, error))
    }
}

/// Takes the lock of a head file, waiting for at most `wait`.
pub(super) fn lock<'a>(
    file: &'a File,
    path: &Path,
    wait: Duration,
) -> Result<Locked<'a>, AuditError> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Locked(file)),
            Err(TryLockError::Error(error)) => {
                return Err(AuditError::io("locking", path, error));
            }
            Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                return Err(AuditError::Busy { path: path.to_owned(), waited: start.elapsed() });
            }
            Err(TryLockError::WouldBlock) => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(4));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_written_slot_leaves_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::load_or_make(&folder.path().join("audit.key")).unwrap();
        let mut file = HeadFile::open(&folder.path().join("head")).unwrap();
        let head = |seq| Head::sign("a", seq, Digest::of_bytes(b"x"), 1, 10 * seq, &key);
        file.write(&head(u64::MAX / 20), 0).unwrap();
        file.write(&head(2), 1).unwrap();
        let slots = file.read().unwrap();
        assert_eq!(slots.latest().unwrap(), &(0, head(u64::MAX / 20)));
        assert!(slots.heads.iter().all(|(_, head)| head.is_signed_by(&key.public())));

        file.file.seek(SeekFrom::Start(100)).unwrap();
        file.file.write_all(b"????").unwrap();
        let slots = file.read().unwrap();
        assert_eq!((slots.latest().unwrap().1.seq, slots.unreadable), (2, 1));
    }
}

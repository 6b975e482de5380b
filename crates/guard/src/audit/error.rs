//! Why something could not be recorded.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The record cannot be kept. The call that it was for must not run.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditError {
    /// A file or folder could not be opened, read or made.
    #[error("the audit record cannot be kept: {what} {}: {source}", path.display())]
    Io {
        /// What was tried, as "opening".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said. Shared, since one write serves several calls.
        source: Arc<io::Error>,
    },
    /// A line could not be written or flushed, for example because the disk is full.
    #[error("the audit record cannot be written: {}: {source}; no call runs until it can", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Another file has taken the place of one that is being written, or it was removed.
    #[error("{} was replaced or removed while the audit record was being written; verify it (`megaraptor audit verify`) and start again", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// A file is shorter than what was written to it.
    #[error("{} was cut: {expected} bytes were written, {found} are there; verify the record (`megaraptor audit verify`), move its folder away, and start again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that were written.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The signed head names lines that are not there.
    #[error(
        "the audit record ends at line {found}, the signed head says {expected}: its tail was cut off; verify it (`megaraptor audit verify`), move its folder away, and start again"
    )]
    Cut {
        /// The last line by the head.
        expected: u64,
        /// The last line that is there.
        found: u64,
    },
    /// What is in a file is not what was written.
    #[error("{} was changed at byte {at}: {why}; verify the record (`megaraptor audit verify`), move its folder away, and start again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from the start.
        at: u64,
        /// What is wrong there.
        why: String,
    },
    /// There are lines, but no head that signs for them.
    #[error("{} is missing or empty, but there are audit files: the record cannot be continued; move its folder away and start again", path.display())]
    HeadMissing {
        /// The head's file.
        path: PathBuf,
    },
    /// The signing key cannot be used.
    #[error("the audit key {} cannot be used: {why}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Why, with the next step.
        why: String,
    },
    /// Another process holds the lock.
    #[error("another process has held {} for {} ms; end it if it hangs", path.display(), waited.as_millis())]
    Busy {
        /// The locked file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// The record was closed.
    #[error("the audit record was closed: the program is shutting down")]
    Closed,
}

impl AuditError {
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { what, path: path.into(), source: Arc::new(source) }
    }

    pub(super) fn write(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Write { path: path.into(), source: Arc::new(source) }
    }
}

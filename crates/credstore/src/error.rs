//! Why a secret cannot be kept or opened. No text of these holds a value, a key or a passphrase.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::CredentialRef;

/// A part of a store on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `store.json`: to whom the secrets are encrypted, and where the key is.
    Header,
    /// `index.json`: what there is.
    Index,
    /// What opens the secrets.
    Key,
    /// One encrypted secret.
    Secret,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the head of the credential store",
            Self::Index => "the index of the credential store",
            Self::Key => "the key of the credential store",
            Self::Secret => "the file of a secret",
        })
    }
}

/// Why a secret cannot be kept or opened. Whatever it is, nothing was overwritten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no secret of this name.
    #[error("there is no secret {credential}; the list shows what there is")]
    Unknown {
        /// The name.
        credential: CredentialRef,
    },
    /// There is one already.
    #[error(
        "{credential} is there since {made} and is not overwritten; choose another name, or remove it first"
    )]
    Exists {
        /// The name.
        credential: CredentialRef,
        /// Since when.
        made: Timestamp,
    },
    /// Its use has ended.
    #[error(
        "{credential} expired at {at}; it is still kept, and is opened only where expired ones are asked for"
    )]
    Expired {
        /// The name.
        credential: CredentialRef,
        /// When.
        at: Timestamp,
    },
    /// A part of the store is not there.
    #[error("{part} is missing: {place}; {next}")]
    Missing {
        /// Which.
        part: Part,
        /// Where it was looked for.
        place: String,
        /// What to do.
        next: &'static str,
    },
    /// The key is there, and somebody has to open it.
    #[error("the credential store is locked: {why}; {next}")]
    Locked {
        /// What keeps it shut.
        why: String,
        /// What to do.
        next: &'static str,
    },
    /// What was given does not open it.
    #[error("{what} does not open the credential store; {next}")]
    WrongKey {
        /// What was tried.
        what: String,
        /// What to do.
        next: &'static str,
    },
    /// A file is not what was written.
    #[error("{} is damaged: {why}; {next}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        next: &'static str,
    },
    /// A file was written by a newer program.
    #[error("{} has version {found}, and this program knows {known}: use the newer program", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The version that is known.
        known: u64,
    },
    /// Another process holds the store.
    #[error("the credential store is in use: {} stayed locked for {} s; try again when the other megaraptor is done", path.display(), waited.as_secs())]
    Busy {
        /// The file that is locked.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The value is too long.
    #[error("{credential} would have {size} bytes; at most {} are kept", crate::LONGEST)]
    TooLong {
        /// The name.
        credential: CredentialRef,
        /// Its length.
        size: usize,
    },
    /// The value is no text.
    #[error("{credential} is no text; open it as bytes")]
    NotText {
        /// The name.
        credential: CredentialRef,
    },
    /// A passphrase cannot be read from where it was to come from.
    #[error("the passphrase cannot be read: {0}")]
    Asking(String),
    /// The file system refused, or others can reach a file.
    #[error(transparent)]
    Files(#[from] owner_only::Error),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
}

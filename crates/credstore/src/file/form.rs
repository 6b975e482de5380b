//! The files of a store: versions, ids, digests, and what a file that is not there means.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Part, StoreError};

/// The version of the form of every file of a store.
pub(super) const VERSION: u64 = 1;

/// The longest file that is read: an index of some hundred thousand secrets.
const LONGEST: u64 = 256 * 1024 * 1024;

/// A name that no file has had, of 32 hexadecimal digits. It is part of paths, so nothing else is
/// ever read from a file as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct FileId(String);

impl FileId {
    pub(crate) fn random() -> Result<Self, StoreError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| StoreError::NoRandomness)?;
        Ok(Self(hex(&random)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FileId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(digit) {
            Ok(Self(text))
        } else {
            Err("an id is 32 hexadecimal digits".to_owned())
        }
    }
}

impl From<FileId> for String {
    fn from(id: FileId) -> Self {
        id.0
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The SHA-256 of something, in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Reads a file that has to be there.
pub(crate) fn read(path: &Path, part: Part, next: &'static str) -> Result<Vec<u8>, StoreError> {
    read_if_there(path)?.ok_or_else(|| StoreError::Missing {
        part,
        place: path.display().to_string(),
        next,
    })
}

/// Reads a file, if it is there.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match owner_only::open(path) {
        Err(error) if error.is_missing() => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(|source| {
        StoreError::Files(owner_only::Error::Io { what: "reading", path: path.to_owned(), source })
    })?;
    Ok(Some(bytes))
}

/// Reads what was written as JSON, after a look at its version alone.
pub(super) fn parse<T: DeserializeOwned>(
    path: &Path,
    text: &[u8],
    next: &'static str,
) -> Result<T, StoreError> {
    #[derive(Deserialize)]
    struct VersionOnly {
        version: u64,
    }
    // The words of the parser can hold a piece of the text, which for a secret's head is fine: it
    // is not the secret.
    let corrupt = |error: serde_json::Error| StoreError::Corrupt {
        path: path.to_owned(),
        why: error.to_string(),
        next,
    };
    let VersionOnly { version } = serde_json::from_slice(text).map_err(corrupt)?;
    match version {
        VERSION => serde_json::from_slice(text).map_err(corrupt),
        0 => Err(StoreError::Corrupt {
            path: path.to_owned(),
            why: "there was never a version 0".to_owned(),
            next,
        }),
        found => Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION }),
    }
}

/// Writes JSON as a text for a file.
pub(super) fn text<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, StoreError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| {
        StoreError::Files(owner_only::Error::Io {
            what: "writing",
            path: path.to_owned(),
            source: error.into(),
        })
    })?;
    text.push(b'\n');
    Ok(text)
}

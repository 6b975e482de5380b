//! `index.json`: what there is, and nothing of what it is.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::form::{self, FileId, VERSION, digest};
use crate::{CredentialRef, Kind, Metadata, Part, StoreError};

/// What to do about an index that is lost or damaged: the secrets know their names themselves.
const NEXT: &str =
    "put it back from a copy, or make it anew from the secrets: megaraptor credential rebuild";

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    #[serde(rename = "ref")]
    pub(super) credential: CredentialRef,
    pub(super) kind: Kind,
    pub(super) made: Timestamp,
    pub(super) expires: Option<Timestamp>,
    pub(super) size: u64,
    pub(super) file: FileId,
    /// Of the encrypted file.
    pub(super) sha256: String,
    pub(super) state: State,
    /// Another file of it, while it is replaced: the one that is about to take its place, or the one
    /// whose place was taken. Either is removed by the next one that writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) beside: Option<FileId>,
}

/// How far a change has come. What is not `Kept` is left by a process that was ended in between,
/// and the next one that writes brings it to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It is about to be written; nobody was told that it is there.
    Making,
    /// It is there.
    Kept,
    /// It is about to be removed.
    Removing,
}

impl Entry {
    pub(super) fn metadata(&self, now: Timestamp) -> Metadata {
        Metadata {
            credential: self.credential.clone(),
            kind: self.kind,
            made: self.made,
            expires: self.expires,
            expired: self.expires.is_some_and(|end| end <= now),
            size: self.size,
        }
    }

    /// Whether a change of it was begun and not ended.
    pub(super) fn is_begun(&self) -> bool {
        self.state != State::Kept || self.beside.is_some()
    }

    /// All files that are named here.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileId> {
        std::iter::once(&self.file).chain(&self.beside)
    }

    /// Whether somebody was told that it is there, and it still may be.
    pub(super) fn is_there(&self) -> bool {
        self.state != State::Making
    }
}

/// What there is, sorted by reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(rename = "version")]
    _version: u64,
    store: FileId,
    sha256: String,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct FormRef<'a> {
    version: u64,
    store: &'a FileId,
    /// Of the entries: against accidents and edits, not against somebody who can compute it anew.
    sha256: String,
    entries: &'a [Entry],
}

impl Index {
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join("index.json")
    }

    /// Reads the index of a store that has one.
    pub(super) fn load(folder: &Path, store: &FileId) -> Result<Self, StoreError> {
        let path = Self::path(folder);
        let text = form::read(&path, Part::Index, NEXT)?;
        let Form { store: found, sha256, entries, .. } = form::parse(&path, &text, NEXT)?;
        let corrupt =
            |why: &str| StoreError::Corrupt { path: path.clone(), why: why.to_owned(), next: NEXT };
        if found != *store {
            return Err(corrupt("it is the index of another store"));
        }
        if sha256 != digest(&form::text(&path, &entries)?) {
            return Err(corrupt("its entries are not those that were written"));
        }
        if !entries.is_sorted_by(|a, b| a.credential < b.credential) {
            return Err(corrupt("its entries are not in order, or a name is there twice"));
        }
        Ok(Self { entries })
    }

    /// Whether there is no index, or one of any store that names nothing.
    pub(super) fn names_nothing(folder: &Path) -> Result<bool, StoreError> {
        let path = Self::path(folder);
        let Some(text) = form::read_if_there(&path)? else { return Ok(true) };
        let form: Form = form::parse(&path, &text, NEXT)?;
        Ok(form.entries.is_empty())
    }

    pub(super) fn save(&self, folder: &Path, store: &FileId) -> Result<(), StoreError> {
        let path = Self::path(folder);
        let sha256 = digest(&form::text(&path, &self.entries)?);
        let form = FormRef { version: VERSION, store, sha256, entries: &self.entries };
        owner_only::replace(&path, &form::text(&path, &form)?)?;
        Ok(())
    }

    pub(super) fn position(&self, credential: &CredentialRef) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.credential.cmp(credential))
    }

    pub(super) fn find(&self, credential: &CredentialRef) -> Option<&Entry> {
        self.position(credential).ok().map(|at| &self.entries[at])
    }
}

//! `store.json`: to whom the secrets of a store are encrypted, and where the key is.

use std::path::{Path, PathBuf};

use age::x25519::{Identity, Recipient};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::form::{self, FileId, VERSION};
use crate::key::{self, NewKey, Openers, Protection};
use crate::{Part, StoreError};

const NEXT: &str = "put it back from a copy; what is there is left as it is";

/// What `store.json` says. It is written once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    version: u64,
    /// The name of the store, which its index and its key have too.
    pub(super) store: FileId,
    made: Timestamp,
    recipient: String,
    pub(super) key: Protection,
    /// What a file with a key under a passphrase has to be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    key_sha256: Option<String>,
}

impl Head {
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join("store.json")
    }

    /// Reads the head, if there is one.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = Self::path(folder);
        let Some(text) = form::read_if_there(&path)? else { return Ok(None) };
        form::parse(&path, &text, NEXT).map(Some)
    }

    /// Writes the head of a new store: the last thing that is written of it.
    pub(super) fn write(
        folder: &Path,
        key: &NewKey,
        openers: &Openers,
        made: Timestamp,
    ) -> Result<Self, StoreError> {
        let key_sha256 = key.write(folder, openers)?;
        let head = Self {
            version: VERSION,
            store: key.store.clone(),
            made,
            recipient: key.identity.to_public().to_string(),
            key: key.protection.clone(),
            key_sha256,
        };
        let path = Self::path(folder);
        owner_only::write_new(&path, &form::text(&path, &head)?)?;
        Ok(head)
    }

    /// That it is lost, while there is something that needs it.
    pub(super) fn missing(folder: &Path) -> StoreError {
        StoreError::Missing {
            part: Part::Header,
            place: Self::path(folder).display().to_string(),
            next: NEXT,
        }
    }

    pub(super) fn recipient(&self, folder: &Path) -> Result<Recipient, StoreError> {
        self.recipient.parse().map_err(|_| StoreError::Corrupt {
            path: Self::path(folder),
            why: "its recipient is none".to_owned(),
            next: NEXT,
        })
    }

    /// Opens the key.
    pub(super) fn unlock(&self, folder: &Path, openers: &Openers) -> Result<Identity, StoreError> {
        let recipient = self.recipient(folder)?;
        let digest = self.key_sha256.as_deref();
        key::open(folder, &self.store, &recipient, self.key.place, digest, openers)
    }
}

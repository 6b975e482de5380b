//! Secrets at rest: encrypted, one opened at a time, listed without opening any.
//!
//! A secret is put once under a name and is then spoken of by its [`CredentialRef`]. Plans, records
//! and tools carry the reference; whoever needs the value opens it in the step that needs it. Putting
//! never overwrites: what is to be replaced is replaced by that word.
//!
//! [`FileStore`] keeps each secret in an age file of its own, in a folder of its owner only
//! ([design](https://age-encryption.org/v1) of the files; `docs/design/credstore.md` of the rest).
//! [`MemoryStore`] is for tests and keeps nothing.
//!
//! All calls block: the file store waits for disks, for other processes, and for as long as a
//! passphrase takes. Call them where blocking is allowed.
#![warn(missing_docs)]

use secret::Secret;

mod clock;
mod error;
mod file;
mod key;
mod keyring;
mod memory;
mod metadata;
mod name;

pub use clock::Clock;
pub use error::{Part, StoreError};
pub use file::{FileStore, Options, Rebuilt};
pub use key::{AskPassphrase, KeyPlace, PassphraseFile, Protection};
pub use keyring::{Keyring, KeyringError, system as system_keyring};
pub use memory::MemoryStore;
pub use metadata::{Kind, Metadata, NewCredential, Page, PageRequest};
pub use name::{BadName, CredentialRef, Group, Name};

/// The longest value that is kept: a secret is a password or a key, and not a document.
pub const LONGEST: usize = 1024 * 1024;

/// Whether a value may be used after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// It is refused, as nearly everywhere.
    Refused,
    /// It is given nevertheless, to take something down or to hand it over.
    Allowed,
}

/// Where secrets are kept.
pub trait CredentialStore: Send + Sync {
    /// Keeps a value under a name that is not in use. When this returns, it is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] where the name is in use: what is there stays as it is.
    fn put(&self, new: NewCredential, value: &Secret<Vec<u8>>) -> Result<Metadata, StoreError>;

    /// Keeps a value under a name, in the place of the one that is there, if there is one. Whenever it
    /// is looked at, the old or the new one is there, whole. When this returns, the new one is on the
    /// disk and the old one is gone.
    ///
    /// # Errors
    ///
    /// As of [`CredentialStore::put`], but for [`StoreError::Exists`].
    fn replace(&self, new: NewCredential, value: &Secret<Vec<u8>>) -> Result<Metadata, StoreError>;

    /// Opens one secret, and no other.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`], [`StoreError::Expired`], and why it cannot be opened.
    fn open(
        &self,
        credential: &CredentialRef,
        expired: Expired,
    ) -> Result<Secret<Vec<u8>>, StoreError>;

    /// Says what is known of a secret, without opening it.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    fn find(&self, credential: &CredentialRef) -> Result<Option<Metadata>, StoreError>;

    /// Lists secrets by group and name, without opening any.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read: an empty page means that there is nothing.
    fn list(&self, group: Option<&Group>, page: &PageRequest) -> Result<Page, StoreError>;

    /// Removes a secret for good.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unknown`], or where the store cannot be written.
    fn remove(&self, credential: &CredentialRef) -> Result<Metadata, StoreError>;

    /// Removes all secrets of a group for good, and says which they were.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written: what is still listed is still there.
    fn remove_group(&self, group: &Group) -> Result<Vec<Metadata>, StoreError>;
}

/// Opens a secret that is text.
///
/// # Errors
///
/// As [`CredentialStore::open`], and [`StoreError::NotText`].
pub fn open_text(
    store: &dyn CredentialStore,
    credential: &CredentialRef,
    expired: Expired,
) -> Result<Secret<String>, StoreError> {
    let value = store.open(credential, expired)?;
    let text = std::str::from_utf8(value.expose())
        .map_err(|_| StoreError::NotText { credential: credential.clone() })?;
    Ok(Secret::new(text.to_owned()))
}

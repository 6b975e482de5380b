//! The key of a store: where it is kept, and how it is opened.
//!
//! Secrets are encrypted to one X25519 recipient, so that putting one needs no key. What opens them
//! is one identity, which is kept in the system's keyring, or in a file under a passphrase, or in a
//! file of its owner only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use age::secrecy::ExposeSecret;
use age::x25519::{Identity, Recipient};
use secret::Secret;
use serde::{Deserialize, Serialize};

use crate::file::{FileId, digest, read};
use crate::keyring::{Keyring, KeyringError};
use crate::{Part, StoreError};

mod passphrase;

pub use passphrase::{AskPassphrase, PassphraseFile};

const NO_KEY: &str = "put it back from a copy; without it no secret of this store can be opened";

/// Where the key of a store is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// In the keyring of the operating system.
    Keyring,
    /// In a file that a passphrase opens.
    Passphrase,
    /// In a file that only its owner may read.
    KeyFile,
}

/// How a store is protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protection {
    /// Where its key is kept.
    pub place: KeyPlace,
    /// Why the better places were not used when it was made.
    pub passed_over: Vec<String>,
}

impl Protection {
    /// One line for a person.
    pub fn in_words(&self) -> String {
        let place = match self.place {
            KeyPlace::Keyring => "the key is in the keyring of the operating system",
            KeyPlace::Passphrase => "the key is in a file under a passphrase",
            KeyPlace::KeyFile => {
                "the key is in a file beside the secrets, which only its owner may read"
            }
        };
        if self.passed_over.is_empty() {
            place.to_owned()
        } else {
            format!("{place} ({})", self.passed_over.join("; "))
        }
    }
}

/// What opens keys, as far as this process has it.
#[derive(Clone)]
pub(crate) struct Openers {
    pub(crate) keyring: Option<Arc<dyn Keyring>>,
    pub(crate) passphrase: Option<Arc<dyn AskPassphrase>>,
    /// The cost of a passphrase: scrypt with N = 2^this.
    pub(crate) work_factor: u8,
}

/// A key that was made and is not in use yet.
pub(crate) struct NewKey {
    pub(crate) store: FileId,
    pub(crate) identity: Identity,
    pub(crate) protection: Protection,
    /// For a key that is to be under it.
    passphrase: Option<Secret<String>>,
}

impl NewKey {
    /// Makes a key and finds the best place for it. A keyring has it from here on.
    pub(crate) fn make(openers: &Openers) -> Result<Self, StoreError> {
        let (store, identity) = (FileId::random()?, Identity::generate());
        let mut passed_over = Vec::new();
        let (mut place, mut passphrase) = (KeyPlace::KeyFile, None);
        match openers.keyring.as_deref() {
            None => passed_over.push("no keyring is used here".to_owned()),
            Some(keyring) => match in_keyring(keyring, &store, &identity) {
                Ok(()) => place = KeyPlace::Keyring,
                Err(why) => passed_over.push(format!("no {}: {why}", keyring.name())),
            },
        }
        if place != KeyPlace::Keyring {
            passphrase = match openers.passphrase.as_deref() {
                None => None,
                Some(source) => source.choose().map_err(StoreError::Asking)?,
            };
            match &passphrase {
                Some(_) => place = KeyPlace::Passphrase,
                None => passed_over.push("no passphrase was chosen".to_owned()),
            }
        }
        Ok(Self { store, identity, protection: Protection { place, passed_over }, passphrase })
    }

    /// Writes the file of the key, where it is to be in one. Gives back what such a file has to be.
    pub(crate) fn write(
        &self,
        folder: &Path,
        openers: &Openers,
    ) -> Result<Option<String>, StoreError> {
        let text = text_of(&self.identity);
        let path = path(folder, &self.store, self.protection.place);
        match (&self.protection.place, &self.passphrase) {
            (KeyPlace::KeyFile, _) => owner_only::write_new(&path, text.expose().as_bytes())?,
            (KeyPlace::Passphrase, Some(passphrase)) => {
                let wrapped = passphrase::wrap(&path, &text, passphrase, openers.work_factor)?;
                owner_only::write_new(&path, &wrapped)?;
                return Ok(Some(digest(&wrapped)));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Takes a key back that nobody came to use, because another process was faster.
    pub(crate) fn discard(&self, openers: &Openers) {
        if self.protection.place == KeyPlace::Keyring
            && let Some(keyring) = openers.keyring.as_deref()
        {
            // It opens nothing; one that stays costs a line in the keyring.
            let _ = keyring.remove(self.store.as_str());
        }
    }
}

fn in_keyring(
    keyring: &dyn Keyring,
    store: &FileId,
    identity: &Identity,
) -> Result<(), KeyringError> {
    // A read first: it changes nothing where there is no keyring.
    keyring.read(store.as_str())?;
    let text = Secret::new(identity.to_string().expose_secret().to_owned());
    keyring.write(store.as_str(), &text)?;
    match keyring.read(store.as_str())? {
        Some(read) if read.expose() == text.expose() => Ok(()),
        _ => Err(KeyringError::Failed("it does not give back what it was given".to_owned())),
    }
}

/// The key of a store, opened.
pub(crate) fn open(
    folder: &Path,
    store: &FileId,
    recipient: &Recipient,
    place: KeyPlace,
    wrapped_digest: Option<&str>,
    openers: &Openers,
) -> Result<Identity, StoreError> {
    let path = path(folder, store, place);
    let (text, what) = match place {
        KeyPlace::Keyring => (from_keyring(store, openers)?, "the key in the keyring".to_owned()),
        KeyPlace::KeyFile => {
            let text = read(&path, Part::Key, NO_KEY)?;
            (Secret::new(text), format!("the key in {}", path.display()))
        }
        KeyPlace::Passphrase => {
            let wrapped = read(&path, Part::Key, NO_KEY)?;
            if wrapped_digest.is_some_and(|wanted| wanted != digest(&wrapped)) {
                return Err(damaged(path, "it is not what was written"));
            }
            let what = format!("the key in {}", path.display());
            (passphrase::unwrap(&path, &wrapped, openers)?, what)
        }
    };
    let identity = parse(&text).ok_or_else(|| damaged(path, "it holds no key"))?;
    if identity.to_public().to_string() != recipient.to_string() {
        return Err(StoreError::WrongKey {
            what,
            next: "it is the key of another store: put back the one that belongs here",
        });
    }
    Ok(identity)
}

fn damaged(path: PathBuf, why: &str) -> StoreError {
    StoreError::Corrupt { path, why: why.to_owned(), next: NO_KEY }
}

fn from_keyring(store: &FileId, openers: &Openers) -> Result<Secret<Vec<u8>>, StoreError> {
    let locked = |why| StoreError::Locked {
        why: format!("its key is in the keyring of the operating system: {why}"),
        next: "open the keyring in the session in which the store was made, and try again",
    };
    let Some(keyring) = openers.keyring.as_deref() else {
        return Err(locked("no keyring is used here".to_owned()));
    };
    match keyring.read(store.as_str()) {
        Ok(Some(text)) => Ok(Secret::new(text.expose().as_bytes().to_vec())),
        Ok(None) => Err(StoreError::Missing {
            part: Part::Key,
            place: format!("{} in {}", store.as_str(), keyring.name()),
            next: NO_KEY,
        }),
        Err(error) => Err(locked(error.to_string())),
    }
}

fn path(folder: &Path, store: &FileId, place: KeyPlace) -> PathBuf {
    let end = if place == KeyPlace::Passphrase { "age" } else { "txt" };
    folder.join(format!("key-{}.{end}", store.as_str()))
}

/// The key as the age tools read it from a file.
fn text_of(identity: &Identity) -> Secret<String> {
    let text = identity.to_string();
    Secret::new(format!(
        "# The key of a credential store of Megaraptor. Whoever has it reads every secret there.\n{}\n",
        text.expose_secret()
    ))
}

/// The key in a text that may have comments.
fn parse(text: &Secret<Vec<u8>>) -> Option<Identity> {
    let text = std::str::from_utf8(text.expose()).ok()?;
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let identity = lines.next()?.parse().ok()?;
    lines.next().is_none().then_some(identity)
}

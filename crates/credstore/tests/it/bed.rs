//! Stores to be tested, a clock that is set by hand, a keyring in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use credstore::{
    AskPassphrase, Clock, CredentialRef, CredentialStore, FileStore, Keyring, KeyringError, Kind,
    Metadata, NewCredential, Options, PageRequest, StoreError,
};
use jiff::Timestamp;
use secret::Secret;

/// Seconds since a day in 2026.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hand(Arc<AtomicI64>);

impl Hand {
    pub(crate) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let hand = self.clone();
        Clock::from_fn(move || at(hand.0.load(Ordering::SeqCst)))
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

pub(crate) fn reference(text: &str) -> CredentialRef {
    format!("cred:{text}").parse().unwrap()
}

pub(crate) fn new(text: &str) -> NewCredential {
    NewCredential { credential: reference(text), kind: Kind::Password, expires: None }
}

pub(crate) fn value(text: &str) -> Secret<Vec<u8>> {
    Secret::new(text.as_bytes().to_vec())
}

/// The names of all that is listed.
pub(crate) fn listed(store: &dyn CredentialStore) -> Vec<String> {
    let page = store.list(None, &PageRequest::first(10_000)).unwrap();
    page.items.iter().map(|Metadata { credential, .. }| credential.to_string()).collect()
}

/// A folder for a store, and what opens it.
pub(crate) struct Bed {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
}

impl Bed {
    /// With these openers and a cheap passphrase.
    pub(crate) fn new(
        keyring: Option<Arc<dyn Keyring>>,
        passphrase: Option<Arc<dyn AskPassphrase>>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let options = Options { keyring, passphrase, work_factor: 4, ..Options::default() };
        Self { _folder: folder, path, options }
    }

    pub(crate) fn key_file() -> Self {
        Self::new(None, None)
    }

    /// A store as another process opens it: nothing is unlocked.
    pub(crate) fn store(&self) -> FileStore {
        FileStore::new(&self.path, self.options.clone())
    }

    /// The files whose names begin with this.
    pub(crate) fn named(&self, start: &str) -> Vec<PathBuf> {
        self.files().into_iter().filter(|path| name(path).starts_with(start)).collect()
    }

    pub(crate) fn secrets(&self) -> Vec<PathBuf> {
        self.files().into_iter().filter(|path| path.parent() != Some(&self.path)).collect()
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in [self.path.clone(), self.path.join("secrets")] {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
        }
        files.sort();
        files
    }

    /// All that is on the disk, to see that nothing of it was changed.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
        self.files().into_iter().filter(|path| name(path) != "lock").map(read).collect()
    }
}

fn name(path: &std::path::Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// A keyring in memory, which can be locked.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    pub(crate) kept: Mutex<BTreeMap<String, String>>,
    pub(crate) locked: Mutex<Option<KeyringError>>,
}

impl Ring {
    fn gate(&self) -> Result<(), KeyringError> {
        self.locked.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Keyring for Ring {
    fn name(&self) -> &'static str {
        "ring of the test"
    }

    fn read(&self, account: &str) -> Result<Option<Secret<String>>, KeyringError> {
        self.gate()?;
        Ok(self.kept.lock().unwrap().get(account).cloned().map(Secret::new))
    }

    fn write(&self, account: &str, text: &Secret<String>) -> Result<(), KeyringError> {
        self.gate()?;
        self.kept.lock().unwrap().insert(account.to_owned(), text.expose().clone());
        Ok(())
    }

    fn remove(&self, account: &str) -> Result<(), KeyringError> {
        self.gate()?;
        self.kept.lock().unwrap().remove(account);
        Ok(())
    }
}

/// Somebody who types this passphrase, and how often they were asked.
#[derive(Debug)]
pub(crate) struct Typist {
    pub(crate) types: Mutex<Option<String>>,
    pub(crate) asked: AtomicUsize,
}

impl Typist {
    pub(crate) fn of(types: Option<&str>) -> Arc<Self> {
        Arc::new(Self { types: Mutex::new(types.map(str::to_owned)), asked: AtomicUsize::new(0) })
    }

    pub(crate) fn types(&self, text: Option<&str>) {
        *self.types.lock().unwrap() = text.map(str::to_owned);
    }
}

impl AskPassphrase for Typist {
    fn choose(&self) -> Result<Option<Secret<String>>, String> {
        Ok(self.types.lock().unwrap().clone().map(Secret::new))
    }

    fn ask(&self) -> Result<Option<Secret<String>>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.choose()
    }
}

/// The variant of an error, for comparisons.
pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    let text = format!("{:?}", result.unwrap_err());
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

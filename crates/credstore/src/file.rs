//! A store in a folder: a head, an index, and an encrypted file for each secret.
//!
//! Whoever writes holds the lock of the folder. Each change stands in the index before it begins and
//! after it ended, so a process that is ended in between leaves nothing that the next one cannot
//! name and bring to its end. Whoever reads holds no lock: every file is replaced whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use age::x25519::Identity;
use secret::Secret;

use crate::key::{AskPassphrase, NewKey, Openers, Protection};
use crate::keyring::Keyring;
use crate::metadata::page;
use crate::{
    Clock, CredentialRef, CredentialStore, Expired, Group, LONGEST, Metadata, NewCredential, Page,
    PageRequest, Part, StoreError,
};

mod form;
mod head;
mod index;
mod lock;
mod rebuild;
mod sealed;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub(crate) use form::{FileId, digest, read};
pub use rebuild::Rebuilt;

use head::Head;
use index::{Entry, Index, State};
use lock::Held;
use sealed::Label;

/// What a store in a folder works with.
#[derive(Clone)]
pub struct Options {
    /// The keyring that may hold the key. Without one, none is used.
    pub keyring: Option<Arc<dyn Keyring>>,
    /// Where a passphrase comes from. Without it, none is asked for.
    pub passphrase: Option<Arc<dyn AskPassphrase>>,
    /// What time it is.
    pub clock: Clock,
    /// How long another process is waited for.
    pub patience: Duration,
    /// The cost of a passphrase in a new store, as the exponent of scrypt's N. 18 is about a second
    /// and 256 MB; a test takes less.
    pub work_factor: u8,
}

impl Default for Options {
    /// Neither a keyring nor a passphrase: a key file.
    fn default() -> Self {
        Self {
            keyring: None,
            passphrase: None,
            clock: Clock::of_the_machine(),
            patience: Duration::from_secs(10),
            work_factor: 18,
        }
    }
}

/// A store in a folder.
pub struct FileStore {
    folder: PathBuf,
    openers: Openers,
    clock: Clock,
    patience: Duration,
    unlocked: Mutex<Option<Unlocked>>,
}

/// A key that this process has opened.
#[derive(Clone)]
struct Unlocked {
    store: FileId,
    identity: Arc<Identity>,
}

/// The folder and no more: what opens it was made by others, and may show what it holds.
impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStore").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl FileStore {
    /// The store in a folder. Nothing is read or made before it is used: the folder and the key are
    /// made with the first secret.
    pub fn new(folder: impl Into<PathBuf>, options: Options) -> Self {
        let Options { keyring, passphrase, clock, patience, work_factor } = options;
        let openers = Openers { keyring, passphrase, work_factor };
        Self { folder: folder.into(), openers, clock, patience, unlocked: Mutex::new(None) }
    }

    /// Where the key is kept; `None` where nothing was ever put.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn protection(&self) -> Result<Option<Protection>, StoreError> {
        Ok(self.head()?.map(|head| head.key))
    }

    fn secrets(&self) -> PathBuf {
        self.folder.join("secrets")
    }

    fn path(&self, file: &FileId) -> PathBuf {
        self.secrets().join(format!("{}.age", file.as_str()))
    }

    /// The head. None means that nothing was ever put, and not that something is lost.
    fn head(&self) -> Result<Option<Head>, StoreError> {
        match owner_only::check_folder(&self.folder) {
            Err(error) if error.is_missing() => return Ok(None),
            checked => checked?,
        }
        if let Some(head) = Head::load(&self.folder)? {
            return Ok(Some(head));
        }
        // The head is written last, after an index that names nothing. Where secrets are, or an index
        // that names some, there was a head.
        if self.files()?.is_empty() && Index::names_nothing(&self.folder)? {
            Ok(None)
        } else {
            // It may have been written since the first look.
            Head::load(&self.folder)?.map(Some).ok_or_else(|| Head::missing(&self.folder))
        }
    }

    /// The head and the index, where anything was ever put.
    fn load(&self) -> Result<Option<(Head, Index)>, StoreError> {
        let Some(head) = self.head()? else { return Ok(None) };
        let index = Index::load(&self.folder, &head.store)?;
        Ok(Some((head, index)))
    }

    /// The ids of the encrypted files that are there.
    fn files(&self) -> Result<Vec<FileId>, StoreError> {
        let folder = self.secrets();
        let io = |source| owner_only::Error::Io { what: "listing", path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let name = entry.map_err(io)?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".age"));
            files.extend(id.and_then(|id| FileId::try_from(id.to_owned()).ok()));
        }
        Ok(files)
    }

    /// How many encrypted files no entry names.
    fn unlisted(&self, files: &[FileId], index: &Index) -> usize {
        let mut named: Vec<_> = index.entries.iter().flat_map(Entry::files).collect();
        named.sort_unstable();
        let unnamed = files.iter().filter(|file| named.binary_search(file).is_err());
        // One that was removed meanwhile was in the list that was read before the index.
        unnamed.filter(|file| self.path(file).exists()).count()
    }

    /// The key, opened once in the life of this value.
    fn unlock(&self, head: &Head) -> Result<Arc<Identity>, StoreError> {
        // Held while a person is asked, so that nobody is asked twice.
        let mut unlocked = self.unlocked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = unlocked.as_ref().filter(|open| open.store == head.store) {
            return Ok(open.identity.clone());
        }
        let identity = Arc::new(head.unlock(&self.folder, &self.openers)?);
        *unlocked = Some(Unlocked { store: head.store.clone(), identity: identity.clone() });
        Ok(identity)
    }

    /// Takes the lock, and reads a store that is there for writing.
    fn hold(&self) -> Result<Option<Writing<'_>>, StoreError> {
        if self.head()?.is_none() {
            return Ok(None);
        }
        let held = lock::hold(&self.folder, self.patience)?;
        let Some((head, index)) = self.load()? else { return Ok(None) };
        owner_only::make_folder(&self.secrets())?;
        let mut writing = Writing { store: self, head, index, _held: held };
        writing.settle()?;
        Ok(Some(writing))
    }

    /// Makes the store. Where another process was faster, its store stands.
    fn make(&self) -> Result<Writing<'_>, StoreError> {
        // Found before the lock is taken: a person may be asked.
        let key = NewKey::make(&self.openers)?;
        let made = self.make_with(&key);
        if !matches!(&made, Ok(writing) if writing.head.store == key.store) {
            key.discard(&self.openers);
        }
        made
    }

    fn make_with(&self, key: &NewKey) -> Result<Writing<'_>, StoreError> {
        owner_only::make_folder(&self.folder)?;
        let held = lock::hold(&self.folder, self.patience)?;
        if let Some((head, index)) = self.load()? {
            let mut writing = Writing { store: self, head, index, _held: held };
            writing.settle()?;
            return Ok(writing);
        }
        owner_only::make_folder(&self.secrets())?;
        let index = Index { entries: Vec::new() };
        // Before the head: a head without an index is a store whose index was lost.
        index.save(&self.folder, &key.store)?;
        let head = Head::write(&self.folder, key, &self.openers, self.clock.now())?;
        Ok(Writing { store: self, head, index, _held: held })
    }

    /// The store for a value that may be kept, made where there is none.
    fn writing(
        &self,
        new: &NewCredential,
        value: &Secret<Vec<u8>>,
    ) -> Result<Writing<'_>, StoreError> {
        let size = value.expose().len();
        if size > LONGEST {
            return Err(StoreError::TooLong { credential: new.credential.clone(), size });
        }
        match self.hold()? {
            Some(writing) => Ok(writing),
            None => self.make(),
        }
    }

    /// What is in a file, which has to be what the index says.
    fn opened(
        &self,
        head: &Head,
        entry: &Entry,
        path: &Path,
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, StoreError> {
        if digest(sealed) != entry.sha256 {
            return Err(sealed::damaged(path, "it is not what was written"));
        }
        let identity = self.unlock(head)?;
        let unsealed = sealed::unseal(path, sealed, &identity)?;
        let Label { credential: name, kind, made, expires, .. } = &unsealed.label;
        let says = (&entry.credential, entry.kind, entry.made, entry.expires);
        if (name, *kind, *made, *expires) != says {
            return Err(sealed::damaged(path, "it holds something else than the index says"));
        }
        Ok(unsealed.value())
    }

    fn unknown(credential: &CredentialRef) -> StoreError {
        StoreError::Unknown { credential: credential.clone() }
    }
}

impl CredentialStore for FileStore {
    fn put(&self, new: NewCredential, value: &Secret<Vec<u8>>) -> Result<Metadata, StoreError> {
        self.writing(&new, value)?.put(&new, value)
    }

    fn replace(&self, new: NewCredential, value: &Secret<Vec<u8>>) -> Result<Metadata, StoreError> {
        let mut writing = self.writing(&new, value)?;
        match writing.index.position(&new.credential) {
            Ok(at) => writing.replace(at, &new, value),
            Err(_) => writing.put(&new, value),
        }
    }

    fn open(
        &self,
        credential: &CredentialRef,
        expired: Expired,
    ) -> Result<Secret<Vec<u8>>, StoreError> {
        let Some((head, mut index)) = self.load()? else { return Err(Self::unknown(credential)) };
        loop {
            let found = index.find(credential).filter(|entry| entry.is_there());
            let entry = found.ok_or_else(|| Self::unknown(credential))?;
            entry.metadata(self.clock.now()).refuse_expired(expired)?;
            let path = self.path(&entry.file);
            if let Some(sealed) = form::read_if_there(&path)? {
                return self.opened(&head, entry, &path, &sealed);
            }
            // It may have been removed or replaced since the index was read.
            let newer = Index::load(&self.folder, &head.store)?;
            if newer.find(credential) == Some(entry) && entry.state == State::Kept {
                return Err(StoreError::Missing {
                    part: Part::Secret,
                    place: path.display().to_string(),
                    next: "put it back from a copy, or remove the secret",
                });
            }
            if newer.find(credential).is_none_or(|entry| entry.state != State::Kept) {
                return Err(Self::unknown(credential));
            }
            index = newer;
        }
    }

    fn find(&self, credential: &CredentialRef) -> Result<Option<Metadata>, StoreError> {
        let Some((_, index)) = self.load()? else { return Ok(None) };
        let found = index.find(credential).filter(|entry| entry.is_there());
        Ok(found.map(|entry| entry.metadata(self.clock.now())))
    }

    fn list(&self, group: Option<&Group>, request: &PageRequest) -> Result<Page, StoreError> {
        // Before the index, so that what is put meanwhile is no surprise.
        let files = self.files()?;
        let index = match self.load()? {
            Some((_, index)) => index,
            None => Index { entries: Vec::new() },
        };
        let now = self.clock.now();
        let wanted = index.entries.iter().filter(|entry| {
            entry.is_there() && group.is_none_or(|group| entry.credential.group() == group)
        });
        let mut page =
            page(wanted, |entry| &entry.credential, |entry| entry.metadata(now), request);
        page.unlisted = self.unlisted(&files, &index);
        Ok(page)
    }

    fn remove(&self, credential: &CredentialRef) -> Result<Metadata, StoreError> {
        let Some(mut writing) = self.hold()? else { return Err(Self::unknown(credential)) };
        let removed = writing.remove(|entry| entry.credential == *credential)?;
        removed.into_iter().next().ok_or_else(|| Self::unknown(credential))
    }

    fn remove_group(&self, group: &Group) -> Result<Vec<Metadata>, StoreError> {
        let Some(mut writing) = self.hold()? else { return Ok(Vec::new()) };
        writing.remove(|entry| entry.credential.group() == group)
    }
}

/// A store while its lock is held.
struct Writing<'a> {
    store: &'a FileStore,
    head: Head,
    index: Index,
    _held: Held,
}

impl Writing<'_> {
    fn save(&self) -> Result<(), StoreError> {
        self.index.save(&self.store.folder, &self.head.store)
    }

    fn put(
        &mut self,
        new: &NewCredential,
        value: &Secret<Vec<u8>>,
    ) -> Result<Metadata, StoreError> {
        let credential = new.credential.clone();
        let at = match self.index.position(&credential) {
            Ok(at) => {
                return Err(StoreError::Exists { credential, made: self.index.entries[at].made });
            }
            Err(at) => at,
        };
        let (entry, sealed) = self.sealed(new, value)?;
        let metadata = entry.metadata(entry.made);
        let path = self.store.path(&entry.file);
        self.index.entries.insert(at, entry);
        self.save()?;
        owner_only::write_new(&path, &sealed)?;
        self.index.entries[at].state = State::Kept;
        self.save()?;
        Ok(metadata)
    }

    /// The new file is named beside the old one before it is there, and the old one beside the new
    /// one until it is gone. Between the two, one index takes the place of another.
    fn replace(
        &mut self,
        at: usize,
        new: &NewCredential,
        value: &Secret<Vec<u8>>,
    ) -> Result<Metadata, StoreError> {
        let (entry, sealed) = self.sealed(new, value)?;
        let metadata = entry.metadata(entry.made);
        let path = self.store.path(&entry.file);
        self.index.entries[at].beside = Some(entry.file.clone());
        self.save()?;
        owner_only::write_new(&path, &sealed)?;
        let old = self.index.entries[at].file.clone();
        self.index.entries[at] = Entry { state: State::Kept, beside: Some(old), ..entry };
        self.save()?;
        self.settle()?;
        Ok(metadata)
    }

    /// An encrypted value, and what the index is to say of it, in a file that is still to be written.
    fn sealed(
        &self,
        new: &NewCredential,
        value: &Secret<Vec<u8>>,
    ) -> Result<(Entry, Vec<u8>), StoreError> {
        let (now, file) = (self.store.clock.now(), FileId::random()?);
        let path = self.store.path(&file);
        let recipient = self.head.recipient(&self.store.folder)?;
        let sealed = sealed::seal(&Label::of(new, now), value, &recipient)
            .map_err(|source| owner_only::Error::Io { what: "encrypting", path, source })?;
        let entry = Entry {
            credential: new.credential.clone(),
            kind: new.kind,
            made: now,
            expires: new.expires,
            size: value.expose().len() as u64,
            file,
            sha256: digest(&sealed),
            state: State::Making,
            beside: None,
        };
        Ok((entry, sealed))
    }

    /// Removes what is named: first said, then done, then forgotten.
    fn remove(&mut self, named: impl Fn(&Entry) -> bool) -> Result<Vec<Metadata>, StoreError> {
        let now = self.store.clock.now();
        let mut removed = Vec::new();
        for entry in self.index.entries.iter_mut().filter(|entry| named(entry)) {
            entry.state = State::Removing;
            removed.push(entry.metadata(now));
        }
        if !removed.is_empty() {
            self.save()?;
            self.settle()?;
        }
        Ok(removed)
    }

    /// Brings to its end what was begun: here, or by a process that was ended. What was about to be
    /// put is taken back, since nobody was told that it is there. Of one that was replaced, the file
    /// goes that the index does not name as its own.
    fn settle(&mut self) -> Result<(), StoreError> {
        let secrets = self.store.secrets();
        for folder in [&self.store.folder, &secrets] {
            remove_unfinished(folder)?;
        }
        if !self.index.entries.iter().any(Entry::is_begun) {
            return Ok(());
        }
        for entry in self.index.entries.iter().filter(|entry| entry.is_begun()) {
            let kept = (entry.state == State::Kept).then_some(&entry.file);
            for file in entry.files().filter(|file| Some(*file) != kept) {
                owner_only::remove(&self.store.path(file))?;
            }
        }
        self.index.entries.retain(|entry| entry.state == State::Kept);
        for entry in &mut self.index.entries {
            entry.beside = None;
        }
        self.save()
    }
}

/// Removes what writers left that were ended. With the lock held, nobody is writing.
fn remove_unfinished(folder: &Path) -> Result<(), StoreError> {
    let io = |source| owner_only::Error::Io { what: "listing", path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_name().to_string_lossy().starts_with(owner_only::UNFINISHED) {
            owner_only::remove(&entry.path())?;
        }
    }
    Ok(())
}

//! A store that keeps nothing: for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use secret::Secret;

use crate::metadata::page;
use crate::{
    Clock, CredentialRef, CredentialStore, Expired, Group, LONGEST, Metadata, NewCredential, Page,
    PageRequest, StoreError,
};

/// A store in memory, gone with its value.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Clock,
    kept: Mutex<BTreeMap<CredentialRef, Kept>>,
}

#[derive(Debug)]
struct Kept {
    new: NewCredential,
    made: Timestamp,
    value: Secret<Vec<u8>>,
}

impl Kept {
    fn metadata(&self, now: Timestamp) -> Metadata {
        Metadata {
            credential: self.new.credential.clone(),
            kind: self.new.kind,
            made: self.made,
            expires: self.new.expires,
            expired: self.new.expires.is_some_and(|end| end <= now),
            size: self.value.expose().len() as u64,
        }
    }
}

impl MemoryStore {
    /// An empty one.
    pub const fn new(clock: Clock) -> Self {
        Self { clock, kept: Mutex::new(BTreeMap::new()) }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<CredentialRef, Kept>> {
        // Nothing below stops half way.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryStore {
    fn keep(
        &self,
        kept: &mut BTreeMap<CredentialRef, Kept>,
        new: NewCredential,
        value: &Secret<Vec<u8>>,
    ) -> Result<Metadata, StoreError> {
        let (now, size) = (self.clock.now(), value.expose().len());
        if size > LONGEST {
            return Err(StoreError::TooLong { credential: new.credential, size });
        }
        let credential = new.credential.clone();
        let entry = Kept { new, made: now, value: value.clone() };
        let metadata = entry.metadata(now);
        kept.insert(credential, entry);
        Ok(metadata)
    }
}

impl CredentialStore for MemoryStore {
    fn put(&self, new: NewCredential, value: &Secret<Vec<u8>>) -> Result<Metadata, StoreError> {
        let mut kept = self.kept();
        if let Some(there) = kept.get(&new.credential) {
            return Err(StoreError::Exists { credential: new.credential, made: there.made });
        }
        self.keep(&mut kept, new, value)
    }

    fn replace(&self, new: NewCredential, value: &Secret<Vec<u8>>) -> Result<Metadata, StoreError> {
        self.keep(&mut self.kept(), new, value)
    }

    fn open(
        &self,
        credential: &CredentialRef,
        expired: Expired,
    ) -> Result<Secret<Vec<u8>>, StoreError> {
        let kept = self.kept();
        let unknown = || StoreError::Unknown { credential: credential.clone() };
        let found = kept.get(credential).ok_or_else(unknown)?;
        found.metadata(self.clock.now()).refuse_expired(expired)?;
        Ok(found.value.clone())
    }

    fn find(&self, credential: &CredentialRef) -> Result<Option<Metadata>, StoreError> {
        let now = self.clock.now();
        Ok(self.kept().get(credential).map(|kept| kept.metadata(now)))
    }

    fn list(&self, group: Option<&Group>, request: &PageRequest) -> Result<Page, StoreError> {
        let (now, kept) = (self.clock.now(), self.kept());
        let wanted = kept
            .values()
            .filter(|kept| group.is_none_or(|group| kept.new.credential.group() == group));
        Ok(page(wanted, |kept| &kept.new.credential, |kept| kept.metadata(now), request))
    }

    fn remove(&self, credential: &CredentialRef) -> Result<Metadata, StoreError> {
        let now = self.clock.now();
        let removed = self.kept().remove(credential);
        removed
            .map(|kept| kept.metadata(now))
            .ok_or_else(|| StoreError::Unknown { credential: credential.clone() })
    }

    fn remove_group(&self, group: &Group) -> Result<Vec<Metadata>, StoreError> {
        let now = self.clock.now();
        let mut kept = self.kept();
        let removed = kept.extract_if(.., |credential, _| credential.group() == group);
        Ok(removed.map(|(_, kept)| kept.metadata(now)).collect())
    }
}

//! An index that was lost, made anew from the secrets, each of which says what it is.

use std::collections::{BTreeMap, btree_map};
use std::path::PathBuf;

use super::form;
use super::head::Head;
use super::index::{Entry, Index, State};
use super::{FileStore, digest, lock, sealed};
use crate::{CredentialRef, StoreError};

/// What came of it.
#[derive(Debug)]
pub struct Rebuilt {
    /// How many secrets the new index names.
    pub kept: usize,
    /// The files that it does not name, with the reason. They are left as they are.
    pub left: Vec<(PathBuf, String)>,
    /// Where the old index is now, if there was one.
    pub old_index: Option<PathBuf>,
}

impl FileStore {
    /// Makes the index anew. Every secret is opened for it, and none is shown. The old index is
    /// kept under another name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`] where there is no store, and why the key cannot be opened.
    pub fn rebuild(&self) -> Result<Rebuilt, StoreError> {
        let head = self.head()?.ok_or_else(|| Head::missing(&self.folder))?;
        // An index that a newer program wrote is not lost. Whatever else is wrong with it is why this
        // was called.
        if let Err(error @ StoreError::Newer { .. }) = Index::load(&self.folder, &head.store) {
            return Err(error);
        }
        let identity = self.unlock(&head)?;
        let _held = lock::hold(&self.folder, self.patience)?;
        let mut found: BTreeMap<CredentialRef, Entry> = BTreeMap::new();
        let mut left = Vec::new();
        let mut files = self.files()?;
        files.sort_unstable();
        for file in files {
            let path = self.path(&file);
            let Some(bytes) = form::read_if_there(&path)? else { continue };
            let unsealed = match sealed::unseal(&path, &bytes, &identity) {
                Ok(unsealed) => unsealed,
                Err(error) => {
                    left.push((path, error.to_string()));
                    continue;
                }
            };
            let label = &unsealed.label;
            let entry = Entry {
                credential: label.credential.clone(),
                kind: label.kind,
                made: label.made,
                expires: label.expires,
                size: unsealed.size(),
                file,
                sha256: digest(&bytes),
                state: State::Kept,
                beside: None,
            };
            // Of one that was replaced, both files may be there: the newer one is it.
            let older = match found.entry(entry.credential.clone()) {
                btree_map::Entry::Vacant(place) => {
                    place.insert(entry);
                    continue;
                }
                btree_map::Entry::Occupied(mut place) if place.get().made < entry.made => {
                    place.insert(entry)
                }
                btree_map::Entry::Occupied(_) => entry,
            };
            let newer = found[&older.credential].file.as_str();
            let why = format!("{} is in another file too, {newer}", older.credential);
            left.push((self.path(&older.file), why));
        }
        let old_index = self.move_index_away()?;
        let index = Index { entries: found.into_values().collect() };
        index.save(&self.folder, &head.store)?;
        Ok(Rebuilt { kept: index.entries.len(), left, old_index })
    }

    /// Gives the old index another name, which no file has.
    fn move_index_away(&self) -> Result<Option<PathBuf>, StoreError> {
        let path = Index::path(&self.folder);
        let Some(text) = form::read_if_there(&path)? else { return Ok(None) };
        let stamp = self.clock.now().as_second();
        let mut number = 0;
        loop {
            let aside = self.folder.join(format!("index-{stamp}-{number}.json"));
            match owner_only::write_new(&aside, &text) {
                Err(error) if error.is_taken() => number += 1,
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(Some(aside)),
            }
        }
    }
}

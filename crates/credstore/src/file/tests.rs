//! What a process leaves that is ended between two writes, and how the next one goes on.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::{Kind, Name};

fn reference(name: &str) -> CredentialRef {
    CredentialRef::new("D-1".parse().unwrap(), name.parse::<Name>().unwrap())
}

fn new(name: &str) -> NewCredential {
    NewCredential { credential: reference(name), kind: Kind::Password, expires: None }
}

fn value(text: &str) -> Secret<Vec<u8>> {
    Secret::new(text.as_bytes().to_vec())
}

struct Bed {
    _folder: tempfile::TempDir,
    store: FileStore,
}

fn bed() -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("credentials"), Options::default());
    store.put(new("a"), &value("1")).unwrap();
    store.put(new("b"), &value("2")).unwrap();
    Bed { _folder: folder, store }
}

impl Bed {
    /// Writes the index as it stood in the midst of a change of `a`.
    fn stop_in(&self, state: State) -> PathBuf {
        let (head, mut index) = self.store.load().unwrap().unwrap();
        index.entries[0].state = state;
        index.save(&self.store.folder, &head.store).unwrap();
        self.store.path(&index.entries[0].file)
    }

    fn names(&self) -> Vec<String> {
        let page = self.store.list(None, &PageRequest::first(10)).unwrap();
        assert_eq!(page.unlisted, 0);
        page.items.iter().map(|item| item.name().to_string()).collect()
    }

    /// Everything in the folder and its subfolder, but for the lock.
    fn files(&self) -> usize {
        let count = |folder: &Path| fs::read_dir(folder).unwrap().count();
        count(&self.store.folder) + count(&self.store.secrets())
    }
}

#[test]
fn a_put_that_was_ended_is_taken_back() {
    for written in [true, false] {
        let bed = bed();
        let path = bed.stop_in(State::Making);
        if !written {
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(bed.names(), ["b"], "nobody was told of it");
        assert_eq!(bed.store.find(&reference("a")).unwrap(), None);
        let opened = bed.store.open(&reference("a"), Expired::Refused);
        assert!(matches!(opened, Err(StoreError::Unknown { .. })), "{opened:?}");
        bed.store.put(new("a"), &value("again")).unwrap();
        assert_eq!(bed.names(), ["a", "b"]);
        let opened = bed.store.open(&reference("a"), Expired::Refused).unwrap();
        assert_eq!(opened.expose(), b"again");
        assert!(!path.exists());
    }
}

#[test]
fn a_removal_that_was_ended_is_named_and_finished() {
    for removed in [true, false] {
        let bed = bed();
        let before = bed.files();
        let path = bed.stop_in(State::Removing);
        if removed {
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(bed.names(), ["a", "b"], "it may still be there");
        bed.store.put(new("c"), &value("3")).unwrap();
        assert_eq!(bed.names(), ["b", "c"]);
        assert!(!path.exists());
        assert_eq!(bed.files(), before, "one went and one came");
    }
}

#[test]
fn a_replacement_that_was_ended_leaves_one_whole_value() {
    for written in [true, false] {
        let bed = bed();
        bed.store.replace(new("a"), &value("new")).unwrap();
        let before = bed.files();
        // The other file is the next one before it has taken the place, and the last one after it.
        let other = FileId::random().unwrap();
        if written {
            owner_only::write_new(&bed.store.path(&other), b"the other file").unwrap();
        }
        let (head, mut index) = bed.store.load().unwrap().unwrap();
        index.entries[0].beside = Some(other.clone());
        index.save(&bed.store.folder, &head.store).unwrap();
        assert_eq!(bed.names(), ["a", "b"]);
        let opened = || bed.store.open(&reference("a"), Expired::Refused).unwrap();
        assert_eq!(opened().expose(), b"new");
        bed.store.remove(&reference("b")).unwrap();
        assert_eq!(opened().expose(), b"new");
        assert_eq!(bed.names(), ["a"]);
        assert!(!bed.store.path(&other).exists());
        assert_eq!(bed.files(), before - 1, "the other file is gone");
        // Whatever is left of it goes with it.
        index.entries[0].beside = Some(other.clone());
        index.entries.truncate(1);
        index.save(&bed.store.folder, &head.store).unwrap();
        bed.store.remove(&reference("a")).unwrap();
        assert_eq!(bed.files(), before - 2);
    }
}

#[test]
fn half_written_files_are_cleared_away_and_never_read() {
    let bed = bed();
    let before = bed.files();
    for folder in [&bed.store.folder, &bed.store.secrets()] {
        owner_only::write_new(&folder.join(format!("{}x1", owner_only::UNFINISHED)), b"half")
            .unwrap();
    }
    assert_eq!(bed.names(), ["a", "b"]);
    bed.store.remove(&reference("a")).unwrap();
    assert_eq!(bed.files(), before - 1);
}

#[test]
fn a_store_whose_making_was_ended_is_made_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    let store = FileStore::new(&path, Options::default());
    // All that is written before the head.
    let key = NewKey::make(&store.openers).unwrap();
    owner_only::make_folder(&path).unwrap();
    owner_only::make_folder(&store.secrets()).unwrap();
    Index { entries: Vec::new() }.save(&path, &key.store).unwrap();
    key.write(&path, &store.openers).unwrap();
    assert_eq!(store.list(None, &PageRequest::first(1)).unwrap().total, 0);
    assert_eq!(store.protection().unwrap(), None);
    store.put(new("a"), &value("1")).unwrap();
    assert_eq!(store.open(&reference("a"), Expired::Refused).unwrap().expose(), b"1");
}

#[test]
fn a_lock_that_is_held_is_an_error_after_the_deadline() {
    let bed = bed();
    let mut other = FileStore::new(&bed.store.folder, Options::default());
    other.patience = Duration::from_millis(50);
    let held = lock::hold(&bed.store.folder, Duration::ZERO).unwrap();
    let put = other.put(new("c"), &value("3"));
    assert!(matches!(put, Err(StoreError::Busy { .. })), "{put:?}");
    // Readers do not wait.
    assert_eq!(other.list(None, &PageRequest::first(1)).unwrap().total, 2);
    other.open(&reference("a"), Expired::Refused).unwrap();
    drop(held);
    other.put(new("c"), &value("3")).unwrap();
}

#[test]
fn loosened_rights_are_an_error_until_they_are_mended() {
    let bed = bed();
    let (_, index) = bed.store.load().unwrap().unwrap();
    let secret = bed.store.path(&index.entries[0].file);
    let key = fs::read_dir(&bed.store.folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("key-"))
        .unwrap();
    let paths = [bed.store.folder.clone(), Head::path(&bed.store.folder), secret, key];
    for path in paths {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o044)).unwrap();
        let fresh = FileStore::new(&bed.store.folder, Options::default());
        let opened = fresh.open(&reference("a"), Expired::Refused);
        let Err(StoreError::Files(owner_only::Error::Exposed { path: named, .. })) = opened else {
            panic!("{}: {opened:?}", path.display());
        };
        assert_eq!(named, path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        fresh.open(&reference("a"), Expired::Refused).unwrap();
    }
}

//! Where the key is kept, and what it is like when it is not to be had.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use credstore::{
    CredentialStore, Expired, KeyPlace, Keyring, KeyringError, PageRequest, PassphraseFile,
    StoreError,
};

use crate::bed::{Bed, Ring, Typist, kind, listed, new, reference, value};

fn open(bed: &Bed) -> Result<secret::Secret<Vec<u8>>, StoreError> {
    bed.store().open(&reference("D-1/a"), Expired::Refused)
}

fn place(bed: &Bed) -> (KeyPlace, String) {
    let protection = bed.store().protection().unwrap().unwrap();
    (protection.place, protection.in_words())
}

#[test]
fn a_keyring_comes_first_then_a_passphrase_then_a_key_file_and_it_is_said_which() {
    let absent = Ring::default();
    *absent.locked.lock().unwrap() = Some(KeyringError::Absent("no bus".to_owned()));
    let absent: Arc<dyn Keyring> = Arc::new(absent);
    let ring = || -> Arc<dyn Keyring> { Arc::new(Ring::default()) };
    for (keyring, typed, wanted, words) in [
        (Some(ring()), Some("pass"), KeyPlace::Keyring, "keyring of the operating system"),
        (Some(absent.clone()), Some("pass"), KeyPlace::Passphrase, "no ring of the test: no bus"),
        (Some(absent), None, KeyPlace::KeyFile, "no passphrase was chosen"),
        (None, Some("pass"), KeyPlace::Passphrase, "no keyring is used here"),
    ] {
        let bed = Bed::new(keyring, Some(Typist::of(typed)));
        assert_eq!(bed.store().protection().unwrap(), None);
        bed.store().put(new("D-1/a"), &value("x")).unwrap();
        let (place, said) = place(&bed);
        assert!(place == wanted && said.contains(words), "{place:?}: {said}");
        assert_eq!(open(&bed).unwrap().expose(), b"x");
        let files = bed.named("key-").len();
        assert_eq!(files, usize::from(wanted != KeyPlace::Keyring));
    }
}

#[test]
fn neither_putting_nor_listing_nor_removing_needs_the_key() {
    let typist = Typist::of(Some("pass"));
    let mut bed = Bed::new(None, Some(typist.clone()));
    bed.store().put(new("D-1/a"), &value("x")).unwrap();
    bed.options.passphrase = None;
    bed.store().put(new("D-1/b"), &value("y")).unwrap();
    bed.store().remove(&reference("D-1/b")).unwrap();
    assert_eq!(listed(&bed.store()), ["cred:D-1/a"]);
    assert_eq!(typist.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_passphrase_is_asked_for_once_in_the_life_of_a_store() {
    let typist = Typist::of(Some("pass"));
    let bed = Bed::new(None, Some(typist.clone()));
    let store = bed.store();
    for name in ["D-1/a", "D-1/b"] {
        store.put(new(name), &value("x")).unwrap();
    }
    std::thread::scope(|scope| {
        for name in ["D-1/a", "D-1/b", "D-1/a", "D-1/b"] {
            let store = &store;
            scope.spawn(move || store.open(&reference(name), Expired::Refused).unwrap());
        }
    });
    assert_eq!(typist.asked.load(Ordering::SeqCst), 1);
}

#[test]
fn without_a_passphrase_it_is_locked_and_with_another_the_key_is_wrong() {
    let typist = Typist::of(Some("right"));
    let mut bed = Bed::new(None, Some(typist.clone()));
    bed.store().put(new("D-1/a"), &value("x")).unwrap();
    let before = bed.contents();
    typist.types(None);
    assert_eq!(kind(open(&bed)), "Locked");
    typist.types(Some("wrong"));
    let store = bed.store();
    assert_eq!(kind(store.open(&reference("D-1/a"), Expired::Refused)), "WrongKey");
    typist.types(Some("right"));
    store.open(&reference("D-1/a"), Expired::Refused).unwrap();
    bed.options.passphrase = None;
    assert_eq!(kind(open(&bed)), "Locked");
    assert_eq!(bed.contents(), before);
}

#[test]
fn a_file_that_holds_the_passphrase_opens_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passphrase");
    owner_only::write_new(&path, b"correct horse\r\nnot this\n").unwrap();
    let mut bed = Bed::new(None, Some(Typist::of(Some("correct horse"))));
    bed.store().put(new("D-1/a"), &value("x")).unwrap();
    bed.options.passphrase = Some(Arc::new(PassphraseFile::new(path.clone())));
    assert_eq!(open(&bed).unwrap().expose(), b"x");
    fs::write(&path, "\n").unwrap();
    let Err(StoreError::Asking(why)) = open(&bed) else { panic!("it was opened") };
    assert!(why.contains("no passphrase"), "{why}");
    fs::remove_file(&path).unwrap();
    assert_eq!(kind(open(&bed)), "Asking");
}

#[test]
fn a_locked_an_emptied_and_an_absent_keyring_are_told_apart() {
    let ring = Arc::new(Ring::default());
    let mut bed = Bed::new(Some(ring.clone()), None);
    bed.store().put(new("D-1/a"), &value("x")).unwrap();
    let before = bed.contents();
    let lock = |error| *ring.locked.lock().unwrap() = error;
    lock(Some(KeyringError::Locked("it is shut".to_owned())));
    assert_eq!(kind(open(&bed)), "Locked");
    // It still lists, and takes.
    assert_eq!(listed(&bed.store()), ["cred:D-1/a"]);
    lock(None);
    open(&bed).unwrap();
    let kept = std::mem::take(&mut *ring.kept.lock().unwrap());
    assert_eq!(kind(open(&bed)), "Missing");
    let (store, _) = kept.first_key_value().unwrap();
    ring.kept.lock().unwrap().insert(store.clone(), "no key".to_owned());
    assert_eq!(kind(open(&bed)), "Corrupt");
    bed.options.keyring = None;
    assert_eq!(kind(open(&bed)), "Locked");
    assert_eq!(bed.contents(), before);
}

#[test]
fn a_lost_a_foreign_and_a_damaged_key_file_are_told_apart() {
    let (bed, other) = (Bed::key_file(), Bed::key_file());
    for bed in [&bed, &other] {
        bed.store().put(new("D-1/a"), &value("x")).unwrap();
    }
    let path = bed.named("key-").remove(0);
    let whole = fs::read_to_string(&path).unwrap();
    let key = whole.lines().last().unwrap().to_owned();
    fs::copy(other.named("key-").remove(0), &path).unwrap();
    assert_eq!(kind(open(&bed)), "WrongKey");
    let digit = if key.ends_with('Q') { "P" } else { "Q" };
    let flipped = format!("{}{digit}", &key[..key.len() - 1]);
    for damaged in ["", "no key", &key[..20], &format!("{key}\n{key}"), &flipped] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(kind(open(&bed)), "Corrupt", "{}", damaged.len());
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(kind(open(&bed)), "Missing");
    // Nothing is made in its place.
    bed.store().put(new("D-1/b"), &value("y")).unwrap();
    assert_eq!(bed.named("key-").len(), 0);
    owner_only::write_new(&path, whole.as_bytes()).unwrap();
    assert_eq!(open(&bed).unwrap().expose(), b"x");
    assert_eq!(bed.store().list(None, &PageRequest::first(9)).unwrap().total, 2);
}

#[test]
fn a_key_under_a_passphrase_that_was_damaged_is_no_wrong_passphrase() {
    let bed = Bed::new(None, Some(Typist::of(Some("pass"))));
    bed.store().put(new("D-1/a"), &value("x")).unwrap();
    let path = bed.named("key-").remove(0);
    let whole = fs::read(&path).unwrap();
    for at in [0, 40, 80, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert_eq!(kind(open(&bed)), "Corrupt", "flipped at {at}");
    }
}

//! Damage of every file: each is named, and nothing is overwritten because of it.

use std::fs;

use credstore::{CredentialStore, Expired, Options, PageRequest, Part, StoreError};

use crate::bed::{Bed, Hand, kind, listed, new, reference, value};

fn filled() -> Bed {
    let bed = Bed::key_file();
    let store = bed.store();
    for name in ["D-1/a", "D-1/b", "D-2/c"] {
        store.put(new(name), &value("hunter2-secret")).unwrap();
    }
    bed
}

/// What each call says, and that none of them changes a file.
fn says(bed: &Bed) -> [String; 5] {
    let before = bed.contents();
    let store = bed.store();
    let group = "D-1".parse().unwrap();
    let said = [
        kind(store.list(None, &PageRequest::first(9))),
        kind(store.find(&reference("D-1/a"))),
        kind(store.open(&reference("D-1/a"), Expired::Refused)),
        kind(store.put(new("D-9/new"), &value("x"))),
        kind(store.remove_group(&group)),
    ];
    assert_eq!(bed.contents(), before, "something was changed");
    said
}

#[test]
fn d69_a_lost_head_and_a_lost_index_are_missing_and_never_empty() {
    for file in ["store.json", "index.json"] {
        let bed = filled();
        fs::remove_file(bed.path.join(file)).unwrap();
        assert_eq!(says(&bed), ["Missing"; 5], "{file}");
    }
    // Both: the secrets are still there.
    let bed = filled();
    fs::remove_file(bed.path.join("store.json")).unwrap();
    fs::remove_file(bed.path.join("index.json")).unwrap();
    assert_eq!(says(&bed), ["Missing"; 5]);
}

#[test]
fn a_damaged_head_or_index_is_corrupt_wherever_it_is_cut_or_flipped() {
    for file in ["store.json", "index.json"] {
        let bed = filled();
        let path = bed.path.join(file);
        let whole = fs::read(&path).unwrap();
        for cut in [0, 1, whole.len() / 2, whole.len() - 3] {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(says(&bed), ["Corrupt"; 5], "{file} cut at {cut}");
        }
        fs::write(&path, "null").unwrap();
        assert_eq!(says(&bed), ["Corrupt"; 5], "{file}");
    }
}

#[test]
fn d69_an_index_that_was_edited_is_corrupt() {
    let bed = filled();
    let path = bed.path.join("index.json");
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("D-2/c", "D-2/d"),
        ("\"size\": 14", "\"size\": 15"),
        ("\"expires\": null", "\"expires\": \"2030-01-01T00:00:00Z\""),
        ("\"kept\"", "\"making\""),
        ("\"entries\": [", "\"entries\": [], \"more\": ["),
        ("\"file\": \"", "\"file\": \"../../"),
    ] {
        assert!(whole.contains(from), "{from}");
        fs::write(&path, whole.replacen(from, to, 1)).unwrap();
        assert_eq!(says(&bed), ["Corrupt"; 5], "{from}");
    }
    // The index of another store.
    fs::copy(filled().path.join("index.json"), &path).unwrap();
    assert_eq!(says(&bed), ["Corrupt"; 5]);
}

#[test]
fn a_newer_format_is_newer() {
    for file in ["store.json", "index.json"] {
        let bed = filled();
        let path = bed.path.join(file);
        fs::write(&path, r#"{"version": 2, "anything": ["else"]}"#).unwrap();
        assert_eq!(says(&bed), ["Newer"; 5], "{file}");
        let Err(error) = bed.store().list(None, &PageRequest::first(1)) else { panic!("{file}") };
        let text = error.to_string();
        assert!(text.contains(file) && text.contains("version 2"), "{text}");
        let rebuilt = bed.store().rebuild();
        assert_eq!(kind(rebuilt), "Newer", "{file}");
    }
}

#[test]
fn a_lost_a_cut_and_a_flipped_secret_are_told_apart_and_the_others_open() {
    let bed = filled();
    let store = bed.store();
    let opens = |name: &str| store.open(&reference(name), Expired::Refused);
    let broken = |name| kind(opens(name));
    // Which file is whose is not to be seen: each is broken in turn.
    for path in bed.secrets() {
        let whole = fs::read(&path).unwrap();
        let outcome = || {
            let names = ["D-1/a", "D-1/b", "D-2/c"];
            let failed: Vec<_> = names.into_iter().filter(|name| opens(name).is_err()).collect();
            assert_eq!(failed.len(), 1, "{failed:?}");
            assert_eq!(listed(&store).len(), 3, "it is listed all the same");
            broken(failed[0])
        };
        for at in [0, 30, whole.len() / 2, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            fs::write(&path, &flipped).unwrap();
            assert_eq!(outcome(), "Corrupt", "flipped at {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(outcome(), "Corrupt", "cut at {at}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(outcome(), "Missing");
        owner_only::write_new(&path, &whole).unwrap();
        assert_eq!(listed(&store).len(), 3);
    }
    opens("D-1/a").unwrap();
}

#[test]
fn an_index_made_anew_names_the_newer_of_two_files() {
    // The names of files are drawn: the older one comes first, or last.
    for _ in 0..8 {
        let (mut bed, hand) = (Bed::key_file(), Hand::default());
        bed.options = Options { clock: hand.clock(), ..bed.options };
        let store = bed.store();
        store.put(new("D-1/a"), &value("old")).unwrap();
        let old = bed.secrets().remove(0);
        let text = fs::read(&old).unwrap();
        hand.set(9);
        store.replace(new("D-1/a"), &value("new")).unwrap();
        assert!(!old.exists(), "the old one is gone");
        owner_only::write_new(&old, &text).unwrap();
        let rebuilt = store.rebuild().unwrap();
        let left: Vec<_> = rebuilt.left.into_iter().map(|(path, _)| path).collect();
        assert_eq!((rebuilt.kept, left), (1, vec![old]));
        let opened = store.open(&reference("D-1/a"), Expired::Refused).unwrap();
        assert_eq!(opened.expose(), b"new");
    }
}

#[test]
fn a_secret_that_is_missing_can_be_removed() {
    let bed = filled();
    for path in bed.secrets() {
        fs::remove_file(path).unwrap();
    }
    let Err(StoreError::Missing { part, .. }) =
        bed.store().open(&reference("D-1/a"), Expired::Refused)
    else {
        panic!("it was opened");
    };
    assert_eq!(part, Part::Secret);
    bed.store().remove(&reference("D-1/a")).unwrap();
    bed.store().remove_group(&"D-1".parse().unwrap()).unwrap();
    assert_eq!(listed(&bed.store()), ["cred:D-2/c"]);
}

#[test]
fn an_older_index_does_not_hide_the_secrets_that_it_does_not_name() {
    let bed = filled();
    let path = bed.path.join("index.json");
    let old = fs::read(&path).unwrap();
    bed.store().put(new("D-3/d"), &value("later")).unwrap();
    fs::write(&path, old).unwrap();
    let page = bed.store().list(None, &PageRequest::first(9)).unwrap();
    assert_eq!((page.total, page.unlisted), (3, 1));
    let rebuilt = bed.store().rebuild().unwrap();
    assert_eq!((rebuilt.kept, rebuilt.left.len()), (4, 0));
    let page = bed.store().list(None, &PageRequest::first(9)).unwrap();
    assert_eq!((page.total, page.unlisted), (4, 0));
    let opened = bed.store().open(&reference("D-3/d"), Expired::Refused).unwrap();
    assert_eq!(opened.expose(), b"later");
}

#[test]
fn a_lost_index_is_made_anew_and_what_cannot_be_read_is_left_and_named() {
    let bed = filled();
    let before = bed.store().list(None, &PageRequest::first(9)).unwrap();
    for damage in [None, Some("")] {
        let path = bed.path.join("index.json");
        match damage {
            None => fs::remove_file(&path).unwrap(),
            Some(text) => fs::write(&path, text).unwrap(),
        }
        let rebuilt = bed.store().rebuild().unwrap();
        assert_eq!((rebuilt.kept, rebuilt.left.len()), (3, 0));
        assert_eq!(rebuilt.old_index.is_some(), damage.is_some());
        assert_eq!(bed.store().list(None, &PageRequest::first(9)).unwrap(), before);
    }
    let broken = &bed.secrets()[0];
    fs::write(broken, "age-encryption.org/v1\n").unwrap();
    let rebuilt = bed.store().rebuild().unwrap();
    assert_eq!(rebuilt.kept, 2);
    assert_eq!(rebuilt.left[0].0, *broken);
    assert!(broken.exists());
    assert_eq!(bed.store().list(None, &PageRequest::first(9)).unwrap().unlisted, 1);
}

#[test]
fn a_file_that_was_put_in_the_place_of_another_is_not_taken_for_it() {
    let bed = filled();
    let index = bed.path.join("index.json");
    let old = fs::read_to_string(&index).unwrap();
    // Two files change places, and the index is made to fit.
    let secrets = bed.secrets();
    let (one, two) = (fs::read(&secrets[0]).unwrap(), fs::read(&secrets[1]).unwrap());
    fs::write(&secrets[0], &two).unwrap();
    fs::write(&secrets[1], &one).unwrap();
    let said: Vec<_> = ["D-1/a", "D-1/b", "D-2/c"]
        .into_iter()
        .filter_map(|name| bed.store().open(&reference(name), Expired::Refused).err())
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|error| matches!(error, StoreError::Corrupt { .. })), "{said:?}");
    assert_eq!(fs::read_to_string(&index).unwrap(), old);
}

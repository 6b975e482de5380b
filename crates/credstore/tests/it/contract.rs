//! What every store keeps to.

use credstore::{
    CredentialStore, Expired, Kind, LONGEST, MemoryStore, NewCredential, Options, PageRequest,
    StoreError, open_text,
};
use proptest::prelude::*;
use secret::Secret;

use crate::bed::{Bed, Hand, at, kind, listed, new, reference, value};

/// Runs a case with either store, and a clock.
fn each(case: impl Fn(&dyn CredentialStore, &Hand)) {
    let hand = Hand::default();
    case(&MemoryStore::new(hand.clock()), &hand);
    let (mut bed, hand) = (Bed::key_file(), Hand::default());
    bed.options = Options { clock: hand.clock(), ..bed.options };
    case(&bed.store(), &hand);
}

#[test]
fn what_is_put_is_opened_and_described() {
    each(|store, hand| {
        assert_eq!(listed(store), [""; 0]);
        hand.set(5);
        let expires = Some(at(100));
        let given = NewCredential { kind: Kind::ApiFile, expires, ..new("D-1/api") };
        let put = store.put(given, &value("ca: x")).unwrap();
        assert_eq!((put.kind, put.made, put.expires, put.size), (Kind::ApiFile, at(5), expires, 5));
        assert_eq!(store.find(&reference("D-1/api")).unwrap().as_ref(), Some(&put));
        assert_eq!(store.find(&reference("D-1/other")).unwrap(), None);
        let opened = open_text(store, &reference("D-1/api"), Expired::Refused).unwrap();
        assert_eq!(opened.expose(), "ca: x");
        assert_eq!(kind(store.open(&reference("D-2/api"), Expired::Allowed)), "Unknown");
    });
}

#[test]
fn nothing_is_overwritten() {
    each(|store, hand| {
        store.put(new("D-1/a"), &value("first")).unwrap();
        hand.set(9);
        let Err(StoreError::Exists { made, .. }) = store.put(new("D-1/a"), &value("second")) else {
            panic!("it was overwritten");
        };
        assert_eq!(made, at(0));
        let opened = store.open(&reference("D-1/a"), Expired::Refused).unwrap();
        assert_eq!(opened.expose(), b"first");
        // Another group is another name.
        store.put(new("D-2/a"), &value("other")).unwrap();
    });
}

#[test]
fn what_is_replaced_is_the_new_one_with_its_own_end() {
    each(|store, hand| {
        let first = NewCredential { kind: Kind::ApiFile, expires: Some(at(10)), ..new("D-1/a") };
        store.put(first, &value("first")).unwrap();
        store.put(new("D-1/b"), &value("other")).unwrap();
        hand.set(20);
        let second = NewCredential { kind: Kind::ApiFile, expires: Some(at(100)), ..new("D-1/a") };
        let made = store.replace(second, &value("a longer second")).unwrap();
        assert_eq!((made.made, made.expires, made.size), (at(20), Some(at(100)), 15));
        assert_eq!(store.find(&reference("D-1/a")).unwrap(), Some(made));
        let opened = store.open(&reference("D-1/a"), Expired::Refused).unwrap();
        assert_eq!(opened.expose(), b"a longer second");
        // Where there is none it is put.
        store.replace(new("D-1/c"), &value("new")).unwrap();
        assert_eq!(listed(store), ["cred:D-1/a", "cred:D-1/b", "cred:D-1/c"]);
        // What cannot be kept changes nothing.
        let long = Secret::new(vec![7; LONGEST + 1]);
        assert_eq!(kind(store.replace(new("D-1/a"), &long)), "TooLong");
        let opened = store.open(&reference("D-1/a"), Expired::Refused).unwrap();
        assert_eq!(opened.expose(), b"a longer second");
    });
}

#[test]
fn d69_expired_ones_are_kept_listed_and_refused() {
    each(|store, hand| {
        let given = NewCredential { expires: Some(at(10)), ..new("D-1/a") };
        store.put(given, &value("x")).unwrap();
        let expired = || store.find(&reference("D-1/a")).unwrap().unwrap().expired;
        hand.set(9);
        assert!(!expired());
        store.open(&reference("D-1/a"), Expired::Refused).unwrap();
        hand.set(10);
        assert!(expired());
        let Err(StoreError::Expired { at: end, .. }) =
            store.open(&reference("D-1/a"), Expired::Refused)
        else {
            panic!("it was opened");
        };
        assert_eq!(end, at(10));
        let opened = store.open(&reference("D-1/a"), Expired::Allowed).unwrap();
        assert_eq!(opened.expose(), b"x");
    });
}

#[test]
fn pages_are_in_order_and_leave_nothing_out() {
    each(|store, _| {
        for name in ["D-2/a", "D-1/c", "D-1/a", "D-10/x", "D-1/b", "D-1/B"] {
            store.put(new(name), &value(name)).unwrap();
        }
        let group = "D-1".parse().unwrap();
        for limit in 1..=5 {
            let (mut request, mut names) = (PageRequest::first(limit), Vec::new());
            loop {
                let page = store.list(Some(&group), &request).unwrap();
                assert!(page.items.len() <= limit && page.total == 4 && page.unlisted == 0);
                names.extend(page.items.iter().map(|item| item.name().to_string()));
                request.after = page.next;
                if request.after.is_none() {
                    break;
                }
            }
            assert_eq!(names, ["B", "a", "b", "c"], "pages of {limit}");
        }
        assert_eq!(listed(store).len(), 6);
        // The one behind which the page begins may be gone.
        store.remove(&reference("D-1/a")).unwrap();
        let request = PageRequest { after: Some(reference("D-1/a")), limit: 1 };
        assert_eq!(store.list(None, &request).unwrap().items[0].credential, reference("D-1/b"));
        let none = store.list(None, &PageRequest::first(0)).unwrap();
        assert_eq!((none.items.len(), none.total), (0, 5));
    });
}

#[test]
fn one_is_removed_or_a_whole_group() {
    each(|store, _| {
        for name in ["D-1/a", "D-1/b", "D-2/a"] {
            store.put(new(name), &value(name)).unwrap();
        }
        assert_eq!(store.remove(&reference("D-1/a")).unwrap().credential, reference("D-1/a"));
        assert_eq!(kind(store.remove(&reference("D-1/a"))), "Unknown");
        assert_eq!(kind(store.open(&reference("D-1/a"), Expired::Allowed)), "Unknown");
        store.put(new("D-1/a"), &value("anew")).unwrap();
        let group = "D-1".parse().unwrap();
        let removed = store.remove_group(&group).unwrap();
        let removed: Vec<_> = removed.iter().map(|item| item.credential.clone()).collect();
        assert_eq!(removed, [reference("D-1/a"), reference("D-1/b")]);
        assert_eq!(store.remove_group(&group).unwrap(), []);
        assert_eq!(listed(store), ["cred:D-2/a"]);
    });
}

#[test]
fn a_value_has_a_longest_length_and_may_be_empty() {
    each(|store, _| {
        let long = Secret::new(vec![7; LONGEST + 1]);
        assert_eq!(kind(store.put(new("D-1/a"), &long)), "TooLong");
        assert_eq!(listed(store), [""; 0]);
        store.put(new("D-1/a"), &Secret::new(vec![7; LONGEST])).unwrap();
        let opened = store.open(&reference("D-1/a"), Expired::Refused).unwrap();
        assert!(opened.expose().len() == LONGEST && opened.expose().iter().all(|b| *b == 7));
        store.put(new("D-1/empty"), &value("")).unwrap();
        assert!(store.open(&reference("D-1/empty"), Expired::Refused).unwrap().expose().is_empty());
        store.put(new("D-1/bytes"), &Secret::new(vec![0xff, b'\n', 0])).unwrap();
        let text = open_text(store, &reference("D-1/bytes"), Expired::Refused);
        assert_eq!(kind(text), "NotText");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the bytes are, they come back, and only when they are opened.
    #[test]
    fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        let bed = Bed::key_file();
        bed.store().put(new("D-1/a"), &Secret::new(bytes.clone())).unwrap();
        let opened = bed.store().open(&reference("D-1/a"), Expired::Refused).unwrap();
        prop_assert_eq!(opened.expose(), &bytes);
    }
}

//! Nothing of a value, a key or a passphrase shows anywhere but where it is opened.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use credstore::{CredentialStore, Expired, Kind, NewCredential, PageRequest};
use proptest::prelude::*;
use secret::Secret;

use crate::bed::{Bed, Ring, Typist, at, new, reference};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Neither the value nor the key is in a file, in `Debug` or in an error, whatever they are.
    #[test]
    fn nothing_secret_shows(secret in "[a-zA-Z0-9]{12,40}", passphrase in "[a-zA-Z0-9]{12,40}") {
        let ring = Arc::new(Ring::default());
        for bed in [
            Bed::key_file(),
            Bed::new(None, Some(Typist::of(Some(&passphrase)))),
            Bed::new(Some(ring.clone()), None),
        ] {
            let store = bed.store();
            let given = NewCredential {
                kind: Kind::PrivateKey, expires: Some(at(-1_000_000_000)), ..new("D-1/a")
            };
            let value = Secret::new(secret.clone().into_bytes());
            let mut seen = format!("{:?}", store.put(given, &value).unwrap());
            let first = PageRequest::first(5);
            let opened = store.open(&reference("D-1/a"), Expired::Allowed);
            prop_assert_eq!(opened.as_ref().unwrap().expose(), value.expose());
            write!(seen, "{store:?} {opened:?} {:?}", store.list(None, &first).unwrap()).unwrap();
            for error in [
                store.put(new("D-1/a"), &value).map(drop).unwrap_err(),
                store.open(&reference("D-1/a"), Expired::Refused).map(drop).unwrap_err(),
            ] {
                write!(seen, "{error} {error:?}").unwrap();
            }
            for path in bed.secrets() {
                fs::write(path, &secret).unwrap();
            }
            let error = store.open(&reference("D-1/a"), Expired::Allowed).unwrap_err();
            write!(seen, "{error} {error:?}").unwrap();
            for path in bed.named("store.json").into_iter().chain(bed.named("index.json")) {
                seen += &fs::read_to_string(path).unwrap();
            }
            prop_assert!(!seen.contains(&secret), "{}", seen);
            prop_assert!(!seen.contains(&passphrase), "{}", seen);
            prop_assert!(!seen.contains("AGE-SECRET-KEY"), "{}", seen);
        }
    }
}

#[test]
fn no_file_holds_a_value_or_a_wrapped_key_in_the_clear() {
    let bed = Bed::new(None, Some(Typist::of(Some("a passphrase"))));
    bed.store().put(new("D-1/a"), &Secret::new(b"hunter2-secret".to_vec())).unwrap();
    for (path, bytes) in bed.contents() {
        for secret in ["hunter2-secret", "a passphrase", "AGE-SECRET-KEY"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds {secret}", path.display());
        }
    }
}

#[cfg(unix)]
#[test]
fn d30_d69_every_file_and_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new(None, Some(Typist::of(Some("a passphrase"))));
    bed.store().put(new("D-1/a"), &Secret::new(Vec::new())).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&bed.path), mode(&bed.path.join("secrets"))), (0o700, 0o700));
    let files = bed.files();
    assert_eq!(files.len(), 5, "{files:?}");
    for path in files {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

//! `megaraptor credential`, as a person uses it: values on a terminal and nowhere else.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::sync::Arc;

use credstore::{
    AskPassphrase, CredentialStore, FileStore, Kind, NewCredential, Options, PageRequest,
};
use jiff::Timestamp;
use secret::Secret;
use serde_json::{Value, json};

use crate::approvals::Home;

/// What the filter of all output would mask.
const VALUE: &str = "password=hunter2-of-the-gui";
const PASSPHRASE: &str = "correct horse";
const ASKED: &str = "Passphrase of the credential store";

/// Somebody who chooses a passphrase.
struct Chooses;

impl AskPassphrase for Chooses {
    fn choose(&self) -> Result<Option<Secret<String>>, String> {
        Ok(Some(Secret::new(PASSPHRASE.to_owned())))
    }

    fn ask(&self) -> Result<Option<Secret<String>>, String> {
        self.choose()
    }
}

/// A state folder with three secrets, one of which has expired.
fn home(passphrase: Option<Arc<dyn AskPassphrase>>) -> Home {
    let home = Home::new();
    let store = store(&home, passphrase);
    for (name, expires) in [("D-1/gui", None), ("D-1/old", Some(1)), ("D-2/gui", None)] {
        let credential = format!("cred:{name}").parse().expect("a reference");
        let expires = expires.map(|second| Timestamp::from_second(second).expect("a time"));
        let new = NewCredential { credential, kind: Kind::Password, expires };
        store.put(new, &Secret::new(VALUE.as_bytes().to_vec())).expect("it is put");
    }
    home
}

fn store(home: &Home, passphrase: Option<Arc<dyn AskPassphrase>>) -> FileStore {
    let options = Options { passphrase, work_factor: 4, ..Options::default() };
    FileStore::new(home.path().join("credentials"), options)
}

fn kept(home: &Home) -> usize {
    store(home, None).list(None, &PageRequest::first(1)).expect("it is listed").total
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

#[test]
fn a_list_opens_nothing_and_says_where_the_key_is() {
    let empty = Home::new();
    let done = empty.piped(&["credential", "list"], "");
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(said(&done), "no secret is kept; no store was made yet\n");
    assert!(!empty.path().join("credentials").exists(), "looking makes nothing");

    let home = home(Some(Arc::new(Chooses)));
    let done = home.piped(&["credential", "list"], "");
    let text = said(&done);
    assert_eq!(done.status.code(), Some(0), "{text}");
    for wanted in ["cred:D-1/gui", "password", "expired 1970", "3 of 3 secrets", "a passphrase"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains(VALUE));

    let arguments = ["credential", "list", "--deployment", "D-1", "--limit", "1", "-o", "json"];
    let done = home.piped(&arguments, "");
    let page: Value = serde_json::from_slice(&done.stdout).expect("JSON is said");
    assert_eq!((&page["total"], &page["next"]), (&json!(2), &json!("cred:D-1/gui")));
    assert_eq!(page["credentials"][0]["ref"], "cred:D-1/gui");
    assert_eq!(page["key"]["place"], "passphrase");
    let next = [&arguments[..], &["--after", "cred:D-1/gui"]].concat();
    let page: Value = serde_json::from_slice(&home.piped(&next, "").stdout).expect("JSON is said");
    assert_eq!((&page["credentials"][0]["expired"], &page["next"]), (&json!(true), &Value::Null));
}

#[test]
fn a_value_is_shown_on_a_terminal_and_the_passphrase_is_not() {
    let home = home(Some(Arc::new(Chooses)));
    let show = ["credential", "show", "cred:D-1/gui"];
    let (code, shown) = home.talked(&show, ASKED, &format!("{PASSPHRASE}\n"));
    assert!(code == Some(0) && shown.contains(VALUE), "{code:?}: {shown}");
    assert!(!shown.contains(PASSPHRASE), "{shown}");

    let (code, shown) = home.talked(&show, ASKED, "another\n");
    assert!(code == Some(4) && !shown.contains(VALUE), "{code:?}: {shown}");
    assert!(shown.contains("this passphrase does not open"), "{shown}");

    let file = home.path().join("gui.txt");
    let out = file.display().to_string();
    let write = [&show[..], &["--out", &out]].concat();
    let (code, shown) = home.talked(&write, ASKED, &format!("{PASSPHRASE}\n"));
    assert!(code == Some(0) && !shown.contains(VALUE), "{code:?}: {shown}");
    assert_eq!(fs::read_to_string(&file).unwrap(), VALUE);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others can read it");
    fs::write(&file, "mine").unwrap();
    let (code, shown) = home.talked(&write, ASKED, &format!("{PASSPHRASE}\n"));
    assert!(code == Some(7) && shown.contains(&out), "{code:?}: {shown}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine", "a file was overwritten");

    let old = ["credential", "show", "cred:D-1/old"];
    let (code, shown) = home.talked(&old, "--expired", "");
    assert!(code == Some(7) && !shown.contains(VALUE), "{code:?}: {shown}");
    let old = [&old[..], &["--expired"]].concat();
    let (code, shown) = home.talked(&old, ASKED, &format!("{PASSPHRASE}\n"));
    assert!(code == Some(0) && shown.contains(VALUE), "{code:?}: {shown}");

    let (code, shown) = home.talked(&["credential", "show", "cred:D-9/gui"], "list", "");
    assert!(code == Some(3) && shown.contains("megaraptor credential list"), "{code:?}: {shown}");
}

#[test]
fn nothing_is_shown_or_deleted_through_a_pipe() {
    let home = home(None);
    let out = home.path().join("out").display().to_string();
    for command in [&["show"][..], &["delete"], &["show", "--out", &out]] {
        for form in ["text", "json"] {
            let arguments = [&["credential", "-o", form], command, &["cred:D-1/gui"]].concat();
            let done = home.piped(&arguments, "yes\n");
            let text = said(&done);
            assert_eq!(done.status.code(), Some(4), "{command:?}: {text}");
            assert!(text.contains("needs a terminal") && !text.contains(VALUE), "{text}");
        }
    }
    assert_eq!(kept(&home), 3);
}

#[test]
fn a_file_with_the_passphrase_takes_the_place_of_the_question() {
    let home = home(Some(Arc::new(Chooses)));
    let path = home.path().join("passphrase");
    owner_only::write_new(&path, format!("{PASSPHRASE}\n").as_bytes()).expect("it is written");
    // Nobody is there to ask, and the index is made anew with the key.
    let rebuild = ["credential", "rebuild"];
    let done = home.piped(&rebuild, "");
    assert_eq!(done.status.code(), Some(4), "{}", said(&done));
    assert!(said(&done).contains("MEGARAPTOR_PASSPHRASE_FILE"), "{}", said(&done));
    let mut command = home.command(&rebuild);
    let done = command.env("MEGARAPTOR_PASSPHRASE_FILE", &path).output().expect("it runs");
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(said(&done).contains("the index names 3 secrets"), "{}", said(&done));
}

#[test]
fn one_is_deleted_after_a_yes_and_left_after_anything_else() {
    let home = home(None);
    let delete = ["credential", "delete", "cred:D-1/gui"];
    for typed in ["\n", "y\n", "no\n"] {
        let (code, shown) = home.talked(&delete, "type yes", typed);
        assert_eq!((code, kept(&home)), (Some(130), 3), "{typed:?}: {shown}");
    }
    let (code, shown) = home.talked(&delete, "type yes", "yes\n");
    assert_eq!((code, kept(&home)), (Some(0), 2), "{shown}");
    assert!(shown.contains("cred:D-1/gui is deleted"), "{shown}");
    let (code, _) = home.talked(&delete, "", "");
    assert_eq!(code, Some(3));
}

#[test]
fn a_lost_index_is_an_error_with_the_way_out() {
    let home = home(None);
    let path = home.path().join("credentials").join("index.json");
    let older = fs::read(&path).expect("it is there");
    fs::remove_file(&path).expect("it is there");
    let done = home.piped(&["credential", "list"], "");
    let text = said(&done);
    assert!(
        done.status.code() == Some(7) && text.contains("megaraptor credential rebuild"),
        "{text}"
    );
    let done = home.piped(&["credential", "rebuild"], "");
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(kept(&home), 3);

    // An older index does not hide what it does not name.
    let new = NewCredential {
        credential: "cred:D-3/gui".parse().expect("a reference"),
        kind: Kind::Password,
        expires: None,
    };
    store(&home, None).put(new, &Secret::new(Vec::new())).expect("it is put");
    owner_only::replace(&path, &older).expect("it is written");
    let done = home.piped(&["credential", "list"], "");
    assert_eq!(done.status.code(), Some(9), "{}", said(&done));
    assert!(said(&done).contains("1 more are on the disk"), "{}", said(&done));
}

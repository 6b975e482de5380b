//! Several processes at once, and one that is killed at any moment.

use std::env;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use credstore::{CredentialStore, Expired, FileStore, Options, PageRequest};

use crate::bed::{Bed, kind, listed, new, reference, value};

const FOLDER: &str = "CREDSTORE_TEST_FOLDER";
const WRITER: &str = "CREDSTORE_TEST_WRITER";

/// Starts one test of this binary once more, as a process that plays a part in it.
fn again(test: &str, bed: &Bed, writer: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("processes::{test}")])
        .env(FOLDER, &bed.path)
        .env(WRITER, writer.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The part of a process that was started so.
fn part() -> Option<(FileStore, String)> {
    let folder = env::var_os(FOLDER)?;
    let options = Options { patience: Duration::from_secs(120), ..Options::default() };
    Some((FileStore::new(folder, options), env::var(WRITER).unwrap()))
}

#[test]
fn processes_that_write_at_once_lose_nothing_and_overwrite_nothing() {
    const EACH: usize = 12;
    if let Some((store, writer)) = part() {
        for number in 0..EACH {
            store.put(new(&format!("D-{writer}/{number}")), &value(&writer)).unwrap();
            // All of them want this name, and one gets it.
            let shared = store.put(new(&format!("shared/{number}")), &value(&writer));
            assert!(shared.is_ok() || kind(shared) == "Exists");
        }
        return;
    }
    let bed = Bed::key_file();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            again("processes_that_write_at_once_lose_nothing_and_overwrite_nothing", &bed, writer)
        })
        .collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let store = bed.store();
    let page = store.list(None, &PageRequest::first(1000)).unwrap();
    assert_eq!((page.total, page.unlisted), (5 * EACH, 0));
    for item in page.items {
        let opened = store.open(&item.credential, Expired::Refused).unwrap();
        let writer = String::from_utf8(opened.expose().clone()).unwrap();
        let group = item.group().as_str();
        assert!(group == "shared" || group == format!("D-{writer}"), "{group} {writer}");
    }
    assert_eq!(bed.named("key-").len(), 1, "one store was made, and one key is in use");
}

#[test]
fn d69_a_process_that_is_killed_loses_nothing_that_it_reported() {
    if let Some((store, _)) = part() {
        // Until it is killed.
        for number in 0.. {
            let name = format!("D-1/{number:05}");
            store.put(new(&name), &value(&name)).unwrap();
            if number % 3 == 2 {
                store.remove(&reference(&format!("D-1/{:05}", number - 1))).unwrap();
            }
        }
        return;
    }
    for round in 0..12_u64 {
        let bed = Bed::key_file();
        let mut writer =
            again("d69_a_process_that_is_killed_loses_nothing_that_it_reported", &bed, 0);
        let deadline = Instant::now() + Duration::from_secs(60);
        let store = bed.store();
        // Looked at while it is written: never a word of damage.
        let wanted = 2 + round as usize % 5;
        while listed(&store).len() < wanted {
            assert!(Instant::now() < deadline, "it has put {} only", listed(&store).len());
            assert!(writer.try_wait().unwrap().is_none(), "it ended by itself");
        }
        let spin = Instant::now() + Duration::from_micros(round * 700);
        while Instant::now() < spin {
            std::hint::spin_loop();
        }
        let seen = listed(&store);
        writer.kill().unwrap();
        writer.wait().unwrap();
        let page = store.list(None, &PageRequest::first(1000)).unwrap();
        assert_eq!(page.unlisted, 0);
        // The newest that was listed and that is never removed.
        let stays = |name: &&String| name[name.len() - 5..].parse::<u32>().unwrap() % 3 != 1;
        let last = seen.iter().rfind(stays).unwrap();
        assert!(listed(&store).contains(last), "{last} is lost");
        // The next writer brings to an end what was begun, and then all is as it is said.
        store.put(new("next/one"), &value("x")).unwrap();
        let after = listed(&store);
        assert!(after.contains(last), "{last} is lost");
        for name in &after {
            let opened = store.open(&name.parse().unwrap(), Expired::Refused).unwrap();
            assert!(
                name == "cred:next/one"
                    || name.ends_with(std::str::from_utf8(opened.expose()).unwrap())
            );
        }
        assert_eq!(bed.secrets().len(), after.len(), "files and names are the same number");
        let stray = bed.files().into_iter().filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(owner_only::UNFINISHED))
        });
        assert_eq!(stray.count(), 0);
    }
}

#[test]
fn a_process_that_is_killed_while_it_replaces_leaves_the_old_or_the_new_one() {
    const NAME: &str = "D-1/a";
    if let Some((store, _)) = part() {
        // Until it is killed.
        for number in 0.. {
            store.replace(new(NAME), &value(&format!("{number:05}"))).unwrap();
        }
        return;
    }
    for round in 0..12_u64 {
        let bed = Bed::key_file();
        let store = bed.store();
        store.put(new(NAME), &value("first")).unwrap();
        let test = "a_process_that_is_killed_while_it_replaces_leaves_the_old_or_the_new_one";
        let mut writer = again(test, &bed, 0);
        let deadline = Instant::now() + Duration::from_secs(60);
        // Looked at while it is replaced: there is one at every moment, and it is whole.
        let mut last = String::new();
        while last.parse::<u64>().unwrap_or_default() < 3 + round % 5 {
            assert!(Instant::now() < deadline, "it has come to {last:?} only");
            assert!(writer.try_wait().unwrap().is_none(), "it ended by itself");
            let opened = store.open(&reference(NAME), Expired::Refused).unwrap();
            let found = String::from_utf8(opened.expose().clone()).unwrap();
            assert!(found == "first" || last.is_empty() || found >= last, "{found} after {last}");
            last = if found == "first" { last } else { found };
        }
        let spin = Instant::now() + Duration::from_micros(round * 900);
        while Instant::now() < spin {
            std::hint::spin_loop();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let page = store.list(None, &PageRequest::first(10)).unwrap();
        assert_eq!((page.total, page.unlisted), (1, 0));
        let kept = || store.open(&reference(NAME), Expired::Refused).unwrap();
        let before = kept();
        store.put(new("next/one"), &value("x")).unwrap();
        assert_eq!(kept().expose(), before.expose());
        assert_eq!(bed.secrets().len(), 2, "files and names are the same number");
    }
}

//! What is done to a record at rest, and that `verify` names it.

use proptest::prelude::*;

use super::*;
use crate::audit::key::{Key, Message};
use crate::audit::line::{Chain, NOTHING};
use crate::digest::Digest;

fn lines(folder: &TempDir) -> Vec<String> {
    fs::read_to_string(log(folder)).unwrap().lines().map(str::to_owned).collect()
}

fn write(folder: &TempDir, lines: &[String]) {
    fs::write(log(folder), lines.join("\n") + "\n").unwrap();
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The troubles of a record after something was done to its lines, with the line of each.
fn after(act: impl FnOnce(&mut Vec<String>)) -> Vec<(u64, Trouble)> {
    let folder = tempfile::tempdir().unwrap();
    block_on(recorded(&folder, 5));
    let mut lines = lines(&folder);
    act(&mut lines);
    write(&folder, &lines);
    report(&folder).faults.into_iter().map(|fault| (fault.line, fault.what)).collect()
}

#[test]
fn a_missing_line_is_named() {
    assert_eq!(after(|_| ()), []);
    let found = after(|lines| drop(lines.remove(5)));
    assert_eq!(found, [(6, Trouble::Missing { from: 6, to: 6 })]);
    let found = after(|lines| drop(lines.drain(3..7)));
    assert_eq!(found, [(4, Trouble::Missing { from: 4, to: 7 })]);
}

#[test]
fn a_line_that_stands_twice_is_named() {
    let found = after(|lines| lines.insert(8, lines[5].clone()));
    assert_eq!(found, [(9, Trouble::Twice { seq: 6 })]);
}

#[test]
fn a_line_in_another_place_is_named() {
    let found = after(|lines| lines.swap(5, 6));
    assert_eq!(found, [(7, Trouble::Moved { seq: 6 })]);
    let found = after(|lines| {
        let line = lines.remove(4);
        lines.insert(9, line);
    });
    assert_eq!(found, [(10, Trouble::Moved { seq: 5 })]);
}

#[test]
fn a_changed_line_is_named_and_no_other() {
    let found = after(|lines| lines[5] = lines[5].replace("list_clients", "list_clientz"));
    assert!(matches!(found[..], [(6, Trouble::Changed { .. })]), "{found:?}");
    let found = after(|lines| lines.insert(5, "{}".into()));
    assert!(matches!(found[..], [(6, Trouble::Changed { .. })]), "{found:?}");
}

#[test]
fn a_cut_tail_is_named() {
    let mut total = 0;
    let found = after(|lines| {
        total = lines.len() as u64;
        lines.truncate(lines.len() - 3);
    });
    let cut = Trouble::Cut { expected: total, found: total - 3, whose: "the head" };
    assert_eq!(found, [(0, cut)]);
}

/// The chain that the lines are of.
fn chain(lines: &[String]) -> Chain {
    let first: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    Chain::log(first["log"].as_str().unwrap())
}

/// A line with another text or another line before it, with a hash that fits.
fn sealed(chain: &Chain, line: &str, prev: Digest) -> (String, Digest) {
    let (stamp, body) = line.split_once(",\"kind\"").unwrap();
    let body = &body[..body.find(",\"prev\"").unwrap()];
    let mut out = Vec::new();
    let hash = chain.seal(&mut out, &stamp[1..], &format!("\"kind\"{body}"), prev);
    (String::from_utf8(out).unwrap().trim_end().to_owned(), hash)
}

#[test]
fn a_line_that_was_written_anew_does_not_fit_the_next() {
    let found = after(|lines| {
        let line: serde_json::Value = serde_json::from_str(&lines[5]).unwrap();
        let prev = serde_json::from_value(line["prev"].clone()).unwrap();
        lines[5] = sealed(&chain(lines), &lines[5].replace("list_clients", "harmless"), prev).0;
    });
    assert_eq!(found, [(7, Trouble::NotAfter { seq: 7 })]);
}

#[test]
fn a_chain_that_was_made_anew_is_told_from_the_signed_one() {
    let found = after(|lines| {
        let chain = chain(lines);
        let mut prev = NOTHING;
        for line in lines {
            (*line, prev) = sealed(&chain, &line.replace("list_clients", "harmless"), prev);
        }
    });
    let forged = |trouble: &Trouble| matches!(trouble, Trouble::ForgedCheckpoint { .. });
    assert!(found.iter().any(|(_, trouble)| forged(trouble)), "{found:?}");
    assert!(found.iter().any(|(_, t)| matches!(t, Trouble::NotAsSigned { .. })), "{found:?}");
}

#[test]
fn a_checkpoint_with_another_signature_is_named() {
    let found = after(|lines| {
        let folder = tempfile::tempdir().unwrap();
        let other = Key::load_or_make(&folder.path().join("k")).unwrap();
        let at = lines.iter().rposition(|line| line.contains("\"checkpoint\"")).unwrap();
        let value: serde_json::Value = serde_json::from_str(&lines[at]).unwrap();
        let log = serde_json::from_str::<serde_json::Value>(&lines[0]).unwrap()["log"].clone();
        let (log, seq) = (log.as_str().unwrap(), value["seq"].as_u64().unwrap());
        let prev: Digest = serde_json::from_value(value["prev"].clone()).unwrap();
        let message = Message::Checkpoint { log, seq: seq - 1, hash: prev };
        let forged = lines[at].replace(value["sig"].as_str().unwrap(), &other.sign(&message));
        lines[at] = sealed(&Chain::log(log), &forged, prev).0;
    });
    let forged = |trouble: &Trouble| matches!(trouble, Trouble::ForgedCheckpoint { .. });
    assert!(found.iter().any(|(_, trouble)| forged(trouble)), "{found:?}");
}

#[test]
fn a_forged_or_missing_head_is_named() {
    let folder = tempfile::tempdir().unwrap();
    block_on(recorded(&folder, 3));
    let path = folder.path().join("audit/head");
    let head = fs::read_to_string(&path).unwrap();
    let seq = report(&folder).signed;
    fs::write(&path, head.replace(&format!("\"seq\":{seq},"), &format!("\"seq\":{},", seq - 1)))
        .unwrap();
    let found = report(&folder).faults;
    assert!(found.iter().any(|f| f.what == Trouble::ForgedHead { seq: seq - 1 }), "{found:?}");
    fs::remove_file(&path).unwrap();
    let found = report(&folder).faults;
    assert!(matches!(&found[..], [Fault { what: Trouble::HeadMissing, .. }]), "{found:?}");
}

#[test]
fn a_file_that_is_gone_is_named() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let mut options = options(&folder);
        options.rotate_bytes = 3000;
        let audit = Audit::open(&options).unwrap();
        for number in 0..20 {
            call(&audit, &number.to_string()).await;
        }
        audit.close().await.unwrap();
    });
    let name = |ordinal| folder.path().join("audit").join(file_name(ordinal));
    let saved = fs::read(name(2)).unwrap();
    fs::remove_file(name(2)).unwrap();
    let found = report(&folder).faults;
    assert!(found.iter().any(|f| f.file == file_name(2) && f.what == Trouble::FileMissing));
    assert!(found.iter().any(|f| matches!(f.what, Trouble::Missing { .. })), "{found:?}");

    fs::write(name(2), saved).unwrap();
    assert_sound(&folder);
    let files = report(&folder).files;
    fs::remove_file(name(files)).unwrap();
    let found = report(&folder).faults;
    assert!(found.iter().any(|f| matches!(f.what, Trouble::Cut { .. })), "{found:?}");
}

#[test]
fn a_head_and_key_from_elsewhere_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    block_on(recorded(&folder, 3));
    let first = report(&folder);
    block_on(recorded(&folder, 3));
    let verify =
        |expected: &Expected| verify(&folder.path().join("audit"), expected).unwrap().faults;
    let known = Expected { head: first.tip, ..Expected::default() };
    let known = known.with_key(&first.key).unwrap();
    assert_eq!(verify(&known), []);

    let mut other = first.tip.unwrap();
    other.hash = NOTHING;
    let found = verify(&Expected { head: Some(other), ..Expected::default() });
    let whose = "the expected head";
    assert_eq!(found[0].what, Trouble::NotAsSigned { seq: other.seq, whose });
    other.seq = 1000;
    let found = verify(&Expected { head: Some(other), ..Expected::default() });
    assert!(matches!(found[0].what, Trouble::Cut { expected: 1000, whose: w, .. } if w == whose));
    let found = verify(&Expected::default().with_key(&"0".repeat(64)).unwrap());
    assert!(found.iter().any(|f| matches!(f.what, Trouble::ForgedHead { .. })), "{found:?}");
    assert!(Expected::default().with_key("none").is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Whatever byte is changed, and to what: it is seen, and its line is named.
    #[test]
    fn one_changed_byte_is_found(places in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 200)) {
        let folder = tempfile::tempdir().unwrap();
        block_on(recorded(&folder, 6));
        let good = fs::read(log(&folder)).unwrap();
        for (place, flip) in places {
            let at = place.index(good.len());
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            fs::write(log(&folder), &bytes).unwrap();
            let line = 1 + good[..at].iter().filter(|b| **b == b'\n').count() as u64;
            let faults = report(&folder).faults;
            // The last line feed of the file is that of a line which may have been torn.
            let named = faults.iter().any(|fault| fault.line == line)
                || (at + 1 == good.len() && !faults.is_empty());
            prop_assert!(named, "byte {at} ^ {flip} in line {line}: {faults:?}");
        }
        fs::write(log(&folder), &good).unwrap();
        prop_assert!(report(&folder).is_sound());
    }
}

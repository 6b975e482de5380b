//! The record as its callers and its enemies see it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use super::append::RealDisk;
use super::log::{Disk, file_name};
use super::*;
use crate::effect::Effect;
use crate::permit::Authority;
use crate::policy::Rule;

mod copies;
mod decisions;
mod faults;
mod flushes;
mod processes;
mod tampering;

fn intent(call: &str) -> Intent {
    let who = Who {
        client: Some(ClientName { name: "claude".into(), version: "1".into() }),
        transport: "stdio".into(),
        ..Who::default()
    };
    let arguments = json!({"search": "host", "password": "hunter2"});
    let allowed = Decision::Allowed { on: Authority::Policy { rule: Rule::example() } };
    let intent = Intent::new(call.into(), who, "list_clients", arguments, Effect::Read, allowed)
        .at(Some("acme".into()), Some("root".into()));
    Intent { vql: Some("SELECT * FROM info()".into()), ..intent }
}

/// A call that is more than a read: it waits for the disk.
fn change(call: &str) -> Intent {
    Intent { tool: "cancel_flow".into(), effect: Effect::Respond, ..intent(call) }
}

fn options(folder: &TempDir) -> Options {
    Options::new(folder.path().join("audit"))
}

async fn call(audit: &Audit, id: &str) {
    let begun = audit.begin(intent(id)).await.unwrap();
    begun.end(Outcome::answered("ok", b"answer")).await.unwrap();
}

/// A closed record of some calls.
async fn recorded(folder: &TempDir, calls: usize) {
    let audit = Audit::open(&options(folder)).unwrap();
    for number in 0..calls {
        call(&audit, &number.to_string()).await;
    }
    audit.close().await.unwrap();
}

fn log(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("audit").join(file_name(1))
}

fn report(folder: &TempDir) -> Report {
    verify(&folder.path().join("audit"), &Expected::default()).unwrap()
}

fn assert_sound(folder: &TempDir) -> Report {
    let report = report(folder);
    assert!(report.is_sound(), "{:#?}", report.faults);
    report
}

/// A disk that fails when it is told to.
#[derive(Clone, Default)]
struct FaultyDisk(Arc<Mutex<Faults>>);

#[derive(Default)]
struct Faults {
    /// Writes stop after so many bytes.
    room: Option<usize>,
    flush_fails: bool,
    flushes: usize,
    /// The places that were written over with themselves.
    written_again: Vec<(u64, u64)>,
    /// A flush waits until this is gone.
    gate: Option<std::sync::mpsc::Receiver<()>>,
}

impl Disk for FaultyDisk {
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let room = self.0.lock().unwrap().room;
        if let Some(room) = room.filter(|room| *room < bytes.len()) {
            RealDisk.write(file, &bytes[..room])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealDisk.write(file, bytes)
    }

    fn flush(&mut self, file: &File) -> io::Result<()> {
        let gate = {
            let mut faults = self.0.lock().unwrap();
            faults.flushes += 1;
            if faults.flush_fails {
                return Err(io::Error::other("the device is gone"));
            }
            faults.gate.take()
        };
        if let Some(gate) = gate {
            // It ends when the test drops the other half.
            let _ = gate.recv();
        }
        RealDisk.flush(file)
    }

    fn write_again(&mut self, path: &Path, from: u64, to: u64) -> io::Result<()> {
        self.0.lock().unwrap().written_again.push((from, to));
        RealDisk.write_again(path, from, to)
    }
}

fn faulty(folder: &TempDir) -> (Audit, FaultyDisk) {
    let disk = FaultyDisk::default();
    let audit = Audit::open_on(&options(folder), Box::new(disk.clone()), Timestamp::now).unwrap();
    (audit, disk)
}

#[tokio::test]
async fn a_call_stands_in_the_record_before_it_runs_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&options(&folder)).unwrap();
    let begun = audit.begin(intent("7")).await.unwrap();
    let before = fs::read_to_string(log(&folder)).unwrap();
    assert!(before.contains("\"kind\":\"intent\",\"call\":\"7\""), "{before}");
    assert!(!before.contains("hunter2") && before.contains("[masked: password]"), "{before}");

    begun.end(Outcome::answered("ok", b"answer")).await.unwrap();
    let calls = show(audit.folder(), &Filter::default()).unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].outcome.as_deref(), Some("ok"));
    assert_eq!(calls[0].answer, Some(crate::digest::Digest::of_bytes(b"answer")));
    assert!(calls[0].took_us.is_some());

    audit.close().await.unwrap();
    assert!(matches!(audit.begin(intent("8")).await, Err(AuditError::Closed)));
    let report = assert_sound(&folder);
    assert_eq!((report.calls, report.signed), (1, report.tip.unwrap().seq));
}

#[tokio::test]
async fn a_call_that_is_dropped_is_recorded_as_abandoned() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&options(&folder)).unwrap();
    drop(audit.begin(intent("7")).await.unwrap());
    drop(audit);
    let calls = show(&folder.path().join("audit"), &Filter::default()).unwrap();
    assert_eq!(calls[0].outcome.as_deref(), Some("abandoned"));
    assert_sound(&folder);
}

#[tokio::test]
async fn a_call_that_was_given_up_before_it_began_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&options(&folder)).unwrap();
    let decision = Decision::Undecided { why: "the caller went away".into() };
    audit.abandon(Intent { decision: decision.clone(), ..intent("7") });
    audit.close().await.unwrap();
    let calls = show(audit.folder(), &Filter::default()).unwrap();
    assert_eq!(calls[0].intent.decision, decision);
    assert_eq!(calls[0].outcome.as_deref(), Some("abandoned"));
    assert_sound(&folder);
}

#[tokio::test]
async fn calls_are_found_by_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&options(&folder)).unwrap();
    call(&audit, "1").await;
    let mut other = intent("2");
    other.tool = "quarantine_client".into();
    other.effect = Effect::Respond;
    other.who = Who { transport: "http".into(), subject: Some("bob".into()), ..Who::default() };
    let begun = audit.begin(other).await.unwrap();
    begun.end(Outcome::without_answer("denied")).await.unwrap();
    let begun = audit.begin(intent("3")).await.unwrap();

    let found = |filter: Filter| {
        let calls = show(audit.folder(), &filter).unwrap();
        calls.into_iter().map(|call| call.intent.call).collect::<Vec<_>>().join(" ")
    };
    let any = Filter::default;
    assert_eq!(found(any()), "1 2 3");
    assert_eq!(found(Filter { tool: Some("quarantine_client".into()), ..any() }), "2");
    assert_eq!(found(Filter { who: Some("bob".into()), ..any() }), "2");
    assert_eq!(found(Filter { who: Some("claude".into()), ..any() }), "1 3");
    assert_eq!(found(Filter { effect: Some(Effect::Read), ..any() }), "1 3");
    assert_eq!(found(Filter { outcome: Some("denied".into()), ..any() }), "2");
    assert_eq!(found(Filter { outcome: Some("open".into()), ..any() }), "3");
    assert_eq!(found(Filter { since: Some(Timestamp::MAX), ..any() }), "");

    let mut lines = Vec::new();
    export(&read(audit.folder(), &any()).unwrap().entries, &mut lines).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[1]["kind"], &lines[1]["who"]["subject"]), (&json!("call"), &json!("bob")));
    begun.end(Outcome::without_answer("ok")).await.unwrap();
}

#[tokio::test]
async fn what_is_too_long_for_a_line_is_cut_and_named_by_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&options(&folder)).unwrap();
    let mut long = intent("\u{1b}".repeat(5000).as_str());
    long.arguments = json!({"text": "\u{202e}".repeat(1_000_000)});
    long.vql = Some("\u{e0041}".repeat(500_000));
    long.who.subject = Some("s".repeat(1_000_000));
    drop(audit.begin(long).await.unwrap());
    audit.close().await.unwrap();
    let bytes = fs::read(log(&folder)).unwrap();
    let longest = bytes.split(|b| *b == b'\n').map(<[u8]>::len).max().unwrap();
    assert!(longest < line::MAX_BYTES, "{longest}");
    assert!(bytes.iter().all(|b| matches!(b, b'\n' | b' '..=b'~')), "raw hostile characters");
    let calls = show(audit.folder(), &Filter::default()).unwrap();
    assert!(calls[0].intent.arguments["cut"]["sha256"].is_string(), "{:?}", calls[0].intent);
    assert_sound(&folder);
}

#[tokio::test]
async fn the_chain_goes_on_over_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.rotate_bytes = 4000;
    for _ in 0..2 {
        let audit = Audit::open(&options).unwrap();
        for number in 0..20 {
            call(&audit, &number.to_string()).await;
        }
        audit.close().await.unwrap();
    }
    let report = assert_sound(&folder);
    assert!(report.files > 4, "{} files", report.files);
    assert_eq!(report.calls, 40);
    assert_eq!(show(&options.folder, &Filter::default()).unwrap().len(), 40);
}

#[tokio::test]
async fn a_writer_goes_on_where_another_one_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.rotate_bytes = 2000;
    let (one, two) = (Audit::open(&options).unwrap(), Audit::open(&options).unwrap());
    // Uneven turns, so that each finds several new files of the other.
    for number in 0..40 {
        let audit = if number % 13 < 9 { &one } else { &two };
        call(audit, &number.to_string()).await;
    }
    one.close().await.unwrap();
    two.close().await.unwrap();
    let report = assert_sound(&folder);
    assert!(report.files > 8, "{} files", report.files);
    assert_eq!((report.calls, report.torn), (40, 0));
}

#[tokio::test]
async fn the_order_is_that_of_the_numbers_when_the_clock_jumps() {
    fn backwards() -> Timestamp {
        use std::sync::atomic::{AtomicI64, Ordering};
        static HOURS: AtomicI64 = AtomicI64::new(400_000);
        Timestamp::from_second(3600 * HOURS.fetch_sub(1, Ordering::Relaxed)).unwrap()
    }
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open_on(&options(&folder), Box::new(RealDisk), backwards).unwrap();
    for id in ["1", "2", "3"] {
        call(&audit, id).await;
    }
    audit.close().await.unwrap();
    assert_sound(&folder);
    let calls = show(audit.folder(), &Filter::default()).unwrap();
    let ids: Vec<_> = calls.iter().map(|call| call.intent.call.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert!(calls.is_sorted_by(|a, b| a.seq < b.seq && a.time > b.time), "{calls:?}");
}

#[tokio::test]
async fn checkpoints_come_with_the_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.checkpoint_lines = 10;
    let audit = Audit::open(&options).unwrap();
    for number in 0..50 {
        call(&audit, &number.to_string()).await;
    }
    // 100 lines, a tenth of them followed by a checkpoint, with those of the start.
    let report = assert_sound(&folder);
    assert!((10..=12).contains(&report.checkpoints), "{report:?}");
    drop(audit);
}

fn append_bytes(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn another_process_is_waited_for_and_then_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.lock_wait = Duration::from_millis(20);
    drop(Audit::open(&options).unwrap());
    let head = File::open(options.folder.join("head")).unwrap();
    head.lock().unwrap();
    let error = Audit::open(&options).unwrap_err();
    assert!(matches!(&error, AuditError::Busy { path, .. } if path.ends_with("head")), "{error}");
    head.unlock().unwrap();
    drop(Audit::open(&options).unwrap());
    assert_sound(&folder);
}

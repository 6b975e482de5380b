//! What waits for the disk, and what is flushed later.

use std::time::Instant;

use super::*;

/// A record whose lines are not flushed by themselves while a test runs.
fn patient(folder: &TempDir, flush: Flush) -> (Audit, FaultyDisk) {
    let disk = FaultyDisk::default();
    let flush_within = Duration::from_secs(3600);
    let options = Options { flush, flush_within, ..options(folder) };
    let audit = Audit::open_on(&options, Box::new(disk.clone()), Timestamp::now).unwrap();
    (audit, disk)
}

fn flushes(disk: &FaultyDisk) -> usize {
    disk.0.lock().unwrap().flushes
}

/// Waits until the writer has done something by itself.
fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_read_waits_for_no_flush_and_what_changes_something_does() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, disk) = patient(&folder, Flush::Second);
    let before = flushes(&disk);
    call(&audit, "1").await;
    let text = fs::read_to_string(log(&folder)).unwrap();
    assert!(text.contains("\"kind\":\"outcome\",\"call\":\"1\""), "{text}");
    assert_eq!(flushes(&disk), before);
    let begun = audit.begin(change("2")).await.unwrap();
    assert_eq!(flushes(&disk), before + 1);
    assert_eq!(report(&folder).signed, report(&folder).tip.unwrap().seq);
    begun.end(Outcome::without_answer("ok")).await.unwrap();
    assert_eq!(flushes(&disk), before + 1);
}

#[tokio::test]
async fn with_each_a_read_waits_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, disk) = patient(&folder, Flush::Each);
    let before = flushes(&disk);
    drop(audit.begin(intent("1")).await.unwrap());
    assert_eq!(flushes(&disk), before + 1);
}

#[tokio::test]
async fn what_was_read_is_flushed_and_signed_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, disk) = faulty(&folder);
    let before = flushes(&disk);
    for number in 0..50 {
        call(&audit, &number.to_string()).await;
    }
    until("it was never flushed", || flushes(&disk) > before);
    until("it was never signed", || report(&folder).unsigned() == 0);
    assert!(flushes(&disk) <= before + 3, "{} flushes", flushes(&disk) - before);
    assert_eq!(assert_sound(&folder).calls, 50);
}

#[tokio::test]
async fn a_disk_that_does_not_flush_stops_reads_too() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, disk) = faulty(&folder);
    call(&audit, "1").await;
    disk.0.lock().unwrap().flush_fails = true;
    let before = flushes(&disk);
    until("it was never flushed", || flushes(&disk) > before);
    let error = audit.begin(intent("2")).await.unwrap_err();
    assert!(error.to_string().contains("the device is gone"), "{error}");
    let error = audit.begin(intent("3")).await.unwrap_err();
    assert!(error.to_string().contains("the device is gone"), "{error}");

    // What had been written before the first failure is written again before it counts as flushed.
    disk.0.lock().unwrap().flush_fails = false;
    call(&audit, "4").await;
    let (from, to) = disk.0.lock().unwrap().written_again[0];
    let text = fs::read(log(&folder)).unwrap();
    let again = String::from_utf8(text[from as usize..to as usize].to_vec()).unwrap();
    assert!(again.contains("\"kind\":\"intent\",\"call\":\"1\""), "{again}");
    audit.close().await.unwrap();
    assert_eq!(assert_sound(&folder).calls, 2);
}

/// What a killed process leaves unsigned, and what can be done to it unseen.
#[tokio::test]
async fn a_tail_that_nobody_has_signed_can_be_cut_and_one_that_is_signed_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, _disk) = patient(&folder, Flush::Second);
    drop(audit.begin(change("1")).await.unwrap());
    call(&audit, "2").await;
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("audit")).unwrap();
    for name in [file_name(1).as_str(), "head", "audit.key"] {
        let there = copy.path().join("audit").join(name);
        fs::copy(audit.folder().join(name), &there).unwrap();
    }
    let left = assert_sound(&copy);
    assert!(left.unsigned() >= 2, "{left:?}");

    let text = fs::read_to_string(log(&copy)).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let signed = usize::try_from(left.signed).unwrap();
    fs::write(log(&copy), lines[..signed].concat()).unwrap();
    assert_eq!(assert_sound(&copy).unsigned(), 0);
    fs::write(log(&copy), lines[..signed - 1].concat()).unwrap();
    let cut = |fault: &Fault| matches!(fault.what, Trouble::Cut { .. });
    assert!(report(&copy).faults.iter().any(cut), "{:?}", report(&copy));

    // The next process signs for what it finds.
    fs::write(log(&copy), &text).unwrap();
    recorded(&copy, 1).await;
    assert_eq!(assert_sound(&copy).unsigned(), 0);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(log(&copy), lines[..lines.len() - 1].concat()).unwrap();
    assert!(report(&copy).faults.iter().any(cut), "{:?}", report(&copy));
}

#[tokio::test]
async fn calls_that_wait_share_one_flush() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing is flushed by the clock meanwhile.
    let (audit, disk) = patient(&folder, Flush::Second);
    let (release, gate) = std::sync::mpsc::channel();
    {
        let mut faults = disk.0.lock().unwrap();
        faults.gate = Some(gate);
        faults.flushes = 0;
    }
    let mut begins = tokio::task::JoinSet::new();
    for number in 0..64 {
        let audit = audit.clone();
        begins.spawn(async move { audit.begin(change(&number.to_string())).await.map(drop) });
    }
    // The runtime has one thread, which turns to some sixty tasks at a time: after a few turns every
    // call waits.
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
    drop(release);
    while let Some(done) = begins.join_next().await {
        done.unwrap().unwrap();
    }
    let flushes = disk.0.lock().unwrap().flushes;
    assert!(flushes <= 3, "64 calls took {flushes} flushes");
    audit.close().await.unwrap();
    assert_eq!(assert_sound(&folder).calls, 64);
}

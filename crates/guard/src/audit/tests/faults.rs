//! A full disk, a lost device, a file that somebody touches while it is written.

use super::*;

#[tokio::test]
async fn a_full_disk_stops_the_call_and_leaves_no_half_line() {
    for room in [0, 1, 200] {
        let folder = tempfile::tempdir().unwrap();
        let (audit, disk) = faulty(&folder);
        call(&audit, "1").await;
        let before = fs::read(log(&folder)).unwrap();
        disk.0.lock().unwrap().room = Some(room);
        let error = audit.begin(intent("2")).await.unwrap_err();
        assert!(matches!(&error, AuditError::Write { path, .. } if *path == log(&folder)));
        assert_eq!(fs::read(log(&folder)).unwrap(), before, "{room} bytes of room");

        disk.0.lock().unwrap().room = None;
        call(&audit, "3").await;
        audit.close().await.unwrap();
        assert_eq!(assert_sound(&folder).calls, 2);
    }
}

#[tokio::test]
async fn an_outcome_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, disk) = faulty(&folder);
    let begun = audit.begin(intent("1")).await.unwrap();
    disk.0.lock().unwrap().room = Some(0);
    let error = begun.end(Outcome::without_answer("ok")).await.unwrap_err();
    assert!(matches!(error, AuditError::Write { .. }), "{error}");
    disk.0.lock().unwrap().room = None;
}

#[tokio::test]
async fn a_flush_that_fails_stops_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, disk) = faulty(&folder);
    disk.0.lock().unwrap().flush_fails = true;
    let error = audit.begin(change("1")).await.unwrap_err();
    assert!(error.to_string().contains("the device is gone"), "{error}");
    disk.0.lock().unwrap().flush_fails = false;
    call(&audit, "2").await;
    audit.close().await.unwrap();
    assert_eq!(assert_sound(&folder).calls, 1);
}

#[tokio::test]
async fn a_file_that_is_cut_while_running_stops_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&options(&folder)).unwrap();
    call(&audit, "1").await;
    let length = fs::metadata(log(&folder)).unwrap().len();
    OpenOptions::new().write(true).open(log(&folder)).unwrap().set_len(length - 10).unwrap();
    let error = audit.begin(intent("2")).await.unwrap_err();
    let is_cut = matches!(error, AuditError::Truncated { expected, found, .. }
        if expected == length && found == length - 10);
    assert!(is_cut, "{error}");
    assert!(error.to_string().contains("audit verify"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_replaced_or_removed_while_running_stops_the_call() {
    for name in [file_name(1).as_str(), "head"] {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::open(&options(&folder)).unwrap();
        call(&audit, "1").await;
        let path = audit.folder().join(name);
        let copy = audit.folder().join("copy");
        fs::copy(&path, &copy).unwrap();
        fs::rename(&copy, &path).unwrap();
        let error = audit.begin(intent("2")).await.unwrap_err();
        assert!(matches!(&error, AuditError::Replaced { path: at } if *at == path), "{error}");
        fs::remove_file(&path).unwrap();
        let error = audit.begin(intent("3")).await.unwrap_err();
        assert!(matches!(&error, AuditError::Replaced { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_head_that_goes_back_while_running_stops_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&options(&folder)).unwrap();
    let head = audit.folder().join("head");
    let old = fs::read(&head).unwrap();
    drop(audit.begin(change("1")).await.unwrap());
    drop(audit.begin(change("2")).await.unwrap());
    OpenOptions::new().write(true).open(&head).unwrap().write_all(&old).unwrap();
    let error = audit.begin(intent("3")).await.unwrap_err();
    assert!(matches!(&error, AuditError::Changed { path, .. } if *path == head), "{error}");
}

#[tokio::test]
async fn a_torn_last_line_is_kept_and_marked() {
    for torn in [&b"{\"seq\":99,\"ti"[..], b"\0\0\0\0\0\0", b"two\nlines\n", b"\n"] {
        let folder = tempfile::tempdir().unwrap();
        recorded(&folder, 2).await;
        append_bytes(&log(&folder), torn);
        assert!(report(&folder).faults.is_empty() || torn.ends_with(b"\n"), "{torn:?}");
        recorded(&folder, 2).await;
        let text = fs::read(log(&folder)).unwrap();
        assert!(memchr::memmem::find(&text, torn).is_some());
        let report = assert_sound(&folder);
        assert_eq!((report.torn, report.calls), (1, 4), "{torn:?}");
        // What was kept cannot be changed later without being seen.
        let at = memchr::memmem::find(&text, torn).unwrap();
        let at = if torn == b"\n" { memchr::memmem::find(&text, b"\n\n").unwrap() + 1 } else { at };
        let mut changed = text.clone();
        changed[at] ^= 1;
        fs::write(log(&folder), changed).unwrap();
        assert!(!super::report(&folder).is_sound(), "{torn:?}");
    }
}

#[tokio::test]
async fn a_record_that_was_cut_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    recorded(&folder, 3).await;
    let text = fs::read_to_string(log(&folder)).unwrap();
    let lines: Vec<_> = text.lines().collect();
    fs::write(log(&folder), lines[..lines.len() - 2].join("\n") + "\n").unwrap();
    let error = Audit::open(&options(&folder)).unwrap_err();
    assert!(matches!(error, AuditError::Truncated { .. }), "{error}");

    fs::remove_file(log(&folder)).unwrap();
    let error = Audit::open(&options(&folder)).unwrap_err();
    assert!(matches!(&error, AuditError::Io { path, .. } if *path == log(&folder)), "{error}");
    assert!(!log(&folder).exists(), "a new log was begun over the old one");
}

#[tokio::test]
async fn a_record_without_its_head_or_key_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    recorded(&folder, 1).await;
    let head = folder.path().join("audit/head");
    let key = folder.path().join("audit/audit.key");
    let saved = fs::read(&head).unwrap();
    fs::remove_file(&head).unwrap();
    let error = Audit::open(&options(&folder)).unwrap_err();
    assert!(matches!(error, AuditError::HeadMissing { .. }), "{error}");
    fs::write(&head, saved).unwrap();
    fs::remove_file(&key).unwrap();
    let error = Audit::open(&options(&folder)).unwrap_err();
    assert!(error.to_string().contains("audit.key"), "{error}");
    assert!(!key.exists(), "a new key was made for an old log");
}

#[tokio::test]
async fn an_emergency_is_recorded_when_nothing_else_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(&options(&folder)).unwrap();
    let room = fs::metadata(audit.folder().join("emergency.jsonl")).unwrap().len();
    fs::write(audit.folder().join("head"), "").unwrap();
    audit.begin(intent("1")).await.unwrap_err();
    let emergency = audit.emergency();
    for text in ["cancelled flow F.1", "password=hunter2"] {
        let record = emergency.record("stop-1", text);
        record.written.unwrap();
        assert!(record.line.contains("\"call\":\"stop-1\""), "{}", record.line);
    }
    let path = audit.folder().join("emergency.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("F.1") && !text.contains("hunter2"), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().len(), room, "it was written over the reserve");
}

#[tokio::test]
async fn the_record_binds_what_was_recorded_in_an_emergency() {
    let folder = tempfile::tempdir().unwrap();
    recorded(&folder, 1).await;
    let sink = EmergencySink::new(&folder.path().join("audit"));
    sink.record("stop", "cancelled flow F.1").written.unwrap();
    sink.record("stop", "paused hunt H.1").written.unwrap();
    recorded(&folder, 1).await;
    assert_eq!(assert_sound(&folder).emergency, 2);

    let path = folder.path().join("audit/emergency.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("F.1", "F.2")).unwrap();
    let report = report(&folder);
    assert!(report.faults.iter().any(|f| f.file == "emergency.jsonl" && f.line == 1), "{report:?}");
    fs::remove_file(&path).unwrap();
    let report = super::report(&folder);
    let gone = |fault: &Fault| matches!(fault.what, Trouble::EmergencyGone { lines: 2 });
    assert!(report.faults.iter().any(gone), "{report:?}");
}

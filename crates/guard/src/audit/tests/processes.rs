//! Two processes on one folder; a process that is killed; a process that may not write more.

use std::env;
use std::process::{Child, Command, Stdio};

use super::*;

const FOLDER: &str = "GUARD_AUDIT_TEST_FOLDER";
const CALLS: &str = "GUARD_AUDIT_TEST_CALLS";

/// What a process of these tests does: it makes calls until it has made them all, or one is
/// refused. Run by itself it does so in a folder of its own.
#[tokio::test]
async fn writes_calls_until_one_is_refused() {
    let own = tempfile::tempdir().unwrap();
    let folder = env::var_os(FOLDER).map_or_else(|| own.path().join("audit"), Into::into);
    let wanted: u64 =
        env::var(CALLS).map_or(3, |calls| calls.parse().expect("the number of calls"));
    let audit = Audit::open(&Options::new(&folder)).unwrap();
    let mut made = 0;
    let refused = loop {
        if made == wanted {
            break None;
        }
        match audit.begin(intent(&made.to_string())).await {
            // Where the outcome finds no room, the next call is the one that is refused.
            Ok(begun) => begun.end(Outcome::without_answer("ok")).await.unwrap_or_default(),
            Err(error) => break Some(error),
        }
        made += 1;
    };
    if let Some(error) = refused {
        assert!(matches!(error, AuditError::Write { .. }), "{error}");
        audit.emergency().record("stop", "everything").written.unwrap();
    }
    assert!(made > 0);
}

fn start(folder: &TempDir, calls: u64, shell: Option<&str>) -> Child {
    let me = env::current_exe().unwrap();
    let name = "audit::tests::processes::writes_calls_until_one_is_refused";
    let mut command = match shell {
        None => Command::new(&me),
        Some(script) => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("{script}; exec \"$0\" \"$@\"")).arg(&me);
            command
        }
    };
    command
        .args(["--exact", name])
        .env(FOLDER, folder.path().join("audit"))
        .env(CALLS, calls.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

#[test]
fn two_processes_write_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let children = [start(&folder, 60, None), start(&folder, 60, None)];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let report = assert_sound(&folder);
    assert_eq!((report.calls, report.torn), (120, 0));
    let calls = show(&folder.path().join("audit"), &Filter::default()).unwrap();
    let mut processes: Vec<_> = calls.iter().map(|call| call.process.clone()).collect();
    assert!(calls.iter().all(|call| call.outcome.as_deref() == Some("ok")));
    processes.sort_unstable();
    processes.dedup();
    assert_eq!(processes.len(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_killed_process_leaves_a_record_that_holds_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let mut child = start(&folder, u64::MAX, None);
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        let before = show_count(&folder);
        while show_count(&folder) < before + 20 {
            assert!(std::time::Instant::now() < deadline, "round {round}: no calls were recorded");
            assert!(child.try_wait().unwrap().is_none(), "round {round}: it ended by itself");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_sound(&folder);
    }
    recorded(&folder, 1).await;
    assert_sound(&folder);
}

fn show_count(folder: &TempDir) -> usize {
    let path = folder.path().join("audit");
    if path.exists() { show(&path, &Filter::default()).map_or(0, |calls| calls.len()) } else { 0 }
}

/// The system refuses to let the file grow, as a full disk does; the emergency is recorded.
#[cfg(unix)]
#[tokio::test]
async fn where_no_byte_can_be_added_calls_stop_and_an_emergency_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(&folder, u64::MAX, Some("trap '' XFSZ; ulimit -f 256"));
    assert!(child.wait().unwrap().success());
    let report = assert_sound(&folder);
    assert!(report.calls > 0);
    assert_eq!(report.emergency, 1);
    recorded(&folder, 1).await;
    assert_sound(&folder);
}

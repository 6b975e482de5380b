//! What a person decides: on the disk before it holds, and a second line where it does not.

use super::super::testing::{kept, lines};
use super::*;
use crate::approver::bob;

fn denial() -> Decided {
    let reason = Some(String::from("no"));
    let terms = json!({"password": "hunter2", "text": "\u{202e}".repeat(100_000)});
    Decided { reason, terms, ..Decided::new(Act::Deny, "A7".into(), bob()) }
}

#[tokio::test]
async fn a_decision_is_in_the_chain_masked_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let audit = kept(folder.path());
    // On a thread of the runtime, as the commands do.
    let seen = audit.decide(denial(), || Ok::<_, AuditError>(lines(folder.path(), "decided")));
    assert_eq!(seen.unwrap().len(), 1, "it was made before it was on record");
    audit.close().await.unwrap();
    let found = lines(folder.path(), "decided");
    assert_eq!((&found[0]["act"], &found[0]["id"]), (&json!("deny"), &json!("A7")));
    assert!(found[0]["terms"]["cut"]["sha256"].is_string(), "{}", found[0]);
    assert!(!fs::read_to_string(log(&folder)).unwrap().contains("hunter2"));
    assert_sound(&folder);
    let closed = audit.decide(denial(), || Ok::<_, AuditError>(()));
    assert!(matches!(closed, Err(AuditError::Closed)), "{closed:?}");
}

#[test]
fn a_decision_that_could_not_be_made_says_so_in_a_second_line() {
    let folder = tempfile::tempdir().unwrap();
    let audit = kept(folder.path());
    let full =
        |_: ()| AuditError::write("approvals/00000007.json", io::ErrorKind::StorageFull.into());
    let made = audit.decide(denial(), || Err::<(), _>(full(())));
    assert!(matches!(made, Err(AuditError::Write { .. })), "{made:?}");
    drop(audit);
    let found = lines(folder.path(), "decided");
    assert!(found[0]["not_made"].is_null(), "{}", found[0]);
    let why = found[1]["not_made"].as_str().unwrap();
    assert!(why.contains("00000007.json") && found[1]["id"] == "A7", "{}", found[1]);
    assert_sound(&folder);
}

#[test]
fn nothing_is_decided_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (audit, disk) = faulty(&folder);
    for (room, flush_fails) in [(Some(0), false), (Some(40), false), (None, true)] {
        {
            let mut faults = disk.0.lock().unwrap();
            (faults.room, faults.flush_fails) = (room, flush_fails);
        }
        let mut made = false;
        let done = audit.decide(denial(), || {
            made = true;
            Ok::<_, AuditError>(())
        });
        assert!(matches!(done, Err(AuditError::Write { .. })), "{done:?}");
        assert!(!made, "room {room:?}: it was made without a line");
    }
    *disk.0.lock().unwrap() = Faults::default();
    audit.decide(denial(), || Ok::<_, AuditError>(())).unwrap();
    drop(audit);
    assert_eq!(lines(folder.path(), "decided").len(), 1);
    assert_sound(&folder);
}

//! The choice among identities, what is remembered of them, and many calls at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use velociraptor_api::{
    Call, CatalogueQuery, IdentityKind, Limits, OrgId, Permission, QueryError, QueryErrorKind,
    Rows, Server,
};

use crate::fake::{Fake, Reply, log, rows, until};

const READ: CatalogueQuery = entry("read", false, &[Permission::AnyQuery]);
const LABEL: CatalogueQuery = entry("label", true, &[Permission::LabelClient]);

const fn entry(name: &'static str, mutates: bool, needs: &'static [Permission]) -> CatalogueQuery {
    let text = "SELECT * FROM scope()";
    CatalogueQuery { name, text, binds: &[], needs, mutates, columns: &["A"] }
}

const READER: &[&str] = &["any_query", "read_results"];
const INVESTIGATOR: &[&str] = &["any_query", "read_results", "label_clients", "collect_client"];

/// A server with a reader and an investigator.
fn two(fake: &Fake) -> Server {
    fake.state.grant("reader", READER);
    fake.state.grant("investigator", INVESTIGATOR);
    let configs = [
        (Some(IdentityKind::Investigator), fake.config("investigator")),
        (Some(IdentityKind::Reader), fake.config("reader")),
    ];
    Server::open("acme", configs).unwrap()
}

async fn fetch(server: &Server, entry: &CatalogueQuery) -> Result<Rows, QueryError> {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    server.fetch(entry, &entry.query(), &call).await
}

#[tokio::test]
async fn the_weakest_identity_that_may_is_used() {
    let fake = Fake::start().await;
    let server = two(&fake);
    assert_eq!(fetch(&server, &READ).await.unwrap().identity, "reader");
    assert_eq!(fetch(&server, &LABEL).await.unwrap().identity, "investigator");
    fetch(&server, &READ).await.unwrap();
    let probes: Vec<_> = fake.state.asked("who_am_i").into_iter().map(|asked| asked.user).collect();
    assert_eq!(probes, ["reader", "investigator"], "each is probed once");
}

#[tokio::test]
async fn what_nobody_may_names_what_the_strongest_lacks() {
    let fake = Fake::start().await;
    let server = two(&fake);
    let entry = entry("quarantine", true, &[Permission::LabelClient, Permission::Execve]);
    let error = fetch(&server, &entry).await.unwrap_err();
    let lacking = vec![Permission::Execve];
    assert_eq!(*error.kind, QueryErrorKind::NoIdentity { lacking, unasked: vec![] });
    assert_eq!(fake.state.asked("quarantine").len(), 0);
}

#[tokio::test]
async fn an_identity_without_a_user_is_passed_over_and_remembered() {
    let fake = Fake::start().await;
    let server = two(&fake);
    fake.state.refuse("reader", Status::unknown("User not found: reader"));
    assert_eq!(fetch(&server, &READ).await.unwrap().identity, "investigator");
    fetch(&server, &READ).await.unwrap();
    let reader = &server.identities()[0];
    let user = String::from("reader");
    assert_eq!(reader.fault(&OrgId::root()), Some(QueryErrorKind::UnknownUser { user }));
    assert_eq!(server.identities()[1].fault(&OrgId::root()), None);
    assert_eq!(fake.state.asked("who_am_i").len(), 2, "the fault is not asked for again at once");

    let entry = entry("quarantine", true, &[Permission::Execve]);
    let told = fetch(&server, &entry).await.unwrap_err().to_string();
    assert!(told.contains("EXECVE") && told.contains("reader (the server knows no user"), "{told}");
}

#[tokio::test]
async fn where_no_identity_can_be_asked_the_first_fault_is_told() {
    let fake = Fake::start().await;
    let server = two(&fake);
    fake.state.refuse("reader", Status::unknown("Org not found"));
    fake.state.refuse("investigator", Status::unknown("User not found: investigator"));
    let error = fetch(&server, &READ).await.unwrap_err();
    assert_eq!(error.identity.as_deref(), Some("reader"));
    assert!(matches!(*error.kind, QueryErrorKind::UnknownOrg { .. }), "{error:?}");
}

#[tokio::test]
async fn a_weaker_identity_that_is_unreachable_elsewhere_is_passed_over() {
    let fake = Fake::start().await;
    fake.state.grant("investigator", INVESTIGATOR);
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = gone.local_addr().unwrap().to_string();
    drop(gone);
    let configs = [
        (Some(IdentityKind::Reader), fake.ca.api_config("reader", &nowhere)),
        (Some(IdentityKind::Investigator), fake.config("investigator")),
    ];
    let server = Server::open("acme", configs).unwrap();
    assert_eq!(fetch(&server, &READ).await.unwrap().identity, "investigator");
    let fault = server.identities()[0].fault(&OrgId::root()).unwrap();
    assert!(matches!(fault, QueryErrorKind::Unreachable { .. }), "{fault:?}");
}

#[tokio::test]
async fn a_denial_makes_the_probe_be_repeated() {
    let denied = "label: PermissionDenied: Permission denied: [LABEL_CLIENT]";
    for in_log in [true, false] {
        let fake = Fake::start().await;
        let server = two(&fake);
        fake.state.on("label", move |_| match in_log {
            true => Reply::Say(vec![log(denied)]),
            false => Reply::Refuse(Status::permission_denied("Permission denied: LABEL_CLIENT")),
        });
        let error = fetch(&server, &LABEL).await.unwrap_err();
        let named = Some(Permission::LabelClient);
        assert!(
            matches!(&*error.kind, QueryErrorKind::Denied { permission, .. } if *permission == named),
            "{error:?}"
        );
        // The next call asks again, and learns that the role was taken away.
        fake.state.grant("investigator", READER);
        let error = fetch(&server, &LABEL).await.unwrap_err();
        assert!(matches!(*error.kind, QueryErrorKind::NoIdentity { .. }), "{error:?}");
        assert_eq!(fake.state.asked("label").len(), 1);
    }
}

#[tokio::test]
async fn orgs_are_probed_apart() {
    let fake = Fake::start().await;
    let server = two(&fake);
    let cancel = CancellationToken::new();
    for org in ["root", "O1", "O1", "O2"] {
        let org = OrgId::parse(org).unwrap();
        let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
        server.fetch(&READ, &READ.query(), &call).await.unwrap();
    }
    let orgs = |name| -> Vec<String> {
        fake.state.asked(name).into_iter().map(|asked| asked.args.org_id).collect()
    };
    assert_eq!(orgs("who_am_i"), ["", "O1", "O2"]);
    assert_eq!(orgs("read"), ["", "O1", "O1", "O2"]);
}

#[tokio::test]
async fn d13_a_mutation_is_sent_once_and_its_time_limit_is_an_error() {
    let fake = Fake::start().await;
    let server = two(&fake);
    fake.state.on("label", |_| Reply::Die(vec![]));
    let error = fetch(&server, &LABEL).await.unwrap_err();
    assert!(matches!(*error.kind, QueryErrorKind::Unreachable { .. }), "{error:?}");
    assert_eq!(fake.state.asked("label").len(), 1);

    let line = "collect: <red>Timeout Error:</> Collection timed out after 30.0s";
    fake.state.on("label", move |_| Reply::Say(vec![log(line)]));
    let error = fetch(&server, &LABEL).await.unwrap_err();
    assert_eq!(*error.kind, QueryErrorKind::Timeout { seconds: 30 });

    // A read is repeated.
    fake.state.on("read", |asked| match asked.earlier {
        0 => Reply::Die(vec![]),
        _ => Reply::Say(vec![rows(&json!([{"A": 1}]))]),
    });
    assert_eq!(fetch(&server, &READ).await.unwrap().rows.len(), 1);
    assert_eq!(fake.state.asked("read").len(), 2);
}

#[tokio::test]
async fn of_many_calls_at_once_none_is_lost_and_the_cap_holds() {
    let fake = Fake::start().await;
    fake.state.on("read", |_| Reply::Gated(vec![rows(&json!([{"A": 1}]))]));
    let server = Arc::new(two(&fake));
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let server = Arc::clone(&server);
            tokio::spawn(async move { fetch(&server, &READ).await.unwrap().rows.len() })
        })
        .collect();
    until("the slots fill", || fake.state.running(), |running| *running == 32).await;
    fake.state.gate.cancel();
    for call in calls {
        assert_eq!(call.await.unwrap(), 1);
    }
    assert_eq!(fake.state.asked("read").len(), 200);
    assert_eq!(fake.state.most_running.load(Ordering::SeqCst), 32);
    assert_eq!(fake.state.asked("who_am_i").len(), 1, "one probe serves all");
    assert_eq!(fake.state.connections.load(Ordering::SeqCst), 1, "one connection serves all");
}

#[tokio::test]
async fn calls_that_wait_long_leave_room_for_others() {
    let fake = Fake::start().await;
    fake.state.on("wait", |_| Reply::Hang(vec![]));
    let server = Arc::new(two(&fake));
    let cancel = CancellationToken::new();
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let (server, cancel) = (Arc::clone(&server), cancel.clone());
            tokio::spawn(async move {
                let org = OrgId::root();
                let limits = Limits::READ.time(Duration::from_secs(600));
                let call = Call { org: &org, limits, cancel: &cancel };
                let wait = entry("wait", false, &[Permission::AnyQuery]);
                *server.fetch(&wait, &wait.query(), &call).await.unwrap_err().kind
            })
        })
        .collect();
    until("they wait", || fake.state.running(), |running| *running == 24).await;
    fetch(&server, &READ).await.unwrap();
    cancel.cancel();
    for call in waiting {
        assert_eq!(call.await.unwrap(), QueryErrorKind::Cancelled);
    }
    until("the server stops", || fake.state.running(), |running| *running == 0).await;
    assert_eq!(fake.state.asked("wait").len(), 24, "the others were never sent");
}

//! The call for hunts that VQL has no equal for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::Status;
use velociraptor_api::generated::{Hunt, hunt};
use velociraptor_api::{Call, IdentityKind, Limits, OrgId, QueryErrorKind, Server};

use crate::fake::Fake;

fn server(fake: &Fake) -> Server {
    fake.state.grant("reader", &["any_query", "read_results"]);
    fake.state.grant("proposer", &["any_query", "read_results", "collect_client"]);
    fake.state.grant("starter", &["any_query", "read_results", "collect_client", "start_hunt"]);
    let configs = [
        (Some(IdentityKind::Reader), fake.config("reader")),
        (Some(IdentityKind::Investigator), fake.config("proposer")),
        (Some(IdentityKind::Administrator), fake.config("starter")),
    ];
    Server::open("acme", configs).unwrap()
}

fn in_state(state: hunt::State) -> Hunt {
    Hunt { state: state.into(), ..Hunt::default() }
}

#[tokio::test]
async fn it_uses_the_weakest_identity_that_may() {
    let fake = Fake::start().await;
    let server = server(&fake);
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    for (state, user) in [(hunt::State::Paused, "proposer"), (hunt::State::Running, "starter")] {
        let (id, identity) = server.create_hunt(in_state(state), &call).await.unwrap();
        assert_eq!((id.as_str(), identity.user()), ("H.TEST", user));
    }
}

#[tokio::test]
async fn outside_the_root_org_nothing_is_sent() {
    let fake = Fake::start().await;
    let server = server(&fake);
    let (org, cancel) = (OrgId::parse("O123").unwrap(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let error = server.create_hunt(in_state(hunt::State::Paused), &call).await.unwrap_err();
    let told = error.to_string();
    assert!(matches!(*error.kind, QueryErrorKind::RootOrgOnly { .. }), "{told}");
    assert!(told.contains("root org only") && told.contains("O123"), "{told}");
    assert_eq!(fake.state.unary_calls.load(Ordering::SeqCst), 0);
    assert_eq!(fake.state.asked("who_am_i").len(), 0);
}

#[tokio::test]
async fn nothing_is_sent_twice_and_the_time_limit_holds() {
    let fake = Fake::start().await;
    let server = server(&fake);
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let limits = Limits::READ.time(Duration::from_secs(5));
    let call = Call { org: &org, limits, cancel: &cancel };
    for (status, denied) in [
        (Status::unavailable("something broke"), false),
        (Status::permission_denied("User is not allowed to launch hunts."), true),
    ] {
        *fake.state.hunt.lock().unwrap() = Box::new(move |_, _| Err(status.clone()));
        let before = fake.state.unary_calls.load(Ordering::SeqCst);
        let error = server.create_hunt(in_state(hunt::State::Paused), &call).await.unwrap_err();
        assert_eq!(matches!(*error.kind, QueryErrorKind::Denied { .. }), denied, "{error:?}");
        assert!(!error.kind.is_transient());
        assert_eq!(fake.state.unary_calls.load(Ordering::SeqCst), before + 1);
    }
    let state = std::sync::Arc::clone(&fake.state);
    *fake.state.hunt.lock().unwrap() = Box::new(move |_, _| {
        state.break_connections();
        Ok(())
    });
    let before = fake.state.unary_calls.load(Ordering::SeqCst);
    let error = server.create_hunt(in_state(hunt::State::Paused), &call).await.unwrap_err();
    assert!(matches!(*error.kind, QueryErrorKind::Unreachable { .. }), "{error:?}");
    assert_eq!(fake.state.unary_calls.load(Ordering::SeqCst), before + 1);
}

//! What the record says of a call: where, as whom, and what was decided about it.

use std::time::Duration;

use guard::audit::{self, Call, Decision, Filter};
use mcp_server::caller::Caller;
use mcp_server::context::Silent;
use mcp_server::gateway::{Gateway, Mute, Request};
use mcp_server::resources;
use mcp_server::services::Switches;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::gateway::{call, collect};
use crate::simulated::{guarded, read_only, services};
use crate::wire::Wire;

/// The calls of a closed record.
async fn calls(gateway: &Gateway) -> Vec<Call> {
    gateway.guardian().audit().close().await.expect("the record closes");
    let folder = gateway.guardian().audit().folder();
    audit::show(folder, &Filter::default()).expect("a record")
}

fn request<'a>(caller: &'a Caller) -> Request<'a> {
    Request { caller, cancel: CancellationToken::new(), progress: &Silent, voice: &Mute }
}

#[tokio::test]
async fn reads_are_on_record_with_server_org_and_who_asked() {
    let gateway = guarded(services(Switches::default(), &[]));
    call(&gateway, "list_clients", json!({})).await.expect("clients");
    let caller = Caller::cli();
    for address in ["velociraptor://server-info", "velociraptor://clients"] {
        resources::read(&gateway, &request(&caller), address).await.expect(address);
    }
    let calls = calls(&gateway).await;
    assert_eq!(calls.len(), 3, "{calls:?}");
    let server = gateway.services().configured()[0].server.name();
    for call in calls {
        let intent = &call.intent;
        assert_eq!(intent.server.as_deref(), Some(server), "{call:?}");
        assert_eq!(intent.org.as_deref(), Some("root"), "{call:?}");
        assert!(intent.identity.as_ref().is_some_and(|user| !user.is_empty()), "{call:?}");
        assert!(call.answer.is_some() && call.took_us.is_some(), "{call:?}");
    }
}

#[tokio::test]
async fn what_failed_before_it_was_judged_is_told_from_what_was_refused() {
    let gateway = guarded(services(read_only(), &[]));
    let verdict = |call: &Call| serde_json::to_value(&call.intent.decision).expect("JSON");
    let nobody = json!({ "client": "NOBODY-01" });
    call(&gateway, "get_client_info", nobody).await.expect_err("there is none");
    call(&gateway, "list_clients", json!({ "limit": "x" })).await.expect_err("no number");
    call(&gateway, "run_vql", json!({ "query": "SELECT * FROM nothing_such()" }))
        .await
        .expect_err("no such plugin");
    call(&gateway, "collect_artifact", collect()).await.expect_err("only reads");
    let calls = calls(&gateway).await;
    let verdicts: Vec<Value> = calls.iter().map(|call| verdict(call)["verdict"].clone()).collect();
    // The first was judged, ran, and found nobody.
    assert_eq!(verdicts, ["allowed", "undecided", "undecided", "refused"], "{calls:?}");
}

#[tokio::test]
async fn whoever_goes_away_while_a_call_is_prepared_leaves_a_line() {
    let gateway = guarded(services(Switches::default(), &[]));
    let caller = Caller::cli();
    let request = request(&caller);
    let arguments = serde_json::from_value(collect()).expect("an object");
    let called = gateway.call(&request, "collect_artifact", arguments);
    // It is polled once, asks the server, and is dropped.
    let dropped = tokio::time::timeout(Duration::ZERO, called).await;
    assert!(dropped.is_err(), "the server had answered");
    let calls = calls(&gateway).await;
    let Decision::Undecided { why } = &calls[0].intent.decision else { panic!("{calls:?}") };
    assert!(why.contains("given up"), "{why}");
    assert_eq!(calls[0].outcome.as_deref(), Some("abandoned"), "{calls:?}");
    assert_eq!(calls[0].intent.arguments["clients"][0], "FIN-WS07", "{calls:?}");
}

#[tokio::test]
async fn prompts_and_completion_say_who_asked_the_server() {
    let gateway = guarded(services(Switches::default(), &[]));
    let mut wire = Wire::over(gateway.clone());
    wire.initialize("2025-11-25").await;
    let prompt = json!({ "name": "investigate_endpoint", "arguments": { "client": "FIN-WS07" } });
    wire.ask("prompts/get", prompt).await;
    let reference = json!({ "type": "ref/prompt", "name": "investigate_endpoint" });
    let typed = |name: &str, value: &str| json!({ "ref": reference, "argument": { "name": name, "value": value } });
    let found = wire.ask("completion/complete", typed("client", "FIN")).await;
    let values = found["completion"]["values"].as_array().expect("values");
    assert!(values.iter().any(|value| value == "FIN-WS07"), "{found}");
    // What needs no server was asked of none.
    wire.ask("completion/complete", typed("server", "")).await;
    wire.close().await.1.expect("it ends");
    let calls = calls(&gateway).await;
    let tools: Vec<_> = calls.iter().map(|call| call.intent.tool.as_str()).collect();
    assert_eq!(tools, ["prompts/get", "completion/complete", "completion/complete"]);
    let asked: Vec<_> = calls.iter().map(|call| call.intent.identity.is_some()).collect();
    assert_eq!(asked, [true, true, false], "{calls:?}");
}

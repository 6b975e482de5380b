//! What stands before every tool: policy, questions, records.

use std::time::Duration;

use guard::approval::Approval;
use guard::approver::Approver;
use guard::audit;
use guard::effect::Effect;
use guard::grant::{GrantHosts, Terms};
use guard::policy::Glob;
use mcp_server::caller::Caller;
use mcp_server::context::Silent;
use mcp_server::gateway::{Gateway, Mute, Request, Stop};
use mcp_server::services::{Services, Switches};
use mcp_server::settings;
use mcp_server::tool::Finished;
use mcp_server::tool_error::{Code, ToolError};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use velociraptor_api::labels::{self, LabelChange};
use velociraptor_api::{OrgId, Session};

use crate::simulated::{allowing, apart, guarded, read_only, services, with_policy};
use crate::wire::{Wire, stateless};

pub(crate) async fn call(
    gateway: &Gateway,
    tool: &str,
    arguments: Value,
) -> Result<Finished, ToolError> {
    let request = Request {
        caller: &Caller::cli(),
        cancel: CancellationToken::new(),
        progress: &Silent,
        voice: &Mute,
    };
    let arguments = serde_json::from_value(arguments).expect("an object");
    match gateway.call(&request, tool, arguments).await {
        Ok(finished) => Ok(finished),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Ask(asking)) => panic!("nobody can be asked: {}", asking.card),
    }
}

pub(crate) fn collect() -> Value {
    json!({ "clients": ["FIN-WS07"], "artifacts": ["Windows.System.Pslist"], "wait": 30 })
}

/// A person at a terminal.
pub(crate) fn approver() -> Approver {
    Approver { user: "bob".into(), host: "soc-1".into(), terminal: "/dev/pts/3".into() }
}

/// Approves the only request that waits, as a person at a terminal does.
fn approve(gateway: &Gateway) -> String {
    let approvals = gateway.guardian().approvals();
    let [pending] = approvals.list().expect("approvals").try_into().expect("one waits");
    approve_this(gateway, &pending)
}

/// Approves a request; its card.
pub(crate) fn approve_this(gateway: &Gateway, pending: &Approval) -> String {
    let guardian = gateway.guardian();
    let card = pending.card(jiff::Timestamp::now());
    let seen = pending.confirm(&pending.id()[..4]).expect("its digits");
    guardian.approvals().approve(seen, approver(), guardian.audit()).expect("it is approved");
    card
}

#[tokio::test]
async fn what_is_asked_for_outside_runs_once_after_it_was_approved() {
    let gateway = guarded(services(Switches::default(), &[]));
    let label = json!({ "clients": ["FIN-WS07"], "add": ["case-41"] });
    let error = call(&gateway, "label_client", label.clone()).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired, "{error}");
    assert!(error.message.contains("nothing was done"), "{error}");
    assert!(error.message.contains("RESPOND label_client"), "{error}");
    assert!(error.next_step.expect("a next step").contains("megaraptor approvals approve"));

    let card = approve(&gateway);
    assert!(card.contains("FIN-WS07") && card.contains("case-41"), "{card}");
    let done = call(&gateway, "label_client", label.clone()).await.expect("it was approved");
    assert!(done.text.contains("case-41"), "{}", done.text);
    // An approval is for one run.
    let error = call(&gateway, "label_client", label).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired, "{error}");
    // And for one request.
    let other = json!({ "clients": ["FIN-WS07"], "add": ["case-42"] });
    let error = call(&gateway, "label_client", other).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired, "{error}");
}

#[tokio::test]
async fn a_person_who_says_no_is_told_to_the_caller() {
    let gateway = guarded(services(Switches::default(), &[]));
    call(&gateway, "collect_artifact", collect()).await.unwrap_err();
    let approvals = gateway.guardian().approvals();
    let pending = approvals.list().expect("approvals").pop().expect("one waits");
    let audit = gateway.guardian().audit();
    approvals.deny(&pending, approver(), Some("not now".into()), audit).expect("it is denied");
    let error = call(&gateway, "collect_artifact", collect()).await.unwrap_err();
    assert_eq!(error.code, Code::Denied);
    assert!(error.message.contains("not now"), "{error}");
}

/// A handshake of a client that can show forms.
async fn with_forms(switches: Switches) -> Wire {
    open_with_forms(services(switches, &[])).await
}

async fn open_with_forms(services: Services) -> Wire {
    let mut wire = Wire::open(services);
    let params = json!({
        "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "forms", "version": "1" },
    });
    wire.ask("initialize", params).await;
    wire.line(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    wire
}

#[tokio::test]
async fn a_collection_is_asked_for_in_the_chat_during_the_call() {
    for (answer, refusal) in [
        (json!({ "action": "accept", "content": { "approve": true } }), None),
        (json!({ "action": "accept", "content": { "approve": false } }), Some("without a yes")),
        (json!({ "action": "accept", "content": {} }), Some("without a yes")),
        (json!({ "action": "decline" }), Some("was asked declined")),
        (json!({ "action": "cancel" }), Some("closed without an answer")),
    ] {
        let mut wire = with_forms(Switches::default()).await;
        let id = wire
            .send("tools/call", json!({ "name": "collect_artifact", "arguments": collect() }))
            .await;
        let question = wire.find(|message| message["method"] == "elicitation/create").await;
        let shown = question["params"]["message"].as_str().expect("a card");
        assert!(shown.contains("approve in the chat, or outside"), "{shown}");
        assert!(shown.contains("Z, 15 minutes from now"), "{shown}");
        let card = question["params"]["message"].as_str().expect("a card");
        assert!(card.starts_with("COLLECT collect_artifact"), "{card}");
        assert!(card.contains("Windows.System.Pslist") && card.contains("FIN-WS07"), "{card}");
        wire.line(json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer }).to_string())
            .await;
        let result = wire.find(|message| message["id"] == id && message["method"].is_null()).await;
        let result = &result["result"];
        assert_eq!(result["isError"] != true, refusal.is_none(), "{answer}: {result}");
        if let Some(why) = refusal {
            let error = &result["structuredContent"]["error"];
            assert_eq!(error["code"], "denied", "{result}");
            assert!(error["message"].as_str().is_some_and(|said| said.contains(why)), "{error}");
        }
    }
}

#[tokio::test]
async fn containment_is_never_approved_in_the_chat() {
    let mut wire = with_forms(Switches::default()).await;
    let isolate = json!({ "client": "FIN-WS07", "action": "isolate" });
    let error = wire.failed("quarantine_client", isolate).await;
    assert_eq!(error["code"], "approval_required", "{error}");
}

/// Parameters of the revision that knows no session, with a client that can show forms.
fn later(arguments: Value, more: Value) -> Value {
    let mut params = stateless(json!({ "name": "collect_artifact", "arguments": arguments }));
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": {} });
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params
}

#[tokio::test]
async fn without_a_session_the_question_is_the_answer_and_its_state_is_used_once() {
    let mut wire = Wire::open(services(Switches::default(), &[]));
    let asked = wire.ask("tools/call", later(collect(), json!({}))).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let card = asked["inputRequests"]["approve"]["params"]["message"].as_str().expect("a card");
    assert!(card.starts_with("COLLECT collect_artifact"), "{card}");
    let state = asked["requestState"].as_str().expect("a state").to_owned();
    let yes = json!({ "approve": { "action": "accept", "content": { "approve": true } } });
    let answered = |state: &str| json!({ "requestState": state, "inputResponses": yes });

    // For another request, altered, forged: refused, and nothing is used up.
    let mut other = collect();
    other["artifacts"] = json!(["Windows.Network.NetstatEnriched"]);
    let mut altered = state.clone().into_bytes();
    altered[40] = if altered[40] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).expect("text");
    for (arguments, state) in
        [(other, state.as_str()), (collect(), altered.as_str()), (collect(), "bm9uc2Vuc2U")]
    {
        let result = wire.ask("tools/call", later(arguments, answered(state))).await;
        assert_eq!(result["structuredContent"]["error"]["code"], "denied", "{result}");
    }
    let result = wire.ask("tools/call", later(collect(), answered(&state))).await;
    assert_eq!(result["structuredContent"]["outcomes"][0]["state"], "finished", "{result}");
    let result = wire.ask("tools/call", later(collect(), answered(&state))).await;
    let error = &result["structuredContent"]["error"];
    assert_eq!(error["code"], "denied", "{result}");
    assert!(error["message"].as_str().expect("text").contains("used before"), "{error}");
}

#[tokio::test]
async fn read_only_hides_what_changes_and_refuses_queries_that_do() {
    let gateway = guarded(services(read_only(), &[]));
    assert!(gateway.services().tools().all(|tool| tool.effect == Effect::Read || tool.stops));
    for tool in ["collect_artifact", "create_hunt", "label_client", "quarantine_client"] {
        let error = call(&gateway, tool, json!({})).await.unwrap_err();
        assert_eq!(error.code, Code::Denied, "{tool}: {error}");
    }
    for query in [
        "SELECT collect_client(client_id='C.1', artifacts='X') FROM scope()",
        "SELECT * FROM foreach(row={ SELECT * FROM clients() }, query={ SELECT label(client_id=client_id, labels='x', op='set') FROM scope() })",
        "SELECT * FROM query(query='SELECT * FROM ' + 'execve(argv=1)')",
        "SELECT cache(filename='/tmp/x') FROM scope()",
    ] {
        let error = call(&gateway, "run_vql", json!({ "query": query })).await.unwrap_err();
        assert_eq!(error.code, Code::Denied, "{query}: {error}");
    }
    call(&gateway, "run_vql", json!({ "query": "SELECT * FROM clients()" })).await.expect("a read");
}

#[tokio::test]
async fn limits_lists_and_modes_of_the_policy_are_felt_by_the_tools() {
    let two = json!({ "clients": ["FIN-WS07", "WS-11"], "artifacts": ["Windows.System.Pslist"] });
    for (flags, arguments, cause) in [
        (vec!["collect=deny"], collect(), "collect"),
        (vec!["collect=allow", "limits.clients=1"], two, "more than 1"),
        (vec!["collect=allow", "artifacts_deny=Windows.*"], collect(), "Windows."),
        (vec!["collect=allow", "artifacts_allow=Linux.*"], collect(), "fits no pattern"),
        (vec!["collect=allow", "tools_deny=collect_artifact"], collect(), "collect_artifact"),
    ] {
        let gateway = guarded(services(with_policy(&flags), &[]));
        let error = call(&gateway, "collect_artifact", arguments).await.unwrap_err();
        assert_eq!(error.code, Code::Denied, "{flags:?}: {error}");
        assert!(error.message.contains(cause), "{flags:?}: {error}");
    }
}

#[tokio::test]
async fn every_call_is_on_record_before_and_after_and_the_record_is_sound() {
    let gateway = guarded(services(allowing(), &[]));
    call(&gateway, "list_clients", json!({})).await.expect("a list");
    call(&gateway, "collect_artifact", collect()).await.expect("a collection");
    call(&gateway, "list_clients", json!({ "limt": 1 })).await.unwrap_err();
    call(&gateway, "no_such_tool", json!({})).await.unwrap_err();
    let query = "SELECT * FROM execve(argv='id')";
    call(&gateway, "run_vql", json!({ "query": query })).await.unwrap_err();
    let folder = gateway.guardian().home().join("audit");
    drop(gateway);
    let calls = audit::show(&folder, &audit::Filter::default()).expect("the record");
    let said: Vec<(String, String)> = calls
        .iter()
        .map(|call| (call.intent.tool.clone(), call.outcome.clone().unwrap_or_default()))
        .collect();
    let expected = [
        ("list_clients", "complete"),
        ("collect_artifact", "complete"),
        ("list_clients", "invalid_input"),
        ("no_such_tool", "not_found"),
        ("run_vql", "denied"),
    ];
    assert_eq!(said, expected.map(|(tool, code)| (tool.to_owned(), code.to_owned())));
    assert_eq!(calls[4].intent.vql.as_deref(), Some(query));
    let report = audit::verify(&folder, &audit::Expected::default()).expect("it can be read");
    assert!(report.faults.is_empty(), "{report:?}");
}

#[tokio::test]
async fn where_nothing_can_be_recorded_nothing_runs() {
    let gateway = guarded(services(allowing(), &[]));
    call(&gateway, "list_clients", json!({})).await.expect("a list");
    let folder = gateway.guardian().home().join("audit");
    std::fs::rename(&folder, folder.with_extension("away")).expect("it is moved");
    for (tool, arguments) in [("list_clients", json!({})), ("collect_artifact", collect())] {
        let error = call(&gateway, tool, arguments).await.unwrap_err();
        assert_eq!(error.code, Code::NotRecorded, "{tool}: {error}");
    }
}

#[tokio::test]
async fn what_was_started_is_in_the_ledger() {
    let gateway = guarded(services(allowing(), &[]));
    let done = call(&gateway, "collect_artifact", collect()).await.expect("a collection");
    let flow = done.data().expect("data")["outcomes"][0]["flow_id"].clone();
    let hunt = json!({ "artifacts": ["Windows.System.Pslist"], "description": "x" });
    call(&gateway, "create_hunt", hunt).await.expect("a hunt");
    let standing = gateway.guardian().ledger().standing().expect("the ledger");
    assert_eq!(standing.started.len(), 2, "{standing:?}");
    assert!(standing.unknown.is_empty(), "{standing:?}");
    let first = serde_json::to_value(&standing.started[0].work).expect("JSON");
    assert_eq!(first["flow"], flow, "{first}");
}

#[tokio::test]
async fn a_token_does_not_cover_a_call_that_weighs_more_than_its_tool() {
    let scope = guard::tokens::Scope {
        effects: vec![Effect::Read, Effect::Collect],
        ..guard::tokens::Scope::everything()
    };
    let whole = guarded(services(allowing(), &[]));
    let narrow = whole.before(std::sync::Arc::new(whole.services().narrowed(&scope)));
    call(&narrow, "collect_artifact", collect()).await.expect("a collection");
    let isolate =
        json!({ "clients": ["FIN-WS07"], "artifacts": ["Windows.Remediation.Quarantine"] });
    let error = call(&narrow, "collect_artifact", isolate).await.unwrap_err();
    assert_eq!(error.code, Code::Denied, "{error}");
    assert!(error.message.contains("does not cover respond"), "{error}");
}

#[tokio::test]
async fn a_limit_of_what_is_brought_in_stops_nothing_that_brings_nothing_in() {
    let flags = ["collect=allow", "respond=allow", "limits.bytes=5 MB"];
    let gateway = guarded(services(with_policy(&flags), &[]));
    call(&gateway, "list_clients", json!({})).await.expect("a list");
    let label = json!({ "clients": ["FIN-WS07"], "add": ["x"] });
    call(&gateway, "label_client", label).await.expect("a label");
    let error = call(&gateway, "collect_artifact", collect()).await.unwrap_err();
    assert!(error.message.contains("more than 5000000"), "{error}");
    let mut bounded = collect();
    bounded["max_mb"] = json!(4);
    call(&gateway, "collect_artifact", bounded).await.expect("within the limit");
}

#[tokio::test]
async fn what_changed_while_a_person_was_asked_is_not_done() {
    let (services, lab) = apart(Switches::default(), &[]);
    let mut wire = open_with_forms(services).await;
    let wish = json!({ "artifacts": ["Windows.System.Pslist"], "description": "x",
                       "exclude_labels": ["left-out"], "start": true });
    let id = wire.send("tools/call", json!({ "name": "create_hunt", "arguments": wish })).await;
    let question = wire.find(|message| message["method"] == "elicitation/create").await;
    // Meanwhile somebody else takes a client out of the hunt's reach.
    let other = settings::from_lab(&lab, &[]).expect("its files");
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let session = Session::new(&other.server, &org, &cancel);
    let search = velociraptor_api::clients::ClientSearch::default();
    let found = velociraptor_api::clients::search(&session, &search).await.expect("clients");
    let client = found.clients[0].client_id.clone();
    let change = LabelChange { add: vec!["left-out".into()], remove: Vec::new() };
    labels::change(&session, &[client], &change).await.expect("a label");
    let yes = json!({ "action": "accept", "content": { "approve": true } });
    wire.line(json!({ "jsonrpc": "2.0", "id": question["id"], "result": yes }).to_string()).await;
    let result = wire.find(|message| message["id"] == id && message["method"].is_null()).await;
    let error = &result["result"]["structuredContent"]["error"];
    assert_eq!(error["code"], "denied", "{result}");
    assert!(error["message"].as_str().expect("text").contains("no longer"), "{error}");
}

fn give(gateway: &Gateway, artifact: &str, hosts: GrantHosts) -> String {
    let terms = Terms {
        case: "INC-7".into(),
        server: lab::SIMULATED.into(),
        org: "root".into(),
        artifacts: vec![Glob::new(artifact)],
        hosts,
        bytes: 2_500_000_000,
        collections: 10,
    };
    let (grants, audit) = (gateway.guardian().grants(), gateway.guardian().audit());
    grants.give(terms, Duration::from_secs(3600), approver(), audit).expect("it is given").id()
}

#[tokio::test]
async fn a_collection_on_a_grant_gives_back_what_it_did_not_use() {
    let gateway = guarded(services(Switches::default(), &[]));
    lab_label(&gateway, "FIN-WS07").await;
    give(&gateway, "Windows.System.*", GrantHosts::Label("case-7".into()));
    for number in 1..=4 {
        // Each reserves 1 GiB, and two fit: it is the giving back that lets the others run.
        let mut wish = collect();
        wish["again"] = json!(true);
        call(&gateway, "collect_artifact", wish).await.expect("the grant covers it");
        let grant = gateway.guardian().grants().list().expect("grants").remove(0);
        assert_eq!((grant.used_bytes, grant.used_collections), (0, number));
    }
    // What is not awaited may still bring it all in.
    let mut wish = collect();
    (wish["again"], wish["wait"]) = (json!(true), json!(0));
    call(&gateway, "collect_artifact", wish).await.expect("the grant covers it");
    let grant = gateway.guardian().grants().list().expect("grants").remove(0);
    assert!([0, 1_073_741_824].contains(&grant.used_bytes), "{}", grant.used_bytes);
}

#[tokio::test]
async fn a_card_says_why_a_grant_does_not_cover_and_why_it_is_a_response() {
    let gateway = guarded(services(Switches::default(), &[]));
    give(&gateway, "Linux.*", GrantHosts::Label("case-7".into()));
    give(&gateway, "Windows.System.*", GrantHosts::Label("case-7".into()));
    let error = call(&gateway, "collect_artifact", collect()).await.unwrap_err();
    let card = &error.message;
    assert!(
        card.contains("grant G1 does not cover it: Windows.System.Pslist is none of"),
        "{card}"
    );
    assert!(
        card.contains("grant G2 does not cover it: ") && card.contains("of its hosts"),
        "{card}"
    );
    assert!(!card.contains("\nbecause"), "a plain collection weighs nothing more: {card}");

    let isolating = json!({
        "clients": ["FIN-WS07"], "artifacts": ["Windows.Remediation.Quarantine"],
    });
    let error = call(&gateway, "collect_artifact", isolating).await.unwrap_err();
    let card = &error.message;
    assert!(card.contains("RESPOND collect_artifact"), "{card}");
    assert!(card.contains("\nbecause the artifact cuts endpoints off or lets them back"), "{card}");
    assert!(card.contains("grants cover collections, and this is a call to respond"), "{card}");
}

/// Labels a client of the lab past the gateway.
async fn lab_label(gateway: &Gateway, host: &str) {
    let target = gateway.services().configured().first().expect("a server");
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let session = Session::new(&target.server, &org, &cancel);
    let purpose = velociraptor_api::clients::Purpose::Change;
    let found = velociraptor_api::clients::resolve(&session, host, purpose).await;
    let found = found.expect("the host");
    let change = LabelChange { add: vec!["case-7".into()], remove: Vec::new() };
    labels::change(&session, &[found.id], &change).await.expect("it is labelled");
}

#[tokio::test]
async fn what_waited_for_a_client_for_longer_than_was_agreed_is_taken_back() {
    let gateway = guarded(services(with_policy(&["collect=allow"]), &[]));
    let wish = json!({ "clients": ["LAPTOP-19"], "artifacts": ["Windows.System.Pslist"],
                       "queue_hours": 2 });
    let done = call(&gateway, "collect_artifact", wish).await.expect("it waits");
    assert!(done.text.contains("is taken back when megaraptor next runs"), "{}", done.text);
    let flow = done.data().expect("data")["outcomes"][0]["flow_id"].clone();
    let cancel = CancellationToken::new();
    let after = |hours: i64| {
        let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        gateway.take_back_overdue(now, &cancel)
    };
    assert!(after(1).await.is_empty(), "its time is not over");
    let told = after(3).await;
    assert!(told.len() == 1 && told[0].contains("taken back, was"), "{told:?}");
    let wish = json!({ "client": "LAPTOP-19", "flow_id": flow });
    let status = call(&gateway, "get_flow_status", wish).await.expect("it is there");
    assert_eq!(status.data().expect("data")["flow_state"], "CANCELLED");
    assert!(after(3).await.is_empty(), "once");
    let record = std::fs::read_dir(gateway.guardian().home().join("audit")).expect("a record");
    let lines: String = record
        .filter_map(|file| std::fs::read_to_string(file.expect("a file").path()).ok())
        .collect();
    assert!(lines.contains("\"take_back\""), "it is on record");
}

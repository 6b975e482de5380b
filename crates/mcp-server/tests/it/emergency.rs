//! The emergency stop, as a command does it and as a tool.

use std::sync::Arc;
use std::time::Duration;

use guard::audit;
use guard::tokens::Scope;
use lab::Lab;
use mcp_server::emergency::{self, Recording};
use mcp_server::gateway::Gateway;
use mcp_server::services::{Services, Switches};
use mcp_server::settings;
use mcp_server::tool_error::Code;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::changed::behind;
use crate::gateway::{call, collect};
use crate::simulated::{allowing, apart, guarded, read_only, services, with_policy};

const SLOW: &str = "Custom.Lab.Slow";

/// Starts a collection and a hunt that do not end by themselves; their ids.
async fn start(gateway: &Gateway) -> (Value, Value) {
    let parameters = json!({ SLOW: { "Seconds": "100000" } });
    let wanted = json!({ "clients": ["FIN-WS07"], "artifacts": [SLOW], "wait": 0,
                         "parameters": parameters });
    let done = call(gateway, "collect_artifact", wanted).await.expect("a collection");
    let hunt = json!({ "artifacts": [SLOW], "description": "x", "start": true,
                       "parameters": parameters });
    let hunt = call(gateway, "create_hunt", hunt).await.expect("a hunt").data().expect("data");
    (done.data().expect("data")["outcomes"][0].clone(), hunt["hunt_id"].clone())
}

/// That both have ended.
async fn assert_ended(gateway: &Gateway, (flow, hunt): &(Value, Value)) {
    let flow = json!({ "client": flow["client_id"], "flow_id": flow["flow_id"] });
    let flow = call(gateway, "get_flow_status", flow).await.expect("its flow");
    assert!(flow.text.contains("CANCELLED"), "{}", flow.text);
    let asked = json!({ "search": "x" });
    let hunts = call(gateway, "list_hunts", asked).await.expect("hunts").data().expect("data");
    let held = hunts["hunts"].as_array().expect("hunts").iter();
    let held = held.into_iter().find(|one| one["hunt_id"] == *hunt).expect("the hunt");
    assert_ne!(held["hunt_state"], "RUNNING", "{held}");
}

/// The same records before the same server, under other switches.
pub(crate) fn beside(gateway: &Gateway, lab: &Lab, switches: Switches) -> Gateway {
    let target = settings::from_lab(lab, &[]).expect("the lab's files are good");
    gateway.before(Arc::new(Services::new(vec![target], switches)))
}

#[tokio::test]
async fn the_emergency_stop_ends_what_was_started_and_says_what_it_could_not() {
    let gateway = guarded(services(allowing(), &[]));
    let started = start(&gateway).await;
    let (ledger, home) = (gateway.guardian().ledger(), gateway.guardian().home());
    let recording = || Recording::apart(&home.join("audit"), String::from("a test"));
    let cancel = CancellationToken::new();
    let report =
        emergency::stop(gateway.services(), ledger, recording(), &cancel).await.expect("a stop");
    assert!(report.is_whole(), "{}", report.text());
    assert_eq!(report.ended.len(), 2, "{}", report.text());
    assert_ended(&gateway, &started).await;
    // What has ended is not ended twice; what has no server here is told.
    let report =
        emergency::stop(gateway.services(), ledger, recording(), &cancel).await.expect("a stop");
    assert!(report.ended.is_empty(), "{}", report.text());
    call(&gateway, "collect_artifact", collect()).await.expect("a collection");
    let nowhere = Services::default();
    let report = emergency::stop(&nowhere, ledger, recording(), &cancel).await.expect("a stop");
    assert!(!report.is_whole(), "{}", report.text());
    assert!(report.text().contains("its server is not configured here"), "{}", report.text());
}

/// The server decides that a hunt takes a client in, and lists the flow a moment later: it can begin
/// after the hunt was held.
#[tokio::test]
async fn a_flow_that_a_held_hunt_starts_late_is_ended_too() {
    let gateway = guarded(services(allowing(), &[]));
    let wish = json!({ "artifacts": [SLOW], "description": "x", "start": true,
                       "clients": ["FIN-WS07"], "parameters": { SLOW: { "Seconds": "100000" } } });
    let made = call(&gateway, "create_hunt", wish).await.expect("a hunt").data().expect("data");
    let hunt = made["hunt_id"].clone();
    let late = async {
        let listed = json!({ "search": "x" });
        loop {
            let hunts = call(&gateway, "list_hunts", listed.clone()).await.expect("hunts");
            if hunts.data().expect("data")["hunts"][0]["hunt_state"] != "RUNNING" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let text = "SELECT hunt_add(client_id=client_id, hunt_id=Given) AS Id
            FROM foreach(row={ SELECT client_id FROM clients() WHERE os_info.hostname = 'db-01' })";
        let server = &gateway.services().targets()[0].server;
        behind(server, text, hunt.as_str().expect("an id")).await
    };
    let (stop, added) = tokio::join!(call(&gateway, "emergency_stop", json!({})), late);
    let stop = stop.expect("a stop");
    assert!(stop.text.contains("2 of its flows cancelled"), "{} {added}", stop.text);
    let results = json!({ "hunt_id": hunt });
    let found = call(&gateway, "get_hunt_results", results).await.expect("its coverage");
    assert_eq!(found.data().expect("data")["coverage"]["cancelled"], 2, "{}", found.text);
}

/// A server that does not know a hunt may be another one of that name: that shows nothing about it.
#[tokio::test]
async fn what_another_server_of_the_same_name_does_not_know_is_not_taken_for_ended() {
    let gateway = guarded(services(allowing(), &[]));
    let started = start(&gateway).await;
    let (ledger, home) = (gateway.guardian().ledger(), gateway.guardian().home());
    let recording = || Recording::apart(&home.join("audit"), String::from("a test"));
    let cancel = CancellationToken::new();
    let (elsewhere, _lab) = apart(allowing(), &[]);
    let report = emergency::stop(&elsewhere, ledger, recording(), &cancel).await.expect("a stop");
    assert!(!report.is_whole() && report.ended.len() == 2, "{}", report.text());
    assert!(report.text().contains("this server does not know it"), "{}", report.text());
    let report =
        emergency::stop(gateway.services(), ledger, recording(), &cancel).await.expect("a stop");
    assert!(report.is_whole() && report.ended.len() == 2, "{}", report.text());
    assert_ended(&gateway, &started).await;
}

#[tokio::test]
async fn as_a_tool_it_runs_under_read_only_and_whatever_else_is_set() {
    let (services, lab) = apart(allowing(), &[]);
    let gateway = guarded(services);
    let strictest = with_policy(&["read_only=true", "read=deny", "limits.calls_per_minute=0"]);
    let families = Switches { families: vec!["vql".into()], ..read_only() };
    for switches in [read_only(), strictest, families] {
        let started = start(&gateway).await;
        let narrow = beside(&gateway, &lab, switches);
        let names: Vec<_> = narrow.services().tools().map(|tool| tool.name).collect();
        assert!(names.contains(&"emergency_stop"), "{names:?}");
        let error = call(&narrow, "emergency_stop", json!({ "server": "x" })).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidInput, "{error}");
        let stop = call(&narrow, "emergency_stop", json!({})).await.expect("a stop");
        assert!(stop.text.contains("EMERGENCY STOP  2 of 2 ended"), "{}", stop.text);
        assert!(stop.text.contains("Nothing was undone"), "{}", stop.text);
        assert_ended(&gateway, &started).await;
    }
    let again = call(&gateway, "emergency_stop", json!({})).await.expect("a stop");
    assert!(again.text.contains("EMPTY") && again.text.contains("nothing"), "{}", again.text);

    let home = gateway.guardian().home();
    let calls = audit::show(&home.join("audit"), &audit::Filter::default()).expect("a record");
    let stops: Vec<_> = calls.iter().filter(|one| one.intent.tool == "emergency_stop").collect();
    let of =
        |outcome: &str| stops.iter().filter(|one| one.outcome.as_deref() == Some(outcome)).count();
    assert_eq!((of("complete"), of("empty"), of("invalid_input")), (3, 1, 3), "{stops:?}");
    let on = format!("{:?}", stops[1].intent.decision);
    assert!(on.contains("emergency_stop"), "{on}");
}

#[tokio::test]
async fn it_runs_where_nothing_can_be_recorded_and_says_so() {
    let gateway = guarded(services(allowing(), &[]));
    let started = start(&gateway).await;
    let log = gateway.guardian().home().join("audit/audit-00000001.jsonl");
    let kept = std::fs::read(&log).expect("the log");
    std::fs::remove_file(&log).expect("it is removed");
    let error = call(&gateway, "list_clients", json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::NotRecorded, "{error}");
    let stop = call(&gateway, "emergency_stop", json!({})).await.expect("a stop");
    assert!(stop.text.contains("2 of 2 ended"), "{}", stop.text);
    assert!(stop.text.contains("the stop is not in the record"), "{}", stop.text);
    let apart = std::fs::read_to_string(log.with_file_name("emergency.jsonl")).expect("its file");
    assert!(apart.contains(started.1.as_str().expect("an id")), "{apart}");
    // Calls are recorded again by the next process, once a person has put the file back.
    std::fs::write(&log, kept).expect("it is put back");
    let home = gateway.guardian().home().to_owned();
    drop(gateway);
    let found = audit::verify(&home.join("audit"), &audit::Expected::default()).expect("a record");
    assert_eq!(found.emergency, 3, "{found:?}");
}

/// The command puts what it did into the record of calls, as a call; where that cannot be written it
/// is in the emergency file, and both are read.
#[tokio::test]
async fn the_command_is_on_record_where_that_can_be_written_and_apart_where_not() {
    let home = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_megaraptor"))
            .args(arguments)
            .arg("--lab")
            .env("MEGARAPTOR_HOME", home.path())
            .stdin(std::process::Stdio::null())
            .output()
            .expect("the program starts");
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let (code, said) = run(&["emergency-stop"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("emergency.jsonl"), "{said}");
    let folder = home.path().join("lab/audit");
    let calls = audit::show(&folder, &audit::Filter::default()).expect("a record");
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0].intent.tool, "emergency_stop");
    assert_eq!(calls[0].outcome.as_deref(), Some("empty"), "{calls:?}");
    let (_, shown) = run(&["audit", "show"]);
    assert!(shown.contains("ending 0 starts") && shown.contains("emergency.jsonl was read too"));

    // As where nothing can be added any more.
    let log = folder.join("audit-00000001.jsonl");
    let kept = std::fs::read(&log).expect("the log");
    std::fs::remove_file(&log).expect("it is removed");
    let (code, said) = run(&["emergency-stop"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the stop is recorded in emergency.jsonl"), "{said}");
    std::fs::write(&log, kept).expect("it is put back");
    let (code, shown) = run(&["audit", "show"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("1 of them from emergency.jsonl"), "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("e1 ")), "{shown}");
}

#[tokio::test]
async fn a_token_stops_what_it_covers_and_hears_of_nothing_else() {
    let gateway = guarded(services(allowing(), &[]));
    let started = start(&gateway).await;
    let narrowed = |scope: &Scope| gateway.before(Arc::new(gateway.services().narrowed(scope)));
    let reading = Scope { effects: vec![guard::effect::Effect::Read], ..Scope::everything() };
    let error = call(&narrowed(&reading), "emergency_stop", json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::Denied, "{error}");

    // The same server, and another org than the one in which all was started.
    let recording = Recording::within(gateway.guardian().audit());
    let elsewhere = Scope { orgs: Some(vec!["OTHER".into()]), ..Scope::everything() };
    let (services, never) = (gateway.services().narrowed(&elsewhere), CancellationToken::new());
    let ledger = gateway.guardian().ledger();
    let report = emergency::stop(&services, ledger, recording, &never).await.expect("a stop");
    assert!(report.ended.is_empty() && report.is_whole(), "{}", report.text());

    let here = Scope { orgs: Some(vec!["root".into()]), ..Scope::everything() };
    let stop = call(&narrowed(&here), "emergency_stop", json!({})).await.expect("a stop");
    assert!(stop.text.contains("2 of 2 ended"), "{}", stop.text);
    assert_ended(&gateway, &started).await;
}

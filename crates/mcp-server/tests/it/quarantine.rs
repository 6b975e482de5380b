//! Orders of `quarantine_client` that wait for a client, and taking them back.

use std::time::{Duration, Instant};

use mcp_server::tool_error::Code;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Limits, OrgId};
use vql_builder::{Query, RawVql};

use crate::direct::{Direct, data};

/// Offline, until the lab brings it back.
const AWAY: &str = "LAPTOP-19";
const ARTIFACT: &str = "Windows.Remediation.Quarantine";

fn order(action: &str, hours: Option<u64>) -> Value {
    let mut wish = json!({"client": AWAY, "action": action});
    if let Some(hours) = hours {
        wish["queue_hours"] = json!(hours);
    }
    wish
}

async fn labels(lab: &Direct) -> Value {
    lab.data("get_client_info", json!({"client": AWAY})).await["labels"].clone()
}

async fn hunts(lab: &Direct, state: &str) -> Vec<Value> {
    let found = lab.data("list_hunts", json!({"state": state})).await;
    found["hunts"].as_array().expect("hunts").clone()
}

/// The flows of the quarantine artifact on the client.
async fn flows(lab: &Direct) -> Vec<Value> {
    let found = lab.data("list_flows", json!({"client": AWAY})).await;
    let flows = found["flows"].as_array().expect("flows").iter();
    flows.filter(|flow| flow["artifacts"] == json!([ARTIFACT])).cloned().collect()
}

/// Waits until a collection that was asked for after the return has ended: whatever waited for the
/// client has been given to it by then.
async fn settled(lab: &Direct) {
    let wish = json!({"clients": [AWAY], "artifacts": ["Custom.Lab.One"], "wait": 30});
    let done = lab.data("collect_artifact", wish).await;
    assert_eq!(done["outcomes"][0]["state"], "finished", "{done:?}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while flows(lab)
        .await
        .iter()
        .any(|flow| !["FINISHED", "ERROR", "CANCELLED"].map(Value::from).contains(&flow["state"]))
    {
        assert!(Instant::now() < deadline, "{:?}", flows(lab).await);
        tokio::task::yield_now().await;
    }
}

/// Gives the server an artifact.
async fn define(lab: &Direct, definition: &str) {
    let text = "SELECT artifact_set(definition=Definition).name AS Name FROM scope()";
    let query = Query::raw("define", RawVql::from_caller(text)).bind("Definition", definition);
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let administrator = lab.server().identities().last().expect("an identity");
    let done = lab.server().run_as(administrator, &query, &call, false).await.expect("taken");
    assert!(done.rows[0]["Name"].is_string(), "{done:?}");
}

fn hunt(answer: &Map<String, Value>) -> &str {
    answer["hunt_id"].as_str().expect("a hunt")
}

#[tokio::test]
async fn a_release_takes_back_an_isolation_that_waits_and_the_return_isolates_nobody() {
    let (lab, simulated) = Direct::with_lab();
    let queued = lab.data("quarantine_client", order("isolate", Some(2))).await;
    assert!(labels(&lab).await.to_string().contains("when seen"));
    let released = lab.call("quarantine_client", order("release", None)).await.expect("released");
    let data = data(&released);
    assert_eq!(data["taken_back"], json!([hunt(&queued)]), "{data:?}");
    assert_eq!((&data["proved"], &data["state"]), (&json!(false), &json!("offline")));
    assert!(released.text.contains("TAKEN BACK, no release sent"), "{}", released.text);
    assert!(hunts(&lab, "RUNNING").await.is_empty());
    assert_eq!(hunts(&lab, "STOPPED").await[0]["hunt_id"], json!(hunt(&queued)));
    assert!(!labels(&lab).await.to_string().contains("when seen"));
    assert!(simulated.bring_back(AWAY));
    settled(&lab).await;
    assert!(flows(&lab).await.is_empty(), "{:?}", flows(&lab).await);
}

#[tokio::test]
async fn a_release_that_waits_replaces_the_isolation_that_waits() {
    let (lab, simulated) = Direct::with_lab();
    let queued = lab.data("quarantine_client", order("isolate", Some(2))).await;
    let released = lab.data("quarantine_client", order("release", Some(2))).await;
    assert_eq!(released["taken_back"], json!([hunt(&queued)]), "{released:?}");
    let running = hunts(&lab, "RUNNING").await;
    assert_eq!(running.len(), 1, "{running:?}");
    assert_eq!(running[0]["hunt_id"], released["hunt_id"]);
    assert!(simulated.bring_back(AWAY));
    settled(&lab).await;
    let ran = flows(&lab).await;
    assert_eq!(ran.len(), 1, "{ran:?}");
    let wish = json!({"client": AWAY, "flow_id": ran[0]["flow_id"]});
    let report = lab.data("get_flow_results", wish).await["rows"].to_string();
    assert!(report.contains("removed") && !report.contains("applied"), "{report}");
}

#[tokio::test]
async fn a_second_isolation_finds_the_first_and_makes_no_other_hunt() {
    let (lab, _simulated) = Direct::with_lab();
    let first = lab.data("quarantine_client", order("isolate", Some(2))).await;
    assert_eq!(first.get("existing"), None);
    let second = lab.call("quarantine_client", order("isolate", Some(1))).await.expect("found");
    assert_eq!(data(&second)["hunt_id"], first["hunt_id"]);
    assert_eq!(data(&second)["existing"], true);
    assert_eq!(data(&second)["expires"], first["expires"], "it waits no shorter");
    assert!(second.text.contains("already waits"), "{}", second.text);
    let longer = lab.data("quarantine_client", order("isolate", Some(5))).await;
    assert_eq!(longer["hunt_id"], first["hunt_id"]);
    assert_ne!(longer["expires"], first["expires"], "it waits for longer");
    let mut other = order("isolate", Some(2));
    other["message"] = json!("call the desk");
    let other = lab.data("quarantine_client", other).await;
    assert_ne!(other["hunt_id"], first["hunt_id"], "another message is another order");
    let running = hunts(&lab, "RUNNING").await;
    assert_eq!(running.len(), 1, "{running:?}");
    assert_eq!(running[0]["hunt_id"], other["hunt_id"]);
}

#[tokio::test]
async fn an_order_that_has_run_is_not_taken_for_one_that_waits() {
    let (lab, simulated) = Direct::with_lab();
    let queued = lab.data("quarantine_client", order("isolate", Some(2))).await;
    assert!(simulated.bring_back(AWAY));
    settled(&lab).await;
    assert_eq!(flows(&lab).await.len(), 1, "it was isolated on its return");
    let proved = lab.data("quarantine_client", order("isolate", None)).await;
    assert_eq!(proved["proved"], true, "{proved:?}");
    assert!(labels(&lab).await.to_string().contains("Quarantine"));
    let released = lab.data("quarantine_client", order("release", None)).await;
    assert_eq!(
        (&released["proved"], &released["taken_back"]),
        (&json!(true), &json!([hunt(&queued)]))
    );
    assert!(!labels(&lab).await.to_string().contains("Quarantine"));
    assert!(hunts(&lab, "RUNNING").await.is_empty());
}

#[tokio::test]
async fn an_isolation_that_fails_takes_the_label_off() {
    let (lab, simulated) = Direct::with_lab();
    assert!(simulated.bring_back(AWAY));
    lab.data("label_client", json!({"clients": [AWAY], "add": ["Quarantine"]})).await;
    // A site's own artifact goes first; this one reports that the policy was taken back.
    let definition = format!(
        "name: Custom.{ARTIFACT}\nrequired_permissions: [EXECVE, NETWORK]\nparameters:\n  - name: RemovePolicy\n    type: bool\nsources:\n  - query: SELECT 'failed connection test. Removing quarantine policy.' AS Result FROM scope()\n"
    );
    define(&lab, &definition).await;
    let error = lab.error("quarantine_client", order("isolate", None)).await;
    assert!(error.message.contains("failed connection test"), "{}", error.message);
    assert!(error.message.contains("carries the label no more"), "{}", error.message);
    assert!(!labels(&lab).await.to_string().contains("Quarantine"));
}

#[tokio::test]
async fn a_client_that_was_never_isolated_is_not_released() {
    let lab = Direct::start();
    let mut wish = json!({"client": "FIN-WS07", "action": "release"});
    let error = lab.error("quarantine_client", wish.clone()).await;
    assert_eq!(error.code, Code::Conflict, "{}", error.message);
    assert!(error.message.contains("is not isolated, as far as the server knows"), "{error:?}");
    assert!(error.message.ends_with("Nothing was sent"), "{error:?}");
    assert!(error.next_step.is_some_and(|next| next.contains("anyway")));
    let listed = lab.data("list_flows", json!({"client": "FIN-WS07"})).await;
    assert!(!listed["flows"].to_string().contains(ARTIFACT), "{listed:?}");
    wish["anyway"] = json!(true);
    let released = lab.data("quarantine_client", wish).await;
    assert_eq!(released["proved"], true, "{released:?}");
    let seen = released["steps"][2]["seen"].as_str().unwrap_or_default();
    assert_eq!(seen, "Quarantine is not among its labels, read back");
}

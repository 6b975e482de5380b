//! Each tool, called for each org: its own is seen and changed, the other's is not.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{ARTIFACT, LABEL, Org, Stage, TWIN, everything, names, settled};
use crate::mcp::McpChild;
use crate::suite::Cases;
use crate::wait;

/// A client hears of a hunt with its next poll.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(
    cases: &mut Cases,
    stage: &Stage,
    child: &mut McpChild,
    here: &Org,
    there: &Org,
) {
    for (own, other) in [(here, there), (there, here)] {
        let (id, not) = (&own.id, &other.id);
        let name = format!("{id}: what every tool shows is of it and not of {not}");
        cases.case(name, shown(stage, child, own, other)).await;
        let name = format!("{id}: what {not} has is not found by its id, and not changed");
        cases.case(name, foreign(stage, child, own, other)).await;
        let name = format!("{id}: what is changed in it is not changed in {not}");
        cases.case(name, changed(stage, child, own, other)).await;
    }
    cases.case("without an org it is the first", first(child, here, there)).await;
    cases.case("a program for one org takes no other", alone(stage, here, there)).await;
}

/// Calls of a tool that looks, and what each must show. Together they are all tools that look.
fn looks(own: &Org) -> Vec<(&'static str, Value, Vec<&str>)> {
    let client = own.clients[0].as_str();
    let clients: Vec<&str> = own.clients.iter().map(String::as_str).chain([TWIN]).collect();
    let flow = |client: &str, flow: &str| json!({ "client": client, "flow_id": flow });
    let vql = "SELECT client_id, { SELECT hunt_id FROM hunts() } AS Hunts FROM clients()";
    let server = format!("{ARTIFACT}.Server");
    vec![
        ("list_clients", json!({}), clients.clone()),
        ("list_clients", json!({ "labels": [LABEL] }), vec![client]),
        ("list_clients", json!({ "search": "host:twin*" }), vec![TWIN]),
        ("get_client_info", json!({ "client": client }), vec![client, &own.flow]),
        ("get_client_info", json!({ "client": "TWIN-01" }), vec![TWIN, &own.waiting]),
        ("list_artifacts", json!({ "search": "Custom.Orgs" }), vec![own.mark]),
        ("get_artifact", json!({ "name": ARTIFACT, "vql": true }), vec![own.mark]),
        ("get_artifact", json!({ "name": server, "vql": true }), vec![own.mark]),
        ("list_hunts", json!({}), vec![&own.hunt]),
        ("get_hunt_results", json!({ "hunt_id": own.hunt }), clients),
        ("list_flows", json!({ "client": client }), vec![&own.flow]),
        ("list_flows", json!({ "client": TWIN }), vec![&own.waiting]),
        ("list_flows", json!({ "client": "server" }), vec![&own.on_server]),
        ("get_flow_status", flow(client, &own.flow), vec![&own.flow, client]),
        ("get_flow_status", flow("server", &own.on_server), vec![&own.on_server]),
        ("get_flow_results", flow(client, &own.flow), vec![own.mark]),
        ("get_flow_results", flow("server", &own.on_server), vec![own.mark]),
        ("query_results", table(own, ARTIFACT), vec![own.mark]),
        ("run_vql", json!({ "query": vql }), vec![client, &own.hunt]),
        ("run_vql", json!({ "query": "SELECT org().id AS Org FROM scope()" }), vec![&own.id]),
        ("vql_help", json!({ "topic": "clients" }), vec!["client_id"]),
    ]
}

/// Stacks the table of an org's flow.
fn table(org: &Org, artifact: &str) -> Value {
    let handle = format!("flow:{}/{}/{artifact}", org.clients[0], org.flow);
    json!({ "handle": handle, "stack": ["Mark"] })
}

async fn shown(stage: &Stage, child: &mut McpChild, own: &Org, other: &Org) -> anyhow::Result<()> {
    let mut tried = BTreeSet::new();
    let before = everything(&stage.server, &other.id).await?;
    for (tool, mut wish, shows) in looks(own) {
        wish["org"] = json!(own.id);
        let result = child.call(tool, wish.clone()).await?;
        ensure!(result["isError"] != true, "{tool} {wish}: {}", result["content"]);
        ensure!(result["structuredContent"]["org"] == json!(own.id), "{tool}: {result}");
        let told = result.to_string();
        for text in shows {
            ensure!(told.contains(text), "{tool} {wish} does not show {text}: {told}");
        }
        for text in other.own() {
            ensure!(!told.contains(text), "{tool} {wish} shows {text} of {}: {told}", other.id);
        }
        tried.insert(tool.to_owned());
    }
    let changing = [
        "label_client",
        "quarantine_client",
        "collect_artifact",
        "create_hunt",
        "modify_hunt",
        "cancel_flow",
    ];
    tried.extend(changing.map(str::to_owned));
    ensure!(tried == names(child).await?, "not every tool was tried: {tried:?}");
    let after = everything(&stage.server, &other.id).await?;
    ensure!(after == before, "looking changed {}: {before}, then {after}", other.id);
    Ok(())
}

/// Every tool that takes an id, with one of the other org.
async fn foreign(
    stage: &Stage,
    child: &mut McpChild,
    own: &Org,
    other: &Org,
) -> anyhow::Result<()> {
    let before =
        (everything(&stage.server, &own.id).await?, everything(&stage.server, &other.id).await?);
    let client = &other.clients[0];
    let flow = |client: &str, flow: &str| json!({ "client": client, "flow_id": flow });
    for (tool, mut wish) in [
        ("get_client_info", json!({ "client": client })),
        ("label_client", json!({ "clients": [client], "add": ["foreign"] })),
        ("label_client", json!({ "clients": [own.clients[0], client], "add": ["foreign"] })),
        ("quarantine_client", json!({ "client": client, "action": "isolate", "queue_hours": 1 })),
        ("collect_artifact", json!({ "clients": [client], "artifacts": [ARTIFACT] })),
        (
            "create_hunt",
            json!({ "clients": [client], "artifacts": [ARTIFACT], "description": "x" }),
        ),
        ("modify_hunt", json!({ "hunt_id": other.hunt, "action": "start" })),
        ("modify_hunt", json!({ "hunt_id": other.hunt, "description": "foreign" })),
        ("get_hunt_results", json!({ "hunt_id": other.hunt })),
        ("list_flows", json!({ "client": client })),
        ("get_flow_status", flow(client, &other.flow)),
        ("get_flow_status", flow(TWIN, &other.waiting)),
        ("get_flow_results", flow(client, &other.flow)),
        ("get_flow_results", flow("server", &other.on_server)),
        ("query_results", table(other, ARTIFACT)),
        ("query_results", json!({ "handle": format!("hunt:{}/{ARTIFACT}", other.hunt) })),
        ("cancel_flow", flow(client, &other.flow)),
        // The client is known here too, by the same id; its flow is not.
        ("cancel_flow", flow(TWIN, &other.waiting)),
    ] {
        wish["org"] = json!(own.id);
        let result = child.call_error(tool, wish.clone()).await?;
        let code = &result["structuredContent"]["error"]["code"];
        ensure!(code == "not_found", "{tool} {wish}: {result}");
        ensure!(!result.to_string().contains(other.mark), "{tool} {wish}: {result}");
    }
    let after =
        (everything(&stage.server, &own.id).await?, everything(&stage.server, &other.id).await?);
    ensure!(after == before, "something was changed: {before:?}, then {after:?}");
    Ok(())
}

/// Every tool that changes something: it does, here, and not there.
async fn changed(
    stage: &Stage,
    child: &mut McpChild,
    own: &Org,
    other: &Org,
) -> anyhow::Result<()> {
    let there = everything(&stage.server, &other.id).await?;
    let mut here = everything(&stage.server, &own.id).await?;
    let server = format!("{ARTIFACT}.Server");
    let hunt = |more: Value| {
        let mut wish = json!({ "hunt_id": own.hunt });
        if let Value::Object(more) = more {
            more.into_iter().for_each(|(key, value)| wish[key] = value);
        }
        wish
    };
    let client = &own.clients[0];
    let mut made = Vec::new();
    for (tool, mut wish) in [
        ("label_client", json!({ "clients": [TWIN, client], "add": ["just here", LABEL] })),
        ("label_client", json!({ "clients": ["TWIN-01"], "remove": [LABEL] })),
        (
            "collect_artifact",
            json!({ "clients": [client], "artifacts": [ARTIFACT], "again": true }),
        ),
        (
            "collect_artifact",
            json!({ "clients": ["server"], "artifacts": [server], "again": true }),
        ),
        ("cancel_flow", json!({ "client": TWIN, "flow_id": own.waiting })),
        ("create_hunt", json!({ "artifacts": [ARTIFACT], "description": "more" })),
        ("modify_hunt", hunt(json!({ "description": "just here", "expires_hours": 3 }))),
        ("modify_hunt", hunt(json!({ "action": "start" }))),
        ("modify_hunt", hunt(json!({ "action": "stop" }))),
        ("modify_hunt", hunt(json!({ "action": "archive" }))),
        // Of the record alone: no agent will ever take the order.
        ("quarantine_client", json!({ "client": TWIN, "action": "isolate", "queue_hours": 1 })),
    ] {
        wish["org"] = json!(own.id);
        let answer = child.call_ok(tool, wish.clone()).await?;
        ensure!(answer["org"] == json!(own.id), "{tool}: {answer}");
        let now = everything(&stage.server, &own.id).await?;
        ensure!(now != here, "{tool} {wish} changed nothing: {answer}");
        here = now;
        let now = everything(&stage.server, &other.id).await?;
        ensure!(now == there, "{tool} {wish} changed {}: {there}, then {now}", other.id);
        if wish["action"] == "start" {
            collected(child, own).await?;
            here = everything(&stage.server, &own.id).await?;
        }
        if tool == "quarantine_client" {
            made.push(answer["hunt_id"].as_str().context("no hunt waits")?.to_owned());
        }
    }
    for hunt in made {
        let stop = json!({ "hunt_id": hunt, "action": "stop", "org": own.id });
        child.call_ok("modify_hunt", stop).await?;
    }
    settled(&stage.server, &own.id).await
}

/// Waits until the hunt has rows of all clients that are there: from then on it does no more.
async fn collected(child: &mut McpChild, own: &Org) -> anyhow::Result<()> {
    let child = Mutex::new(child);
    wait::until("the hunt to have rows of all clients", PATIENCE, || async {
        let wish = json!({ "hunt_id": own.hunt, "limit": 0, "org": own.id });
        let found = child.lock().await.call_ok("get_hunt_results", wish).await?;
        let coverage = &found["coverage"];
        ensure!(coverage["hit"] == json!(own.clients.len()), "{coverage}");
        Ok::<_, anyhow::Error>(())
    })
    .await
}

async fn first(child: &mut McpChild, here: &Org, there: &Org) -> anyhow::Result<()> {
    for (tool, wish, _) in looks(here) {
        let result = child.call(tool, wish.clone()).await?;
        ensure!(result["isError"] != true, "{tool} {wish}: {}", result["content"]);
        ensure!(result["structuredContent"]["org"] == json!(here.id), "{tool}: {result}");
        let told = result.to_string();
        let shown = there.own().into_iter().find(|text| told.contains(text));
        ensure!(shown.is_none(), "{tool} {wish} shows {shown:?}");
    }
    Ok(())
}

/// The program with the second org alone: its tools take no org, and there is no way to the root.
async fn alone(stage: &Stage, here: &Org, there: &Org) -> anyhow::Result<()> {
    let orgs = format!("--orgs={}", there.id);
    let mut child = stage
        .ready(
            &crate::real::Role::ALL,
            &[
                "--policy=collect=allow",
                "--policy=respond=allow",
                "--policy=vql_server=secret",
                &orgs,
            ],
        )
        .await?;
    let before = everything(&stage.server, &here.id).await?;
    for (tool, wish, _) in looks(there) {
        let result = child.call(tool, wish.clone()).await?;
        ensure!(result["isError"] != true, "{tool} {wish}: {}", result["content"]);
        let told = result.to_string();
        let shown = here.own().into_iter().find(|text| told.contains(text));
        ensure!(shown.is_none(), "{tool} {wish} shows {shown:?}");
        let mut wish = wish;
        wish["org"] = json!(here.id);
        let error = child.call_error(tool, wish).await?;
        let error = &error["structuredContent"]["error"];
        ensure!(error["code"] == "invalid_input", "{tool}: {error}");
    }
    let label = json!({ "clients": [TWIN], "add": ["alone"] });
    child.call_ok("label_client", label).await?;
    let after = everything(&stage.server, &here.id).await?;
    ensure!(after == before, "the root org was changed");
    super::ended_well(child).await
}

//! `list_clients`, `get_client_info`, `label_client`, `quarantine_client`.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{AWAY, AWAY_NAME, Bench, FLEET, GHOST, column, ended_well, pages, refused, says};
use crate::mcp::McpChild;
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("clients: each search operator finds what it says", operators(bench)).await;
    cases.case("clients: system, labels and online narrow; pages are whole", filters(bench)).await;
    cases.case("clients: described by id and by name", info(bench)).await;
    cases.case("clients: labels are set, read back and taken off", labels(bench)).await;
    cases.case("clients: an unknown one keeps all from being labelled", ghost(bench)).await;
    cases.case("clients: isolation of an offline one is refused or queued", queued(bench)).await;
}

/// The ids that a search finds.
async fn found(child: &mut McpChild, arguments: Value) -> anyhow::Result<BTreeSet<String>> {
    let answer = child.call_ok("list_clients", arguments.clone()).await?;
    let ids = column(&answer["clients"], "client_id")?;
    ensure!(answer["total"] == json!(ids.len()), "{arguments}: {answer}");
    let expected = if ids.is_empty() { "empty" } else { "complete" };
    ensure!(answer["state"] == expected, "{arguments}: {answer}");
    Ok(ids.into_iter().map(str::to_owned).collect())
}

async fn operators(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let info = child.call_ok("get_client_info", json!({ "client": bench.agent })).await?;
    let host = info["hostname"].as_str().context("no host name")?;
    let mac = info["mac"][0].as_str().context("no address")?;
    let ip = info["ip"].as_str().and_then(|ip| ip.split('.').next()).context("no address")?;
    let label = json!({ "clients": [bench.agent], "add": ["suite-one"] });
    child.call_ok("label_client", label).await?;

    let here: BTreeSet<String> = bench.fleet.iter().chain([&bench.agent]).cloned().collect();
    let agent = BTreeSet::from([bench.agent.clone()]);
    let away = BTreeSet::from([AWAY.to_owned()]);
    for (search, wanted) in [
        (bench.agent.clone(), &agent),
        (format!("client:{}", bench.agent), &agent),
        (host.to_owned(), &here),
        (format!("host:{host}"), &here),
        (String::from("host:away*"), &away),
        (String::from("host:*WAY-0*"), &away),
        (String::from("label:suite-one"), &agent),
        (format!("ip:{ip}."), &here),
        (String::from("host:nobody-here"), &BTreeSet::new()),
        (String::from("label:nobody-has-it"), &BTreeSet::new()),
    ] {
        let seen = found(&mut child, json!({ "search": search })).await?;
        ensure!(seen == *wanted, "{search}: {seen:?}, and not {wanted:?}");
    }
    let seen = found(&mut child, json!({ "search": format!("mac:{mac}") })).await?;
    ensure!(seen.contains(&bench.agent) && !seen.contains(AWAY), "mac:{mac}: {seen:?}");
    let seen = found(&mut child, json!({ "search": "label:none" })).await?;
    ensure!(!seen.contains(&bench.agent) && seen.contains(AWAY), "label:none: {seen:?}");

    let error = refused(&mut child, "list_clients", json!({ "search": "os:linux" })).await?;
    says(&error, "invalid_input", &["os", "label:"])?;
    let label = json!({ "clients": [bench.agent], "remove": ["suite-one"] });
    child.call_ok("label_client", label).await?;
    ended_well(child).await
}

async fn filters(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let label = |key: &str| json!({ "clients": [bench.fleet[0]], key: ["Suite Two", "three"] });
    child.call_ok("label_client", label("add")).await?;
    let here: BTreeSet<String> = bench.fleet.iter().chain([&bench.agent]).cloned().collect();
    let first = BTreeSet::from([bench.fleet[0].clone()]);
    let away = BTreeSet::from([AWAY.to_owned()]);
    for (arguments, wanted) in [
        (json!({ "os": std::env::consts::OS.replace("macos", "darwin") }), &here),
        (json!({ "os": "windows" }), &away),
        (json!({ "os": "freebsd" }), &BTreeSet::new()),
        (json!({ "online": true }), &here),
        (json!({ "labels": ["suite two"] }), &first),
        (json!({ "labels": ["THREE", "Suite Two"] }), &first),
        (json!({ "labels": ["three", "four"] }), &BTreeSet::new()),
        (json!({ "search": "away", "online": true }), &BTreeSet::new()),
        (json!({ "os": "windows", "labels": ["three"] }), &BTreeSet::new()),
    ] {
        let seen = found(&mut child, arguments.clone()).await?;
        ensure!(seen == *wanted, "{arguments}: {seen:?}, and not {wanted:?}");
    }
    for order in ["name", "last_seen"] {
        let wish = json!({ "order": order, "limit": 3 });
        let rows = pages(&mut child, "list_clients", wish, "clients").await?;
        let ids: BTreeSet<_> = rows.iter().map(|row| row["client_id"].to_string()).collect();
        ensure!(rows.len() as u64 == FLEET + 2 && ids.len() == rows.len(), "{order}: {rows:?}");
    }
    child.call_ok("label_client", label("remove")).await?;
    ended_well(child).await
}

async fn info(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let told = child.call_ok("get_client_info", json!({ "client": bench.agent })).await?;
    let vql = "SELECT os_info.hostname AS Host, agent_information.version AS Agent
               FROM clients(client_id=SuiteClient)";
    let known = bench.witness(vql, &[("SuiteClient", &bench.agent)]).await?;
    ensure!(told["hostname"] == known[0]["Host"] && told["online"] == true, "{told} {known}");
    let version = known[0]["Agent"].as_str().context("no version")?;
    ensure!(told["agent"].as_str().is_some_and(|agent| agent.contains(version)), "{told}");
    ensure!(told["flows_total"] == json!(bench.flows(&bench.agent).await?), "{told}");

    let away = child.call_ok("get_client_info", json!({ "client": "away-01" })).await?;
    ensure!(away["client_id"] == AWAY && away["online"] == false, "{away}");
    ensure!(away["hostname"] == AWAY_NAME && away["os"] == "windows", "{away}");
    // All the others carry one name, and all are alive.
    let host = json!({ "client": told["hostname"] });
    let error = refused(&mut child, "get_client_info", host).await?;
    says(&error, "ambiguous", &[bench.agent.as_str()])?;
    let error = refused(&mut child, "get_client_info", json!({ "client": "AWAY-10" })).await?;
    says(&error, "not_found", &["AWAY-10", AWAY_NAME])?;
    let error = refused(&mut child, "get_client_info", json!({ "client": GHOST })).await?;
    says(&error, "not_found", &[GHOST])?;
    ended_well(child).await
}

const LABELS: &str = "SELECT client_id, labels FROM clients(client_id=SuiteClient)";

async fn labels(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let clients = json!([bench.agent, AWAY_NAME]);
    let done = child
        .call_ok("label_client", json!({ "clients": clients, "add": [" Suite Four ", "b'; --"] }))
        .await?;
    ensure!(column(&done["clients"], "client_id")? == [bench.agent.as_str(), AWAY], "{done}");
    for (row, id) in [(0, bench.agent.as_str()), (1, AWAY)] {
        let known = bench.witness(LABELS, &[("SuiteClient", id)]).await?;
        let told = &done["clients"][row];
        ensure!(told["labels"] == known[0]["labels"] && told["changed"] == true, "{told} {known}");
        ensure!(known[0]["labels"].to_string().contains("Suite Four\""), "{known}");
    }
    let again = json!({ "clients": clients, "add": ["suite four"] });
    let again = child.call_ok("label_client", again).await?;
    ensure!(again["clients"][0]["changed"] == false, "{again}");
    let off = json!({ "clients": clients, "remove": ["SUITE FOUR", "b'; --", "never there"] });
    let off = child.call_ok("label_client", off).await?;
    for (row, id) in [(0, bench.agent.as_str()), (1, AWAY)] {
        let known = bench.witness(LABELS, &[("SuiteClient", id)]).await?;
        ensure!(off["clients"][row]["labels"] == json!([]), "{off}");
        ensure!(!known.to_string().contains("Four"), "{known}");
    }
    ended_well(child).await
}

async fn ghost(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    for clients in [json!([GHOST]), json!([bench.agent, GHOST]), json!(["NO-SUCH", bench.agent])] {
        let wish = json!({ "clients": clients, "add": ["haunted"] });
        let error = refused(&mut child, "label_client", wish).await?;
        says(&error, "not_found", &["nothing was changed"])?;
    }
    // The server would have made a client of the id.
    let known = bench.witness(LABELS, &[("SuiteClient", GHOST)]).await?;
    ensure!(known == json!([]), "a ghost was made: {known}");
    let known = bench.witness(LABELS, &[("SuiteClient", &bench.agent)]).await?;
    ensure!(!known.to_string().contains("haunted"), "{known}");
    ended_well(child).await
}

/// Only ever of the record that has no agent: another one would be cut off with this machine.
async fn queued(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let before = bench.flows(AWAY).await?;
    let isolate = json!({ "client": AWAY, "action": "isolate" });
    let error = refused(&mut child, "quarantine_client", isolate).await?;
    says(&error, "offline", &["queue_hours"])?;
    ensure!(bench.flows(AWAY).await? == before, "something was sent");
    let known = bench.witness(LABELS, &[("SuiteClient", AWAY)]).await?;
    ensure!(!known.to_string().contains("Quarantine"), "refused, and labelled: {known}");

    let isolate = json!({ "client": AWAY, "action": "isolate", "queue_hours": 1 });
    let order = child.call_ok("quarantine_client", isolate).await?;
    ensure!(order["proved"] == false && order["state"] == "offline", "{order}");
    ensure!(order["artifact"] == "Windows.Remediation.Quarantine", "{order}");
    let hunt = order["hunt_id"].as_str().context("no hunt waits for it")?;
    let stop = json!({ "hunt_id": hunt, "action": "stop" });
    let stopped = child.call_ok("modify_hunt", stop).await?;
    ensure!(stopped["hunt_state"] == "STOPPED", "{stopped}");
    ended_well(child).await
}

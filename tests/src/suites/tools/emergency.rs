//! `emergency_stop`, under `--read-only`, of what another process has started.

use anyhow::{Context, ensure};
use serde_json::json;

use super::{Bench, ENDLESS, column, ended_well};
use crate::real::Role;
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("emergency: what was started is ended, under --read-only too", stop(bench)).await;
}

async fn stop(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish = json!({ "clients": [bench.agent], "artifacts": [ENDLESS], "wait": 0 });
    let begun = child.call_ok("collect_artifact", wish).await?;
    let flow = begun["outcomes"][0]["flow_id"].as_str().context("no flow")?.to_owned();
    let wish = json!({ "artifacts": [ENDLESS], "description": "to be stopped", "start": true });
    let made = child.call_ok("create_hunt", wish).await?;
    let hunt = made["hunt_id"].as_str().context("no hunt")?.to_owned();
    // Somebody else's, of which the ledger knows nothing.
    let vql = "SELECT hunt(artifacts='Generic.Client.Info', description='theirs').HuntId AS Id
        FROM scope()";
    let theirs = bench.witness(vql, &[]).await?;
    let theirs = theirs[0]["Id"].as_str().context("no hunt of theirs")?.to_owned();
    ended_well(child).await?;

    let mut child = bench.stage.ready(&Role::ALL, &["--read-only"]).await?;
    let stopped = child.call_ok("emergency_stop", json!({})).await?;
    ensure!(stopped["state"] == "complete", "{stopped}");
    let ended = column(&stopped["ended"], "what")?;
    ensure!(ended.iter().any(|what| what.starts_with(&flow)), "{flow}: {stopped}");
    ensure!(ended.contains(&hunt.as_str()), "{hunt}: {stopped}");
    let vql = "SELECT state FROM flows(client_id=SuiteClient, flow_id=SuiteFlow)";
    let env = [("SuiteClient", bench.agent.as_str()), ("SuiteFlow", flow.as_str())];
    let known = bench.witness(vql, &env).await?;
    ensure!(known[0]["state"] == "ERROR", "the flow goes on: {known}");
    let vql = "SELECT hunt_id, state FROM hunts() WHERE hunt_id = H";
    let known = bench.witness(vql, &[("H", &hunt)]).await?;
    ensure!(known[0]["state"] != "RUNNING", "the hunt goes on: {known}");
    let known = bench.witness(vql, &[("H", &theirs)]).await?;
    ensure!(known[0]["state"] == "RUNNING", "what others started was stopped: {known}");
    let again = child.call_ok("emergency_stop", json!({})).await?;
    ensure!(again["state"] == "empty", "{again}");
    let vql = "SELECT hunt_update(hunt_id=H, stop=TRUE) AS Done FROM scope()";
    bench.witness(vql, &[("H", &theirs)]).await?;
    ended_well(child).await
}

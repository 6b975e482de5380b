//! `emergency_stop`, under `--read-only`, of what another process has started; the command, and what
//! the record says of it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Bench, ENDLESS, column, ended_well};
use crate::real::Role;
use crate::suite::Cases;

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("emergency: what was started is ended, under --read-only too", stop(bench)).await;
    cases
        .case("emergency: the command is on record, and apart where it must", command(bench))
        .await;
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

async fn command(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish =
        json!({ "clients": [bench.agent], "artifacts": [ENDLESS], "wait": 0, "again": true });
    let begun = child.call_ok("collect_artifact", wish).await?;
    let flow = begun["outcomes"][0]["flow_id"].as_str().context("no flow")?.to_owned();
    ended_well(child).await?;

    let (code, said) = megaraptor(bench, &["emergency-stop"]).await?;
    ensure!(code == Some(0) && said.contains("1 of 1 ended"), "{begun}: {said}");
    ensure!(!said.contains("emergency.jsonl"), "{said}");
    let shown = entries(bench).await?;
    let call = shown.iter().rev().find(|entry| entry["kind"] == "call").context("no call")?;
    ensure!(call["who"]["transport"] == "cli" && call["outcome"] == "complete", "{call}");
    let told = |apart: bool, shown: &[Value]| {
        let lines = shown.iter().filter(|one| one["kind"] == "emergency" && one["apart"] == apart);
        lines.filter_map(|one| one["text"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    ensure!(told(false, &shown).iter().any(|text| text.contains(&flow)), "{shown:?}");
    ensure!(told(true, &shown).is_empty(), "{shown:?}");

    // Where the record cannot be written the stop runs all the same, and is read from its own file.
    let log = state(bench).join("audit/audit-00000001.jsonl");
    let kept = std::fs::read(&log)?;
    std::fs::remove_file(&log)?;
    let stopped = megaraptor(bench, &["emergency-stop"]).await;
    std::fs::write(&log, kept)?;
    let (code, said) = stopped?;
    ensure!(code == Some(0) && said.contains("is recorded in emergency.jsonl"), "{said}");
    let (code, said) = megaraptor(bench, &["audit", "verify"]).await?;
    ensure!(code == Some(0), "the record is not sound: {said}");
    let shown = entries(bench).await?;
    ensure!(told(true, &shown) == ["ending 0 starts"], "{shown:?}");
    Ok(())
}

/// The state folder of the programs that the suite starts.
fn state(bench: &Bench) -> PathBuf {
    bench.stage.server.folder().join("megaraptor.state")
}

/// A command of the program over the same state folder: its exit code, and what it said.
async fn megaraptor(bench: &Bench, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let mut command = Command::new(&bench.stage.program);
    command.args(arguments).env("MEGARAPTOR_HOME", state(bench)).stdin(Stdio::null());
    for role in Role::ALL {
        command.arg("--config").arg(bench.stage.server.api_file(role));
    }
    let done = tokio::time::timeout(LIMIT, command.kill_on_drop(true).output());
    let done = done.await.with_context(|| format!("{arguments:?} does not end"))??;
    let said = [done.stdout, done.stderr].concat();
    Ok((done.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

/// What the record says of emergency stops.
async fn entries(bench: &Bench) -> anyhow::Result<Vec<Value>> {
    let arguments = ["audit", "show", "--tool", "emergency_stop", "-o", "json"];
    let (code, said) = megaraptor(bench, &arguments).await?;
    ensure!(code == Some(0), "{said}");
    let shown: Value = serde_json::from_str(&said).context("no JSON")?;
    Ok(shown["entries"].as_array().context("no entries")?.clone())
}

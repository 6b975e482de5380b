//! `create_hunt`, `list_hunts`, `get_hunt_results`, `modify_hunt`.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    AWAY, AWAY_NAME, Bench, ENDLESS, FLEET, GHOST, ROWS, column, ended_well, refused, says,
};
use crate::mcp::McpChild;
use crate::real::Role;
use crate::suite::Cases;
use crate::wait;

const KEPT: &str = "name: Custom.Tools.Kept
parameters:
  - name: Count
    type: int
    default: 3
  - name: On
    type: bool
sources:
  - name: One
    query: |
      -- comments and quotes are not kept
      LET Inner = SELECT * FROM Artifact.Custom.Tools.KeptInner()
      SELECT Mark, \"x\" AS X, Count + 1 AS Next FROM Inner WHERE (Count > 1 AND NOT On)
  - name: Two
    query: SELECT 'two' AS Two FROM scope()
";

const KEPT_INNER: &str = "name: Custom.Tools.KeptInner
sources:
  - query: SELECT 'old' AS Mark FROM scope()
";

/// A client hears of a hunt with its next poll.
const PATIENCE: Duration = Duration::from_secs(90);

/// The parts of a scope; each host is in one of them.
const PARTS: [&str; 9] = [
    "hit",
    "none",
    "not_applicable",
    "not_known",
    "failed",
    "cancelled",
    "cut",
    "running",
    "never_scheduled",
];

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("hunts: made paused, started, covered, stopped", life(bench)).await;
    cases.case("hunts: a system and excluded labels both hold", excluded(bench)).await;
    cases.case("hunts: a list of clients stays exact", exact(bench)).await;
    cases.case("hunts: a start runs and shows what the hunt was made of", kept(bench)).await;
    cases.case("hunts: a host whose flow was cancelled has not failed", cancelled(bench)).await;
    cases.case("hunts: what cannot be hunted is refused, nothing is made", unfit(bench)).await;
}

/// A count of the coverage.
fn part(coverage: &Value, name: &str) -> u64 {
    coverage[name].as_u64().unwrap_or_default()
}

/// The results as soon as so many hosts have rows.
async fn hit(child: &mut McpChild, hunt: &str, hosts: u64) -> anyhow::Result<Value> {
    let child = Mutex::new(child);
    let what = format!("rows of {hosts} hosts");
    let sums = |coverage: &Value| {
        let sum: u64 = PARTS.iter().map(|name| part(coverage, name)).sum();
        sum == part(coverage, "scope")
    };
    let found = wait::until(&what, PATIENCE, || async {
        let wish = json!({ "hunt_id": hunt, "limit": 500 });
        let found = child.lock().await.call_ok("get_hunt_results", wish).await?;
        let coverage = &found["coverage"];
        // Parts that do not sum are wrong at any time: there is nothing to wait for.
        ensure!(part(coverage, "hit") == hosts || !sums(coverage), "{coverage}");
        Ok::<_, anyhow::Error>(found)
    })
    .await?;
    let coverage = &found["coverage"];
    ensure!(sums(coverage), "the parts do not sum to the scope: {coverage}");
    Ok(found)
}

async fn state_of(bench: &Bench, hunt: &str) -> anyhow::Result<Value> {
    let vql = "SELECT hunt_id, hunt_description, state, tags FROM hunts(hunt_id=H)";
    bench.witness(vql, &[("H", hunt)]).await
}

async fn life(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish = json!({ "artifacts": [ROWS], "parameters": { ROWS: { "Count": 4 } },
                       "description": "the suite's first" });
    let made = child.call_ok("create_hunt", wish).await?;
    let hunt = made["hunt_id"].as_str().context("no id")?.to_owned();
    ensure!(made["hunt_state"] == "PAUSED" && made["expires"].is_string(), "{made}");
    ensure!(made["reaches"] == FLEET + 2 && made["online"] == FLEET + 1, "{made}");
    let found = child.call_ok("get_hunt_results", json!({ "hunt_id": hunt })).await?;
    let coverage = &found["coverage"];
    ensure!(coverage["never_scheduled"] == FLEET + 2 && found["state"] != "empty", "{found}");
    for (wish, there) in [
        (json!({ "state": "PAUSED" }), true),
        (json!({ "state": "RUNNING" }), false),
        (json!({ "search": "suite's FIRST" }), true),
        (json!({ "search": "nobody's" }), false),
    ] {
        let told = child.call_ok("list_hunts", wish.clone()).await?;
        let listed = column(&told["hunts"], "hunt_id")?.contains(&hunt.as_str());
        ensure!(listed == there, "{wish}: {told}");
    }

    let start = json!({ "hunt_id": hunt, "action": "start" });
    let started = child.call_ok("modify_hunt", start).await?;
    ensure!(started["was"] == "PAUSED" && started["hunt_state"] == "RUNNING", "{started}");
    let found = hit(&mut child, &hunt, FLEET + 1).await?;
    ensure!(column(&found["not_established"], "client_id")? == [AWAY], "{found}");
    ensure!(found["not_established"][0]["host"] == AWAY_NAME, "{found}");
    ensure!(
        found["state"] != "complete" && found["state"] != "empty",
        "one was not asked: {found}"
    );
    let tables = &found["tables"];
    ensure!(column(tables, "table")? == [format!("{ROWS}/Numbers"), format!("{ROWS}/Two")]);
    ensure!(
        tables[0]["rows"] == 4 * (FLEET + 1) && tables[1]["rows"] == 2 * (FLEET + 1),
        "{tables}"
    );

    let wish = json!({ "hunt_id": hunt, "description": "renamed", "expires_hours": 2 });
    let changed = child.call_ok("modify_hunt", wish).await?;
    ensure!(changed["description"] == "renamed" && changed["hunt_state"] == "RUNNING", "{changed}");
    for (action, state) in [("stop", "STOPPED"), ("archive", "ARCHIVED")] {
        let wish = json!({ "hunt_id": hunt, "action": action });
        let changed = child.call_ok("modify_hunt", wish).await?;
        ensure!(changed["hunt_state"] == state, "{action}: {changed}");
        let known = state_of(bench, &hunt).await?;
        // An archived one is a stopped one with a tag.
        ensure!(known[0]["state"] == "STOPPED", "{known}");
        ensure!(
            known[0]["tags"].to_string().contains("archived") == (action == "archive"),
            "{known}"
        );
        ensure!(known[0]["hunt_description"] == "renamed", "{known}");
    }
    ended_well(child).await
}

async fn cancelled(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish = json!({ "artifacts": [ENDLESS], "description": "endless", "start": true,
                       "clients": [bench.agent, bench.fleet[0]] });
    let made = child.call_ok("create_hunt", wish).await?;
    let hunt = made["hunt_id"].as_str().context("no id")?.to_owned();
    let wish = json!({ "hunt_id": hunt, "action": "stop" });
    let stopped = child.call_ok("modify_hunt", wish).await?;
    let running = &stopped["still_running"];
    ensure!(running.as_array().is_some_and(|flows| flows.len() == 2), "{stopped}");
    let of = |flow: &Value| json!({ "client": flow["client_id"], "flow_id": flow["flow_id"] });
    let flow = &running[0];
    child.call_ok("cancel_flow", of(flow)).await?;
    let found = child.call_ok("get_hunt_results", json!({ "hunt_id": hunt })).await?;
    let coverage = &found["coverage"];
    ensure!(coverage["cancelled"] == 1 && coverage["failed"] == 0, "{coverage}");
    ensure!(coverage["running"] == 1, "{coverage}");
    let open = found["not_established"].as_array().context("no hosts")?;
    let told = open.iter().find(|host| host["client_id"] == flow["client_id"]);
    ensure!(told.is_some_and(|host| host["part"] == "cancelled"), "{found}");
    child.call_ok("cancel_flow", of(&running[1])).await?;
    let listed = child.call_ok("list_hunts", json!({ "search": "endless" })).await?;
    ensure!(listed["hunts"][0]["scheduled"] == 2, "{listed}");
    ended_well(child).await
}

async fn excluded(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let label = |key: &str| json!({ "clients": [bench.agent], key: ["spared"] });
    child.call_ok("label_client", label("add")).await?;
    let wish = json!({ "artifacts": [ROWS], "description": "all but one", "start": true,
                       "os": std::env::consts::OS.replace("macos", "darwin"),
                       "exclude_labels": ["spared"] });
    let made = child.call_ok("create_hunt", wish).await?;
    ensure!(made["reaches"] == FLEET && made["hunt_state"] == "RUNNING", "{made}");
    let hunt = made["hunt_id"].as_str().context("no id")?.to_owned();
    let before = bench.flows(&bench.agent).await?;
    hit(&mut child, &hunt, FLEET).await?;
    ensure!(bench.flows(&bench.agent).await? == before, "the spared one was collected from");
    child.call_ok("modify_hunt", json!({ "hunt_id": hunt, "action": "stop" })).await?;
    child.call_ok("label_client", label("remove")).await?;
    ended_well(child).await
}

async fn exact(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let one = &bench.fleet[1];
    let before = (bench.flows(one).await?, bench.flows(&bench.agent).await?);
    let wish = json!({ "artifacts": [ROWS], "description": "just these", "clients": [one, AWAY] });
    let made = child.call_ok("create_hunt", wish).await?;
    ensure!(made["reaches"] == 2 && made["online"] == 1, "{made}");
    ensure!(bench.flows(one).await? == before.0, "it is paused, and ran");
    let hunt = made["hunt_id"].as_str().context("no id")?.to_owned();
    child.call_ok("modify_hunt", json!({ "hunt_id": hunt, "action": "start" })).await?;
    let found = hit(&mut child, &hunt, 1).await?;
    ensure!(part(&found["coverage"], "scope") == 2, "{found}");
    ensure!(bench.flows(&bench.agent).await? == before.1, "another client was collected from");
    child.call_ok("modify_hunt", json!({ "hunt_id": hunt, "action": "stop" })).await?;
    ended_well(child).await
}

/// The artifact is defined anew between the making of a hunt and its start.
async fn kept(bench: &Bench) -> anyhow::Result<()> {
    let mut asking = bench.stage.ready(&Role::ALL, &[]).await?;
    let mut child = bench.changing().await?;
    bench.define(KEPT_INNER).await?;
    bench.define(KEPT).await?;
    let wish = json!({ "artifacts": ["Custom.Tools.Kept"], "description": "kept",
                       "clients": [bench.fleet[0]] });
    let made = child.call_ok("create_hunt", wish).await?;
    let start = json!({ "hunt_id": made["hunt_id"], "action": "start" });
    let error = refused(&mut asking, "modify_hunt", start.clone()).await?;
    says(&error, "approval_required", &["COLLECT", "as it was when the hunt was made"])?;
    ensure!(!error.to_string().contains("DEFINED ANEW SINCE"), "nothing was: {error}");

    // By its new definition it would run a program, and say something else.
    bench
        .define(&KEPT_INNER.replace("'old' AS Mark FROM scope()", "* FROM execve(argv='id')"))
        .await?;
    let error = refused(&mut asking, "modify_hunt", start.clone()).await?;
    says(&error, "approval_required", &["COLLECT", "DEFINED ANEW SINCE: Custom.Tools.KeptInner"])?;
    child.call_ok("modify_hunt", start).await?;
    let hunt = made["hunt_id"].as_str().context("no id")?;
    let found = hit(&mut child, hunt, 1).await?;
    ensure!(found.to_string().contains(r#""old""#), "it is not what was made: {found}");
    child.call_ok("modify_hunt", json!({ "hunt_id": hunt, "action": "stop" })).await?;
    ended_well(asking).await?;
    ended_well(child).await
}

async fn unfit(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let all = "SELECT hunt_id FROM hunts()";
    let before = bench.witness(all, &[]).await?.as_array().map_or(0, Vec::len);
    let wish = |more: Value| {
        let mut wish = json!({ "artifacts": [ROWS], "description": "x" });
        if let Value::Object(more) = more {
            more.into_iter().for_each(|(key, value)| wish[key] = value);
        }
        wish
    };
    for (more, code, word) in [
        (json!({ "artifacts": ["Custom.Tools.Row"] }), "not_found", ROWS),
        (json!({ "artifacts": [] }), "invalid_input", "artifacts"),
        (json!({ "parameters": { ROWS: { "count": 1 } } }), "invalid_input", "did you mean Count"),
        (json!({ "artifacts": ["Server.Information.Users"] }), "invalid_input", "server"),
        (json!({ "clients": [GHOST] }), "not_found", GHOST),
        (json!({ "clients": [AWAY], "include_labels": ["x"] }), "invalid_input", "clients"),
        (json!({ "os": "plan9" }), "invalid_input", "os"),
    ] {
        let error = refused(&mut child, "create_hunt", wish(more)).await?;
        says(&error, code, &[word])?;
    }
    for action in ["start", "stop", "archive"] {
        let wish = json!({ "hunt_id": "H.NOSUCHHUNT", "action": action });
        let error = refused(&mut child, "modify_hunt", wish).await?;
        says(&error, "not_found", &["H.NOSUCHHUNT"])?;
    }
    let error =
        refused(&mut child, "get_hunt_results", json!({ "hunt_id": "H.NOSUCHHUNT" })).await?;
    says(&error, "not_found", &["H.NOSUCHHUNT"])?;
    let after = bench.witness(all, &[]).await?.as_array().map_or(0, Vec::len);
    ensure!(after == before, "{before} hunts, then {after}");
    ended_well(child).await
}

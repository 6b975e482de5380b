//! The bounds that a card tells, held against those that the server gives the flow and the hunt.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Bench, ROWS, ended_well, refused};
use crate::mcp::McpChild;
use crate::real::Role;
use crate::suite::Cases;

/// It sets bounds of its own.
const OWN: &str = "Custom.Tools.Bounded";

/// What is said of a collection, and what its request holds then: bytes, rows, seconds.
type Expected = (&'static [&'static str], &'static str, [u64; 3]);

const EXPECTED: [Expected; 4] = [
    (&[ROWS], "1074 MB, 600 s on each", [1_073_741_824, 0, 0]),
    (&[OWN], "5000 MB, 50 rows, 90 s on each", [5_000_000_000, 50, 90]),
    // Each artifact has its own time; the request keeps that of the last.
    (&[OWN, ROWS], "5000 MB, 50 rows, 600 s on each", [5_000_000_000, 50, 0]),
    (&[ROWS, OWN], "5000 MB, 50 rows, 600 s on each", [5_000_000_000, 50, 90]),
];

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("bounds: a card tells those of the flow that comes of it", flow(bench)).await;
    cases.case("bounds: a card tells those of the hunt, made and started", hunt(bench)).await;
}

/// The limits on the card of a call that has to be approved.
async fn told(child: &mut McpChild, tool: &str, wish: Value) -> anyhow::Result<String> {
    let error = refused(child, tool, wish).await?;
    ensure!(error["code"] == "approval_required", "{error}");
    let card = error["message"].as_str().context("no message")?;
    let line = card.lines().find_map(|line| line.strip_prefix("limits"));
    Ok(line.with_context(|| card.to_owned())?.trim().to_owned())
}

async fn flow(bench: &Bench) -> anyhow::Result<()> {
    let mut asking = bench.stage.ready(&Role::ALL, &[]).await?;
    let mut child = bench.changing().await?;
    for (artifacts, said, held) in EXPECTED {
        let wish = json!({ "clients": [bench.agent], "artifacts": artifacts, "again": true });
        let card = told(&mut asking, "collect_artifact", wish.clone()).await?;
        ensure!(card == said, "{artifacts:?}: {card}");
        let done = child.call_ok("collect_artifact", wish.clone()).await?;
        let id = done["outcomes"][0]["flow_id"].as_str().context("no flow")?;
        let vql = "SELECT request.max_upload_bytes AS Bytes, request.max_rows AS Rows,
            request.timeout AS Seconds FROM flows(client_id=C, flow_id=F)";
        let known = bench.witness(vql, &[("C", &bench.agent), ("F", id)]).await?;
        let [bytes, rows, seconds] = held;
        let expected = json!({ "Bytes": bytes, "Rows": rows, "Seconds": seconds });
        ensure!(known[0] == expected, "{artifacts:?}: {known}");
        let mut wish = wish;
        wish["again"] = json!(false);
        let again = child.call_ok("collect_artifact", wish).await?;
        ensure!(again["outcomes"][0]["existing"] == true, "the same is the same: {again}");
    }
    let both = json!({ "clients": [bench.agent, bench.fleet[0]], "artifacts": [OWN] });
    let card = told(&mut asking, "collect_artifact", both).await?;
    ensure!(card == "10 GB, 100 rows, 90 s on each", "{card}");
    ended_well(asking).await?;
    ended_well(child).await
}

async fn hunt(bench: &Bench) -> anyhow::Result<()> {
    let mut asking = bench.stage.ready(&Role::ALL, &[]).await?;
    let mut child = bench.changing().await?;
    for (artifacts, said, held) in EXPECTED {
        let wish = json!({ "artifacts": artifacts, "description": "bounds",
                           "clients": [bench.agent], "expires_hours": 1 });
        let card = told(&mut asking, "create_hunt", wish.clone()).await?;
        ensure!(card == format!("{said}, waits for endpoints for 1 h"), "{artifacts:?}: {card}");
        let made = child.call_ok("create_hunt", wish).await?;
        let id = made["hunt_id"].as_str().context("no hunt")?;
        let vql = "SELECT start_request.max_upload_bytes AS Bytes,
            start_request.max_rows AS Rows, start_request.timeout AS Seconds,
            start_request.compiled_collector_args.timeout AS Each FROM hunts(hunt_id=H)";
        let mut known = bench.witness(vql, &[("H", id)]).await?;
        let each = known[0]["Each"].take();
        let [bytes, rows, seconds] = held;
        let expected =
            json!({ "Bytes": bytes, "Rows": rows, "Seconds": seconds, "Each": Value::Null });
        ensure!(known[0] == expected, "{artifacts:?}: {known}");
        let own = |name: &&str| u64::from(**name == *OWN) * 90;
        ensure!(each == json!(artifacts.iter().map(own).collect::<Vec<_>>()), "{each}");
        let start = json!({ "hunt_id": id, "action": "start" });
        let card = told(&mut asking, "modify_hunt", start).await?;
        ensure!(card == said, "{artifacts:?}: {card}");
    }
    ended_well(asking).await?;
    ended_well(child).await
}

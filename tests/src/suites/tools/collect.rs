//! `collect_artifact`.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{AWAY, AWAY_NAME, Bench, GHOST, ROWS, column, ended_well, refused, says};
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("collect: parameters reach the endpoint, rows come back", rows(bench)).await;
    cases.case("collect: what does not fit is refused, nothing is sent", unfit(bench)).await;
    cases.case("collect: an equal recent one is offered instead", equal(bench)).await;
    cases.case("collect: an offline client answers pending, not empty", offline(bench)).await;
    cases.case("collect: each client has its own outcome", several(bench)).await;
    cases.case("collect: the server itself", server(bench)).await;
    cases.case("collect: limits hold and say so", limits(bench)).await;
}

/// A call that collects from the real agent, anew.
fn wish(bench: &Bench, artifact: &str, parameters: &Value) -> Value {
    json!({ "clients": [bench.agent], "artifacts": [artifact], "again": true,
            "parameters": { artifact: parameters } })
}

async fn rows(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let parameters = json!({ "Count": 7, "Kind": "even" });
    let done = child.call_ok("collect_artifact", wish(bench, ROWS, &parameters)).await?;
    let outcome = &done["outcomes"][0];
    ensure!(outcome["state"] == "finished" && outcome["rows"] == 9, "{done}");
    let tables = &outcome["tables"];
    ensure!(column(tables, "table")? == [format!("{ROWS}/Numbers"), format!("{ROWS}/Two")]);
    ensure!(tables[0]["rows"] == 7 && tables[1]["rows"] == 2, "{tables}");
    ensure!(tables[0]["first"][6] == json!({ "N": 6, "High": false, "Kind": "even" }), "{tables}");
    // The flow is the one that the server has, with these parameters.
    let vql = "SELECT request.specs AS Specs, state FROM flows(client_id=C, flow_id=F)";
    let flow = outcome["flow_id"].as_str().context("no flow")?;
    let known = bench.witness(vql, &[("C", &bench.agent), ("F", flow)]).await?;
    let sent = known[0]["Specs"][0]["parameters"]["env"].to_string();
    ensure!(sent.contains("\"Count\"") && sent.contains("\"7\""), "{known}");
    ensure!(known[0]["state"] == "FINISHED", "{known}");
    ended_well(child).await
}

async fn unfit(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let before = bench.flows(&bench.agent).await?;
    for (artifact, parameters, words) in [
        (ROWS, json!({ "count": 1 }), &["count", "did you mean Count?"] as &[&str]),
        (ROWS, json!({ "Nothing": 1 }), &["Nothing", "Count"]),
        (ROWS, json!({ "Kind": "neither" }), &["Kind", "odd", "even"]),
        (ROWS, json!({ "Count": "seven" }), &["Count"]),
        ("Linux.Sys.Pslist", json!({ "processRegex": "(" }), &["processRegex"]),
        ("Server.Information.Users", json!({}), &["server"]),
    ] {
        let wish = wish(bench, artifact, &parameters);
        let error = refused(&mut child, "collect_artifact", wish).await?;
        says(&error, "invalid_input", words)?;
    }
    let mixed = json!({ "clients": [bench.agent], "artifacts": [ROWS, "Custom.Tools.Row"] });
    let error = refused(&mut child, "collect_artifact", mixed).await?;
    says(&error, "not_found", &["Custom.Tools.Row", ROWS])?;
    let nobody = json!({ "clients": [GHOST], "artifacts": [ROWS] });
    let error = refused(&mut child, "collect_artifact", nobody).await?;
    says(&error, "not_found", &[GHOST])?;
    let after = bench.flows(&bench.agent).await?;
    ensure!(after == before, "{before} flows, then {after}");
    let vql = "SELECT client_id FROM clients(client_id=C)";
    ensure!(bench.witness(vql, &[("C", GHOST)]).await? == json!([]), "a ghost was made");
    ended_well(child).await
}

async fn equal(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let parameters = json!({ "Count": 11 });
    let first = child.call_ok("collect_artifact", wish(bench, ROWS, &parameters)).await?;
    let before = bench.flows(&bench.agent).await?;
    let mut again = wish(bench, ROWS, &parameters);
    again["again"] = json!(false);
    let second = child.call_ok("collect_artifact", again.clone()).await?;
    ensure!(bench.flows(&bench.agent).await? == before, "it was collected a second time");
    let (first, second) = (&first["outcomes"][0], &second["outcomes"][0]);
    ensure!(first["existing"] == false && second["existing"] == true, "{first} {second}");
    ensure!(first["flow_id"] == second["flow_id"] && first["tables"] == second["tables"]);
    ensure!(second["reason"].is_string(), "no word of it: {second}");
    // Another parameter is another collection.
    again["parameters"][ROWS]["Count"] = json!(12);
    let other = child.call_ok("collect_artifact", again).await?;
    ensure!(other["outcomes"][0]["existing"] == false, "{other}");
    ensure!(other["outcomes"][0]["tables"][0]["rows"] == 12, "{other}");
    ended_well(child).await
}

async fn offline(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    // Longer than the harness waits for any answer.
    let mut wish = json!({ "clients": [AWAY], "artifacts": [ROWS], "wait": 600 });
    says(
        &refused(&mut child, "collect_artifact", wish.clone()).await?,
        "offline",
        &["queue_hours"],
    )?;
    wish["queue_hours"] = json!(1);
    let done = child.call_ok("collect_artifact", wish).await?;
    let outcome = &done["outcomes"][0];
    ensure!(done["state"] == "offline" && outcome["state"] == "offline", "{done}");
    let flow = json!({ "client": AWAY_NAME, "flow_id": outcome["flow_id"] });
    let status = child.call_ok("get_flow_status", flow.clone()).await?;
    ensure!(status["state"] == "offline", "{status}");
    let results = child.call_ok("get_flow_results", flow.clone()).await?;
    ensure!(results["state"] == "offline", "nothing was looked at yet: {results}");
    let ended = child.call_ok("cancel_flow", flow).await?;
    ensure!(ended["cancelled"] == true, "{ended}");
    ended_well(child).await
}

async fn several(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let clients = json!([bench.agent, "NO-SUCH-HOST", AWAY_NAME, bench.fleet[0], bench.agent]);
    let wish = json!({ "clients": clients, "artifacts": ["Generic.Client.Info"], "again": true,
                       "queue_hours": 1 });
    let done = child.call_ok("collect_artifact", wish).await?;
    let states = column(&done["outcomes"], "state")?;
    // The agent was named twice, and is asked once.
    ensure!(states == ["finished", "refused", "offline", "finished"], "{done}");
    ensure!(done["state"] == "partial", "{done}");
    let told = done["outcomes"][1]["reason"].as_str().context("no reason")?;
    ensure!(told.contains("NO-SUCH-HOST"), "{told}");
    let flow = json!({ "client": AWAY, "flow_id": done["outcomes"][2]["flow_id"] });
    child.call_ok("cancel_flow", flow).await?;
    ended_well(child).await
}

async fn server(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish = json!({ "clients": ["server"], "artifacts": ["Server.Utils.ListUsers"] });
    let done = child.call_ok("collect_artifact", wish).await?;
    let outcome = &done["outcomes"][0];
    ensure!(outcome["client_id"] == "server" && outcome["state"] == "finished", "{done}");
    ensure!(outcome["tables"].to_string().contains("investigator"), "{done}");
    let flows = child.call_ok("list_flows", json!({ "client": "server" })).await?;
    ensure!(
        column(&flows["flows"], "flow_id")?.contains(&outcome["flow_id"].as_str().unwrap_or(""))
    );
    for (clients, artifact) in
        [(json!(["server"]), ROWS), (json!(["server", bench.agent]), "Server.Information.Users")]
    {
        let wish = json!({ "clients": clients, "artifacts": [artifact] });
        let error = refused(&mut child, "collect_artifact", wish).await?;
        says(&error, "invalid_input", &["server"])?;
    }
    ended_well(child).await
}

async fn limits(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let mut wish = wish(bench, ROWS, &json!({ "Count": 100_000 }));
    wish["max_rows"] = json!(10);
    let done = child.call_ok("collect_artifact", wish).await?;
    let outcome = &done["outcomes"][0];
    ensure!(outcome["state"] == "cut" && done["state"] == "partial", "{done}");
    let told = outcome["reason"].as_str().context("no reason")?;
    ensure!(told.contains("max_rows 10") && told.contains("more than was found"), "{told}");
    for (limit, value) in [("timeout", json!(0)), ("wait", json!(601)), ("max_rows", json!(0))] {
        let mut wish = json!({ "clients": [bench.agent], "artifacts": [ROWS] });
        wish[limit] = value;
        let error = refused(&mut child, "collect_artifact", wish).await?;
        says(&error, "invalid_input", &[limit])?;
    }
    ended_well(child).await
}

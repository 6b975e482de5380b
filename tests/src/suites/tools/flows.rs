//! `list_flows`, `get_flow_status`, `get_flow_results`, `cancel_flow`.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Bench, ENDLESS, GHOST, ROWS, column, ended_well, pages, refused, says};
use crate::mcp::McpChild;
use crate::suite::Cases;

/// Rows of the table that is read.
const COUNT: u64 = 1000;

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("flows: pages of rows, none lost, none twice", paged(bench)).await;
    cases.case("flows: the server filters, sorts, groups and counts", worked(bench)).await;
    cases.case("flows: a running one is told, cancelled once, left alone then", ended(bench)).await;
    cases.case("flows: listed newest first, by state, every page once", listed(bench)).await;
    cases.case("flows: unknown ones and columns are told", unknown(bench)).await;
}

/// Collects the rows, or finds that they were collected.
async fn collected(child: &mut McpChild, bench: &Bench) -> anyhow::Result<Value> {
    let wish = json!({ "clients": [bench.agent], "artifacts": [ROWS],
                       "parameters": { ROWS: { "Count": COUNT } } });
    let mut done = child.call_ok("collect_artifact", wish).await?;
    let outcome = done["outcomes"][0].take();
    ensure!(outcome["state"] == "finished", "{outcome}");
    Ok(json!({ "client": bench.agent, "flow_id": outcome["flow_id"] }))
}

fn with(flow: &Value, more: Value) -> Value {
    let (mut wish, Value::Object(more)) = (flow.clone(), more) else { return flow.clone() };
    more.into_iter().for_each(|(key, value)| wish[key] = value);
    wish
}

async fn paged(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let flow = collected(&mut child, bench).await?;
    // Without a table: one after the other.
    let (mut numbers, mut two) = (Vec::new(), Vec::new());
    let mut wish = with(&flow, json!({ "limit": 300 }));
    loop {
        let mut page = child.call_ok("get_flow_results", wish.clone()).await?;
        if wish["cursor"].is_null() {
            let tables = &page["tables"];
            ensure!(tables[0]["rows"] == COUNT && tables[1]["rows"] == 2, "{tables}");
        }
        let of_two = page["table"] == json!(format!("{ROWS}/Two"));
        let rows = page["rows"].take();
        for row in rows.as_array().context("no rows")? {
            let (list, key) = if of_two { (&mut two, "B") } else { (&mut numbers, "N") };
            list.push(row[key].as_u64().with_context(|| format!("no {key}: {row}"))?);
        }
        match page["cursor"].take() {
            Value::Null => break,
            cursor => wish["cursor"] = cursor,
        }
    }
    ensure!(numbers == (0..COUNT).collect::<Vec<_>>(), "{} rows: {numbers:?}", numbers.len());
    ensure!(two == [0, 1], "{two:?}");
    ended_well(child).await
}

async fn worked(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let flow =
        with(&collected(&mut child, bench).await?, json!({ "table": format!("{ROWS}/Numbers") }));
    let wish = with(&flow, json!({ "filter": "N > 996 AND High", "columns": ["N"] }));
    let told = child.call_ok("get_flow_results", wish).await?;
    ensure!(told["rows"] == json!([{ "N": 997 }, { "N": 998 }, { "N": 999 }]), "{told}");
    let wish = with(&flow, json!({ "order_by": "-N", "limit": 2, "columns": ["N", "High"] }));
    let told = child.call_ok("get_flow_results", wish).await?;
    ensure!(
        told["rows"] == json!([{ "N": 999, "High": true }, { "N": 998, "High": true }]),
        "{told}"
    );
    let told = child.call_ok("get_flow_results", with(&flow, json!({ "count": true }))).await?;
    ensure!(told["total"] == COUNT || told["rows"].to_string().contains("1000"), "{told}");
    let told =
        child.call_ok("get_flow_results", with(&flow, json!({ "group_by": "High" }))).await?;
    let groups = told["rows"].to_string();
    ensure!(groups.contains(":900") && groups.contains(":100"), "{groups}");
    // A filter only computes.
    for filter in ["{ SELECT * FROM clients() }", "N = label(client_id='x')", "N >", "1 LIMIT 1"] {
        let wish = with(&flow, json!({ "filter": filter }));
        let error = refused(&mut child, "get_flow_results", wish).await?;
        let code = error["code"].as_str().unwrap_or_default();
        ensure!(["invalid_input", "invalid_query"].contains(&code), "{filter}: {error}");
    }
    ended_well(child).await
}

async fn ended(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish =
        json!({ "clients": [bench.agent], "artifacts": [ENDLESS], "wait": 1, "again": true });
    let begun = child.call_ok("collect_artifact", wish).await?;
    ensure!(begun["state"] == "pending" && begun["outcomes"][0]["state"] == "pending", "{begun}");
    let flow = json!({ "client": bench.agent, "flow_id": begun["outcomes"][0]["flow_id"] });
    let status = child.call_ok("get_flow_status", flow.clone()).await?;
    ensure!(status["state"] == "pending" && status["artifacts"] == json!([ENDLESS]), "{status}");
    let told = child.call_ok("get_flow_results", flow.clone()).await?;
    ensure!(told["state"] != "complete" && told["state"] != "empty", "it runs still: {told}");
    let done = child.call_ok("cancel_flow", flow.clone()).await?;
    ensure!(done["cancelled"] == true && done["after"] == "CANCELLED", "{done}");
    let vql = "SELECT state, status FROM flows(client_id=C, flow_id=F)";
    let id = flow["flow_id"].as_str().context("no flow")?;
    let known = bench.witness(vql, &[("C", &bench.agent), ("F", id)]).await?;
    ensure!(known[0]["state"] == "ERROR", "{known}");
    let again = child.call_ok("cancel_flow", flow).await?;
    ensure!(again["cancelled"] == false, "{again}");

    let finished = collected(&mut child, bench).await?;
    let left = child.call_ok("cancel_flow", finished.clone()).await?;
    ensure!(left["cancelled"] == false && left["after"] == "FINISHED", "{left}");
    let status = child.call_ok("get_flow_status", finished).await?;
    ensure!(status["flow_state"] == "FINISHED" && status["state"] == "complete", "{status}");
    ensure!(status["rows"] == COUNT + 2, "{status}");
    ended_well(child).await
}

async fn listed(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish = json!({ "client": bench.agent, "limit": 3 });
    let flows = pages(&mut child, "list_flows", wish, "flows").await?;
    let flows = Value::Array(flows);
    let times = column(&flows, "created")?;
    ensure!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let told: BTreeSet<&str> = column(&flows, "flow_id")?.into_iter().collect();
    let vql = "SELECT session_id FROM flows(client_id=C)";
    let known = bench.witness(vql, &[("C", &bench.agent)]).await?;
    ensure!(told == column(&known, "session_id")?.into_iter().collect(), "{told:?} {known}");
    let mut sum = 0;
    let stages = [
        ("running", "RUNNING"),
        ("finished", "FINISHED"),
        ("error", "ERROR"),
        ("cancelled", "CANCELLED"),
    ];
    for (state, inside) in stages {
        let wish = json!({ "client": bench.agent, "state": state, "limit": 500 });
        let some = child.call_ok("list_flows", wish).await?;
        let states = column(&some["flows"], "state")?;
        ensure!(state == "running" || states.iter().all(|state| *state == inside), "{states:?}");
        sum += states.len();
    }
    ensure!(sum == told.len(), "{sum} of {}", told.len());
    ended_well(child).await
}

async fn unknown(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let flow = collected(&mut child, bench).await?;
    for tool in ["get_flow_status", "get_flow_results", "cancel_flow"] {
        let wish = json!({ "client": bench.agent, "flow_id": "F.NOSUCHFLOW" });
        let error = refused(&mut child, tool, wish).await?;
        says(&error, "not_found", &["F.NOSUCHFLOW"])?;
        // The flow is there, and not on that client.
        let wish = json!({ "client": bench.fleet[0], "flow_id": flow["flow_id"] });
        says(&refused(&mut child, tool, wish).await?, "not_found", &[])?;
        let wish = json!({ "client": GHOST, "flow_id": flow["flow_id"] });
        says(&refused(&mut child, tool, wish).await?, "not_found", &[GHOST])?;
    }
    says(&refused(&mut child, "list_flows", json!({ "client": GHOST })).await?, "not_found", &[])?;
    let wish = with(&flow, json!({ "table": format!("{ROWS}/Numbrs") }));
    let error = refused(&mut child, "get_flow_results", wish).await?;
    says(&error, "not_found", &["did you mean", "Rows/Numbers"])?;
    // A source that is there and gave nothing is empty, and no error.
    let wish = json!({ "clients": [bench.agent], "artifacts": [ROWS], "again": true,
                       "parameters": { ROWS: { "Count": 0 } } });
    let mut done = child.call_ok("collect_artifact", wish).await?;
    let empty = json!({ "client": bench.agent, "flow_id": done["outcomes"][0]["flow_id"].take(),
                        "table": format!("{ROWS}/Numbers") });
    let told = child.call_ok("get_flow_results", empty).await?;
    ensure!(told["state"] == "empty", "{told}");
    let wish = with(&flow, json!({ "table": format!("{ROWS}/Numbers"), "filter": "Nn > 1" }));
    let error = refused(&mut child, "get_flow_results", wish).await?;
    ensure!(error.to_string().contains("Nn"), "{error}");
    ended_well(child).await
}

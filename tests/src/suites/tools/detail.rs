//! `detail` of lists and descriptions: counts agree with the rows, and full has every member.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Bench, ROWS, column, ended_well, pages, refused, says};
use crate::mcp::McpChild;
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("detail: a summary agrees with a count of the rows", counted(bench)).await;
    cases.case("detail: full has every member of each, page by page", whole(bench)).await;
    cases.case("detail: one thing is told short or whole", one(bench)).await;
}

/// The lists, and what is asked of each.
fn lists(bench: &Bench) -> [(&'static str, &'static str, Value); 4] {
    [
        ("list_clients", "clients", json!({ "limit": 2 })),
        ("list_flows", "flows", json!({ "client": bench.agent, "limit": 6 })),
        ("list_hunts", "hunts", json!({ "limit": 2 })),
        ("list_artifacts", "artifacts", json!({ "search": "Tools", "limit": 2 })),
    ]
}

/// The sum of a column, of those rows that a condition keeps.
fn sum(rows: &Value, name: &str, wanted: impl Fn(&Value) -> bool) -> u64 {
    let rows = rows.as_array().into_iter().flatten();
    rows.filter(|row| wanted(row)).filter_map(|row| row[name].as_u64()).sum()
}

async fn counted(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    for (tool, list, mut wish) in lists(bench) {
        let rows = pages(&mut child, tool, wish.clone(), list).await?;
        wish["detail"] = json!("summary");
        let found = child.call_ok(tool, wish.clone()).await?;
        ensure!(found["total"] == rows.len() && found["state"] == "complete", "{tool}: {found}");
        ensure!(found[list] == json!([]), "{tool}: {found}");
        let told = &found["summary"];
        ensure!(told[list] == rows.len(), "{tool}: {told}");
        let of = |wanted: &dyn Fn(&Value) -> bool| rows.iter().filter(|row| wanted(row)).count();
        match tool {
            "list_clients" => {
                let online = of(&|row| row["online"] == true);
                ensure!(told["online"] == online && online > 1, "{told}");
                ensure!(sum(&told["systems"], "clients", |_| true) == rows.len() as u64, "{told}");
                let windows = sum(&told["systems"], "clients", |one| one["os"] == "windows");
                ensure!(windows == of(&|row| row["os"] == "windows") as u64, "{told}");
                ensure!(told["offline"]["within_a_week"] == 1, "the one that is away: {told}");
            }
            "list_flows" => {
                for (state, count) in told["states"].as_object().context("no states")? {
                    ensure!(*count == of(&|row| row["state"] == *state), "{state}: {told}");
                }
                ensure!(sum(&told["artifacts"], "flows", |_| true) <= rows.len() as u64);
                let rows_of = |row: &Value| row["rows"].as_u64().unwrap_or_default();
                ensure!(told["rows"] == rows.iter().map(rows_of).sum::<u64>(), "{told}");
            }
            "list_hunts" => {
                for (state, count) in told["states"].as_object().context("no states")? {
                    ensure!(*count == of(&|row| row["hunt_state"] == *state), "{state}: {told}");
                }
                let all = |row: &Value| row["scheduled"].as_u64().unwrap_or_default();
                ensure!(told["scheduled"] == rows.iter().map(all).sum::<u64>(), "{told}");
            }
            _ => {
                let custom = of(&|row| row["custom"] == true);
                ensure!(sum(&told["types"], "custom", |_| true) == custom as u64, "{told}");
                ensure!(told["custom"].to_string().contains(ROWS), "{told}");
            }
        }
        wish["cursor"] = json!("m1.AAAA");
        says(&refused(&mut child, tool, wish).await?, "invalid_input", &["one page"])?;
    }
    ended_well(child).await
}

async fn whole(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    for (tool, list, wish) in lists(bench) {
        let (id, own, members): (_, _, &[&str]) = match tool {
            "list_clients" => ("client_id", "client_id", &["os_info", "agent_information"]),
            "list_flows" => ("flow_id", "session_id", &["request", "query_stats"]),
            "list_hunts" => ("hunt_id", "hunt_id", &["start_request", "condition", "stats"]),
            _ => ("name", "name", &["sources", "parameters", "raw"]),
        };
        let compact = Value::Array(pages(&mut child, tool, wish.clone(), list).await?);
        let mut full = wish.clone();
        full["detail"] = json!("full");
        let records = Value::Array(pages(&mut child, tool, full, "records").await?);
        ensure!(column(&records, own)? == column(&compact, id)?, "{tool}");
        for record in records.as_array().into_iter().flatten() {
            let record = record.as_object().context("no object")?;
            for member in members {
                ensure!(record.contains_key(*member), "{tool}: no {member} in {record:?}");
            }
            ensure!(!record.keys().any(|name| name.starts_with("MR_")), "{tool}: {record:?}");
        }
    }
    ended_well(child).await
}

/// What a tool says with this detail.
async fn with(
    child: &mut McpChild,
    tool: &str,
    wish: &Value,
    detail: &str,
) -> anyhow::Result<Value> {
    let mut wish = wish.clone();
    wish["detail"] = json!(detail);
    child.call_ok(tool, wish).await
}

async fn one(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let client = json!({ "client": bench.agent });
    let told = with(&mut child, "get_client_info", &client, "summary").await?;
    let states = told["flow_states"].as_object().context("no states")?;
    let sum: u64 = states.values().filter_map(Value::as_u64).sum();
    ensure!(told["flows_total"] == sum && told["flows"] == json!([]), "{told}");
    let full = with(&mut child, "get_client_info", &client, "full").await?;
    ensure!(full["record"]["client_id"] == bench.agent, "{full}");
    ensure!(full["record"]["os_info"]["hostname"] == full["hostname"], "{full}");

    let flows = child.call_ok("list_flows", json!({ "client": bench.agent, "limit": 1 })).await?;
    let flow = json!({ "client": bench.agent, "flow_id": flows["flows"][0]["flow_id"] });
    let told = with(&mut child, "get_flow_status", &flow, "summary").await?;
    ensure!(told["queries"] == json!([]) && told["summary"]["queries"].is_object(), "{told}");
    let full = with(&mut child, "get_flow_status", &flow, "full").await?;
    ensure!(full["record"]["session_id"] == flow["flow_id"], "{full}");
    ensure!(full["record"]["request"]["artifacts"] == full["artifacts"], "{full}");

    let artifact = json!({ "name": ROWS });
    let told = with(&mut child, "get_artifact", &artifact, "summary").await?;
    ensure!(told["summary"]["parameters"] == json!(["Count", "Kind"]), "{told}");
    let full = with(&mut child, "get_artifact", &artifact, "full").await?;
    ensure!(full["record"]["raw"].as_str().is_some_and(|raw| raw.contains(ROWS)), "{full}");
    ended_well(child).await
}

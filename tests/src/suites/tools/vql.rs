//! `run_vql` and `vql_help`.

use anyhow::{Context, ensure};
use serde_json::json;

use super::{Bench, ended_well, refused, says};
use crate::real::Role;
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("vql: values of every type arrive with their type", values(bench)).await;
    cases.case("vql: failures are errors, or partial where rows came", failures(bench)).await;
    cases.case("vql: bounds end a query, and the answer says so", bounds(bench)).await;
    cases.case("vql: it is asked as one who can only read", reader(bench)).await;
    cases.case("vql: help is that of the connected server", help(bench)).await;
}

async fn values(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let env = json!({
        "Text": "it's \"so\"; LET x = 1", "Number": 9_007_199_254_740_993_u64, "Yes": true,
        "List": [1, "two"], "Map": { "a": { "b": null } }, "None": null,
    });
    let query = "SELECT Text, Number, Number + 1 AS Next, Yes, List[1] AS Second, Map.a AS A,
                        None = NULL AS Nothing FROM scope()";
    let told = child.call_ok("run_vql", json!({ "query": query, "env": env })).await?;
    let wanted = json!([{
        "Text": "it's \"so\"; LET x = 1", "Number": 9_007_199_254_740_993_u64,
        "Next": 9_007_199_254_740_994_u64, "Yes": true, "Second": "two", "A": { "b": null },
        "Nothing": true,
    }]);
    ensure!(told["rows"] == wanted, "{told}");
    ended_well(child).await
}

async fn failures(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    for (query, code, words) in [
        ("SELECT * FROM clients(", "invalid_query", &["1:"] as &[&str]),
        ("SELECT * FROM\n  no_such_plugin()", "invalid_query", &["no_such_plugin"]),
        ("SELECT no_such_function() AS A FROM scope()", "invalid_query", &["no_such_function"]),
        ("SELECT * FROM clients(no_such=1)", "invalid_query", &["no_such"]),
    ] {
        let error = refused(&mut child, "run_vql", json!({ "query": query })).await?;
        says(&error, code, words)?;
    }
    let query = "SELECT * FROM chain(a={ SELECT 1 AS A FROM scope() },
                                     b={ SELECT * FROM clients(no_such=1) })";
    let told = child.call_ok("run_vql", json!({ "query": query })).await?;
    ensure!(told["state"] == "partial" && told["rows"][0]["A"] == 1, "{told}");
    ensure!(told["warnings"].to_string().contains("no_such"), "{told}");
    ended_well(child).await
}

async fn bounds(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let query = "SELECT _value AS N FROM range(end=1000)";
    let told = child.call_ok("run_vql", json!({ "query": query, "max_rows": 7 })).await?;
    ensure!(told["rows"].as_array().is_some_and(|rows| rows.len() == 7), "{told}");
    ensure!(told["state"] == "partial" && told["warnings"].is_array(), "{told}");
    let query = "SELECT * FROM clock(period=1)";
    let told = child.call_ok("run_vql", json!({ "query": query, "timeout": 3 })).await?;
    let rows = told["rows"].as_array().map_or(0, Vec::len);
    ensure!((1..=3).contains(&rows), "{told}");
    ensure!(told["state"] == "partial" && told["warnings"].to_string().contains("3 s"), "{told}");
    let query = "SELECT 'x' AS A FROM scope() WHERE FALSE";
    let told = child.call_ok("run_vql", json!({ "query": query })).await?;
    ensure!(told["state"] == "empty" && told["rows"] == json!([]), "{told}");
    ended_well(child).await
}

async fn reader(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let who = json!({ "query": "SELECT whoami() AS Me FROM scope()" });
    let told = child.call_ok("run_vql", who).await?;
    ensure!(told["rows"] == json!([{ "Me": Role::Reader.user() }]), "{told}");
    ensure!(told["identity"] == Role::Reader.user(), "{told}");
    let query = "SELECT label(client_id=C, labels='sneaked', op='set') AS Done FROM scope()";
    let wish = json!({ "query": query, "env": { "C": bench.agent } });
    let error = refused(&mut child, "run_vql", wish).await?;
    says(&error, "denied", &["LABEL"])?;
    // Without a word of the policy it is not even sent.
    let mut usual = bench.stage.ready(&Role::ALL, &[]).await?;
    let wish = json!({ "query": query, "env": { "C": bench.agent } });
    let error = refused(&mut usual, "run_vql", wish).await?;
    says(&error, "denied", &["label on the server (mutate)", "vql_server"])?;
    ended_well(usual).await?;
    let vql = "SELECT labels FROM clients(client_id=C)";
    let known = bench.witness(vql, &[("C", &bench.agent)]).await?;
    ensure!(!known.to_string().contains("sneaked"), "{known}");
    ended_well(child).await
}

async fn help(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    for (topic, kind, argument) in [
        ("clients", "plugin", "client_id"),
        ("hunt_update", "function", "hunt_id"),
        ("parse_evtx", "plugin", "filename"),
    ] {
        let told = child.call_ok("vql_help", json!({ "topic": topic })).await?;
        let symbols = told["symbols"].as_array().context("no symbols")?;
        let symbol = symbols.iter().find(|symbol| symbol["kind"] == kind).context(kind)?;
        ensure!(symbol["name"] == topic, "{symbol}");
        let arguments = symbol["arguments"].to_string();
        ensure!(arguments.contains(&format!("\"{argument}\"")), "{topic}: {arguments}");
        // The server says so too.
        let vql = "SELECT name FROM help() WHERE name = Word";
        let known = bench.witness(vql, &[("Word", topic)]).await?;
        ensure!(known[0]["name"] == topic, "{known}");
    }
    let told = child.call_ok("vql_help", json!({ "topic": "quarantining a horse" })).await;
    let text = match told {
        Ok(told) => told.to_string(),
        Err(error) => error.to_string(),
    };
    ensure!(text.contains("syntax") && text.contains("examples"), "no topics are named: {text}");
    ended_well(child).await
}

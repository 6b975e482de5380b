//! `list_artifacts` and `get_artifact`.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Bench, ROWS, column, ended_well, pages, refused, says};
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("artifacts: listed by words, type and system", listed(bench)).await;
    cases.case("artifacts: pages hold each once, as the server does", paged(bench)).await;
    cases.case("artifacts: described with parameters and columns", described(bench)).await;
    cases.case("artifacts: an unknown name gets near ones", unknown(bench)).await;
}

async fn listed(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    for (arguments, has, has_not) in [
        (json!({ "search": "pslist" }), "Linux.Sys.Pslist", "Linux.Sys.Users"),
        (json!({ "search": "PSLIST", "type": "CLIENT" }), "Windows.System.Pslist", ROWS),
        (json!({ "search": "pslist", "os": "linux" }), "Linux.Sys.Pslist", "Windows.System.Pslist"),
        (json!({ "search": "Numbers of the suite" }), ROWS, "Linux.Sys.Pslist"),
        (json!({ "type": "server", "limit": 500 }), "Server.Information.Users", ROWS),
    ] {
        let told = child.call_ok("list_artifacts", arguments.clone()).await?;
        let names = column(&told["artifacts"], "name")?;
        ensure!(names.contains(&has), "{arguments}: no {has}: {names:?}");
        ensure!(!names.contains(&has_not), "{arguments}: {has_not} too: {names:?}");
        if let Some(wanted) = arguments["type"].as_str() {
            let types = column(&told["artifacts"], "type")?;
            ensure!(types.iter().all(|t| *t == wanted.to_lowercase()), "{arguments}: {types:?}");
        }
    }
    let own = child.call_ok("list_artifacts", json!({ "search": ROWS })).await?;
    ensure!(own["artifacts"][0]["custom"] == true, "{own}");
    ensure!(own["artifacts"][0]["parameters"] == 2, "{own}");
    // What would be a pattern is a text like any other.
    let known = bench.witness("SELECT name, description FROM artifact_definitions()", &[]).await?;
    let known = known.as_array().context("no rows")?;
    for text in ["(", "[a-", "*+", ".*", "^Linux", "(?i)"] {
        let within = |row: &&Value, key| row[key].as_str().is_some_and(|held| held.contains(text));
        let wanted = known.iter().filter(|row| within(row, "name") || within(row, "description"));
        let wanted = wanted.count();
        ensure!(wanted < known.len() / 2, "{text:?} is everywhere: it would prove nothing");
        let told = child.call_ok("list_artifacts", json!({ "search": text })).await?;
        ensure!(told["total"] == json!(wanted), "{text:?}: {} and not {wanted}", told["total"]);
    }
    let error = refused(&mut child, "list_artifacts", json!({ "type": "clients" })).await?;
    says(&error, "invalid_input", &["client"])?;
    ended_well(child).await
}

async fn paged(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let rows = pages(&mut child, "list_artifacts", json!({ "limit": 150 }), "artifacts").await?;
    let told: BTreeSet<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    ensure!(told.len() == rows.len(), "{} names in {} rows", told.len(), rows.len());
    let known = bench.witness("SELECT name FROM artifact_definitions()", &[]).await?;
    let known: BTreeSet<&str> = column(&known, "name")?.into_iter().collect();
    ensure!(told == known, "differs: {:?}", told.symmetric_difference(&known).collect::<Vec<_>>());
    ended_well(child).await
}

async fn described(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let told = child.call_ok("get_artifact", json!({ "name": ROWS, "vql": true })).await?;
    ensure!(told["type"] == "client" && told["custom"] == true, "{told}");
    ensure!(column(&told["parameters"], "name")? == ["Count", "Kind"], "{told}");
    let (count, kind) = (&told["parameters"][0], &told["parameters"][1]);
    ensure!(count["type"] == "int" && count["default"] == "10", "{count}");
    ensure!(kind["choices"] == json!(["odd", "even"]), "{kind}");
    let tables = column(&told["sources"], "table")?;
    ensure!(tables == [format!("{ROWS}/Numbers"), format!("{ROWS}/Two")], "{told}");
    ensure!(told["sources"][0]["columns"] == json!(["N", "High", "Kind"]), "{told}");
    let text = told["sources"][0]["vql"].as_str().context("no text")?;
    ensure!(text.contains("FROM range(end=Count)"), "{text}");

    let short = child.call_ok("get_artifact", json!({ "name": "Linux.Sys.Pslist" })).await?;
    let parameters = short["parameters"].as_array().context("no parameters")?;
    let pattern = parameters.iter().find(|p| p["name"] == "processRegex").context("no pattern")?;
    ensure!(pattern["type"] == "regex", "{pattern}");
    ensure!(short["sources"][0]["vql"] == Value::Null, "{short}");
    // Permissions that the collector must hold are told beforehand.
    let shell = child.call_ok("get_artifact", json!({ "name": "Linux.Sys.BashShell" })).await?;
    ensure!(shell["needs"] == json!(["EXECVE"]), "{shell}");
    ended_well(child).await
}

async fn unknown(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    for (name, near) in [
        ("Linux.Sys.PsList", "Linux.Sys.Pslist"),
        ("Custom.Tools.Row", ROWS),
        ("windows.system.pslist", "Windows.System.Pslist"),
    ] {
        let error = refused(&mut child, "get_artifact", json!({ "name": name })).await?;
        says(&error, "not_found", &[name, near])?;
    }
    ended_well(child).await
}

//! What leaves Megaraptor on a real server with a real agent: planted text and canaries come back
//! marked and masked, and the server's own texts have no note.

mod planted;

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::mcp_stdio::{Stage, ended_well};
use crate::mcp::{McpChild, find_megaraptor};
use crate::real::{RealAgent, RealServer, Role};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "outlet",
    about: "secrets, hostile characters and orders in evidence come back masked and marked",
    run,
};

/// Definitions of the server in which the filter finds something, rightly.
const NOTED: &[&str] = &[];

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let stage = Stage { program: find_megaraptor()?, server: RealServer::start().await? };
    let agent = RealAgent::enrol(&stage.server, "root").await?;
    cases.case("the server's own definitions have no note", definitions(&stage)).await;
    cases.case("what vql_help says of every name has no note", help(&stage)).await;
    planted::run(cases, &stage, &agent).await;
    Ok(())
}

/// The kinds of what was noted of an answer, without the places.
fn noted(answer: &Value) -> Option<String> {
    answer.get("notes").map(ToString::to_string)
}

async fn definitions(stage: &Stage) -> anyhow::Result<()> {
    let mut child = stage.ready(&[Role::Reader], &[]).await?;
    let mut found = BTreeMap::new();
    let mut count = 0;
    let mut wish = json!({ "limit": 200 });
    loop {
        let page = child.call_ok("list_artifacts", wish.clone()).await?;
        ensure!(noted(&page).is_none(), "the list: {:?}", noted(&page));
        for artifact in page["artifacts"].as_array().context("no artifacts")? {
            let name = artifact["name"].as_str().context("no name")?;
            count += 1;
            let told = child.call_ok("get_artifact", json!({ "name": name, "vql": true })).await?;
            if let Some(notes) = noted(&told) {
                found.insert(name.to_owned(), notes);
            }
        }
        match &page["cursor"] {
            Value::String(cursor) => wish["cursor"] = json!(cursor),
            _ => break,
        }
    }
    ensure!(count > 300, "only {count} definitions");
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    ensure!(names == NOTED, "{} of {count} definitions have a note: {found:#?}", found.len());
    ended_well(child).await
}

async fn help(stage: &Stage) -> anyhow::Result<()> {
    let mut child = stage.ready(&[Role::Reader], &[]).await?;
    let query = json!({
        "query": "SELECT name FROM help()", "max_rows": 10_000, "max_bytes": 1_000_000,
    });
    let names = child.call_ok("run_vql", query).await?;
    let rows = names["rows"].as_array().context("no rows")?;
    ensure!(rows.len() > 200, "only {} names", rows.len());
    let mut found = BTreeMap::new();
    for row in rows {
        let told = child.call_ok("vql_help", json!({ "topic": row["name"] })).await?;
        if let Some(notes) = noted(&told) {
            found.insert(row["name"].to_string(), notes);
        }
    }
    ensure!(found.is_empty(), "{} of {} have a note: {found:#?}", found.len(), rows.len());
    ended_well(child).await
}

/// Ends the program, and looks at what it wrote to standard error.
async fn ended_quietly(stage: &Stage, child: McpChild) -> anyhow::Result<()> {
    ended_well(child).await?;
    let log = std::fs::read_to_string(stage.server.folder().join("megaraptor.log"))?;
    ensure!(planted::seen(&log).is_empty(), "the log has {:?}", planted::seen(&log));
    Ok(())
}

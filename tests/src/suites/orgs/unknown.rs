//! Orgs that are not configured, and orgs that the server does not know: an error of its own kind
//! from every tool.

use anyhow::ensure;
use serde_json::{Map, Value, json};

use super::{ARTIFACT, Stage, TOOLS, TWIN, ended_well, everything, tools};
use crate::mcp::McpChild;
use crate::real::Role;
use crate::suite::Cases;

/// Nobody has it.
const NOWHERE: &str = "ONONE";

pub(super) async fn run(cases: &mut Cases, stage: &Stage, child: &mut McpChild, second: &str) {
    cases.case("an org that is not configured is named, by every tool", unset(child, second)).await;
    cases.case("an org that the server does not know is named, by every tool", gone(stage)).await;
}

/// Good arguments for each tool, as far as there are any without an id.
fn required(tool: &Value) -> Map<String, Value> {
    let mut given = Map::new();
    for argument in tool["inputSchema"]["required"].as_array().into_iter().flatten() {
        let Some(argument) = argument.as_str() else { continue };
        let value = match argument {
            "client" => json!(TWIN),
            "clients" => json!([TWIN]),
            "artifacts" => json!([ARTIFACT]),
            "name" => json!(ARTIFACT),
            "flow_id" => json!("F.0000000000000"),
            "hunt_id" => json!("H.0000000000000"),
            "query" => json!("SELECT 1 AS A FROM scope()"),
            "handle" => json!(format!("flow:{TWIN}/F.0000000000000/{ARTIFACT}")),
            "action" => json!("release"),
            _ => json!("x"),
        };
        given.insert(argument.to_owned(), value);
    }
    given
}

/// Calls every tool with an org, and gives what each says.
async fn each(child: &mut McpChild, org: Value) -> anyhow::Result<Vec<(String, Value)>> {
    let mut said = Vec::new();
    for tool in tools(child).await? {
        let name = tool["name"].as_str().unwrap_or_default().to_owned();
        let mut wish = required(&tool);
        // What is needed beside, so that there is something to ask a server for.
        match name.as_str() {
            "vql_help" => drop(wish.insert("topic".to_owned(), json!("clients"))),
            "modify_hunt" => drop(wish.insert("action".to_owned(), json!("start"))),
            "label_client" => drop(wish.insert("add".to_owned(), json!(["x"]))),
            _ => {}
        }
        wish.insert("org".to_owned(), org.clone());
        let mut result = child.call_error(&name, Value::Object(wish)).await?;
        said.push((name, result["structuredContent"]["error"].take()));
    }
    ensure!(said.len() == TOOLS, "{} tools", said.len());
    Ok(said)
}

async fn unset(child: &mut McpChild, second: &str) -> anyhow::Result<()> {
    for org in ["O999", "", "ROOT", "root\u{0}", "o' OR 1=1", second.to_lowercase().as_str()] {
        for (tool, error) in each(child, json!(org)).await? {
            ensure!(error["code"] == "invalid_input", "{tool} {org:?}: {error}");
            let told = error["message"].as_str().unwrap_or_default();
            ensure!(told.contains("root") && told.contains(second), "{tool} {org:?}: {error}");
        }
    }
    for org in [json!(7), json!(["root"]), json!({})] {
        for (tool, error) in each(child, org.clone()).await? {
            ensure!(error["code"] == "invalid_input", "{tool} {org}: {error}");
        }
    }
    Ok(())
}

async fn gone(stage: &Stage) -> anyhow::Result<()> {
    let orgs = format!("--orgs=root,{NOWHERE}");
    let mut child = stage
        .ready(
            &Role::ALL,
            &[
                "--policy=collect=allow",
                "--policy=respond=allow",
                "--policy=vql_server=secret",
                &orgs,
            ],
        )
        .await?;
    let before = everything(&stage.server, "root").await?;
    for (tool, error) in each(&mut child, json!(NOWHERE)).await? {
        let code = error["code"].as_str().unwrap_or_default();
        ensure!(code == "not_found" || code == "invalid_input", "{tool}: {error}");
        ensure!(error["message"].to_string().contains(NOWHERE), "{tool}: {error}");
    }
    let after = everything(&stage.server, "root").await?;
    ensure!(after == before, "the root org was changed instead");
    ended_well(child).await
}

//! What the program tells a newcomer holds on a real server: the guide, resources, prompts.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Stage, ended_well};
use crate::mcp::McpChild;
use crate::real::Role;
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, stage: &Stage, client: &str) {
    cases
        .case("d19: the examples of the VQL guide run", async {
            let mut child = stage.ready(&[Role::Reader], &[]).await?;
            examples(&mut child).await?;
            ended_well(child).await
        })
        .await;
    cases
        .case("d77: every listed resource can be read", async {
            let mut child = stage.ready(&[Role::Reader, Role::Investigator], &[]).await?;
            resources(&mut child, client).await?;
            ended_well(child).await
        })
        .await;
    cases
        .case("d76: no artifact that a prompt has a place for is unknown to 0.77", async {
            // Records without an agent: enough to be written for.
            for os in ["windows", "darwin"] {
                let vql = "LET C <= client_create(os=Os, hostname=Os) SELECT C FROM scope()";
                stage.server.query(Role::Administrator, "root", vql, &[("Os", os)]).await?;
            }
            let mut child = stage.ready(&[Role::Reader], &[]).await?;
            for host in [client, "windows", "darwin"] {
                prompts(&mut child, host).await?;
            }
            ended_well(child).await
        })
        .await;
    cases
        .case("a host plugin is answered with artifacts that exist", async {
            let mut child = stage.ready(&[Role::Reader], &[]).await?;
            let call = json!({ "query": "SELECT * FROM pslist()" });
            let error = child.call_error("run_vql", call).await?;
            let text = error["content"][0]["text"].as_str().context("no text")?;
            ensure!(text.contains("Linux.Sys.Pslist or Generic.System.Pstree"), "{text}");
            ended_well(child).await
        })
        .await;
}

async fn examples(child: &mut McpChild) -> anyhow::Result<()> {
    let guide = child.call_ok("vql_help", json!({ "topic": "examples" })).await?;
    let text = guide["text"].as_str().context("no text")?;
    let mut count = 0;
    for part in text.split("```vql\n").skip(1) {
        let (query, rest) = part.split_once("\n```").context("a block does not end")?;
        let env: Value = match rest.trim_start().strip_prefix("with env `") {
            Some(rest) => serde_json::from_str(rest.split('`').next().unwrap_or_default())?,
            None => json!({}),
        };
        let call = json!({ "query": query, "env": env, "timeout": 10 });
        let answer = child.call_ok("run_vql", call).await?;
        ensure!(answer["warnings"].is_null(), "{query}: {}", answer["warnings"]);
        count += 1;
    }
    ensure!(count >= 8, "{count} examples");
    Ok(())
}

async fn resources(child: &mut McpChild, client: &str) -> anyhow::Result<()> {
    let listed = child.request("resources/list", json!({})).await?;
    let mut addresses: Vec<String> = listed["resources"]
        .as_array()
        .context("no list")?
        .iter()
        .filter_map(|resource| resource["uri"].as_str().map(str::to_owned))
        .collect();
    ensure!(addresses.len() >= 5, "{addresses:?}");
    addresses.push(format!("velociraptor://clients/{client}"));
    addresses.push(String::from("velociraptor://artifacts/Generic.Client.Info"));
    for address in addresses {
        let read = child.request("resources/read", json!({ "uri": address })).await?;
        let text = read["contents"][0]["text"].as_str().context("no text")?;
        ensure!(text.len() > 100, "{address}: {text}");
    }
    let info = json!({ "uri": "velociraptor://server-info" });
    let info = child.request("resources/read", info).await?;
    let info: Value = serde_json::from_str(info["contents"][0]["text"].as_str().context("text")?)?;
    ensure!(info["simulated"] == false && info["version"] == "0.77.2", "{info}");
    Ok(())
}

async fn prompts(child: &mut McpChild, client: &str) -> anyhow::Result<()> {
    let incidents = ["unknown", "malware", "intrusion", "data_exfil", "ransomware"];
    let hunts = ["custom", "file", "process", "network", "persistence"];
    let mut asked = vec![
        ("investigate_endpoint", json!({ "client": client })),
        ("malware_analysis", json!({ "client": client, "target": "/bin/sh" })),
        ("lateral_movement", json!({ "scope": "all" })),
    ];
    for incident in incidents {
        let arguments = json!({ "client": client, "incident_type": incident });
        asked.push(("triage_incident", arguments));
    }
    for kind in hunts {
        asked.push(("threat_hunt", json!({ "indicators": "x", "hunt_type": kind })));
    }
    for (name, arguments) in asked {
        let params = json!({ "name": name, "arguments": arguments });
        let prompt = child.request("prompts/get", params).await?;
        let text = prompt["messages"][0]["content"]["text"].as_str().context("no text")?;
        ensure!(text.contains("\n   - "), "{name} names no artifact: {text}");
        ensure!(!text.contains("Left out"), "{name}: {text}");
    }
    Ok(())
}

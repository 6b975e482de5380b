//! The tools as the program lists them, and an honest input for each.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};

use crate::real::{RealAgent, RealServer, Role};
use crate::wait;

/// It runs under `--read-only` too, and ends what the ledger of this program says that it started.
/// That is nothing here: like a tool that reads it answers, and changes nothing.
const STOP: &str = "emergency_stop";

/// A tool of the program.
pub(super) struct ToolHere {
    pub(super) name: String,
    pub(super) changes: bool,
    /// Its arguments, with their schemas.
    pub(super) arguments: Map<String, Value>,
}

/// Every tool, those that `--read-only` hides too.
pub(super) struct Registry {
    pub(super) tools: Vec<ToolHere>,
}

impl Registry {
    pub(super) fn of(program: &Path) -> anyhow::Result<Self> {
        let listed =
            Command::new(program).args(["tools", "--families=core", "--output=json"]).output()?;
        ensure!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let listed: Value = serde_json::from_slice(&listed.stdout).context("no JSON")?;
        let listed = listed.as_array().context("no list of tools")?;
        let read = |tool: &Value| {
            let arguments = tool["input_schema"]["properties"].as_object().cloned();
            Some(ToolHere {
                name: tool["name"].as_str()?.to_owned(),
                changes: tool["effect"].as_str()? != "read" && tool["name"] != STOP,
                arguments: arguments.unwrap_or_default(),
            })
        };
        let tools: Option<Vec<_>> = listed.iter().map(read).collect();
        let tools = tools.context("a tool without a name or effect")?;
        ensure!(tools.len() > 15, "only {} tools", tools.len());
        Ok(Self { tools })
    }

    pub(super) fn find(&self, name: &str) -> anyhow::Result<&ToolHere> {
        self.tools.iter().find(|tool| tool.name == name).with_context(|| format!("no tool {name}"))
    }
}

/// What the server has: names that exist.
pub(super) struct Standing {
    pub(super) client: String,
    pub(super) flow: String,
    pub(super) hunt: String,
}

/// Collected from the client, and hunted for.
pub(super) const ARTIFACT: &str = "Generic.Client.Info";

impl Standing {
    /// A flow that has ended, and a hunt that is paused.
    pub(super) async fn make(server: &RealServer, agent: &RealAgent) -> anyhow::Result<Self> {
        let client = agent.client_id().to_owned();
        let vql = "SELECT collect_client(client_id=C, artifacts='Generic.Client.Info').flow_id AS F \
                   FROM scope()";
        let env = [("C", client.as_str())];
        let rows = server.query(Role::Administrator, "root", vql, &env).await?.rows;
        let flow = rows.first().and_then(|row| row["F"].as_str()).context("no flow")?.to_owned();
        let vql = "SELECT state FROM flows(client_id=C, flow_id=F)";
        wait::until("the flow to end", Duration::from_secs(60), || async {
            let env = [("C", client.as_str()), ("F", flow.as_str())];
            let rows = server.query(Role::Administrator, "root", vql, &env).await?.rows;
            ensure!(rows.first().is_some_and(|row| row["state"] == "FINISHED"), "{rows:?}");
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        let vql = "SELECT hunt(description='read only', artifacts='Generic.Client.Info', \
                   pause=TRUE).HuntId AS H FROM scope()";
        let rows = server.query(Role::Administrator, "root", vql, &[]).await?.rows;
        let hunt = rows.first().and_then(|row| row["H"].as_str()).context("no hunt")?.to_owned();
        Ok(Self { client, flow, hunt })
    }

    /// Inputs that make sense here. Those of tools that change would change something.
    pub(super) fn honest(&self) -> Vec<(&'static str, Value)> {
        let Self { client, flow, hunt } = self;
        let of_flow = json!({ "client": client, "flow_id": flow });
        let handle = format!("flow:{client}/{flow}/{ARTIFACT}/BasicInformation");
        let vql = "SELECT client_id, { SELECT hunt_id FROM hunts() } AS Hunts FROM clients()";
        vec![
            ("list_clients", json!({ "os": "linux", "limit": 5 })),
            ("get_client_info", json!({ "client": client })),
            ("label_client", json!({ "clients": [client], "add": ["read only"] })),
            (
                "quarantine_client",
                json!({ "client": client, "action": "isolate", "queue_hours": 1 }),
            ),
            ("list_artifacts", json!({ "search": "pslist" })),
            ("get_artifact", json!({ "name": ARTIFACT, "vql": true })),
            (
                "collect_artifact",
                json!({ "clients": [client], "artifacts": [ARTIFACT], "again": true, "wait": 0 }),
            ),
            ("create_hunt", json!({ "artifacts": [ARTIFACT], "description": "x", "start": true })),
            ("list_hunts", json!({})),
            ("get_hunt_results", json!({ "hunt_id": hunt })),
            ("modify_hunt", json!({ "hunt_id": hunt, "action": "start" })),
            ("list_flows", json!({ "client": client })),
            ("get_flow_status", of_flow.clone()),
            ("get_flow_results", of_flow.clone()),
            ("query_results", json!({ "handle": handle, "stack": ["OS"] })),
            ("cancel_flow", of_flow),
            ("run_vql", json!({ "query": vql })),
            ("vql_help", json!({ "topic": "clients" })),
            (STOP, json!({})),
        ]
    }
}

//! The steps of the walk on a real server. What is looked for is the walk's own agent: that process is
//! known to be there, and its id is known from having started it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use deploy_core::Record;
use deploy_core::server::VERSION;
use guard::audit::{Expected, Filter};
use serde_json::{Value, json};

use super::super::client::McpClient;
use super::super::walk::{array, quote, say, wrong};
use super::serve::STATE;
use crate::clock;
use crate::tool_error::ToolError;

/// The artifact that lists processes of Linux and macOS. It only reads.
const PROCESSES: &str = "Linux.Sys.Pslist";

/// Rows of an agent such as the walk's own.
const OWN: &str = "CommandLine =~ 'megaraptor-demo-.*client.config.yaml'";

/// The label that is set and taken back.
const LABEL: &str = "megaraptor-demo";

/// What is refused: a program on the server. Where it ran all the same, it would change nothing.
const REFUSED: &str = "SELECT * FROM execve(argv=['id'])";

/// How long a hunt may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Values that are shown of a stacked query.
const SHOWN: usize = 4;

pub(super) struct Walk {
    client: Option<McpClient>,
    folder: PathBuf,
    agent: u32,
}

impl Walk {
    /// A walk that looks for the agent's process.
    pub(super) const fn new(client: McpClient, folder: PathBuf, agent: u32) -> Self {
        Self { client: Some(client), folder, agent }
    }

    /// Walks, and says whether what was found is what is known to be there.
    pub(super) async fn run(&mut self, up: &Record, took: Duration) -> Result<bool, ToolError> {
        let version = up.facts.get(VERSION).and_then(Value::as_str).unwrap_or_default();
        say(&format!(
            "MEGARAPTOR demo   REAL VELOCIRAPTOR {version}, thrown away after   {}",
            clock::now()
        ));
        say(&format!(
            "  server and agent are up in {:.1} s, on loopback, in {}",
            took.as_secs_f64(),
            self.folder.display()
        ));
        say("  the agent is this machine: it is looked at, and nothing on it is changed");
        let client = self.fleet().await?;
        let host = self.described(&client).await?;
        let seen = self.processes(&client, &host).await?;
        let (hit, handle) = self.hunt().await?;
        let stacked = self.stack(&handle).await?;
        let labelled = self.label(&client).await?;
        let refused = self.refused().await?;
        let recorded = self.record().await?;
        let word =
            |agrees, word: &str| if agrees { word.to_owned() } else { format!("NOT {word}") };
        say(&format!(
            "TRUTH  the agent's process {} {}, {}; hunt {}; label {}; execve {}; record {}",
            self.agent,
            word(seen, "found"),
            word(stacked, "stacked"),
            word(hit, "complete"),
            word(labelled, "taken back"),
            word(refused, "refused"),
            word(recorded, "sound"),
        ));
        Ok(seen && stacked && hit && labelled && refused && recorded)
    }

    /// Ends the MCP server where it still runs.
    pub(super) async fn end(self) -> Result<(), ToolError> {
        match self.client {
            Some(client) => client.kill().await,
            None => Ok(()),
        }
    }

    async fn fleet(&mut self) -> Result<String, ToolError> {
        say("1 list_clients");
        let data = self.ask("list_clients", json!({})).await?;
        let clients = array(&data, "clients")?;
        let [client] = clients else {
            return Err(wrong(&format!("one client was expected, {} are listed", clients.len())));
        };
        let online = if client["online"] == true { "online" } else { "offline" };
        say(&format!(
            "  1 host: {}, {}, {online}, {}",
            text(client, "hostname"),
            text(client, "os"),
            text(client, "client_id")
        ));
        Ok(text(client, "client_id").to_owned())
    }

    async fn described(&mut self, client: &str) -> Result<String, ToolError> {
        say("2 get_client_info");
        let data = self.ask("get_client_info", json!({ "client": client })).await?;
        say(&format!(
            "  {}, {}; last seen {}",
            text(&data, "release"),
            text(&data, "agent"),
            text(&data, "last_seen")
        ));
        Ok(text(&data, "hostname").to_owned())
    }

    /// Says whether the agent's process is among those that were collected.
    async fn processes(&mut self, client: &str, host: &str) -> Result<bool, ToolError> {
        say(&format!("3 collect_artifact {host} {PROCESSES}"));
        let arguments = json!({ "clients": [client], "artifacts": [PROCESSES], "wait": 60 });
        let data = self.ask("collect_artifact", arguments).await?;
        let outcome = &data["outcomes"][0];
        let flow = outcome["flow_id"].as_str().ok_or_else(|| wrong("no flow came of it"))?;
        let table = &outcome["tables"][0];
        let handle = table["handle"].as_str().ok_or_else(|| wrong("no rows came of it"))?;
        say(&format!("  {} rows, flow {flow}", table["rows"]));
        let asked = json!({ "handle": handle, "filter": OWN });
        let data = self.ask("query_results", asked).await?;
        let agent = self.agent.to_string();
        let own = array(&data, "rows")?.iter().find(|row| number(&row["Pid"]) == agent);
        if let Some(row) = own {
            let command = quote(text(row, "CommandLine"));
            say(&format!("  query_results: process {agent} is the agent itself"));
            say(&format!("    {command}"));
        }
        Ok(own.is_some())
    }

    /// Says whether the hunt looked at all that there is, and where its rows are.
    async fn hunt(&mut self) -> Result<(bool, String), ToolError> {
        say(&format!("4 create_hunt {PROCESSES}"));
        let arguments =
            json!({ "artifacts": [PROCESSES], "description": "processes", "start": true });
        let made = self.ask("create_hunt", arguments).await?;
        let hunt = made["hunt_id"].as_str().ok_or_else(|| wrong("no hunt came of it"))?;
        say(&format!("  {hunt} {}, reaches {}", text(&made, "hunt_state"), made["reaches"]));
        let end = Instant::now() + PATIENCE;
        let data = loop {
            let asked = json!({ "hunt_id": hunt, "limit": 1 });
            let data = self.ask("get_hunt_results", asked).await?;
            let counts = &data["coverage"];
            if counts["running"] == 0 && counts["never_scheduled"] == 0 {
                break data;
            }
            if Instant::now() > end {
                return Err(wrong(&format!("the hunt did not end; last seen: {counts}")));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        let counts = &data["coverage"];
        let table = &data["tables"][0];
        say(&format!(
            "  scope {}: hit {}, none {}, not known {}, failed {}; {} rows",
            counts["scope"],
            counts["hit"],
            counts["none"],
            counts["not_known"],
            counts["failed"],
            table["rows"]
        ));
        let handle = table["handle"].as_str().ok_or_else(|| wrong("no handle in the answer"))?;
        Ok((counts["scope"] == 1 && counts["hit"] == 1, handle.to_owned()))
    }

    /// Counts the hunt's rows by name, the rarest first. Says whether the agent is among them.
    async fn stack(&mut self, handle: &str) -> Result<bool, ToolError> {
        say("5 query_results stack Name");
        let arguments = json!({ "handle": handle, "stack": ["Name"], "limit": 5000 });
        let data = self.ask("query_results", arguments).await?;
        let rows = array(&data, "rows")?;
        let rarest: Vec<&str> = rows.iter().map(|row| text(row, "Name")).take(SHOWN).collect();
        say(&format!("  {} names; the rarest first: {}", rows.len(), quote(&rarest.join(", "))));
        Ok(rows.iter().any(|row| text(row, "Name").contains("velociraptor")))
    }

    /// Sets a label of the server's record of the client, and takes it back.
    async fn label(&mut self, client: &str) -> Result<bool, ToolError> {
        say(&format!("6 label_client {LABEL}, on and off"));
        let set = self.ask("label_client", json!({ "clients": [client], "add": [LABEL] })).await?;
        let off = json!({ "clients": [client], "remove": [LABEL] });
        let off = self.ask("label_client", off).await?;
        let labels = |data: &Value| data["clients"][0]["labels"].clone();
        say(&format!(
            "  read back: {}, then {}; labels are the server's, not the machine's",
            labels(&set),
            labels(&off)
        ));
        Ok(labels(&set) == json!([LABEL]) && labels(&off) == json!([]))
    }

    /// Asks for what the policy does not let run.
    async fn refused(&mut self) -> Result<bool, ToolError> {
        say(&format!("7 run_vql {REFUSED}"));
        let answer = self.mcp()?.call("run_vql", json!({ "query": REFUSED })).await?;
        for line in answer.text.lines().take(2) {
            say(&format!("  {line}"));
        }
        Ok(answer.is_error && answer.data["error"]["code"] == "denied")
    }

    /// Ends the MCP server, which signs its record, and reads that.
    async fn record(&mut self) -> Result<bool, ToolError> {
        say("8 audit verify, audit show");
        self.client.take().ok_or_else(|| wrong("the MCP server was ended"))?.stop().await?;
        let folder = self.folder.join(STATE).join("audit");
        let report = guard::audit::verify(&folder, &Expected::default())?;
        let calls = guard::audit::show(&folder, &Filter::default())?;
        let signed = report.is_sound() && report.unsigned() == 0;
        let sound = if signed { "unbroken and signed" } else { "BROKEN" };
        say(&format!("  {} calls on record, {sound}; it goes with the folder", calls.len()));
        let wanted = ["collect_artifact", "create_hunt", "label_client", "run_vql"];
        for call in calls.iter().filter(|call| wanted.contains(&call.intent.tool.as_str())) {
            let decision = serde_json::to_value(&call.intent.decision).unwrap_or(Value::Null);
            say(&format!(
                "  entry {}: {} {}, {}, {}",
                call.seq,
                call.intent.tool,
                call.intent.effect.as_str(),
                decision["verdict"].as_str().unwrap_or("?"),
                call.outcome.as_deref().unwrap_or("open")
            ));
        }
        let on_record = |tool: &str, outcome: &str| {
            calls
                .iter()
                .any(|call| call.intent.tool == tool && call.outcome.as_deref() == Some(outcome))
        };
        Ok(signed && on_record("run_vql", "denied") && on_record("collect_artifact", "complete"))
    }

    async fn ask(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        let answer = self.mcp()?.call(tool, arguments).await?;
        if answer.is_error {
            return Err(wrong(&format!("{tool}: {}", answer.text)));
        }
        Ok(answer.data)
    }

    fn mcp(&mut self) -> Result<&mut McpClient, ToolError> {
        self.client.as_mut().ok_or_else(|| wrong("the MCP server was ended"))
    }
}

fn text<'v>(data: &'v Value, key: &str) -> &'v str {
    data[key].as_str().unwrap_or_default()
}

/// A number that some agents report as a text.
fn number(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

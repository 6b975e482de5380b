//! The steps of the demo.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use lab::{Evidence, GroundTruth, Injection, Lab};
use serde_json::{Value, json};

use super::client::McpClient;
use crate::cli::output;
use crate::tool_error::{Code, ToolError};

/// The artifact that lists Run keys.
const RUN_KEYS: &str = "Windows.Sys.StartupItems";

/// The artifact that lists processes.
const PROCESSES: &str = "Windows.System.Pslist";

/// How long a hunt may take to get where it is awaited. The lab needs about two seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest piece of evidence that is shown in one line.
const QUOTED: usize = 96;

pub(super) struct Walk<'a> {
    client: McpClient,
    lab: &'a Lab,
    truth: GroundTruth,
}

/// What a hunt says of itself.
struct Verdict {
    line: String,
    open: Vec<String>,
    hits: BTreeSet<String>,
    counts: Value,
    state: String,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(client: McpClient, lab: &'a Lab, truth: GroundTruth) -> Self {
        Self { client, lab, truth }
    }

    /// Walks, and says whether what was found is what was planted.
    pub(super) async fn run(mut self) -> Result<bool, ToolError> {
        let tools = self.client.count_tools().await?;
        say(&format!("  {tools} tools over MCP on stdio; the hosts and their data are invented"));
        self.fleet().await?;
        let seen = self.processes().await?;
        let hunt = self.hunt().await?;
        let before = self.partial(&hunt).await?;
        self.mistake().await?;
        let after = self.complete(&hunt).await?;
        let agrees = self.verdict(&before, &after, seen);
        self.client.stop().await?;
        Ok(agrees)
    }

    async fn fleet(&mut self) -> Result<(), ToolError> {
        say("1 list_clients");
        let data = self.ask("list_clients", json!({ "limit": 1000 })).await?;
        let clients = array(&data, "clients")?;
        let of = |os: &str| clients.iter().filter(|client| client["os"] == os).count();
        let offline: Vec<&str> = clients
            .iter()
            .filter(|client| client["online"] == false)
            .filter_map(|client| client["hostname"].as_str())
            .collect();
        say(&format!(
            "  {} hosts: {} windows {} linux {} mac; {} online; offline {}",
            clients.len(),
            of("windows"),
            of("linux"),
            of("darwin"),
            clients.len() - offline.len(),
            offline.join(" ")
        ));
        Ok(())
    }

    /// Reads the processes of the first host and shows the two rows that matter. Says whether
    /// both were found where they were planted.
    async fn processes(&mut self) -> Result<bool, ToolError> {
        let planted = self.truth.evidence.iter().find(|e| e.artifact == PROCESSES).cloned();
        let trap = self.truth.injection.iter().find(|i| i.artifact == PROCESSES).cloned();
        let (Some(planted), Some(trap)) = (planted, trap) else {
            return Err(wrong("the ground truth names no process"));
        };
        say(&format!("2 collect_artifact {} {PROCESSES}", planted.host));
        let arguments = json!({ "clients": [planted.host], "artifacts": [PROCESSES], "wait": 30 });
        let data = self.ask("collect_artifact", arguments).await?;
        let outcome = &data["outcomes"][0];
        let flow = outcome["flow_id"].as_str().ok_or_else(|| wrong("no flow came of it"))?;
        let arguments = json!({
            "client": planted.host, "flow_id": flow, "limit": 1000, "max_kb": 4000,
        });
        let data = self.ask("get_flow_results", arguments).await?;
        let rows = array(&data, "rows")?;
        say(&format!("  {} rows, flow {flow}", rows.len()));
        Ok(show_planted(rows, &planted)? & show_trap(rows, &data["notes"], &trap)?)
    }

    async fn hunt(&mut self) -> Result<String, ToolError> {
        say(&format!("3 create_hunt {RUN_KEYS}, windows"));
        let arguments =
            json!({ "artifacts": [RUN_KEYS], "description": "Run keys", "os": "windows" });
        let data = self.ask("create_hunt", arguments).await?;
        let id = data["hunt_id"].as_str().ok_or_else(|| wrong("no hunt came of it"))?.to_owned();
        let state = data["hunt_state"].as_str().unwrap_or_default().to_owned();
        let started = self.ask("modify_hunt", json!({ "hunt_id": id, "action": "start" })).await?;
        say(&format!(
            "  {id} {state}, nothing ran yet; reaches {}; modify_hunt start: {}",
            data["reaches"],
            started["hunt_state"].as_str().unwrap_or_default()
        ));
        Ok(id)
    }

    /// Waits until only what cannot be looked at now is open, and shows the verdict.
    async fn partial(&mut self, hunt: &str) -> Result<Verdict, ToolError> {
        say("4 get_hunt_results");
        let verdict = self
            .until(hunt, |counts| counts["running"] == 0 && counts["never_scheduled"] == 2)
            .await?;
        show_verdict(&verdict);
        Ok(verdict)
    }

    async fn mistake(&mut self) -> Result<(), ToolError> {
        let query = "SELCT * FROM clients()";
        say(&format!("5 run_vql {query}"));
        let answer = self.client.call("run_vql", json!({ "query": query })).await?;
        if !answer.is_error {
            return Err(wrong("a query that does not parse was answered"));
        }
        for line in answer.text.lines().take(4) {
            say(&format!("  {line}"));
        }
        Ok(())
    }

    async fn complete(&mut self, hunt: &str) -> Result<Verdict, ToolError> {
        let returning = self.truth.host.last().map(|host| host.name.clone()).unwrap_or_default();
        say(&format!("6 {returning} comes back"));
        if !self.lab.bring_back(&returning) {
            return Err(wrong(&format!("{returning} was not offline")));
        }
        let planted = self.truth.host.len();
        let verdict = self.until(hunt, |counts| counts["hit"] == planted).await?;
        show_verdict(&verdict);
        Ok(verdict)
    }

    /// Holds what was found against what was planted.
    fn verdict(&self, before: &Verdict, after: &Verdict, seen: bool) -> bool {
        let planted: BTreeSet<String> =
            self.truth.host.iter().map(|host| host.name.clone()).collect();
        let found = |verdict: &Verdict| verdict.hits.intersection(&planted).count();
        let wrong = after.hits.difference(&planted).count();
        let last = self.truth.host.last().map(|host| host.name.as_str()).unwrap_or_default();
        let unseen = before.open.iter().any(|open| open.starts_with(last));
        say(&format!(
            "TRUTH  planted {}, found {}, false {wrong}; before step 6: found {}, {last} \"{}\"",
            planted.len(),
            found(after),
            found(before),
            if unseen { "not looked" } else { "clean?" },
        ));
        say("NEXT   megaraptor doctor --config api.yaml · megaraptor client-config");
        seen && unseen && wrong == 0 && found(after) == planted.len()
    }

    /// Reads the hunt's verdict until it is as awaited.
    async fn until(
        &mut self,
        hunt: &str,
        awaited: impl Fn(&Value) -> bool,
    ) -> Result<Verdict, ToolError> {
        let end = Instant::now() + PATIENCE;
        loop {
            let data = self.ask("get_hunt_results", json!({ "hunt_id": hunt })).await?;
            let verdict = Verdict::of(&data)?;
            if awaited(&verdict.counts) {
                return Ok(verdict);
            }
            if Instant::now() > end {
                return Err(wrong(&format!(
                    "the hunt did not get there; last seen: {}",
                    verdict.line
                )));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn ask(&mut self, tool: &str, arguments: Value) -> Result<Value, ToolError> {
        let answer = self.client.call(tool, arguments).await?;
        if answer.is_error {
            return Err(wrong(&format!("{tool}: {}", answer.text)));
        }
        Ok(answer.data)
    }
}

impl Verdict {
    fn of(data: &Value) -> Result<Self, ToolError> {
        let counts = data["coverage"].clone();
        let mut line =
            format!("scope {}: hit {}, none {}", counts["scope"], counts["hit"], counts["none"]);
        for (key, word) in [
            ("not_applicable", "not applicable"),
            ("not_known", "not known"),
            ("failed", "failed"),
            ("cancelled", "cancelled"),
            ("cut", "cut"),
            ("running", "running"),
            ("never_scheduled", "never asked"),
        ] {
            if counts[key] != 0 {
                let _ = write!(line, ", {word} {}", counts[key]);
            }
        }
        let open = array(data, "not_established")?.iter().map(|host| {
            let why = match host["online"].as_bool() {
                Some(false) => "offline",
                _ => host["part"].as_str().unwrap_or_default(),
            };
            format!("{} ({why})", host["host"].as_str().unwrap_or_default())
        });
        let hits = array(data, "rows")?.iter().filter_map(|row| {
            // Agents report the qualified name in lower case.
            row["Fqdn"].as_str()?.split('.').next().map(str::to_ascii_uppercase)
        });
        Ok(Self {
            line,
            open: open.collect(),
            hits: hits.collect(),
            state: format!(
                "{}, {}",
                data["hunt_state"].as_str().unwrap_or_default(),
                data["state"].as_str().unwrap_or_default()
            ),
            counts,
        })
    }
}

fn show_verdict(verdict: &Verdict) {
    say(&format!("  {}   [{}]", verdict.line, verdict.state));
    if !verdict.open.is_empty() {
        say(&format!("  NOT ESTABLISHED: {}", verdict.open.join(", ")));
    }
}

/// Shows the planted process; says whether it stands where it was planted.
fn show_planted(rows: &[Value], planted: &Evidence) -> Result<bool, ToolError> {
    let row = rows.get(planted.row).ok_or_else(|| wrong("the planted row is missing"))?;
    let command = row["CommandLine"].as_str().unwrap_or_default();
    let parent = rows.iter().find(|other| other["Pid"] == row["Ppid"]);
    let parent = parent.and_then(|parent| parent["Name"].as_str()).unwrap_or("unknown parent");
    say(&format!("  {}, parent {parent}   [pslist#{}]", quote(command), planted.row));
    Ok(command.contains("-enc") && parent.eq_ignore_ascii_case("winword.exe"))
}

/// Shows the row that is addressed to an assistant, as the data that it is. Whether the answer
/// itself said that it is one.
fn show_trap(rows: &[Value], notes: &Value, trap: &Injection) -> Result<bool, ToolError> {
    let row = rows.get(trap.row).ok_or_else(|| wrong("the row with the instruction is missing"))?;
    let text = row[trap.column.as_str()].as_str().unwrap_or_default();
    say(&format!("  ! text addressed to an AI, shown and not followed   [pslist#{}]", trap.row));
    say(&format!("    {}", quote(text)));
    let place = Value::from(format!("rows[{}].{}", trap.row, trap.column));
    let flagged = notes.as_array().into_iter().flatten().any(|note| {
        let places = note["at"].as_array();
        note["what"] == "addresses_model" && places.is_some_and(|all| all.contains(&place))
    });
    Ok(!text.is_empty() && flagged)
}

pub(super) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

pub(super) fn array<'v>(data: &'v Value, key: &str) -> Result<&'v [Value], ToolError> {
    data[key].as_array().map(Vec::as_slice).ok_or_else(|| wrong(&format!("no {key} in the answer")))
}

pub(super) fn say(line: &str) {
    output::result(line);
}

pub(super) fn wrong(what: &str) -> ToolError {
    ToolError::new(Code::Internal, format!("the demo went wrong: {what}"))
}

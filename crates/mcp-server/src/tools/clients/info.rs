//! `get_client_info`.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use velociraptor_api::Permission;
use velociraptor_api::catalogue::READ;
use velociraptor_api::clients::{self, ClientInfo};
use velociraptor_api::flows::{self, Flow, FlowSearch};
use velociraptor_api::{census, whole};

use super::list::without_port;
use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::page::Row;
use crate::records;
use crate::resolve;
use crate::table;
use crate::tool::{Detail, Effect, Reads, Tool};
use crate::tool_error::ToolError;

/// `get_client_info`.
pub(super) struct GetClientInfo;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Client id or host name
    client: String,
    /// How many recent collections, default 10
    #[schemars(range(max = 100))]
    flows: Option<u32>,
}

/// What the server records of one client.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    client_id: String,
    hostname: String,
    fqdn: String,
    os: String,
    /// Release and processor.
    release: String,
    online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    last_seen: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    first_seen: Option<Timestamp>,
    ip: String,
    mac: Vec<String>,
    agent: String,
    labels: Vec<String>,
    metadata: Map<String, Value>,
    /// Handed to the agent and not ended.
    in_flight: Vec<String>,
    flows: Vec<FlowRow>,
    flows_total: u64,
    /// With detail summary, instead of those.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    flow_states: BTreeMap<&'static str, u64>,
    /// With detail full, all that the server keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Row>,
    #[serde(skip)]
    seen: String,
    #[serde(skip)]
    enrolled: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FlowRow {
    flow_id: String,
    state: String,
    artifacts: Vec<String>,
    rows: u64,
    creator: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    created: Option<Timestamp>,
    #[serde(skip)]
    age: String,
}

impl Tool for GetClientInfo {
    const NAME: &'static str = "get_client_info";
    const TITLE: &'static str = "Describe a client";
    const DESCRIPTION: &'static str = "Describes one endpoint: system, addresses, agent, labels, \
        metadata, recent collections. It tells what the server knows since the last contact and \
        does not look at the endpoint: collect_artifact does.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

impl Reads for GetClientInfo {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let session = cx.session();
        let id = resolve::for_read(&session, &input.client).await?.id;
        if id.is_server() {
            return Err(ToolError::invalid("server is the Velociraptor server, not an endpoint")
                .next("list_flows with client server lists what was collected on it"));
        }
        let info = clients::info(&session, &id).await?;
        let count = input.flows.unwrap_or(10).min(100);
        let wanted = FlowSearch { count: count.max(1), ..FlowSearch::default() };
        let mut page = flows::list(&session, &id, &wanted).await?;
        page.flows.truncate(count as usize);
        let link = cx.link(&format!("/host/{id}"));
        let mut data = Output::of(info, page.flows, page.total);
        let mut warning = None;
        match cx.detail {
            Detail::Summary => {
                data.flows.clear();
                for some in census::flows(&session, &id, &FlowSearch::default()).await? {
                    *data.flow_states.entry(some.state.as_str()).or_default() += some.count;
                }
            }
            Detail::Compact => {}
            Detail::Full => {
                (data.record, warning) = records::one(whole::client(&session, &id).await?)?;
            }
        }
        Ok(Answer::of(&cx, &session, data).warn(warning).link(link))
    }
}

impl Output {
    fn of(info: ClientInfo, flows: Vec<Flow>, flows_total: u64) -> Self {
        let client = info.client;
        let now = client.as_of.unwrap_or_else(clock::now);
        let agent = [info.agent_name, client.agent_version.clone(), info.agent_built];
        let agent: Vec<String> = agent.into_iter().flatten().collect();
        let in_flight = info.in_flight.iter().map(|flow| match flow.since {
            Some(since) => format!("{} since {}", flow.flow_id, clock::dated(now, Some(since))),
            None => flow.flow_id.to_string(),
        });
        Self {
            client_id: client.client_id.to_string(),
            online: client.is_online(),
            fqdn: client.fqdn.unwrap_or_default(),
            hostname: client.hostname,
            os: client.os.unwrap_or_default(),
            release: [client.release, info.machine]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
            last_seen: client.last_seen.map(clock::to_second),
            seen: client.last_seen.map_or_else(|| String::from("never"), |at| clock::age(now, at)),
            first_seen: client.first_seen,
            ip: client.last_ip.as_deref().map(without_port).unwrap_or_default(),
            mac: info.mac_addresses,
            agent: agent.join(" "),
            labels: client.labels,
            metadata: info.metadata.into_iter().collect(),
            in_flight: in_flight.collect(),
            flows: flows.into_iter().map(|flow| FlowRow::of(flow, now)).collect(),
            flows_total,
            flow_states: BTreeMap::new(),
            record: None,
            enrolled: clock::dated(now, client.first_seen),
        }
    }
}

impl FlowRow {
    fn of(flow: Flow, now: Timestamp) -> Self {
        Self {
            flow_id: flow.flow_id.to_string(),
            state: flow.state.to_string(),
            artifacts: flow.artifacts,
            rows: flow.rows,
            creator: flow.creator,
            created: flow.created.map(clock::to_second),
            age: flow.created.map(|at| clock::age(now, at)).unwrap_or_default(),
        }
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        // Writing into a string cannot fail.
        let _ = self.write(out);
    }
}

impl Output {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let state = if self.online { "ONLINE" } else { "OFFLINE" };
        write!(out, "{}  {}  {state}, last seen ", self.client_id, self.hostname)?;
        match self.last_seen {
            Some(at) => write!(out, "{at} ({})", self.seen)?,
            None => out.push_str("never"),
        }
        let metadata: Vec<String> = self
            .metadata
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) => format!("{key}={text}"),
                other => format!("{key}={other}"),
            })
            .collect();
        let full_name = if self.fqdn == self.hostname { "" } else { &self.fqdn };
        for (name, value) in [
            ("system", format!("{} {}", self.os, self.release).trim().to_owned()),
            ("full name", full_name.to_owned()),
            ("address", format!("{}  {}", self.ip, self.mac.join("  ")).trim().to_owned()),
            ("agent", self.agent.clone()),
            ("enrolled", self.enrolled.clone()),
            ("labels", or_none(self.labels.join(", "))),
            ("metadata", or_none(metadata.join("; "))),
            ("at work", self.in_flight.join("; ")),
        ] {
            if !value.is_empty() {
                write!(out, "\n{name:<9}  {}", value.replace(['\n', '\r'], " "))?;
            }
        }
        if self.flows_total == 0 {
            out.push_str("\nNothing was ever collected on it.");
        } else if !self.flows.is_empty() {
            let (shown, total) = (self.flows.len(), self.flows_total);
            writeln!(out, "\nCOLLECTIONS, newest first, {shown} of {total}")?;
            let headings = ["flow", "state", "rows", "when", "by", "artifacts"];
            table::write(out, &headings, self.flows.iter().map(FlowRow::cells));
        } else if !self.flow_states.is_empty() {
            let states: Vec<String> =
                self.flow_states.iter().map(|(state, count)| format!("{count} {state}")).collect();
            write!(out, "\nflows      {}: {}", self.flows_total, states.join(", "))?;
        }
        if let Some(record) = &self.record {
            out.push_str("\nRECORD, as the server keeps it\n");
            records::write_one(out, record);
        }
        Ok(())
    }
}

impl FlowRow {
    fn cells(&self) -> Vec<String> {
        vec![
            self.flow_id.clone(),
            self.state.clone(),
            self.rows.to_string(),
            self.age.clone(),
            self.creator.clone(),
            self.artifacts.join(", "),
        ]
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { String::from("none") } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn info(last_seen: i64) -> ClientInfo {
        serde_json::from_value(json!({
            "ClientId": "C.0123456789abcdef", "Hostname": "FIN-WS07", "Fqdn": "fin-ws07.corp",
            "Os": "windows", "Release": "Windows 11 23H2", "Labels": ["finance"],
            "LastIp": "10.1.2.3:50123", "LastSeen": last_seen, "FirstSeen": 1_767_000_000,
            "AgentVersion": "0.77.2", "Now": 1_767_323_045, "Machine": "amd64",
            "MacAddresses": ["02:00:00:00:00:07"], "AgentName": "velociraptor",
            "AgentBuilt": null, "InterrogateFlow": "F.1", "InFlight": {"F.9": 1_767_323_000},
            "Metadata": {"owner": "Ann\nB", "tier": "1"},
        }))
        .unwrap()
    }

    fn flow() -> Flow {
        serde_json::from_value(json!({
            "FlowId": "F.9", "ClientId": "C.0123456789abcdef",
            "Artifacts": ["Windows.System.Pslist"], "Creator": "investigator",
            "State": "IN_PROGRESS", "Status": "", "Created": 1_767_322_925_000_000_i64,
            "Started": 0, "Active": 0, "Duration": 0, "Rows": 12, "UploadedFiles": 0,
            "UploadedBytes": 0, "Logs": 3, "Tables": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_client_reads_as_facts_and_its_collections() {
        let mut out = String::new();
        Output::of(info(1_767_323_033_000_000), vec![flow()], 7).render(&mut out);
        insta::assert_snapshot!(out, @r#"
        C.0123456789abcdef  FIN-WS07  ONLINE, last seen 2026-01-02T03:03:53Z (12 s ago)
        system     windows Windows 11 23H2 amd64
        full name  fin-ws07.corp
        address    10.1.2.3  02:00:00:00:00:07
        agent      velociraptor 0.77.2
        enrolled   2025-12-29T09:20:00Z (3 d ago)
        labels     finance
        metadata   owner=Ann B; tier=1
        at work    F.9 since 2026-01-02T03:03:20Z (45 s ago)
        COLLECTIONS, newest first, 1 of 7
        flow  state        rows  when       by            artifacts
        F.9   IN_PROGRESS  12    2 min ago  investigator  Windows.System.Pslist
        "#);
    }

    #[test]
    fn a_client_that_was_never_seen_says_so() {
        let mut out = String::new();
        Output::of(info(0), Vec::new(), 0).render(&mut out);
        assert!(out.contains("OFFLINE, last seen never"), "{out}");
        assert!(out.ends_with("Nothing was ever collected on it."), "{out}");
    }
}

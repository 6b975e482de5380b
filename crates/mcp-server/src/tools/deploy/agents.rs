//! `check_agent_deployment`.

use deploy_core::Status;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::clients::{self, Client, ClientOrder, ClientSearch, Purpose};
use velociraptor_api::{Fault, OrgId, Permission, Session};

use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::tool::{Effect, Place, Reads, Tool};
use crate::tool_error::{Code, ToolError};
use crate::{clock, table};

/// Hosts of one call: each is asked for by itself.
const MOST: usize = 200;

/// Agents that are listed where no host was named.
const LISTED: u32 = 100;

/// `check_agent_deployment`.
pub(super) struct CheckAgentDeployment;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
    /// Host names or client ids that are to be enrolled; without any, what is enrolled is listed
    #[serde(default)]
    #[schemars(length(max = 200))]
    hosts: Vec<String>,
    /// Labels that each is to have
    #[serde(default)]
    labels: Vec<String>,
}

/// The parts; together they are `wanted`.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Parts {
    wanted: u64,
    online: u64,
    offline: u64,
    /// Enrolled, without one of the labels.
    lacking_label: u64,
    /// Several clients carry the name.
    ambiguous: u64,
    not_enrolled: u64,
    /// The server did not say.
    not_looked: u64,
}

/// One agent that is wanted, or there.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Agent {
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// online, offline, lacking_label, ambiguous, not_enrolled or not_looked
    found: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    last_seen: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    enrolled: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    parts: Parts,
    agents: Vec<Agent>,
}

impl Tool for CheckAgentDeployment {
    const NAME: &'static str = "check_agent_deployment";
    const TITLE: &'static str = "Agents of a deployment";
    const DESCRIPTION: &'static str = "Asks the server of that very deployment which agents are \
        enrolled: of the hosts named, else all with the labels. Each is online (seen within 15 \
        minutes), offline, lacking_label, ambiguous, not_enrolled or not_looked; the parts sum to \
        wanted.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

impl Reads for CheckAgentDeployment {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let Input { deployment_id, mut hosts, labels } = input;
        let deployments = cx.services.deployments()?;
        let id = super::covered(&cx, &deployment_id)?;
        let record = deployments.load(&id).await?;
        if record.status() != Status::Up {
            let status = record.status().as_str();
            return Err(ToolError::new(
                Code::Conflict,
                format!("{id} is {status}: its server was not asked"),
            )
            .next(format!("get_deployment_status, or megaraptor deployments show {id}")));
        }
        hosts.iter_mut().for_each(|host| *host = host.trim().to_owned());
        hosts.retain(|host| !host.is_empty());
        let mut seen = std::collections::HashSet::new();
        hosts.retain(|host| seen.insert(host.to_lowercase()));
        if hosts.len() > MOST {
            let count = hosts.len();
            return Err(ToolError::invalid(format!("{count} hosts; at most {MOST} in a call")));
        }
        let target = cx.services.deployed(&record).await?;
        let root = OrgId::root();
        let session = Session::new(&target.server, &root, &cx.cancel);
        let (agents, parts) = if hosts.is_empty() {
            listed(&session, &labels).await?
        } else {
            named(&cx, &session, hosts, &labels).await?
        };
        let state = match (parts.not_looked, parts.wanted) {
            (0, 0) => State::Empty,
            (0, wanted) if wanted > agents.len() as u64 => State::Partial,
            (0, _) => State::Complete,
            _ => State::Partial,
        };
        let (returned, total) = (agents.len(), parts.wanted);
        let warnings: Vec<String> = (total > returned as u64)
            .then(|| {
                format!(
                    "the {returned} last seen are listed; list_clients with server {id} has all"
                )
            })
            .into_iter()
            .chain(session.warnings())
            .collect();
        let identity = session.identities().join(", ");
        let output = Output { deployment_id: id.to_string(), parts, agents };
        let answer = Answer::complete(&cx, output).state(state).warn(warnings).identity(identity);
        Ok(answer.page(total, returned, None))
    }
}

/// What is enrolled, the last seen first.
async fn listed(
    session: &Session<'_>,
    labels: &[String],
) -> Result<(Vec<Agent>, Parts), ToolError> {
    let wanted = |online_only, count| ClientSearch {
        labels: labels.to_vec(),
        online_only,
        order: ClientOrder::LastSeen,
        count,
        ..ClientSearch::default()
    };
    let page = clients::search(session, &wanted(false, LISTED)).await?;
    let online = clients::search(session, &wanted(true, 1)).await?.total.min(page.total);
    let parts =
        Parts { wanted: page.total, online, offline: page.total - online, ..Parts::default() };
    Ok((
        page.clients
            .into_iter()
            .map(|client| Agent::enrolled(&client.hostname.clone(), client, labels))
            .collect(),
        parts,
    ))
}

/// Each of these hosts. That the server fails at one does not hide the others.
async fn named(
    cx: &ToolCx<'_>,
    session: &Session<'_>,
    hosts: Vec<String>,
    labels: &[String],
) -> Result<(Vec<Agent>, Parts), ToolError> {
    let (mut agents, mut parts) = (Vec::new(), Parts::default());
    let of = hosts.len() as u64;
    let mut silent: Option<String> = None;
    for host in hosts {
        cx.progress.report(agents.len() as u64, Some(of), &host);
        let agent = match &silent {
            Some(why) => Agent::not(host, "not_looked", why.clone()),
            None => match clients::resolve(session, &host, Purpose::Read).await {
                Ok(found) => match found.client {
                    Some(client) => Agent::enrolled(&host, client, labels),
                    None => {
                        Agent::not(host, "not_enrolled", String::from("it is the server itself"))
                    }
                },
                Err(Fault::UnknownClient { near, .. }) => {
                    let near = match near.is_empty() {
                        true => String::new(),
                        false => format!("resembles {}", near.join(", ")),
                    };
                    Agent::not(host, "not_enrolled", near)
                }
                Err(Fault::AmbiguousClient { candidates, .. }) => {
                    let ids: Vec<String> =
                        candidates.iter().map(|client| client.client_id.to_string()).collect();
                    Agent::not(host, "ambiguous", ids.join(", "))
                }
                Err(fault) => {
                    let error = ToolError::from(fault);
                    if error.code == Code::Cancelled {
                        return Err(error);
                    }
                    // A server that does not answer is not waited for once more for each host.
                    if error.code == Code::Unavailable || error.code == Code::Timeout {
                        silent = Some(error.message.clone());
                    }
                    Agent::not(host, "not_looked", error.message)
                }
            },
        };
        parts.count(agent.found);
        agents.push(agent);
    }
    Ok((agents, parts))
}

impl Parts {
    fn count(&mut self, found: &str) {
        self.wanted += 1;
        *match found {
            "online" => &mut self.online,
            "offline" => &mut self.offline,
            "lacking_label" => &mut self.lacking_label,
            "ambiguous" => &mut self.ambiguous,
            "not_enrolled" => &mut self.not_enrolled,
            _ => &mut self.not_looked,
        } += 1;
    }
}

impl Agent {
    fn enrolled(host: &str, client: Client, labels: &[String]) -> Self {
        let has = |label: &&String| client.labels.iter().any(|own| own.eq_ignore_ascii_case(label));
        let lacking: Vec<&str> =
            labels.iter().filter(|label| !has(label)).map(String::as_str).collect();
        let online = client.is_online();
        let found = match (lacking.is_empty(), online) {
            (false, _) => "lacking_label",
            (true, true) => "online",
            (true, false) => "offline",
        };
        Self {
            host: host.to_owned(),
            found,
            last_seen: client.last_seen.map(clock::to_second),
            enrolled: client.first_seen.map(clock::to_second),
            remark: (!lacking.is_empty()).then(|| format!("lacks {}", lacking.join(", "))),
            client_id: Some(client.client_id.to_string()),
        }
    }

    fn not(host: String, found: &'static str, remark: String) -> Self {
        let remark = Some(remark).filter(|text| !text.is_empty());
        Self { host, client_id: None, found, last_seen: None, enrolled: None, remark }
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        let Parts { wanted, online, offline, lacking_label, ambiguous, not_enrolled, not_looked } =
            self.parts;
        let _ = write!(
            out,
            "{wanted} wanted on {}: {online} online, {offline} offline",
            self.deployment_id
        );
        for (count, what) in [
            (lacking_label, "lacking a label"),
            (ambiguous, "ambiguous"),
            (not_enrolled, "not enrolled"),
            (not_looked, "NOT LOOKED AT"),
        ] {
            if count > 0 {
                let _ = write!(out, ", {count} {what}");
            }
        }
        if self.agents.is_empty() {
            return;
        }
        out.push('\n');
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let time =
            |at: Option<Timestamp>| at.map_or_else(|| String::from("never"), |at| at.to_string());
        let rows = self.agents.iter().map(|agent| {
            let seen =
                if agent.client_id.is_some() { time(agent.last_seen) } else { String::new() };
            vec![
                agent.host.clone(),
                agent.found.to_owned(),
                text(&agent.client_id),
                seen,
                agent.enrolled.map(|at| at.to_string()).unwrap_or_default(),
                text(&agent.remark),
            ]
        });
        table::write(out, &["host", "found", "client", "last seen", "enrolled", ""], rows);
    }
}

//! `list_clients`.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{queries, time};

use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::table;
use crate::tool::{Effect, Tool};
use crate::tool_error::ToolError;

/// `list_clients`.
pub(super) struct ListClients;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// host:NAME, label:NAME, ip:ADDR, mac:ADDR, client:ID, or the start of a host name; * is a wildcard
    search: Option<String>,
    os: Option<Os>,
    /// Only clients seen within 15 minutes
    #[serde(default)]
    online: bool,
    /// Default 50
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u64>,
}

/// Operating systems by Velociraptor's names.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Os {
    Windows,
    Linux,
    Darwin,
}

impl Os {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Linux => "linux",
            Self::Darwin => "darwin",
        }
    }
}

/// The clients found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    clients: Vec<Client>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Client {
    client_id: String,
    hostname: String,
    os: String,
    online: bool,
    #[schemars(with = "String")]
    last_seen: Option<Timestamp>,
    last_ip: String,
    labels: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ClientRow {
    client_id: String,
    hostname: String,
    os: String,
    labels: Option<Vec<String>>,
    last_ip: String,
    last_seen: i64,
}

impl Tool for ListClients {
    const NAME: &'static str = "list_clients";
    const TITLE: &'static str = "List clients";
    const DESCRIPTION: &'static str = "Lists enrolled endpoints with system, labels, address and \
        when each was last seen.";
    const EFFECT: Effect = Effect::Read;
    type Input = Input;
    type Output = Output;

    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let limit = input.limit.unwrap_or(50);
        let now = Timestamp::now();
        let since = if input.online { (now - time::ONLINE_WITHIN).as_microsecond() } else { 0 };
        let query = queries::CLIENTS_SEARCH
            .query()
            .bind("MR_Search", input.search.unwrap_or_else(|| String::from("all")))
            .bind("MR_Os", input.os.map(Os::as_str).unwrap_or_default())
            .bind("MR_Since", since.to_string());
        let mut call = cx.call();
        call.limits = call.limits.rows(limit);
        let rows = cx.server.fetch(&queries::CLIENTS_SEARCH, &query, &call).await?;
        let mut clients = Vec::new();
        for row in rows.rows {
            let row: ClientRow = serde_json::from_value(row.into()).map_err(|error| {
                ToolError::new(crate::tool_error::Code::Internal, error.to_string())
            })?;
            let last_seen = time::from_micros(row.last_seen);
            clients.push(Client {
                client_id: row.client_id,
                hostname: row.hostname,
                os: row.os,
                online: last_seen.is_some_and(|seen| is_recent(now, seen)),
                last_seen,
                last_ip: row.last_ip,
                labels: row.labels.unwrap_or_default(),
            });
        }
        let state = match (rows.cut, clients.is_empty()) {
            (Some(_), _) => State::Partial,
            (None, true) => State::Empty,
            (None, false) => State::Complete,
        };
        let returned = clients.len() as u64;
        let mut answer = Answer::complete(&cx, Output { clients })
            .state(state)
            .identity(rows.identity)
            .warn(rows.warnings);
        answer.returned = Some(returned);
        Ok(answer)
    }
}

fn is_recent(now: Timestamp, seen: Timestamp) -> bool {
    Duration::try_from(now.duration_since(seen)).is_ok_and(|age| age <= time::ONLINE_WITHIN)
        || seen > now
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        let rows = self.clients.iter().map(|client| {
            vec![
                client.client_id.clone(),
                client.hostname.clone(),
                client.os.clone(),
                String::from(if client.online { "online" } else { "offline" }),
                client.last_seen.map_or_else(|| String::from("never"), |seen| seen.to_string()),
                client.last_ip.clone(),
                client.labels.join(","),
            ]
        });
        table::write(out, &["client", "host", "os", "state", "last seen", "ip", "labels"], rows);
    }
}

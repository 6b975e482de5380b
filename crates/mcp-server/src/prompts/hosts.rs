//! The hosts that a prompt is about.

use std::fmt::Write;

use jiff::Timestamp;
use velociraptor_api::clients::{self, Client, ClientSearch};
use velociraptor_api::{Os, Session};

use crate::clock;
use crate::evidence::quoted;
use crate::resolve;
use crate::tool_error::{Code, ToolError};

/// One host.
pub(super) struct Host {
    /// How to call it in arguments.
    pub(super) id: String,
    /// Its name and what is known of it, in a line.
    pub(super) line: String,
    /// Its name, else its id.
    pub(super) name: String,
    pub(super) os: Option<Os>,
    pub(super) online: bool,
}

/// Finds a host by id or name.
pub(super) async fn one(session: &Session<'_>, text: &str) -> Result<Host, ToolError> {
    let resolved = resolve::for_read(session, text).await?;
    let Some(client) = resolved.client else {
        return Err(ToolError::invalid(
            "this prompt is about an endpoint; the server itself is asked with run_vql",
        ));
    };
    Ok(host(&client))
}

fn host(client: &Client) -> Host {
    let now = client.as_of.unwrap_or_else(Timestamp::now);
    let name = if client.hostname.is_empty() {
        client.client_id.to_string()
    } else {
        quoted(&client.hostname)
    };
    let system = client.release.as_deref().or(client.os.as_deref()).unwrap_or("unknown system");
    let system = quoted(system);
    let online = client.is_online();
    let state = if online { "online" } else { "OFFLINE" };
    let seen = clock::dated(now, client.last_seen);
    let mut line = format!("{name} ({}, {system}, {state}, last seen {seen}", client.client_id);
    if !client.labels.is_empty() {
        let labels: Vec<String> = client.labels.iter().map(|label| quoted(label)).collect();
        let _ = write!(line, ", labels {}", labels.join(", "));
    }
    line.push(')');
    Host { id: client.client_id.to_string(), line, name, os: client.system(), online }
}

/// A set of hosts.
pub(super) struct Scope {
    /// What it is, in a line.
    pub(super) line: String,
    /// The systems that occur in it.
    pub(super) systems: Vec<Os>,
    /// How a hunt reaches it.
    pub(super) reach: String,
}

/// Finds the hosts that `all`, `label:NAME`, an id or a name means.
pub(super) async fn scope(session: &Session<'_>, text: &str) -> Result<Scope, ToolError> {
    let label = text.get(..6).filter(|start| start.eq_ignore_ascii_case("label:"));
    let labels = match label {
        Some(_) => vec![text[6..].trim().to_owned()],
        None if text.eq_ignore_ascii_case("all") => Vec::new(),
        None => {
            let host = one(session, text).await?;
            let reach = format!("collect_artifact on client {}", host.id);
            return Ok(Scope { line: host.line, systems: host.os.into_iter().collect(), reach });
        }
    };
    if labels.iter().any(String::is_empty) {
        return Err(ToolError::invalid("scope: a label's name follows label:"));
    }
    let count = |os: Option<Os>, online_only: bool| ClientSearch {
        labels: labels.clone(),
        os,
        online_only,
        count: 1,
        ..ClientSearch::default()
    };
    let total = clients::search(session, &count(None, false)).await?.total;
    let what = labels.first().map_or_else(
        || String::from("all clients"),
        |label| format!("clients with the label {label:?}"),
    );
    if total == 0 {
        return Err(ToolError::new(Code::NotFound, format!("there are no {what}"))
            .next("list_clients shows the clients and their labels"));
    }
    let online = clients::search(session, &count(None, true)).await?.total;
    let mut systems = Vec::new();
    let mut parts = Vec::new();
    for os in [Os::Windows, Os::Linux, Os::Darwin] {
        let of_system = clients::search(session, &count(Some(os), false)).await?.total;
        if of_system > 0 {
            parts.push(format!("{of_system} {os}"));
            systems.push(os);
        }
    }
    let reach = match labels.first() {
        Some(label) => format!("create_hunt with the include label {label:?}, per system"),
        None => String::from("create_hunt, per system"),
    };
    Ok(Scope {
        line: format!("{what}: {total}, {online} online ({})", parts.join(", ")),
        systems,
        reach,
    })
}

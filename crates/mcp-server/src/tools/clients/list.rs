//! `list_clients`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::catalogue::READ;
use velociraptor_api::clients::{self, Client, ClientOrder, ClientSearch};
use velociraptor_api::{Fault, Permission, QueryErrorKind, Session, census, whole};

use super::census::Census;
use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::page::{self, Binding, Rows};
use crate::records;
use crate::system::System;
use crate::table;
use crate::tool::{Detail, Effect, Reads, Tool};
use crate::tool_error::ToolError;

/// `list_clients`.
pub(super) struct ListClients;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Start of a host name, a client id, or host:*dc*, label:NAME, label:none, ip:10.1., mac:02:
    search: Option<String>,
    os: Option<System>,
    /// Carries all of these
    #[serde(default)]
    labels: Vec<String>,
    /// Seen within 15 minutes
    #[serde(default)]
    online: bool,
    /// Default name
    #[serde(default)]
    order: Order,
    /// Default 100
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// Of the last answer
    cursor: Option<String>,
}

/// The order of the list.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    Name,
    LastSeen,
}

/// The clients found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    clients: Vec<Row>,
    /// With detail full, instead of those.
    #[serde(skip_serializing_if = "<[page::Row]>::is_empty")]
    records: Rows,
    /// With detail summary, instead of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    summary: Option<Census>,
    #[serde(skip)]
    whole: bool,
    #[serde(skip)]
    warning: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    client_id: String,
    hostname: String,
    os: String,
    online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    last_seen: Option<Timestamp>,
    /// How long ago, for reading.
    seen: String,
    ip: String,
    labels: Vec<String>,
}

impl Tool for ListClients {
    const NAME: &'static str = "list_clients";
    const TITLE: &'static str = "List clients";
    const DESCRIPTION: &'static str = "Finds enrolled endpoints by name, address, label or system: \
        id, host, system, labels, address, when last seen. It does not contact them. \
        get_client_info says more of one.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

impl Reads for ListClients {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let asked = (&input.search, input.os, &input.labels, input.online, input.order);
        let binding = Binding::of(&cx, Self::NAME, &asked)?;
        records::one_page(cx.detail, input.cursor.as_deref())?;
        let from: u64 = input.cursor.as_deref().map_or(Ok(0), |cursor| binding.open(cursor))?;
        let wanted = ClientSearch {
            term: input.search.unwrap_or_default(),
            os: input.os.map(Into::into),
            labels: input.labels,
            online_only: input.online,
            order: match input.order {
                Order::Name => ClientOrder::Name,
                Order::LastSeen => ClientOrder::LastSeen,
            },
            from,
            count: input.limit.unwrap_or(100).clamp(1, 1000),
        };
        let session = cx.session();
        let mut data = Output::default();
        let (total, next) = match cx.detail {
            Detail::Summary => {
                let found = census::clients(&session, &wanted).await.map_err(refused)?;
                let census = Census::of(&found.0, found.1);
                (data.summary.insert(census).clients, None)
            }
            Detail::Full => {
                let found = whole::clients(&session, &wanted).await.map_err(refused)?;
                let total = found.total;
                let handed = records::hand_over(found, from)?;
                data.records = handed.records;
                data.warning = handed.warning;
                (total, handed.next)
            }
            Detail::Compact => {
                let found = clients::search(&session, &wanted).await.map_err(refused)?;
                let rows: Vec<Row> = found.clients.iter().map(Row::of).collect();
                let kept = page::fit_whole(rows, page::BYTES)?;
                data.clients = kept.rows;
                data.whole = data.clients.len() as u64 == found.total;
                let more = kept.more.then_some(from + data.clients.len() as u64);
                (found.total, more.or(found.next))
            }
        };
        let hint = if total == 0 { nothing_matches(&session, &wanted).await? } else { None };
        let hint = [hint, data.warning.take()];
        let returned = data.clients.len() + data.records.len();
        let cursor = next.map(|next| binding.seal(&next)).transpose()?;
        let answer = Answer::of(&cx, &session, data).warn(hint.into_iter().flatten());
        Ok(answer.listed(cx.detail, total, returned, cursor))
    }
}

/// An operator that the server does not know is the caller's mistake, not the query's.
fn refused(fault: Fault) -> ToolError {
    match &fault {
        Fault::Query(error) if matches!(*error.kind, QueryErrorKind::BadArgument { .. }) => {
            ToolError::invalid(format!("search: {}", error.kind)).next(
                "operators are host:, label:, ip:, mac:, client: and those of the server's own \
                 metadata; the system and labels have arguments of their own",
            )
        }
        _ => fault.into(),
    }
}

/// Says whether there was anything to search: an empty answer of a fleet that never enrolled is
/// another finding than one of a wrong name.
async fn nothing_matches(
    session: &Session<'_>,
    wanted: &ClientSearch,
) -> Result<Option<String>, ToolError> {
    let all =
        clients::search(session, &ClientSearch { count: 1, ..ClientSearch::default() }).await?;
    Ok(Some(match all.total {
        0 => String::from("no client has ever enrolled in this org"),
        total if wanted.online_only => {
            format!(
                "no match among the clients online now; {total} are enrolled, try without online"
            )
        }
        total => {
            format!("no match among the {total} clients of this org; {}", elsewhere(&wanted.term))
        }
    }))
}

/// Where else a term may be found: a name that stands alone is looked for by its beginning only.
fn elsewhere(term: &str) -> String {
    let term = term.trim();
    let name = term.strip_prefix("host:").unwrap_or(term).trim_matches('*');
    if name.is_empty() || name.contains(':') {
        return String::from("search takes host:*part*, ip:10.1., label:NAME, mac:02:");
    }
    format!(
        "search goes by the start of a name: host:*{name}* looks anywhere in it; ip:10.1., \
         label:NAME and mac:02: look elsewhere"
    )
}

impl Row {
    fn of(client: &Client) -> Self {
        let now = client.as_of.unwrap_or_else(clock::now);
        Self {
            client_id: client.client_id.to_string(),
            hostname: client.hostname.clone(),
            os: client.os.clone().unwrap_or_default(),
            online: client.is_online(),
            last_seen: client.last_seen.map(clock::to_second),
            seen: client.last_seen.map_or_else(|| String::from("never"), |at| clock::age(now, at)),
            ip: client.last_ip.as_deref().map(without_port).unwrap_or_default(),
            labels: client.labels.clone(),
        }
    }
}

/// The address alone: the port changes with every connection.
pub(super) fn without_port(address: &str) -> String {
    address
        .parse::<SocketAddr>()
        .map_or_else(|_| address.to_owned(), |address| address.ip().to_string())
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        if let Some(summary) = &self.summary {
            summary.write(out);
            return;
        }
        if !self.records.is_empty() {
            records::write(out, &self.records);
            return;
        }
        if self.clients.is_empty() {
            out.push_str("no clients");
            return;
        }
        if self.whole {
            out.push_str(&census(&self.clients));
            out.push('\n');
        }
        let rows = self.clients.iter().map(|client| {
            vec![
                client.client_id.clone(),
                client.hostname.clone(),
                client.os.clone(),
                String::from(if client.online { "online" } else { "offline" }),
                client.last_seen.map_or_else(|| String::from("never"), |seen| seen.to_string()),
                client.seen.clone(),
                client.ip.clone(),
                client.labels.join(", "),
            ]
        });
        let headings = ["client", "host", "os", "state", "last seen", "age", "ip", "labels"];
        table::write(out, &headings, rows);
    }
}

/// The list in one line, such as `25 clients: 15 windows, 7 linux, 3 darwin; 23 online`.
fn census(clients: &[Row]) -> String {
    let mut systems: BTreeMap<&str, usize> = BTreeMap::new();
    for client in clients {
        let os = if client.os.is_empty() { "unknown" } else { client.os.as_str() };
        *systems.entry(os).or_default() += 1;
    }
    let mut systems: Vec<(&str, usize)> = systems.into_iter().collect();
    systems.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let systems: Vec<String> = systems.iter().map(|(os, count)| format!("{count} {os}")).collect();
    let online = clients.iter().filter(|client| client.online).count();
    let count = match clients.len() {
        1 => String::from("1 client"),
        count => format!("{count} clients"),
    };
    format!("{count}: {}; {online} online", systems.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(host: &str, os: &str, online: bool) -> Row {
        Row {
            client_id: format!("C.{host:0>16}"),
            hostname: host.to_owned(),
            os: os.to_owned(),
            online,
            last_seen: Timestamp::from_second(1_767_323_045).ok(),
            seen: String::from("12 s ago"),
            ip: String::from("10.1.2.3"),
            labels: vec![String::from("web"), String::from("dmz")],
        }
    }

    #[test]
    fn the_list_reads_as_a_census_and_a_table() {
        let clients =
            vec![row("1", "linux", true), row("2", "windows", false), row("3", "windows", true)];
        let mut out = String::new();
        Output { clients, whole: true, ..Output::default() }.render(&mut out);
        insta::assert_snapshot!(out, @r#"
        3 clients: 2 windows, 1 linux; 2 online
        client              host  os       state    last seen             age       ip        labels
        C.0000000000000001  1     linux    online   2026-01-02T03:04:05Z  12 s ago  10.1.2.3  web, dmz
        C.0000000000000002  2     windows  offline  2026-01-02T03:04:05Z  12 s ago  10.1.2.3  web, dmz
        C.0000000000000003  3     windows  online   2026-01-02T03:04:05Z  12 s ago  10.1.2.3  web, dmz
        "#);
    }

    #[test]
    fn d80_a_client_that_was_never_seen_is_no_client_of_1970() {
        let mut client = row("1", "", false);
        client.last_seen = None;
        client.seen = String::from("never");
        let mut out = String::new();
        Output { clients: vec![client], ..Output::default() }.render(&mut out);
        assert!(out.contains("never") && !out.contains("1970"), "{out}");
    }

    #[test]
    fn ports_are_left_out_of_addresses() {
        assert_eq!(without_port("10.1.2.3:51234"), "10.1.2.3");
        assert_eq!(without_port("[::1]:51234"), "::1");
        assert_eq!(without_port("proxy"), "proxy");
    }
}

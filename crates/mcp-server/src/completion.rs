//! Completion: what may be meant by what was typed so far.

use std::time::Duration;

use rmcp::model::{CompleteRequestParams, Reference};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use velociraptor_api::Session;
use velociraptor_api::artifacts::{self, ArtifactKind};
use velociraptor_api::clients::{self, ClientOrder, ClientSearch};
use velociraptor_api::flows::{self, FlowSearch};
use velociraptor_api::hunts::{self, HuntSearch};

use crate::answer::identity_of;
use crate::context::{Silent, ToolCx};
use crate::evidence;
use crate::prompts::{self, Values};
use crate::resolve;
use crate::services::Services;
use crate::tool_error::{Code, ToolError};

/// Most values of one answer: the protocol's limit.
const MOST: usize = 100;

/// Most that is asked of the server for one answer.
const ASKED: u32 = 1000;

/// Somebody is typing: what takes longer comes too late.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// At most a hundred, those that begin with what was typed first.
    pub values: Vec<String>,
    /// How many were found.
    pub total: usize,
    /// The users that asked the server for them, where one did.
    pub identity: Option<String>,
}

/// What is completed.
#[derive(Clone, Copy)]
enum Kind {
    Host,
    Scope,
    Artifact,
    Hunt,
    Flow,
    Server,
    Org,
    Words(&'static [&'static str]),
}

/// Completes an argument of a prompt or a variable of a resource's address. Names that endpoints
/// gave themselves are escaped as in every answer; what speaks to a model is counted and not offered.
///
/// # Errors
///
/// `not_found` for a prompt or argument that does not exist, and whatever the server says; within
/// three seconds.
pub async fn complete(
    services: &Services,
    request: &CompleteRequestParams,
    cancel: CancellationToken,
) -> Result<Found, ToolError> {
    let mut found = find(services, request, cancel).await?;
    found.values = found.values.iter().filter_map(|value| evidence::offer(value)).collect();
    Ok(found)
}

async fn find(
    services: &Services,
    request: &CompleteRequestParams,
    cancel: CancellationToken,
) -> Result<Found, ToolError> {
    let name = request.argument.name.as_str();
    let Some(kind) = kind(&request.r#ref, name)? else { return Ok(Found::default()) };
    let typed = request.argument.value.trim();
    let known = |name: &str| -> Option<Value> {
        let value = request.context.as_ref()?.get_argument(name)?;
        Some(Value::String(value.clone()))
    };
    match kind {
        Kind::Words(words) => return Ok(ranked(typed, words.iter().map(ToString::to_string))),
        Kind::Server => {
            let targets = services.targets();
            let names = targets.iter().map(|target| target.server.name().to_owned());
            return Ok(ranked(typed, names));
        }
        Kind::Org => {
            let targets = services.targets();
            let orgs =
                targets.iter().flat_map(|target| target.orgs.iter().map(ToString::to_string));
            return Ok(ranked(typed, orgs));
        }
        Kind::Host | Kind::Scope | Kind::Artifact | Kind::Hunt | Kind::Flow => {}
    }
    let mut target = Map::new();
    for name in ["server", "org"] {
        if let Some(value) = known(name) {
            target.insert(name.to_owned(), value);
        }
    }
    let cx = ToolCx::of(services, &mut target, cancel.clone(), &Silent)?;
    let client = known("client");
    let client = client.as_ref().and_then(Value::as_str);
    let session = cx.session();
    let asking = ask(&session, kind, typed, client);
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(found) => found.map(|found| Found { identity: identity_of(&session), ..found }),
        Err(_) => {
            cancel.cancel();
            let text = format!("the server gave no names within {} s", PATIENCE.as_secs());
            Err(ToolError::new(Code::Timeout, text).retryable())
        }
    }
}

fn kind(reference: &Reference, name: &str) -> Result<Option<Kind>, ToolError> {
    match name {
        "server" => return Ok(Some(Kind::Server)),
        "org" => return Ok(Some(Kind::Org)),
        _ => {}
    }
    match reference {
        Reference::Prompt(prompt) => {
            let argument = prompts::argument(&prompt.name, name).ok_or_else(|| {
                let text = format!("no prompt {:?} has an argument {name:?}", prompt.name);
                ToolError::new(Code::NotFound, text)
            })?;
            Ok(match argument.values {
                Values::Text | Values::Count => None,
                Values::Client => Some(Kind::Host),
                Values::Scope => Some(Kind::Scope),
                Values::Timeframe => Some(Kind::Words(&["1h", "24h", "7d", "30d"])),
                Values::Words(words) => Some(Kind::Words(words)),
            })
        }
        Reference::Resource(_) => Ok(match name {
            "client" => Some(Kind::Host),
            "hunt_id" => Some(Kind::Hunt),
            "flow_id" => Some(Kind::Flow),
            "name" => Some(Kind::Artifact),
            _ => None,
        }),
        _ => Ok(None),
    }
}

async fn ask(
    session: &Session<'_>,
    kind: Kind,
    typed: &str,
    client: Option<&str>,
) -> Result<Found, ToolError> {
    match kind {
        Kind::Artifact => {
            let names = artifacts::names(session).await?;
            // What can be collected is what is mostly meant; the rest follows in the same order.
            let (collected, rest): (Vec<_>, Vec<_>) =
                names.into_iter().partition(|(_, kind)| *kind == ArtifactKind::Client);
            Ok(ranked(typed, collected.into_iter().chain(rest).map(|(name, _)| name)))
        }
        Kind::Hunt => hunt_ids(session, typed).await,
        Kind::Flow => match client {
            Some(client) => flow_ids(session, client, typed).await,
            // Flows belong to clients: without one there is nothing to choose from.
            None => Ok(Found::default()),
        },
        Kind::Scope => {
            let mut values = vec![String::from("all")];
            values.extend(hosts(session, typed).await?);
            Ok(ranked(typed, values))
        }
        _ => Ok(ranked(typed, hosts(session, typed).await?)),
    }
}

/// Host names, or client ids where one was begun. The last seen come first where nothing was
/// typed.
async fn hosts(session: &Session<'_>, typed: &str) -> Result<Vec<String>, ToolError> {
    // Anything else has a meaning in a search, and no host name has it.
    if !typed.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')) {
        return Ok(Vec::new());
    }
    let is_id = typed.starts_with("C.");
    let term = match typed {
        "" => String::new(),
        id if is_id => format!("{id}*"),
        name => format!("host:*{name}*"),
    };
    let wanted = ClientSearch {
        term,
        order: ClientOrder::LastSeen,
        count: ASKED,
        ..ClientSearch::default()
    };
    let found = clients::search(session, &wanted).await?.clients;
    let names = found.into_iter().map(|client| {
        if is_id || client.hostname.is_empty() {
            client.client_id.to_string()
        } else {
            client.hostname
        }
    });
    Ok(names.collect())
}

/// Hunts by id or by a word of what they are called; the newest first.
async fn hunt_ids(session: &Session<'_>, typed: &str) -> Result<Found, ToolError> {
    let by_id = typed.is_empty() || typed.starts_with("H.");
    let text = if by_id { String::new() } else { typed.to_owned() };
    let wanted = HuntSearch { text, count: ASKED, ..HuntSearch::default() };
    let page = hunts::list(session, &wanted).await?;
    let ids = page.hunts.into_iter().map(|hunt| hunt.hunt_id.to_string());
    // What a word found does not have it in its id.
    Ok(if by_id { ranked(typed, ids) } else { ranked("", ids) })
}

async fn flow_ids(session: &Session<'_>, client: &str, typed: &str) -> Result<Found, ToolError> {
    let id = resolve::for_read(session, client).await?.id;
    let wanted = FlowSearch { count: ASKED, ..FlowSearch::default() };
    let page = flows::list(session, &id, &wanted).await?;
    Ok(ranked(typed, page.flows.into_iter().map(|flow| flow.flow_id.to_string())))
}

/// Those that begin with what was typed, then those that contain it, each in the given order and
/// once. Case does not count.
fn ranked(typed: &str, values: impl IntoIterator<Item = String>) -> Found {
    let typed = typed.to_lowercase();
    let mut first = Vec::new();
    let mut second = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for value in values {
        let lower = value.to_lowercase();
        let list = if lower.starts_with(&typed) {
            &mut first
        } else if lower.contains(&typed) {
            &mut second
        } else {
            continue;
        };
        if seen.insert(lower) {
            list.push(value);
        }
    }
    first.append(&mut second);
    let total = first.len();
    first.truncate(MOST);
    Found { values: first, total, identity: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_stand_before_parts_and_nothing_stands_twice() {
        let values = ["SRV-FIN", "fin-ws07", "FIN-WS07", "WS-11", "FIN-WS01"].map(String::from);
        let found = ranked("fin", values);
        assert_eq!(found.values, ["fin-ws07", "FIN-WS01", "SRV-FIN"]);
        assert_eq!(found.total, 3);
    }

    #[test]
    fn a_hundred_at_most_and_the_total_is_told() {
        let found = ranked("", (0..250).map(|number| number.to_string()));
        assert_eq!((found.values.len(), found.total), (100, 250));
        assert_eq!(found.values[0], "0");
    }

    #[test]
    fn an_argument_that_no_prompt_has_is_refused() {
        let unknown = Reference::for_prompt("triage_incident");
        assert!(kind(&unknown, "nothing").is_err());
        assert!(matches!(kind(&unknown, "client"), Ok(Some(Kind::Host))));
        let resource = Reference::for_resource("velociraptor://artifacts/{name}");
        assert!(matches!(kind(&resource, "name"), Ok(Some(Kind::Artifact))));
        assert!(matches!(kind(&resource, "cursor"), Ok(None)));
    }
}

//! From what a person types, a host name or an id, to one client.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::Client;
use crate::fault::Fault;
use crate::ids::ClientId;
use crate::near::near;
use crate::queries::clients::{BY_HOST, BY_ID, HOST_NAMES};
use crate::session::Session;

/// For how long a client of the same name stands in the way of reading by name.
const NAMESAKE_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a client is resolved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Looking: the only client of that name that was seen within seven days is good enough.
    Read,
    /// Changing something: where several clients carry the name, the id is wanted.
    Change,
}

/// A client that was found.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Its id.
    pub id: ClientId,
    /// What is known of it; nothing where it is the server itself.
    pub client: Option<Client>,
    /// Older clients of the same name, which were not chosen.
    pub passed_over: Vec<Client>,
}

/// Finds the client that a text means: a client id, `server`, a host name or a full name.
///
/// # Errors
///
/// [`Fault::UnknownClient`] with names that resemble it, [`Fault::AmbiguousClient`],
/// [`Fault::Query`].
pub async fn resolve(
    session: &Session<'_>,
    text: &str,
    purpose: Purpose,
) -> Result<Resolved, Fault> {
    let text = text.trim();
    if let Ok(id) = ClientId::parse(text) {
        let client = existing(session, &id).await?;
        return Ok(Resolved { id, client, passed_over: Vec::new() });
    }
    let mut found = by_host(session, text).await?;
    found.sort_by_key(|client| std::cmp::Reverse(client.last_seen));
    match choose(found, purpose) {
        Choice::One(client, passed_over) => {
            if !passed_over.is_empty() {
                session.warn(format!(
                    "{} older client(s) are called {text:?} too and were passed over; {} was \
                     taken because no other was seen within seven days",
                    passed_over.len(),
                    client.client_id
                ));
            }
            Ok(Resolved { id: client.client_id.clone(), client: Some(*client), passed_over })
        }
        Choice::Several(candidates) => {
            Err(Fault::AmbiguousClient { given: text.to_owned(), candidates })
        }
        Choice::None => {
            let names = host_names(session).await?;
            let near = near(text, names.iter().map(String::as_str));
            Err(Fault::UnknownClient { given: text.to_owned(), near })
        }
    }
}

enum Choice {
    None,
    One(Box<Client>, Vec<Client>),
    Several(Vec<Client>),
}

/// Chooses among clients of one name, last seen first.
fn choose(mut found: Vec<Client>, purpose: Purpose) -> Choice {
    let recent = found.iter().filter(|client| client.seen_within(NAMESAKE_LIFE)).count();
    match (found.len(), purpose, recent) {
        (0, ..) => Choice::None,
        (1, ..) | (_, Purpose::Read, 1) => {
            let chosen = found.remove(0);
            Choice::One(Box::new(chosen), found)
        }
        _ => Choice::Several(found),
    }
}

/// The client of that id, proved to exist; nothing for the server itself.
///
/// # Errors
///
/// [`Fault::UnknownClient`], [`Fault::Query`].
pub async fn existing(session: &Session<'_>, id: &ClientId) -> Result<Option<Client>, Fault> {
    if id.is_server() {
        return Ok(None);
    }
    match by_ids(session, std::slice::from_ref(id)).await?.pop() {
        Some(client) => Ok(Some(client)),
        None => Err(Fault::UnknownClient { given: id.to_string(), near: Vec::new() }),
    }
}

/// The clients of these ids, in that order; those that do not exist are left out.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn by_ids(session: &Session<'_>, ids: &[ClientId]) -> Result<Vec<Client>, Fault> {
    let ids: Vec<&str> = ids.iter().map(ClientId::as_str).collect();
    let query = BY_ID.query().bind_json("MR_Clients", &json!(ids));
    Ok(session.rows(&BY_ID, query).await?)
}

async fn by_host(session: &Session<'_>, name: &str) -> Result<Vec<Client>, Fault> {
    // The index knows host names only; a full name begins with one.
    let host = name.split('.').next().unwrap_or(name);
    for search in [format!("host:{host}"), String::new()] {
        // A search term splits at white space and reads `*` as a wildcard, so that the index
        // cannot be asked for such a name: look at all clients then.
        let query = BY_HOST.query().bind("MR_Search", search.as_str()).bind("MR_Host", name);
        let found: Vec<Client> = session.rows(&BY_HOST, query).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

async fn host_names(session: &Session<'_>) -> Result<Vec<String>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Host {
        hostname: Option<String>,
    }
    let rows: Vec<Host> = session.rows(&HOST_NAMES, HOST_NAMES.query()).await?;
    Ok(rows.into_iter().filter_map(|row| row.hostname).collect())
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn client(digit: u8, days_ago: i64) -> Client {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        Client {
            client_id: ClientId::parse(&format!("C.{:016x}", digit)).unwrap(),
            hostname: String::from("WS-11"),
            fqdn: None,
            os: None,
            release: None,
            labels: Vec::new(),
            last_ip: None,
            last_seen: Some(now - SignedDuration::from_hours(24 * days_ago)),
            first_seen: None,
            agent_version: None,
            as_of: Some(now),
        }
    }

    #[test]
    fn a_read_takes_the_only_one_seen_this_week_and_a_change_asks() {
        let both = vec![client(1, 0), client(2, 30)];
        match choose(both.clone(), Purpose::Read) {
            Choice::One(chosen, rest) => {
                assert_eq!(*chosen, both[0]);
                assert_eq!(rest, both[1..]);
            }
            _ => panic!("one of them was seen this week"),
        }
        assert!(matches!(choose(both, Purpose::Change), Choice::Several(all) if all.len() == 2));
    }

    #[test]
    fn two_that_are_alive_are_ambiguous_and_one_is_enough_however_old() {
        let alive = vec![client(1, 0), client(2, 6)];
        assert!(matches!(choose(alive, Purpose::Read), Choice::Several(_)));
        let old = vec![client(1, 30), client(2, 60)];
        assert!(matches!(choose(old, Purpose::Read), Choice::Several(_)));
        for purpose in [Purpose::Read, Purpose::Change] {
            assert!(matches!(choose(vec![client(1, 60)], purpose), Choice::One(..)));
        }
    }
}

//! Labels of clients.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::clients::{self, Client};
use crate::error::QueryError;
use crate::fault::Fault;
use crate::hunts::{self, HuntScope, HuntSearch, HuntState};
use crate::ids::{ClientId, HuntId};
use crate::queries::labels::{MONITORING, REMOVE, SET};
use crate::session::Session;

/// For how long a change is awaited; it was seen at once.
const READ_BACK: Duration = Duration::from_secs(5);

/// Longest label.
const LONGEST: usize = 128;

/// A change of labels.
#[derive(Clone, Debug, Default)]
pub struct LabelChange {
    /// Labels to set.
    pub add: Vec<String>,
    /// Labels to remove.
    pub remove: Vec<String>,
}

/// The labels of one client around a change.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Labelled {
    /// The client.
    pub client_id: ClientId,
    /// Its host name.
    pub hostname: String,
    /// The labels before.
    pub before: Vec<String>,
    /// The labels as read back.
    pub labels: Vec<String>,
}

/// Something that goes by a label, and so by its change.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LabelUse {
    /// A running hunt schedules the clients that carry it.
    HuntIncludes {
        /// The label.
        label: String,
        /// The hunt.
        hunt: HuntId,
    },
    /// A running hunt leaves out the clients that carry it.
    HuntExcludes {
        /// The label.
        label: String,
        /// The hunt.
        hunt: HuntId,
    },
    /// The clients that carry it watch for events.
    Monitoring {
        /// The label.
        label: String,
        /// The artifacts that they watch with.
        artifacts: Vec<String>,
    },
}

/// Changes the labels of clients and reads them back. Where one of the clients does not exist,
/// nothing is changed.
///
/// # Errors
///
/// [`Fault::UnknownClient`], [`Fault::BadInput`] before anything is sent; [`Fault::Query`];
/// [`Fault::Unproved`] where labels are not as they should be, or where removing failed after
/// setting was done: it says which labels were set on which clients.
pub async fn change(
    session: &Session<'_>,
    ids: &[ClientId],
    change: &LabelChange,
) -> Result<Vec<Labelled>, Fault> {
    let (add, remove) = (cleaned(&change.add)?, cleaned(&change.remove)?);
    if add.is_empty() && remove.is_empty() {
        return Err(Fault::bad_input("no label is named"));
    }
    if let Some(both) = add.iter().find(|label| carries(&remove, label)) {
        return Err(Fault::bad_input(format!("{both} is to be both set and removed")));
    }
    let ids = once(ids)?;
    let before = clients::by_ids(session, &ids).await?;
    if let Some(missing) = ids.iter().find(|id| !before.iter().any(|c| c.client_id == **id)) {
        return Err(Fault::UnknownClient { given: missing.to_string(), near: Vec::new() });
    }
    let mut done: Vec<String> = Vec::new();
    for (entry, labels, word) in [(&SET, &add, "set on"), (&REMOVE, &remove, "removed from")] {
        if labels.is_empty() {
            continue;
        }
        let query = entry
            .query()
            .bind_json("MR_Clients", &json!(ids))
            .bind_json("MR_Labels", &json!(labels));
        if let Err(error) = session.rows::<serde::de::IgnoredAny>(entry, query).await {
            return Err(half_done(&done, &remove, error));
        }
        done.push(format!("{} {word} {}", quoted(labels), named(&ids)));
    }
    let done = done.join(" and ");
    let is_so = |client: &Client| {
        add.iter().all(|label| carries(&client.labels, label))
            && !remove.iter().any(|label| carries(&client.labels, label))
    };
    let after = read_back(session, &ids, &done, is_so).await?;
    let labelled = |(before, after): (Client, Client)| Labelled {
        client_id: after.client_id,
        hostname: after.hostname,
        before: before.labels,
        labels: after.labels,
    };
    Ok(before.into_iter().zip(after).map(labelled).collect())
}

/// Running hunts and monitoring tables that go by one of the labels.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn uses(session: &Session<'_>, labels: &[String]) -> Result<Vec<LabelUse>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Monitored {
        label: String,
        #[serde(deserialize_with = "crate::row::or_default")]
        artifacts: Vec<String>,
    }
    let mut uses = Vec::new();
    let running =
        HuntSearch { states: vec![HuntState::Running], count: 1000, ..HuntSearch::default() };
    for hunt in hunts::list(session, &running).await?.hunts {
        let HuntScope::Rule { include_labels, exclude_labels, .. } = &hunt.scope else { continue };
        if hunt.is_expired() {
            continue;
        }
        for label in labels {
            let (label, hunt) = (label.clone(), hunt.hunt_id.clone());
            if carries(include_labels, &label) {
                uses.push(LabelUse::HuntIncludes { label, hunt });
            } else if carries(exclude_labels, &label) {
                uses.push(LabelUse::HuntExcludes { label, hunt });
            }
        }
    }
    let tables: Vec<Monitored> = session.rows(&MONITORING, MONITORING.query()).await?;
    for table in tables {
        if labels.iter().any(|label| label.eq_ignore_ascii_case(&table.label)) {
            let Monitored { label, artifacts } = table;
            uses.push(LabelUse::Monitoring { label, artifacts });
        }
    }
    Ok(uses)
}

async fn read_back(
    session: &Session<'_>,
    ids: &[ClientId],
    done: &str,
    is_so: impl Fn(&Client) -> bool,
) -> Result<Vec<Client>, Fault> {
    let end = Instant::now() + READ_BACK;
    loop {
        let after = clients::by_ids(session, ids).await.map_err(|fault| {
            Fault::unproved(format!("{done} as far as was sent, and reading back failed: {fault}"))
        })?;
        let wrong = after.iter().find(|client| !is_so(client));
        match wrong {
            None if after.len() == ids.len() => return Ok(after),
            _ if Instant::now() < end => sleep(Duration::from_millis(100)).await,
            Some(client) => {
                return Err(Fault::unproved(format!(
                    "{done} as far as was sent, and {} carries {}",
                    client.client_id,
                    if client.labels.is_empty() {
                        String::from("none")
                    } else {
                        quoted(&client.labels)
                    }
                )));
            }
            None => return Err(Fault::unproved("a client disappeared while it was labelled")),
        }
    }
}

/// A change that failed after part of it was made says which part.
fn half_done(done: &[String], remove: &[String], error: QueryError) -> Fault {
    let [done] = done else { return error.into() };
    Fault::unproved(format!("{done}, and removing {} failed after that: {error}", quoted(remove)))
}

/// Labels for a message.
fn quoted(labels: &[String]) -> String {
    let each: Vec<String> = labels.iter().map(|label| format!("{label:?}")).collect();
    let word = if each.len() == 1 { "label" } else { "labels" };
    format!("{word} {}", each.join(", "))
}

/// Most clients that a message names.
const NAMED: usize = 10;

/// Clients for a message.
fn named(ids: &[ClientId]) -> String {
    let first: Vec<&str> = ids.iter().take(NAMED).map(ClientId::as_str).collect();
    match ids.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn once(ids: &[ClientId]) -> Result<Vec<ClientId>, Fault> {
    if ids.is_empty() {
        return Err(Fault::bad_input("no client is named"));
    }
    if ids.iter().any(ClientId::is_server) {
        return Err(Fault::bad_input("the server itself carries no labels"));
    }
    let mut once: Vec<ClientId> = Vec::new();
    for id in ids {
        if !once.contains(id) {
            once.push(id.clone());
        }
    }
    Ok(once)
}

fn cleaned(labels: &[String]) -> Result<Vec<String>, Fault> {
    let mut cleaned: Vec<String> = Vec::new();
    for label in labels {
        let label = label.trim();
        if label.is_empty() || label.len() > LONGEST || label.chars().any(char::is_control) {
            return Err(Fault::bad_input(format!(
                "{label:?} is no label: it has 1 to {LONGEST} bytes and no control characters"
            )));
        }
        if !carries(&cleaned, label) {
            cleaned.push(label.to_owned());
        }
    }
    Ok(cleaned)
}

/// The server compares labels without regard to case.
fn carries(labels: &[String], wanted: &str) -> bool {
    labels.iter().any(|label| label.to_lowercase() == wanted.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_trimmed_and_named_once() {
        let labels = [" web", "Web", "db "].map(String::from);
        assert_eq!(cleaned(&labels).unwrap(), ["web", "db"]);
        for bad in ["", "  ", "a\nb", "\u{0}"] {
            assert!(cleaned(&[bad.to_owned()]).is_err(), "{bad:?}");
        }
    }
}

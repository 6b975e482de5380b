//! Changing a hunt, with the change read back.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::members::{add_listed, members};
use super::{HuntScope, HuntState, HuntStatus, status};
use crate::catalogue::CatalogueQuery;
use crate::fault::Fault;
use crate::generated::{HuntMutation, hunt};
use crate::ids::HuntId;
use crate::limits::Limits;
use crate::queries::hunts::{DESCRIBE, EXPIRE, START, STOP};
use crate::session::Session;

/// For how long a change is awaited; the server tells most at once.
const READ_BACK: Duration = Duration::from_secs(10);

/// A change of a hunt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HuntChange {
    /// Schedule clients from now on; again, where it was stopped.
    Start,
    /// Schedule nobody for now.
    Pause,
    /// Schedule nobody any more. Flows that run go on: see [`super::running_flows`].
    Stop,
    /// Put it away.
    Archive,
    /// Call it something else.
    Describe(String),
    /// Let it end at another time.
    Expire(Timestamp),
}

/// Changes a hunt and reads the change back.
///
/// # Errors
///
/// [`Fault::UnknownHunt`]; [`Fault::Refused`] and [`Fault::BadInput`] where the change makes no
/// sense; [`Fault::Query`], for pausing and archiving outside the root org too, which the server
/// offers only there; [`Fault::Unproved`] where the change is not seen.
pub async fn modify(
    session: &Session<'_>,
    id: &HuntId,
    change: &HuntChange,
) -> Result<HuntStatus, Fault> {
    let before = status(session, id).await?;
    let bound = |entry: &CatalogueQuery| entry.query().bind("MR_Hunt", id.as_str());
    match change {
        HuntChange::Start => {
            if before.hunt.is_expired() {
                return Err(Fault::refused(format!(
                    "hunt {id} has expired, and would stop at once: set a later expiry first"
                )));
            }
            if before.hunt.state == HuntState::Archived {
                return Err(Fault::refused(format!("hunt {id} is archived")));
            }
            if before.hunt.state != HuntState::Running {
                send(session, &START, bound(&START), id).await?;
            }
            let seen =
                until(session, id, "RUNNING", |s| s.hunt.state == HuntState::Running).await?;
            if let HuntScope::Clients(listed) = &seen.hunt.scope {
                add_listed(session, id, listed).await?;
                return all_added(session, id, listed.len()).await;
            }
            Ok(seen)
        }
        HuntChange::Stop => {
            send(session, &STOP, bound(&STOP), id).await?;
            until(session, id, "STOPPED", |s| s.hunt.state == HuntState::Stopped).await
        }
        HuntChange::Pause => {
            if before.hunt.state != HuntState::Running {
                return Err(Fault::refused(format!(
                    "hunt {id} is {}, and only a running one can be paused",
                    before.hunt.state
                )));
            }
            mutate(session, id, hunt::State::Paused).await?;
            until(session, id, "PAUSED", |s| s.hunt.state == HuntState::Paused).await
        }
        HuntChange::Archive => {
            mutate(session, id, hunt::State::Archived).await?;
            until(session, id, "ARCHIVED", |s| s.hunt.state == HuntState::Archived).await
        }
        HuntChange::Describe(text) => {
            if text.trim().is_empty() {
                return Err(Fault::bad_input("the description is empty"));
            }
            let query = bound(&DESCRIBE).bind("MR_Description", text.as_str());
            send(session, &DESCRIBE, query, id).await?;
            until(session, id, "described so", |s| s.hunt.description == *text).await
        }
        HuntChange::Expire(at) => {
            if before.hunt.as_of.is_some_and(|now| *at <= now) {
                return Err(Fault::bad_input(format!(
                    "{at} is in the past: stop the hunt instead"
                )));
            }
            let query = bound(&EXPIRE).bind("MR_Expires", at.as_second().to_string());
            send(session, &EXPIRE, query, id).await?;
            let same = |s: &HuntStatus| {
                s.hunt.expires.is_some_and(|expires| expires.as_second() == at.as_second())
            };
            until(session, id, "expiring then", same).await
        }
    }
}

async fn send(
    session: &Session<'_>,
    entry: &CatalogueQuery,
    query: vql_builder::Query,
    id: &HuntId,
) -> Result<(), Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        before: Option<HuntState>,
        done: Option<serde_json::Value>,
    }
    let mut rows: Vec<Row> = session.rows(entry, query).await?;
    match rows.pop() {
        Some(Row { before: None, .. }) => Err(Fault::UnknownHunt { hunt: id.clone() }),
        Some(Row { done: Some(_), .. }) => Ok(()),
        _ => Err(Fault::unproved(format!("the server does not say that it changed hunt {id}"))),
    }
}

/// Only the unary call pauses and archives.
async fn mutate(session: &Session<'_>, id: &HuntId, state: hunt::State) -> Result<(), Fault> {
    let mutation =
        HuntMutation { hunt_id: id.to_string(), state: state.into(), ..HuntMutation::default() };
    let call = session.call(Limits::READ);
    let identity = session.server().modify_hunt(mutation, &call).await?;
    session.used(identity);
    Ok(())
}

/// Reads the hunt until it is as expected.
async fn until(
    session: &Session<'_>,
    id: &HuntId,
    expected: &str,
    is_so: impl Fn(&HuntStatus) -> bool,
) -> Result<HuntStatus, Fault> {
    let end = Instant::now() + READ_BACK;
    loop {
        let seen = status(session, id).await?;
        if is_so(&seen) {
            return Ok(seen);
        }
        if Instant::now() >= end {
            return Err(Fault::unproved(format!(
                "hunt {id} should be {expected}, and is {}, {:?}, expiring {}",
                seen.hunt.state,
                seen.hunt.description,
                seen.hunt.expires.map_or_else(|| String::from("never"), |at| at.to_string())
            )));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Reads the flows of a hunt until there is one for each listed client.
async fn all_added(session: &Session<'_>, id: &HuntId, listed: usize) -> Result<HuntStatus, Fault> {
    let end = Instant::now() + READ_BACK;
    loop {
        let there = members(session, id).await?.len();
        if there >= listed {
            return status(session, id).await;
        }
        if Instant::now() >= end {
            return Err(Fault::unproved(format!(
                "hunt {id} runs, and {there} of its {listed} clients were scheduled so far"
            )));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

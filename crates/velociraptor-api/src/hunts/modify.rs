//! Changing a hunt, with the change read back.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::members::{add_listed, members};
use super::{HuntScope, HuntState, HuntStatus, status};
use crate::catalogue::CatalogueQuery;
use crate::fault::Fault;
use crate::ids::{ClientId, HuntId};
use crate::queries::hunts::{ARCHIVE, DESCRIBE, EXPIRE, START, STOP};
use crate::session::Session;

/// For how long a change is awaited; the server tells most at once.
const READ_BACK: Duration = Duration::from_secs(10);

/// A change of a hunt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HuntChange {
    /// Schedule clients from now on; again, where it was stopped.
    Start,
    /// Schedule nobody for now. The server has no other word for a hunt that ran than `STOPPED`.
    Pause,
    /// Schedule nobody any more. Flows that run go on: see [`super::running_flows`].
    Stop,
    /// Stop it and put it away, by the tag `archived`: servers since 0.77 have no state for it.
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
/// sense; [`Fault::Query`]; [`Fault::Unproved`] where the change is not seen.
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
                return Err(Fault::refused(format!("hunt {id} is archived; create a new one")));
            }
            if before.hunt.state != HuntState::Running {
                send(session, &START, bound(&START), id).await?;
            }
            let seen =
                until(session, id, "RUNNING", |s| s.hunt.state == HuntState::Running).await?;
            if let HuntScope::Clients(listed) = &seen.hunt.scope {
                add_listed(session, id, listed).await?;
                return all_added(session, id, listed).await;
            }
            Ok(seen)
        }
        HuntChange::Stop => {
            if before.hunt.state == HuntState::Archived {
                return Ok(before);
            }
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
            // The server turns a pause of a hunt that ran into a stop, whichever call is used; a
            // stopped hunt can be started again, which is what a pause is for.
            send(session, &STOP, bound(&STOP), id).await?;
            let held = [HuntState::Paused, HuntState::Stopped];
            let seen = until(session, id, "held", |s| held.contains(&s.hunt.state)).await?;
            if seen.hunt.state == HuntState::Stopped {
                session.warn(format!(
                    "the server keeps no hunt that ran as paused: {id} is STOPPED, and goes on \
                     when it is started again"
                ));
            }
            Ok(seen)
        }
        HuntChange::Archive => {
            if before.hunt.state != HuntState::Stopped {
                send(session, &STOP, bound(&STOP), id).await?;
                until(session, id, "STOPPED", |s| s.hunt.state == HuntState::Stopped).await?;
            }
            send(session, &ARCHIVE, bound(&ARCHIVE), id).await?;
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
async fn all_added(
    session: &Session<'_>,
    id: &HuntId,
    listed: &[ClientId],
) -> Result<HuntStatus, Fault> {
    let end = Instant::now() + READ_BACK;
    loop {
        let members = members(session, id).await?;
        // Others may have been added by hand: each listed one must be among them.
        let is_there = |id: &&ClientId| members.iter().any(|member| member.client_id == **id);
        let there = listed.iter().filter(is_there).count();
        if there == listed.len() {
            return status(session, id).await;
        }
        if Instant::now() >= end {
            return Err(Fault::unproved(format!(
                "hunt {id} runs, and {there} of its {} clients were scheduled so far",
                listed.len()
            )));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

//! At which clients without rows a hunt looked: by their systems, and by their logs where those do
//! not tell.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::applies::{Judged, Looked};
use super::judge::Meant;
use crate::artifacts::{self, Definition};
use crate::error::QueryErrorKind;
use crate::fault::Fault;
use crate::flows::FlowState;
use crate::flows::told::{artifact_of, told};
use crate::hunts::members::Member;
use crate::hunts::{Compiled, Hunt};
use crate::ids::ClientId;
use crate::os::Os;
use crate::session::Session;

/// The logs of at most so many flows are read, so many in one query.
const MOST_LOGS: usize = 5_000;
const BATCH: usize = 200;

/// How long reading them may take. What is not read by then is not known.
const LONGEST: Duration = Duration::from_secs(40);

const BEYOND: &str = "its log was not read: more than 5,000 clients answered without rows, and asking \
    again does not help; get_flow_status of its flow tells, or a hunt over fewer clients";
const SLOW: &str = "its log could not be read in time; get_flow_status of its flow tells";

/// What is judged of a hunt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) hunt: &'a Hunt,
    pub(super) compiled: &'a Compiled,
    pub(super) table: Option<&'a str>,
}

/// Of each client that answered well and without rows whether it was looked at.
///
/// # Errors
///
/// [`Fault::Query`].
pub(super) async fn looked(
    session: &Session<'_>,
    subject: Subject<'_>,
    meant: &[Meant],
    members: &[Member],
) -> Result<HashMap<ClientId, Looked>, Fault> {
    let is_empty = |member: &&Member| {
        member.state == FlowState::Finished
            && member.queries > 0
            && subject.table.map_or(member.rows == 0, |table| !member.fills(table))
    };
    let empty: Vec<&Member> = members.iter().filter(is_empty).collect();
    let mut looked = HashMap::with_capacity(empty.len());
    if empty.is_empty() {
        return Ok(looked);
    }
    let (judged, systems) = judged(session, subject).await?;
    let os: HashMap<&ClientId, Os> =
        meant.iter().filter_map(|client| Some((&client.client_id, client.os?))).collect();
    let asks_inside = subject.compiled.asks_inside();
    let mut untold = Vec::new();
    for member in empty {
        let os = os.get(&member.client_id).copied();
        // An artifact that is for other systems by its name finds nothing here that it is made for.
        let is_for_others = !systems.is_empty() && os.is_some_and(|os| !systems.contains(&os));
        let told = match judged.by_system(os) {
            Some(Looked::Yes) if asks_inside => None,
            told => told,
        };
        match told {
            _ if is_for_others => _ = looked.insert(member.client_id.clone(), Looked::No),
            Some(told) => _ = looked.insert(member.client_id.clone(), told),
            None => untold.push(member),
        }
    }
    let unread = |why: &str| Looked::Unclear(why.to_owned());
    let (read, beyond) = untold.split_at(untold.len().min(MOST_LOGS));
    looked.extend(beyond.iter().map(|member| (member.client_id.clone(), unread(BEYOND))));
    let begun = Instant::now();
    for batch in read.chunks(BATCH) {
        let mut each = match begun.elapsed() {
            gone if gone > LONGEST => None,
            _ => in_time(
                told(session, batch.iter().map(|one| (&one.client_id, &one.flow_id))).await,
            )?,
        };
        for member in batch {
            let judgement = each.as_mut().map_or_else(
                || unread(SLOW),
                |each| {
                    let told = each.remove(&member.client_id).unwrap_or_default();
                    judged.by_log(member, &told)
                },
            );
            looked.insert(member.client_id.clone(), judgement);
        }
    }
    Ok(looked)
}

/// What came, or none where it did not come in time.
fn in_time<T>(came: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match came {
        Ok(came) => Ok(Some(came)),
        Err(Fault::Query(error)) if matches!(*error.kind, QueryErrorKind::Timeout { .. }) => {
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// What decides where the judged parts run, and for which systems their artifacts are by their names,
/// where no condition tells. An artifact that was removed since tells nothing.
async fn judged(session: &Session<'_>, subject: Subject<'_>) -> Result<(Judged, Vec<Os>), Fault> {
    let names: Vec<&str> = subject.hunt.artifacts.iter().map(String::as_str).collect();
    let definitions = match artifacts::definitions(session, &names).await {
        Ok(definitions) => definitions,
        Err(Fault::UnknownArtifact { .. }) => Vec::new(),
        Err(fault) => return Err(fault),
    };
    let Subject { hunt, compiled, table } = subject;
    let judged = match table {
        Some(table) => Judged::table(table, (hunt, compiled), &definitions),
        None => Judged::whole(hunt, compiled),
    };
    if judged.names_systems() {
        return Ok((judged, Vec::new()));
    }
    let is_judged = |one: &&Definition| table.is_none_or(|table| artifact_of(table) == one.name);
    let each: Vec<Vec<Os>> =
        definitions.iter().filter(is_judged).map(|one| artifacts::systems(&one.name, "")).collect();
    let systems = if each.iter().any(Vec::is_empty) { Vec::new() } else { each.concat() };
    Ok((judged, systems))
}

//! Gathering what the judgement of a hunt rests on.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::judge::{Coverage, Facts, Meant, judge};
use crate::artifacts::{self, Definition};
use crate::clients::{self, label_pattern};
use crate::fault::Fault;
use crate::flows::FlowState;
use crate::hunts::members::{Member, members};
use crate::hunts::{Hunt, HuntScope, status};
use crate::ids::{ClientId, HuntId};
use crate::os::Os;
use crate::queries::hunts::{SCOPE, SKIPPED};
use crate::session::Session;
use crate::{row, time};

/// The logs of at most so many flows without rows are read to tell whether their queries applied.
const MOST_LOGS: usize = 500;

/// How far a hunt has got, client by client. With a table it is judged by the rows of that table.
///
/// A client without rows counts as looked at only where its flow has ended well and its queries
/// applied. Whether they did is told by the systems that the artifacts are for and by the flow's
/// log; where the log is incomplete and the precondition unusual, a client to which nothing
/// applied can count as looked at.
///
/// # Errors
///
/// [`Fault::UnknownHunt`], [`Fault::Query`].
pub async fn coverage(
    session: &Session<'_>,
    hunt: &HuntId,
    table: Option<&str>,
) -> Result<Coverage, Fault> {
    let hunt = status(session, hunt).await?.hunt;
    let members = members(session, &hunt.hunt_id).await?;
    let (meant, excluded) = meant(session, &hunt, &members).await?;
    let systems = systems(session, &hunt, table).await?;
    let skipped = skipped(session, &members, table).await?;
    let table = table.map(str::to_owned);
    Ok(judge(Facts { hunt, table, meant, excluded, members, systems, skipped }))
}

/// The clients that a hunt means, and how many it excludes.
async fn meant(
    session: &Session<'_>,
    hunt: &Hunt,
    members: &[Member],
) -> Result<(Vec<Meant>, u64), Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Found {
        client_id: ClientId,
        #[serde(deserialize_with = "row::text")]
        hostname: Option<String>,
        #[serde(deserialize_with = "row::text")]
        os: Option<String>,
        #[serde(deserialize_with = "row::seconds")]
        first_seen: Option<Timestamp>,
        #[serde(deserialize_with = "row::micros")]
        last_seen: Option<Timestamp>,
        #[serde(deserialize_with = "row::seconds")]
        now: Option<Timestamp>,
        #[serde(deserialize_with = "row::or_default")]
        excluded: bool,
    }
    let (os, include, exclude) = match &hunt.scope {
        HuntScope::Rule { os, include_labels, exclude_labels } => {
            (os, include_labels, exclude_labels)
        }
        HuntScope::Clients(listed) => return Ok((known(session, listed).await?, 0)),
    };
    let query = SCOPE
        .query()
        .bind("MR_Os", os.map_or("", Os::as_str))
        .bind("MR_Include", label_pattern(include).0)
        .bind("MR_Exclude", label_pattern(exclude).0);
    let found: Vec<Found> = session.rows(&SCOPE, query).await?;
    let scheduled: HashSet<&ClientId> = members.iter().map(|member| &member.client_id).collect();
    let mut excluded = 0;
    let mut meant = Vec::with_capacity(found.len());
    for row in found {
        // A client that got the label after it was scheduled was asked all the same.
        if row.excluded && !scheduled.contains(&row.client_id) {
            excluded += 1;
            continue;
        }
        meant.push(Meant {
            client_id: row.client_id,
            hostname: row.hostname,
            os: row.os.as_deref().and_then(Os::from_name),
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            online: time::seen_within(row.last_seen, row.now, time::ONLINE_WITHIN),
        });
    }
    let fitting: HashSet<&ClientId> = meant.iter().map(|client| &client.client_id).collect();
    let others: Vec<ClientId> =
        scheduled.into_iter().filter(|id| !fitting.contains(id)).cloned().collect();
    meant.extend(known(session, &others).await?);
    Ok((meant, excluded))
}

/// Those of the clients that the server knows.
async fn known(session: &Session<'_>, ids: &[ClientId]) -> Result<Vec<Meant>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = clients::by_ids(session, ids).await?.into_iter().map(|client| Meant {
        online: client.is_online(),
        os: client.system(),
        client_id: client.client_id,
        hostname: Some(client.hostname).filter(|name| !name.is_empty()),
        first_seen: client.first_seen,
        last_seen: client.last_seen,
    });
    Ok(found.collect())
}

/// The systems that the judged artifacts are for; empty where one does not tell. An artifact that
/// was removed since tells nothing.
async fn systems(
    session: &Session<'_>,
    hunt: &Hunt,
    table: Option<&str>,
) -> Result<Vec<Os>, Fault> {
    let judged: Vec<&str> = match table {
        Some(table) => vec![table.split('/').next().unwrap_or(table)],
        None => hunt.artifacts.iter().map(String::as_str).collect(),
    };
    let definitions = match artifacts::definitions(session, &judged).await {
        Ok(definitions) => definitions,
        Err(Fault::UnknownArtifact { .. }) => return Ok(Vec::new()),
        Err(fault) => return Err(fault),
    };
    let each: Vec<Vec<Os>> = definitions.iter().map(Definition::systems).collect();
    if each.iter().any(Vec::is_empty) { Ok(Vec::new()) } else { Ok(each.concat()) }
}

/// The clients of which every query logged that it does not apply to them.
async fn skipped(
    session: &Session<'_>,
    members: &[Member],
    table: Option<&str>,
) -> Result<Vec<ClientId>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        client_id: ClientId,
        skipped: u64,
    }
    let is_empty = |member: &&Member| {
        member.state == FlowState::Finished
            && member.queries > 0
            && table.map_or(member.rows == 0, |table| !member.tables.iter().any(|t| t == table))
    };
    let empty: Vec<&Member> = members.iter().filter(is_empty).collect();
    if empty.is_empty() {
        return Ok(Vec::new());
    }
    if empty.len() > MOST_LOGS {
        session.warn(format!(
            "{} clients have no rows; only the logs of the first {MOST_LOGS} were read to tell \
             whether the artifacts applied to them",
            empty.len()
        ));
    }
    let flows: Vec<_> = empty
        .iter()
        .take(MOST_LOGS)
        .map(|member| json!({"client": member.client_id, "flow": member.flow_id}))
        .collect();
    let query = SKIPPED.query().bind_json("MR_Flows", &json!(flows));
    let rows: Vec<Row> = session.rows(&SKIPPED, query).await?;
    let all_of_them = |row: &Row| {
        let queries = empty.iter().find(|member| member.client_id == row.client_id);
        queries.is_some_and(|member| row.skipped >= member.queries)
    };
    Ok(rows.into_iter().filter(all_of_them).map(|row| row.client_id).collect())
}

//! Gathering what the judgement of a hunt rests on.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Deserialize;

use super::judge::{Coverage, Facts, Meant, judge};
use super::looked::{Subject, looked};
use crate::clients::{self, label_pattern};
use crate::fault::Fault;
use crate::hunts::members::{Member, members};
use crate::hunts::{Hunt, HuntScope, HuntStatus, status};
use crate::ids::{ClientId, HuntId};
use crate::os::Os;
use crate::queries::hunts::SCOPE;
use crate::session::Session;
use crate::{row, time};

/// How far a hunt has got, client by client. With a table it is judged by the rows of that table.
///
/// A client without rows counts as looked at only where its flow has ended well and its queries
/// applied. Whether they did is told by the systems that the artifacts are for and, where a
/// precondition asks for more, by the flow's log; where the log does not tell, it is not known.
///
/// # Errors
///
/// [`Fault::UnknownHunt`], [`Fault::Query`].
pub async fn coverage(
    session: &Session<'_>,
    hunt: &HuntId,
    table: Option<&str>,
) -> Result<Coverage, Fault> {
    let HuntStatus { hunt, compiled, .. } = status(session, hunt).await?;
    let members = members(session, &hunt.hunt_id).await?;
    let (meant, excluded) = meant(session, &hunt, &members).await?;
    let subject = Subject { hunt: &hunt, compiled: &compiled, table };
    let looked = looked(session, subject, &meant, &members).await?;
    let table = table.map(str::to_owned);
    Ok(judge(Facts { hunt, table, meant, excluded, members, looked }))
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

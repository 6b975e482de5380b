//! Clients, flows, hunts and artifacts counted, without their rows.
//!
//! What is counted is what the list with the same arguments has on all its pages.

use jiff::Timestamp;
use serde::Deserialize;

use crate::artifacts::{ArtifactKind, ArtifactSearch};
use crate::clients::ClientSearch;
use crate::fault::Fault;
use crate::flows::{FlowSearch, FlowState, unknown_client};
use crate::hunts::{HuntSearch, HuntState};
use crate::ids::ClientId;
use crate::queries::census as texts;
use crate::row;
use crate::session::Session;
use crate::time::ONLINE_WITHIN;

/// When a client was last heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// Within fifteen minutes.
    Online,
    /// Within a day.
    Day,
    /// Within a week.
    Week,
    /// Longer ago.
    Older,
    /// Never since it enrolled.
    Never,
}

/// Clients that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Clients {
    /// The system, as the agent reports it.
    #[serde(deserialize_with = "row::text")]
    pub os: Option<String>,
    /// The agent's version.
    #[serde(deserialize_with = "row::text")]
    pub version: Option<String>,
    /// When they were last heard of.
    pub seen: Seen,
    /// How many.
    pub count: u64,
}

/// Clients with a label.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Label {
    /// The label.
    pub label: String,
    /// How many carry it.
    pub count: u64,
}

/// Flows that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Flows {
    /// Where they stand.
    pub state: FlowState,
    /// What they collect.
    #[serde(deserialize_with = "row::or_default")]
    pub artifacts: Vec<String>,
    /// How many.
    pub count: u64,
    /// Their rows together.
    pub rows: u64,
    /// The bytes that they uploaded together.
    pub bytes: u64,
    /// When the first of them was asked for.
    #[serde(deserialize_with = "row::micros")]
    pub first: Option<Timestamp>,
    /// When the last of them was.
    #[serde(deserialize_with = "row::micros")]
    pub last: Option<Timestamp>,
}

/// Hunts that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Hunts {
    /// Where they stand.
    pub state: HuntState,
    /// Whether their time is over, whatever their state says.
    pub expired: bool,
    /// How many.
    pub count: u64,
    /// Clients that were scheduled, by the server's own count; a client counts in each hunt.
    pub scheduled: u64,
    /// Those whose flow has ended.
    pub finished: u64,
    /// Those whose flow ended badly.
    pub with_errors: u64,
}

/// Artifacts that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Artifacts {
    /// The kind.
    pub r#type: ArtifactKind,
    /// Whether they came with the server.
    #[serde(deserialize_with = "row::or_default")]
    pub built_in: bool,
    /// How many.
    pub count: u64,
}

/// Counts the clients that a search finds, and their labels, the commonest first.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn clients(
    session: &Session<'_>,
    wanted: &ClientSearch,
) -> Result<(Vec<Clients>, Vec<Label>), Fault> {
    let window = ONLINE_WITHIN.as_secs().to_string();
    let query = wanted.filter(texts::CLIENTS.query()).bind("MR_Window", window);
    let found = session.rows(&texts::CLIENTS, query).await?;
    let mut labels: Vec<Label> =
        session.rows(&texts::LABELS, wanted.filter(texts::LABELS.query())).await?;
    labels.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.label.cmp(&b.label)));
    Ok((found, labels))
}

/// Counts the flows of a client.
///
/// # Errors
///
/// [`Fault::Query`]; [`Fault::UnknownClient`] where the server does not know the client.
pub async fn flows(
    session: &Session<'_>,
    client: &ClientId,
    wanted: &FlowSearch,
) -> Result<Vec<Flows>, Fault> {
    let query = wanted.filter(texts::FLOWS.query(), client);
    let found = session.rows(&texts::FLOWS, query).await;
    found.map_err(|error| unknown_client(client, error))
}

/// Counts the hunts that a search finds.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn hunts(session: &Session<'_>, wanted: &HuntSearch) -> Result<Vec<Hunts>, Fault> {
    Ok(session.rows(&texts::HUNTS, wanted.filter(texts::HUNTS.query())).await?)
}

/// Counts the artifacts that a search finds, and names those that did not come with the server.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn artifacts(
    session: &Session<'_>,
    wanted: &ArtifactSearch,
) -> Result<(Vec<Artifacts>, Vec<String>), Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Custom {
        name: String,
    }
    let query = wanted.filter(texts::ARTIFACTS.query());
    let found: Vec<Artifacts> = session.rows(&texts::ARTIFACTS, query).await?;
    if found.iter().all(|some| some.built_in) {
        return Ok((found, Vec::new()));
    }
    let query = wanted.filter(texts::CUSTOM.query());
    let custom: Vec<Custom> = session.rows(&texts::CUSTOM, query).await?;
    let mut names: Vec<String> = custom.into_iter().map(|custom| custom.name).collect();
    names.sort();
    Ok((found, names))
}

//! What the logs of flows tell of their parts: which were skipped, which ended.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use crate::fault::Fault;
use crate::ids::{ClientId, FlowId};
use crate::queries::flows::TOLD;
use crate::session::Session;

/// What the log of a flow tells. Its parts are known by the names that they write: `Artifact/Source`,
/// of a part with several sources that of the first; `Artifact` where the source has no name, and for
/// every part where the server does not compress what it sends; nothing by agents before 0.6.8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// How many lines the server has of it.
    pub(crate) lines: u64,
    parts: HashMap<String, Ends>,
}

/// How often parts of one name said so. A part that is skipped says first that, and then that it has
/// ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) skipped: u64,
    pub(crate) ended: u64,
}

impl Told {
    /// What parts of that name said.
    pub(crate) fn of(&self, name: &str) -> Ends {
        self.parts.get(name).copied().unwrap_or_default()
    }

    /// Whether a part of these artifacts ended and was not skipped.
    pub(crate) fn ran(&self, artifacts: &[String]) -> bool {
        // A line can be there twice. Of a source there is one part only.
        self.of_artifacts(artifacts).any(|(name, ends)| match name.contains('/') {
            true => ends.ended > 0 && ends.skipped == 0,
            false => ends.ended > ends.skipped,
        })
    }

    /// How many parts of these artifacts were skipped.
    pub(crate) fn skipped(&self, artifacts: &[String]) -> u64 {
        let each = self.of_artifacts(artifacts).map(|(name, ends)| match name.contains('/') {
            true => ends.skipped.min(1),
            false => ends.skipped,
        });
        each.sum()
    }

    /// What parts of these artifacts said, and those that have no name.
    fn of_artifacts(&self, artifacts: &[String]) -> impl Iterator<Item = (&str, Ends)> {
        let parts = self.parts.iter().map(|(name, ends)| (name.as_str(), *ends));
        parts.filter(|(name, _)| {
            name.is_empty() || artifacts.iter().any(|one| one == artifact_of(name))
        })
    }

    /// Whether an artifact that was called from inside of a part was skipped: that writes no name, and
    /// not that it has ended.
    pub(crate) fn has_skipped_inside(&self) -> bool {
        let nameless = self.of("");
        nameless.skipped > 0 && nameless.ended == 0
    }

    /// Adds lines of one kind.
    pub(crate) fn add(&mut self, told: &str, lines: u64) {
        self.lines += lines;
        if let Some(name) = told.strip_prefix("skipped ") {
            self.parts.entry(name.to_owned()).or_default().skipped += lines;
        } else if let Some(name) = told.strip_prefix("ended ") {
            self.parts.entry(name.to_owned()).or_default().ended += lines;
        }
    }
}

/// The artifact of a part or table.
pub(crate) fn artifact_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// What the logs of these flows tell, each of another client. A flow without a log is not among
/// them.
///
/// # Errors
///
/// [`Fault::Query`].
pub(crate) async fn told(
    session: &Session<'_>,
    flows: impl IntoIterator<Item = (&ClientId, &FlowId)>,
) -> Result<HashMap<ClientId, Told>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        client_id: ClientId,
        told: String,
        lines: u64,
    }
    let flows: Vec<_> =
        flows.into_iter().map(|(client, flow)| json!({"client": client, "flow": flow})).collect();
    let query = TOLD.query().bind_json("MR_Flows", &json!(flows));
    let rows: Vec<Row> = session.rows(&TOLD, query).await?;
    let mut told: HashMap<ClientId, Told> = HashMap::new();
    for row in rows {
        told.entry(row.client_id).or_default().add(&row.told, row.lines);
    }
    Ok(told)
}

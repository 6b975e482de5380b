//! What the logs of flows tell of their parts: which were skipped, which ended.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use crate::fault::Fault;
use crate::ids::{ClientId, FlowId};
use crate::queries::flows::TOLD;
use crate::session::Session;

/// What the log of a flow tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// How many lines the server has of it.
    pub(crate) lines: u64,
    parts: HashMap<String, Ends>,
}

/// How often parts of one name said so. A part that is skipped says first that, and then that it has
/// ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    skipped: u64,
    ended: u64,
}

impl Told {
    /// How many parts were skipped, of those whose name fits. The name is `Artifact` or
    /// `Artifact/Source`: of a part with several sources that of the first.
    pub(crate) fn skipped(&self, fits: impl Fn(&str) -> bool) -> u64 {
        let fitting = self.parts.iter().filter(|(name, _)| fits(name));
        fitting.map(|(_, ends)| ends.skipped).sum()
    }

    /// Whether a part whose name fits has ended and was not skipped.
    pub(crate) fn ran(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.parts.iter().any(|(name, ends)| fits(name) && ends.ended > ends.skipped)
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

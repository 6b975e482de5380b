//! One flow in detail.

use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Flow, FlowState, unknown_client};
use crate::fault::Fault;
use crate::ids::{ClientId, FlowId};
use crate::queries::flows::{LOG, STATUS};
use crate::session::Session;
use crate::{row, time};

/// Most lines of the log that are kept.
const LOG_LINES: usize = 50;

/// A flow in detail.
#[derive(Clone, Debug, Serialize)]
pub struct FlowStatus {
    /// The flow.
    pub flow: Flow,
    /// What was asked for, as the server keeps it.
    pub request: Request,
    /// Its queries: one for each source of each artifact.
    pub queries: Vec<QueryStat>,
    /// The agent's stack, where a query crashed.
    pub backtrace: Option<String>,
    /// Whether it was run before under the same id; the figures are those of the last run.
    pub repeated: bool,
    /// The first warnings and errors of the log. The log may be incomplete, so nothing follows
    /// from what is missing.
    pub log: Vec<LogEntry>,
    /// How many more there are.
    pub log_cut: u64,
}

/// What a flow was asked to do.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Request {
    /// The artifacts.
    pub artifacts: Vec<String>,
    /// The parameters that the server took, by artifact. Artifacts without any are left out.
    #[serde(deserialize_with = "specs")]
    pub specs: Vec<Spec>,
    /// Seconds of its last part, zero being ten minutes.
    pub timeout: u64,
    /// Rows, zero being no limit.
    pub max_rows: u64,
    /// Bytes of uploads, zero being no limit: the server writes its own there.
    pub max_upload_bytes: u64,
    /// Percent of one processor, zero being no limit.
    pub cpu_limit: f64,
    /// I/O operations a second, zero being no limit.
    pub iops_limit: f64,
    /// Whether it goes before other work.
    pub urgent: bool,
}

/// The parameters of one artifact, as the server keeps them: texts.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Spec {
    /// The artifact.
    pub artifact: String,
    /// The parameters.
    pub parameters: IndexMap<String, String>,
}

/// How one query of a flow fared.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct QueryStat {
    /// `OK`, `PROGRESS` or `GENERIC_ERROR`.
    pub status: String,
    /// Why it failed.
    #[serde(rename(deserialize = "error_message"), deserialize_with = "row::text")]
    pub error: Option<String>,
    /// The tables that it filled; empty where it gave no row.
    #[serde(rename(deserialize = "names_with_response"))]
    pub tables: Vec<String>,
    /// The rows that it gave.
    #[serde(rename(deserialize = "result_rows"))]
    pub rows: u64,
    /// The files that it uploaded.
    pub uploaded_files: u64,
    /// The lines that it logged.
    #[serde(rename(deserialize = "log_rows"))]
    pub logs: u64,
    /// How long it worked.
    #[serde(deserialize_with = "row::nanos")]
    pub duration: Duration,
}

/// A line of a flow's log.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct LogEntry {
    /// When.
    pub at: Option<Timestamp>,
    /// `ERROR`, `WARN` or `ALERT`.
    pub level: String,
    /// The text.
    pub message: String,
}

impl FlowStatus {
    /// Which bound of the collection ended it, where one did.
    pub fn bound(&self) -> Option<Bound> {
        Bound::reached(self.flow.state, self.flow.status.as_deref(), &self.queries)
    }
}

/// A bound of a collection that ended it early. Rows that the server counts may not be kept then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// It had more rows than it might give.
    Rows,
    /// It worked for longer than it might.
    Time,
    /// It uploaded more than it might.
    Uploads,
}

impl Bound {
    /// The bound that ended a flow, where one did, by the server's words for it. The server cancels
    /// the other queries of the flow with the one that reached it, so that the flow's own status
    /// may not say so.
    pub(crate) fn reached(
        state: FlowState,
        status: Option<&str>,
        queries: &[QueryStat],
    ) -> Option<Self> {
        if state != FlowState::Error {
            return None;
        }
        let errors = queries.iter().filter_map(|query| query.error.as_deref());
        status.into_iter().chain(errors).find_map(Self::named_by)
    }

    /// The bound that a status or an error of a query names.
    pub(crate) fn named_by(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if text.starts_with("rows ") && text.contains("exceeded limit") {
            Some(Self::Rows)
        } else if text.contains("upload") && text.contains("limit") {
            Some(Self::Uploads)
        } else if text.contains("timed out") {
            Some(Self::Time)
        } else {
            None
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(flatten)]
    flow: Flow,
    request: Request,
    #[serde(deserialize_with = "row::or_default")]
    queries: Vec<QueryStat>,
    #[serde(deserialize_with = "row::text")]
    backtrace: Option<String>,
    #[serde(default, deserialize_with = "row::or_default")]
    previous_flows: Vec<serde_json::Value>,
}

/// A line as agents write it (seconds), or as the server does (microseconds).
#[derive(Deserialize)]
struct Line {
    #[serde(default, deserialize_with = "row::or_default")]
    client_time: i64,
    #[serde(default, rename = "Timestamp", deserialize_with = "row::or_default")]
    timestamp: i64,
    #[serde(alias = "Level", deserialize_with = "row::or_default")]
    level: String,
    #[serde(deserialize_with = "row::or_default")]
    message: String,
}

/// Reads a flow.
///
/// # Errors
///
/// [`Fault::UnknownFlow`], [`Fault::UnknownClient`], [`Fault::Query`].
pub async fn status(
    session: &Session<'_>,
    client: &ClientId,
    flow: &FlowId,
) -> Result<FlowStatus, Fault> {
    let status = unlogged(session, client, flow).await?;
    let bound = LOG.query().bind("MR_Client", client.as_str()).bind("MR_Flow", flow.as_str());
    let lines: Vec<Line> = session.rows(&LOG, bound).await?;
    let log_cut = lines.len().saturating_sub(LOG_LINES) as u64;
    let log = lines.into_iter().take(LOG_LINES).map(LogEntry::from).collect();
    Ok(FlowStatus { log, log_cut, ..status })
}

/// Reads a flow without looking at its log, which is empty then.
pub(crate) async fn unlogged(
    session: &Session<'_>,
    client: &ClientId,
    flow: &FlowId,
) -> Result<FlowStatus, Fault> {
    let found = read(session, client, flow).await?;
    Ok(FlowStatus {
        flow: found.flow,
        request: found.request,
        queries: found.queries,
        backtrace: found.backtrace,
        repeated: !found.previous_flows.is_empty(),
        log: Vec::new(),
        log_cut: 0,
    })
}

/// Reads a flow without its queries and its log.
///
/// # Errors
///
/// As [`status`].
pub async fn flow(session: &Session<'_>, client: &ClientId, id: &FlowId) -> Result<Flow, Fault> {
    Ok(read(session, client, id).await?.flow)
}

/// Reads the record of a flow. While the server writes a record anew it shows none, so that a flow
/// is unknown only where it is not there several times in a row.
async fn read(session: &Session<'_>, client: &ClientId, flow: &FlowId) -> Result<Found, Fault> {
    for look in 1..=LOOKS {
        let query =
            STATUS.query().bind("MR_Client", client.as_str()).bind("MR_Flow", flow.as_str());
        let rows = session.rows::<Found>(&STATUS, query).await;
        let mut rows = rows.map_err(|error| unknown_client(client, error))?;
        if let Some(found) = rows.pop() {
            return Ok(found);
        }
        if look < LOOKS {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
    Err(Fault::UnknownFlow { client: client.clone(), flow: flow.clone() })
}

/// How often a flow is looked for before it is called unknown.
const LOOKS: u32 = 4;

/// A record is written within milliseconds; the rest is for a loaded server.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

impl From<Line> for LogEntry {
    fn from(line: Line) -> Self {
        Self {
            at: time::from_seconds(line.client_time).or_else(|| time::from_micros(line.timestamp)),
            level: line.level,
            message: line.message.trim_end().to_owned(),
        }
    }
}

fn specs<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<Spec>, D::Error> {
    #[derive(Deserialize)]
    struct Sent {
        artifact: String,
        #[serde(default)]
        parameters: Parameters,
    }
    #[derive(Default, Deserialize)]
    struct Parameters {
        #[serde(default)]
        env: Vec<Pair>,
    }
    #[derive(Deserialize)]
    struct Pair {
        key: String,
        #[serde(default)]
        value: String,
    }
    let sent: Vec<Sent> = row::or_default(input)?;
    let pairs = |pairs: Vec<Pair>| pairs.into_iter().map(|p| (p.key, p.value)).collect();
    let spec =
        |sent: Sent| Spec { artifact: sent.artifact, parameters: pairs(sent.parameters.env) };
    Ok(sent.into_iter().map(spec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(state: FlowState, status: &str, queries: &[&str]) -> FlowStatus {
        let query = |error: &&str| QueryStat {
            error: Some((*error).to_owned()).filter(|error| !error.is_empty()),
            ..QueryStat::default()
        };
        FlowStatus {
            flow: serde_json::from_value(serde_json::json!({
                "FlowId": "F.A", "ClientId": "C.0123456789abcdef", "Artifacts": ["A"],
                "Creator": "ada", "State": state, "Status": status, "Created": 1, "Started": 1,
                "Active": 1, "Duration": 1, "Rows": 22, "UploadedFiles": 0, "UploadedBytes": 0,
                "Logs": 0, "Tables": [],
            }))
            .unwrap(),
            request: Request::default(),
            queries: queries.iter().map(query).collect(),
            backtrace: None,
            repeated: false,
            log: Vec::new(),
            log_cut: 0,
        }
    }

    /// As a live server told them.
    #[test]
    fn the_bound_that_ended_a_flow_is_found_in_its_queries_too() {
        let rows = "Rows 22 exceeded limit 5 for flow F.A. Cancelling.";
        for (status, queries, bound) in [
            (rows, &[rows][..], Some(Bound::Rows)),
            ("Cancelled", &["Cancelled", "", rows], Some(Bound::Rows)),
            ("Query timed out after 3 seconds", &[""], Some(Bound::Time)),
            ("Cancelled by VQL query", &[""], None),
        ] {
            assert_eq!(ended(FlowState::Error, status, queries).bound(), bound, "{status}");
        }
        assert_eq!(ended(FlowState::Finished, "", &[""]).bound(), None);
    }
}

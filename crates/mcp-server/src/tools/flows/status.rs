//! `get_flow_status`.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::catalogue::READ;
use velociraptor_api::clients::Client;
use velociraptor_api::flows::{self, Flow, FlowState, FlowStatus, LogEntry, QueryStat};
use velociraptor_api::{FlowId, Permission, whole};

use super::not_looked::not_looked;
use crate::answer::{Answer, Render, State};
use crate::clock;
use crate::context::ToolCx;
use crate::page::Row;
use crate::records;
use crate::resolve;
use crate::table;
use crate::tool::{Detail, Effect, Reads, Tool};
use crate::tool_error::ToolError;

/// `get_flow_status`.
pub(super) struct GetFlowStatus;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Client id, host name, or server
    client: String,
    flow_id: String,
}

/// How far a flow is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    client_id: String,
    flow_id: String,
    flow_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    artifacts: Vec<String>,
    creator: String,
    #[schemars(with = "String")]
    created: Option<Timestamp>,
    #[schemars(with = "String")]
    active: Option<Timestamp>,
    seconds: f64,
    rows: u64,
    uploads: u64,
    uploaded_bytes: u64,
    queries: Vec<Query>,
    log: Vec<Line>,
    /// With detail summary, instead of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    summary: Option<Counted>,
    /// With detail full, all that the server keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Row>,
    #[serde(skip)]
    now: Timestamp,
}

/// Queries and lines of the log, counted.
#[derive(Debug, Serialize)]
struct Counted {
    queries: BTreeMap<String, u64>,
    /// Warnings and errors.
    log: u64,
    /// The first error of a query, else the first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Query {
    tables: Vec<String>,
    status: String,
    rows: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Line {
    level: String,
    message: String,
}

impl Tool for GetFlowStatus {
    const NAME: &'static str = "get_flow_status";
    const TITLE: &'static str = "Get flow status";
    const DESCRIPTION: &'static str = "Says how far a collection is, and why it failed: state, \
        each query with its rows and error, warnings and errors of its log (which may lack \
        lines). get_flow_results reads the rows.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

impl Reads for GetFlowStatus {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let session = cx.session();
        let id = FlowId::parse(input.flow_id.trim())?;
        let client = resolve::for_read(&session, &input.client).await?;
        let status = flows::status(&session, &client.id, &id).await?;
        let now = clock::now();
        let offline = client.client.as_ref().is_some_and(|client| !client.is_online());
        let mut warnings = Vec::new();
        if status.log_cut > 0 && cx.detail != Detail::Summary {
            warnings.push(format!(
                "{} later warnings and errors are left out; run_vql reads all: SELECT * FROM \
                 flow_logs(client_id='{}', flow_id='{id}')",
                status.log_cut, client.id
            ));
        }
        if status.repeated {
            warnings.push(String::from("it ran several times; the figures are of the last run"));
        }
        if offline && !status.flow.state.is_final() {
            let seen = client.client.as_ref().and_then(|client| client.last_seen);
            let seen = clock::dated(now, seen);
            warnings
                .push(format!("the client is offline, last seen {seen}; the flow waits for it"));
        }
        let link = cx.link(&format!("/collected/{}/{id}/logs", client.id));
        let mut state = state(&status.flow, &status.queries, offline);
        let os = client.client.as_ref().and_then(Client::system);
        let asleep = not_looked(&session, &status.flow, Some(&status), None, os).await?;
        if !asleep.is_empty() && state == State::Complete {
            state = State::Partial;
        }
        warnings.extend(asleep);
        let mut output = Output::of(&status, now);
        match cx.detail {
            Detail::Summary => output.summarise(status.log_cut),
            Detail::Compact => {}
            Detail::Full => {
                let (record, warning) =
                    records::one(whole::flow(&session, &client.id, &id).await?)?;
                output.record = record;
                warnings.extend(warning);
            }
        }
        Ok(Answer::of(&cx, &session, output).state(state).warn(warnings).link(link))
    }
}

/// How complete what the flow gave is.
pub(in crate::tools) fn state(flow: &Flow, queries: &[QueryStat], offline: bool) -> State {
    match flow.state {
        FlowState::Finished if queries.iter().any(failed) => State::Partial,
        FlowState::Finished => State::Complete,
        FlowState::Error | FlowState::Cancelled => State::Partial,
        _ if offline => State::Offline,
        _ => State::Pending,
    }
}

fn failed(query: &QueryStat) -> bool {
    !matches!(query.status.as_str(), "" | "OK" | "PROGRESS")
}

impl Output {
    fn of(status: &FlowStatus, now: Timestamp) -> Self {
        let flow = &status.flow;
        Self {
            client_id: flow.client_id.to_string(),
            flow_id: flow.flow_id.to_string(),
            flow_state: flow.state.as_str(),
            status: flow.status.clone(),
            artifacts: flow.artifacts.clone(),
            creator: flow.creator.clone(),
            created: flow.created.map(clock::to_second),
            active: flow.active.map(clock::to_second),
            seconds: seconds(flow.duration),
            rows: flow.rows,
            uploads: flow.uploaded_files,
            uploaded_bytes: flow.uploaded_bytes,
            queries: status.queries.iter().map(Query::of).collect(),
            log: status.log.iter().map(Line::of).collect(),
            summary: None,
            record: None,
            now,
        }
    }

    /// Counts queries and lines, of which so many are not here.
    fn summarise(&mut self, log_cut: u64) {
        let mut queries = BTreeMap::new();
        for query in &self.queries {
            *queries.entry(query.status.clone()).or_insert(0) += 1;
        }
        let error = self.queries.iter().find_map(|query| query.error.clone());
        let first = error.or_else(|| self.log.first().map(|line| line.message.clone()));
        let log = self.log.len() as u64 + log_cut;
        self.summary = Some(Counted { queries, log, first });
        self.queries.clear();
        self.log.clear();
    }
}

impl Query {
    fn of(query: &QueryStat) -> Self {
        Self {
            tables: query.tables.clone(),
            status: query.status.clone(),
            rows: query.rows,
            seconds: seconds(query.duration),
            error: query.error.clone(),
        }
    }
}

impl Line {
    fn of(line: &LogEntry) -> Self {
        Self { level: line.level.clone(), message: line.message.clone() }
    }
}

/// Seconds to the hundredth: what is left says nothing to a reader.
fn seconds(span: std::time::Duration) -> f64 {
    (span.as_secs_f64() * 100.0).round() / 100.0
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        let _ = write!(out, "{} on {}  {}", self.flow_id, self.client_id, self.flow_state);
        if let Some(status) = &self.status {
            let _ = write!(out, ": {status}");
        }
        let _ = write!(out, "\n{}  by {}", self.artifacts.join(", "), self.creator);
        let _ = write!(out, "\ncreated  {}", clock::dated(self.now, self.created));
        let _ = write!(
            out,
            "\nactive   {}, {} s of work",
            clock::dated(self.now, self.active),
            self.seconds
        );
        let _ = write!(out, "\nresult   {}", table::rows(self.rows));
        if self.uploads > 0 {
            let _ = write!(out, ", {} files, {} bytes", self.uploads, self.uploaded_bytes);
        }
        if !self.queries.is_empty() {
            out.push_str("\n\n");
            let rows = self.queries.iter().map(|query| {
                vec![
                    query.status.clone(),
                    query.rows.to_string(),
                    query.seconds.to_string(),
                    if query.tables.is_empty() {
                        String::from("(no rows)")
                    } else {
                        query.tables.join(", ")
                    },
                    query.error.clone().unwrap_or_default(),
                ]
            });
            table::write(out, &["query", "rows", "seconds", "table", "error"], rows);
        }
        if !self.log.is_empty() {
            out.push_str("\n\n");
            let rows = self.log.iter().map(|line| vec![line.level.clone(), line.message.clone()]);
            table::write(out, &["log", "message"], rows);
        }
        if let Some(Counted { queries, log, first }) = &self.summary {
            let queries: Vec<String> =
                queries.iter().map(|(status, count)| format!("{count} {status}")).collect();
            let queries =
                if queries.is_empty() { String::from("none yet") } else { queries.join(", ") };
            let _ = write!(out, "\nqueries  {queries}; {log} warnings and errors in the log");
            if let Some(first) = first {
                let _ = write!(out, "\nfirst    {}", table::line_of(first));
            }
        }
        if let Some(record) = &self.record {
            out.push_str("\n\nRECORD, as the server keeps it\n");
            records::write_one(out, record);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flow(state: FlowState, status: &str) -> Flow {
        serde_json::from_value(json!({
            "FlowId": "F.A", "ClientId": "C.0123456789abcdef", "Artifacts": ["Linux.Sys.Pslist"],
            "Creator": "ada", "State": state, "Status": status,
            "Created": 1_767_323_045_000_000_i64, "Started": null,
            "Active": 1_767_323_046_000_000_i64, "Duration": 228_000_000, "Rows": 84,
            "UploadedFiles": 0, "UploadedBytes": 0, "Logs": 9, "Tables": ["Linux.Sys.Pslist"],
        }))
        .unwrap()
    }

    fn query(status: &str) -> QueryStat {
        QueryStat {
            status: status.to_owned(),
            tables: vec![String::from("Linux.Sys.Pslist")],
            rows: 84,
            ..QueryStat::default()
        }
    }

    #[test]
    fn the_flow_and_its_queries_decide_and_never_the_log() {
        let ok = [query("OK")];
        let judge = |flow_state, queries: &[QueryStat], offline| {
            state(&flow(flow_state, ""), queries, offline)
        };
        assert_eq!(judge(FlowState::Finished, &ok, false), State::Complete);
        assert_eq!(judge(FlowState::Finished, &[query("GENERIC_ERROR")], false), State::Partial);
        assert_eq!(judge(FlowState::Error, &ok, false), State::Partial);
        assert_eq!(judge(FlowState::InProgress, &ok, false), State::Pending);
        assert_eq!(judge(FlowState::Running, &[], true), State::Offline);
        assert_eq!(judge(FlowState::Finished, &ok, true), State::Complete);
    }

    #[test]
    fn it_reads_like_this() {
        let failed = QueryStat { error: Some(String::from("timed out")), ..query("GENERIC_ERROR") };
        let status = FlowStatus {
            flow: flow(FlowState::Error, "Query timed out after 3 seconds"),
            request: flows::Request::default(),
            queries: vec![failed],
            backtrace: None,
            repeated: false,
            log: vec![LogEntry {
                at: None,
                level: String::from("ERROR"),
                message: String::from("glob: no such file"),
            }],
            log_cut: 0,
        };
        let mut out = String::new();
        let now = Timestamp::from_second(1_767_323_057).unwrap();
        Output::of(&status, now).render(&mut out);
        insta::assert_snapshot!(out, @r"
        F.A on C.0123456789abcdef  ERROR: Query timed out after 3 seconds
        Linux.Sys.Pslist  by ada
        created  2026-01-02T03:04:05Z (12 s ago)
        active   2026-01-02T03:04:06Z (11 s ago), 0.23 s of work
        result   84 rows

        query          rows  seconds  table             error
        GENERIC_ERROR  84    0        Linux.Sys.Pslist  timed out

        log    message
        ERROR  glob: no such file
        ");
    }
}

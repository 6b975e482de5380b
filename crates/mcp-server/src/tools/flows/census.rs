//! Flows counted: what `list_flows` says of them with detail summary.

use std::collections::BTreeMap;
use std::fmt::Write;

use guard::size::at_most;
use jiff::Timestamp;
use serde::Serialize;
use velociraptor_api::census::Flows;
use velociraptor_api::flows::{self, Flow, FlowSearch, FlowState};
use velociraptor_api::{ClientId, Session};

use super::list::Row;
use crate::clock;
use crate::table;
use crate::tool_error::ToolError;

/// Most artifacts that are named.
const NAMED: usize = 15;

/// Most flows that are named because they stand out.
const SHOWN: u32 = 3;

/// How many flows there are of which kind.
#[derive(Debug, Serialize)]
pub(super) struct Census {
    flows: u64,
    states: BTreeMap<&'static str, u64>,
    rows: u64,
    uploaded_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
    /// By what they collect, the commonest first.
    artifacts: Vec<Collected>,
    further_artifacts: u64,
    /// The newest of those that ended badly.
    failed: Vec<Row>,
    /// The newest of those that have not ended.
    at_work: Vec<Row>,
}

#[derive(Debug, Default, Serialize)]
struct Collected {
    artifacts: Vec<String>,
    flows: u64,
    rows: u64,
    states: BTreeMap<&'static str, u64>,
}

/// The newest flows that stand out: those that failed, and those at work.
pub(super) async fn outstanding(
    session: &Session<'_>,
    client: &ClientId,
    wanted: &[FlowState],
) -> Result<[Vec<Flow>; 2], ToolError> {
    let kinds: [fn(&FlowState) -> bool; 2] =
        [|state| *state == FlowState::Error, |state| !state.is_final()];
    let mut found = [Vec::new(), Vec::new()];
    for (kind, found) in kinds.into_iter().zip(&mut found) {
        let asked = |state: &FlowState| wanted.is_empty() || wanted.contains(state);
        let states: Vec<FlowState> =
            FlowState::ALL.into_iter().filter(|state| kind(state) && asked(state)).collect();
        if !states.is_empty() {
            let search = FlowSearch { states, from: 0, count: SHOWN };
            *found = flows::list(session, client, &search).await?.flows;
        }
    }
    Ok(found)
}

impl Census {
    pub(super) fn of(found: &[Flows], [failed, at_work]: [Vec<Flow>; 2], now: Timestamp) -> Self {
        let mut states = BTreeMap::new();
        let mut artifacts: BTreeMap<&[String], Collected> = BTreeMap::new();
        for some in found {
            let word = some.state.as_str();
            *states.entry(word).or_insert(0) += some.count;
            let collected = artifacts.entry(&some.artifacts).or_default();
            collected.artifacts.clone_from(&some.artifacts);
            collected.flows += some.count;
            collected.rows += some.rows;
            *collected.states.entry(word).or_insert(0) += some.count;
        }
        let mut artifacts: Vec<Collected> = artifacts.into_values().collect();
        artifacts.sort_by_key(|collected| std::cmp::Reverse(collected.flows));
        let further_artifacts = artifacts.len().saturating_sub(NAMED) as u64;
        artifacts.truncate(NAMED);
        let rows = |flows: Vec<Flow>| flows.iter().map(|flow| Row::of(flow, now)).collect();
        Self {
            flows: found.iter().map(|some| some.count).sum(),
            states,
            rows: found.iter().map(|some| some.rows).sum(),
            uploaded_bytes: found.iter().map(|some| some.bytes).sum(),
            first: found.iter().filter_map(|some| some.first).min().map(clock::to_second),
            last: found.iter().filter_map(|some| some.last).max().map(clock::to_second),
            artifacts,
            further_artifacts,
            failed: rows(failed),
            at_work: rows(at_work),
        }
    }

    pub(super) const fn flows(&self) -> u64 {
        self.flows
    }

    pub(super) fn write(&self, out: &mut String) {
        let flows = if self.flows == 1 { "flow" } else { "flows" };
        // Writing into a string cannot fail.
        let _ = write!(out, "{} {flows}", self.flows);
        if self.flows == 0 {
            return;
        }
        let _ = write!(out, ": {}", told(&self.states));
        let _ =
            write!(out, "; {}, {} uploaded", table::rows(self.rows), at_most(self.uploaded_bytes));
        if let (Some(first), Some(last)) = (self.first, self.last) {
            let _ = write!(out, "\nfrom {first} to {last}");
        }
        out.push('\n');
        let rows = self.artifacts.iter().map(|one| {
            let names = one.artifacts.join(", ");
            vec![one.flows.to_string(), one.rows.to_string(), names, told(&one.states)]
        });
        table::write(out, &["flows", "rows", "artifacts", "states"], rows);
        if self.further_artifacts > 0 {
            let _ = write!(out, "\nand {} further artifacts", self.further_artifacts);
        }
        for (what, flows) in [("FAILED LAST", &self.failed), ("AT WORK", &self.at_work)] {
            for flow in flows {
                let _ = write!(out, "\n{what}  {}", flow.line());
            }
        }
    }
}

/// Counts by state, such as `25 FINISHED, 3 ERROR`.
pub(super) fn told(states: &BTreeMap<&'static str, u64>) -> String {
    let mut states: Vec<_> = states.iter().collect();
    states.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let told: Vec<String> =
        states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flows_read_as_counts_and_what_stands_out() {
        let some = |state, artifact: &str, count, rows| Flows {
            state,
            artifacts: vec![artifact.to_owned()],
            count,
            rows,
            bytes: 0,
            first: Timestamp::from_second(1_767_300_000).ok(),
            last: Timestamp::from_second(1_767_323_045).ok(),
        };
        let found = [
            some(FlowState::Finished, "Linux.Sys.Pslist", 9, 800),
            some(FlowState::Error, "Linux.Sys.Pslist", 1, 40),
            some(FlowState::Cancelled, "Linux.Sys.Users", 1, 0),
        ];
        let failed: Flow = serde_json::from_value(json!({
            "FlowId": "F.A", "ClientId": "C.0123456789abcdef", "Artifacts": ["Linux.Sys.Pslist"],
            "Creator": "ada", "State": "ERROR", "Status": "timed out",
            "Created": 1_767_323_045_000_000_i64, "Started": 0, "Active": 0, "Duration": 0,
            "Rows": 40, "UploadedFiles": 0, "UploadedBytes": 0, "Logs": 9, "Tables": [],
        }))
        .unwrap();
        let now = Timestamp::from_second(1_767_323_057).unwrap();
        let mut out = String::new();
        Census::of(&found, [vec![failed], Vec::new()], now).write(&mut out);
        insta::assert_snapshot!(out, @r"
        11 flows: 9 FINISHED, 1 CANCELLED, 1 ERROR; 840 rows, 0 bytes uploaded
        from 2026-01-01T20:40:00Z to 2026-01-02T03:04:05Z
        flows  rows  artifacts         states
        10     840   Linux.Sys.Pslist  9 FINISHED, 1 ERROR
        1      0     Linux.Sys.Users   1 CANCELLED
        FAILED LAST  F.A  12 s ago  Linux.Sys.Pslist: timed out
        ");
    }
}

//! The emergency stop: ends what Megaraptor started, by its own ledger, and says what it could not.
//!
//! It needs no approval, works under `--read-only`, and runs where nothing else can be recorded. It
//! holds hunts and cancels flows; it never undoes what was done: a host that is cut off stays so.

use std::fmt::Write;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use guard::ledger::{Ledger, Standing, Started, Unknown, Work};
use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::off::off;
use crate::services::Services;
use crate::tool_error::{Code, ToolError};

mod ending;
mod recording;

pub use recording::Recording;

/// How long the ledger may take for a line. A disk that hangs does not hold the stop up.
const NOTING: Duration = Duration::from_secs(2);

/// How long reading the ledger may take.
const READING: Duration = Duration::from_secs(10);

/// How much is ended at a time.
const AT_ONCE: usize = 8;

/// What became of one thing that was started.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Ended {
    /// The configured server.
    pub server: String,
    /// The org.
    pub org: String,
    /// The flow with its client, or the hunt.
    pub what: String,
    /// What was done, or why nothing was.
    pub outcome: String,
    /// It does not go on.
    pub stopped: bool,
}

/// What the stop did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Everything that was started and not known to have ended.
    pub ended: Vec<Ended>,
    /// Starts of which nobody knows what came of them, to be looked for on the server.
    pub unknown: Vec<String>,
    /// Lines of the ledger that cannot be read.
    #[schemars(skip)]
    pub unreadable: usize,
    /// Why the stop stands in the emergency file and not in the record of calls.
    #[schemars(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apart: Option<String>,
    /// Why the stop stands in neither.
    #[schemars(skip)]
    pub unrecorded: Option<String>,
}

impl Report {
    /// Whether nothing that was started goes on, as far as is known.
    pub fn is_whole(&self) -> bool {
        self.ended.iter().all(|one| one.stopped) && self.unknown.is_empty() && self.unreadable == 0
    }

    /// The report for reading.
    pub fn text(&self) -> String {
        let stopped = self.ended.iter().filter(|one| one.stopped).count();
        let mut out = format!("EMERGENCY STOP  {stopped} of {} ended", self.ended.len());
        if self.ended.is_empty() {
            out.push_str("\nnothing that Megaraptor started is known to run");
        }
        for one in &self.ended {
            let sign = if one.stopped { ' ' } else { '!' };
            let Ended { server, org, what, outcome, .. } = one;
            let _ = write!(out, "\n{sign} {server} / {org}  {what}: {outcome}");
        }
        for start in &self.unknown {
            let _ = write!(out, "\n! {start}");
        }
        if self.unreadable > 0 {
            let _ = write!(out, "\n! {} lines of the ledger cannot be read", self.unreadable);
        }
        match (&self.unrecorded, &self.apart) {
            (Some(why), _) => {
                let _ = write!(out, "\n! the stop itself is not on record: {why}");
            }
            (None, Some(why)) => {
                let _ = write!(
                    out,
                    "\n! the stop is recorded in emergency.jsonl, which audit show reads too, and \
                     not in the record of calls: {why}"
                );
            }
            (None, None) => {}
        }
        out.push_str(
            "\nNothing was undone: what was contained stays so. What was approved and not yet used \
             stays approved: megaraptor approvals list, and deny.",
        );
        out
    }
}

/// Ends everything that stands in the ledger, as far as the caller's token covers it.
///
/// # Errors
///
/// Where the ledger cannot be read. What cannot be ended is part of the report.
pub async fn stop(
    services: &Services,
    ledger: &Ledger,
    mut recording: Recording,
    cancel: &CancellationToken,
) -> Result<Report, ToolError> {
    let read = ledger.clone();
    let standing = off(READING, move || read.standing()).await;
    let Standing { started, unknown, torn } =
        standing.and_then(|read| read.map_err(|error| error.to_string())).map_err(|error| {
            ToolError::new(Code::Conflict, format!("the ledger cannot be read: {error}"))
                .next("list_flows and list_hunts on each server show what runs")
        })?;
    let started: Vec<Started> =
        started.into_iter().filter(|one| services.covers(&one.server, &one.org)).collect();
    let begins = format!("ending {} starts", started.len());
    recording.write(vec![begins]).await;
    let ending: Vec<_> = started.iter().map(|one| end(services, ledger, one, cancel)).collect();
    let ended: Vec<Ended> = stream::iter(ending).buffered(AT_ONCE).collect().await;
    let lines = ended
        .iter()
        .map(|one| format!("{} / {} {}: {}", one.server, one.org, one.what, one.outcome))
        .collect();
    recording.write(lines).await;
    let unknown = unknown
        .into_iter()
        .filter(|start| services.covers(&start.server, &start.org))
        .map(in_words);
    let mut report = Report {
        ended,
        unknown: unknown.collect(),
        unreadable: torn,
        apart: None,
        unrecorded: None,
    };
    let outcome = match (report.is_whole(), report.ended.is_empty()) {
        (true, true) => "empty",
        (true, false) => "complete",
        (false, _) => "partial",
    };
    let told = recording.close(outcome).await;
    (report.apart, report.unrecorded) = (told.apart, told.failed);
    Ok(report)
}

fn in_words(start: Unknown) -> String {
    let clients: Vec<String> = start.clients.iter().map(ToString::to_string).collect();
    format!(
        "{} / {}  {} at {} on {}: what came of it is not known; look with list_flows and list_hunts",
        start.server,
        start.org,
        start.tool,
        crate::clock::to_second(start.at),
        clients.join(", ")
    )
}

async fn end(
    services: &Services,
    ledger: &Ledger,
    started: &Started,
    cancel: &CancellationToken,
) -> Ended {
    let Started { server, org, work, .. } = started;
    let what = match work {
        Work::Flow { client, flow } => format!("{flow} on {client}"),
        Work::Hunt { hunt } => hunt.to_string(),
    };
    let done = ending::on_its_server(services, started, cancel).await;
    let (outcome, stopped) = match done {
        Ok(how) => {
            let (ledger, one, told) = (ledger.clone(), started.clone(), how.clone());
            let noted = off(NOTING, move || ledger.ended(&one, &told)).await;
            match noted.and_then(|noted| noted.map_err(|error| error.to_string())) {
                Ok(()) => (how, true),
                Err(error) => (format!("{how}; the ledger still has it: {error}"), true),
            }
        }
        Err(why) => (format!("NOT ended: {why}"), false),
    };
    Ended { server: server.clone(), org: org.clone(), what, outcome, stopped }
}

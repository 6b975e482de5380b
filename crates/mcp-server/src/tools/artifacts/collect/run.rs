//! A checked collection on each of several clients: started, awaited, read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use tokio::time::Instant;
use velociraptor_api::clients::{Client, Resolved};
use velociraptor_api::collections::{self, Checked};
use velociraptor_api::flow_results;
use velociraptor_api::flows::{self, Applied, Flow, WaitEnd};
use velociraptor_api::results::RowQuery;
use velociraptor_api::{ClientId, Fault, Session};

use super::outcome::{Outcome, TableRows, Word};
use crate::clock;
use crate::context::Progress;
use crate::gateway::Go;
use crate::handle::Handle;
use crate::page;
use crate::resolve::Named;
use crate::rows;
use crate::tool::Detail;
use crate::tool_error::{ToolError, may_have_acted};

/// For how long an equal collection is good enough. Longer, and what it says of processes and
/// connections is another picture than the one that is asked for.
const RECENT: Duration = Duration::from_secs(600);

/// How many clients are started at a time.
const STARTS: usize = 8;

/// First rows of each table.
const FIRST: u32 = 20;

/// What is to be done.
pub(super) struct Plan<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) go: &'a Go,
    pub(super) checked: &'a Checked,
    pub(super) again: bool,
    pub(super) wait: Duration,
    /// Until when it may wait for a client that is offline.
    pub(super) until: Option<Timestamp>,
    pub(super) detail: Detail,
    pub(super) progress: &'a (dyn Progress + 'a),
}

/// A flow on a client, and what is known of it so far.
struct Begun {
    id: ClientId,
    client: Option<Client>,
    flow: Flow,
    outcome: Outcome,
    existing: bool,
}

impl Plan<'_> {
    /// Runs it; one outcome for each client, in their order.
    ///
    /// # Errors
    ///
    /// Only where the call was cancelled: what was started goes on.
    pub(super) async fn run(&self, named: Vec<Named>) -> Result<Vec<Outcome>, ToolError> {
        let deadline = Instant::now() + self.wait;
        let total = named.len();
        self.progress.report(0, Some(total as u64), "starting");
        let begun: Vec<Result<Begun, Outcome>> = stream::iter(named)
            .map(|named| self.begin(named))
            .buffered(STARTS)
            .collect::<Vec<_>>()
            .await;
        if self.session.cancel().is_cancelled() {
            return Err(cancelled());
        }
        let done = AtomicUsize::new(0);
        let budget = page::BYTES / total.max(1);
        let parts = begun.into_iter().map(|begun| async {
            let outcome = match begun {
                Ok(begun) => self.finish(begun, deadline, budget, (&done, total)).await,
                Err(outcome) => outcome,
            };
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            self.progress.report(done as u64, Some(total as u64), &outcome.hostname);
            outcome
        });
        let outcomes = join_all(parts).await;
        if self.session.cancel().is_cancelled() { Err(cancelled()) } else { Ok(outcomes) }
    }

    /// Starts it on one client, or finds that the same is there.
    async fn begin(&self, named: Named) -> Result<Begun, Outcome> {
        let Named { given, found } = named;
        let Resolved { id, client, .. } = match found {
            Ok(resolved) => resolved,
            Err(error) => return Err(Outcome::refused(&given, None, error)),
        };
        let refused = |fault: ToolError| Outcome::refused(&given, client.as_ref(), fault);
        let outcome = Outcome {
            client_id: Some(id.to_string()),
            hostname: client.as_ref().map_or_else(|| given.clone(), |c| c.hostname.clone()),
            ..Outcome::default()
        };
        if !self.again {
            let equal = collections::equal_recent(self.session, &id, self.checked, RECENT).await;
            if let Some(flow) = equal.map_err(|fault| refused(fault.into()))? {
                return Ok(Begun { id, client, flow, outcome, existing: true });
            }
        }
        match collections::start(self.session, &id, self.checked).await {
            Ok(started) => {
                let flow = started.status.flow;
                self.go.started_flow_until(&id, &flow.flow_id, self.until).await;
                Ok(Begun { id, client, flow, outcome, existing: false })
            }
            Err(Fault::Unproved { what, flow }) => {
                match &flow {
                    Some(flow) => self.go.started_flow_until(&id, flow, self.until).await,
                    None => self.go.unsure(),
                }
                Err(outcome.unproved(flow.as_ref(), &what))
            }
            Err(Fault::Query(error)) if may_have_acted(&error) => {
                self.go.unsure();
                Err(outcome.unproved(None, &error.to_string()))
            }
            Err(fault) => Err(refused(fault.into())),
        }
    }

    /// Waits for it until the deadline, and reads its first rows.
    async fn finish(
        &self,
        begun: Begun,
        deadline: Instant,
        budget: usize,
        (done, total): (&AtomicUsize, usize),
    ) -> Outcome {
        let Begun { id, client, mut flow, mut outcome, existing } = begun;
        let away = client.as_ref().is_some_and(|client| !client.is_online());
        let last_seen = client.as_ref().and_then(|client| client.last_seen);
        outcome.read(&flow);
        let patience = deadline.saturating_duration_since(Instant::now());
        if away && !flow.state.is_final() {
            outcome.away(last_seen, self.until);
        } else if !flow.state.is_final() && !patience.is_zero() {
            let host = outcome.hostname.clone();
            let tell = |flow: &Flow| {
                let text = format!("{host} {} {}", flow.state, crate::table::rows(flow.rows));
                let done = done.load(Ordering::Relaxed) as u64;
                self.progress.report(done, Some(total as u64), &text);
            };
            match flows::wait(self.session, &id, &flow.flow_id, patience, tell).await {
                Ok(waited) => {
                    flow = waited.flow;
                    outcome.read(&flow);
                    if waited.end == WaitEnd::Offline {
                        outcome.away(last_seen, self.until);
                    }
                }
                Err(fault) => {
                    outcome.reason = Some(format!(
                        "started, and not followed: {fault}; get_flow_status follows it"
                    ));
                    return outcome;
                }
            }
        }
        if outcome.state == Word::Pending {
            let waited = self.wait.as_secs();
            let mut reason = if waited == 0 {
                format!("started, {}; get_flow_status follows it", flow.state)
            } else {
                format!("{} still after {waited} s; get_flow_status follows it", flow.state)
            };
            if let Some(seen) = last_seen {
                let age = clock::age(clock::now(), seen);
                reason =
                    format!("{reason}; last seen {age} (online is who was seen within 15 minutes)");
            }
            outcome.reason = Some(reason);
        }
        if let Err(error) = self.explain(&id, &flow, &mut outcome).await {
            outcome.note(format!("why it ended so could not be read: {error}"));
        }
        if existing {
            outcome.reused(&flow);
        }
        let os = client.as_ref().and_then(Client::system);
        outcome.judge(self.checked.definitions(), os, &flow.tables);
        if flow.rows > 0
            && let Err(error) = self.read_tables(&id, &flow, budget, &mut outcome).await
        {
            outcome.note(format!("its rows could not be read: {error}"));
        }
        outcome
    }

    /// Looks closer where a flow ended badly or without rows: was it cut, did it look at all?
    async fn explain(
        &self,
        id: &ClientId,
        flow: &Flow,
        outcome: &mut Outcome,
    ) -> Result<(), ToolError> {
        let silent = outcome.state == Word::Finished && flow.rows == 0 && flow.uploaded_files == 0;
        if outcome.state != Word::Failed && !silent {
            return Ok(());
        }
        let status = flows::status(self.session, id, &flow.flow_id).await?;
        if let Some(bound) = status.bound() {
            outcome.cut(bound, &self.checked.in_force());
            return Ok(());
        }
        match flows::applied(self.session, &status).await? {
            Applied::Somewhere => {}
            Applied::Nowhere => outcome.applied_nowhere(),
            Applied::NotKnown => outcome.may_have_looked(),
        }
        Ok(())
    }

    async fn read_tables(
        &self,
        id: &ClientId,
        flow: &Flow,
        budget: usize,
        outcome: &mut Outcome,
    ) -> Result<(), ToolError> {
        let tables = flow_results::tables(self.session, id, &flow.flow_id).await?.tables;
        if flow.state.is_early() {
            outcome.kept(tables.iter().map(|table| table.rows).sum());
        }
        let share = budget / tables.len().max(1);
        for table in tables.into_iter().filter(|table| table.rows > 0) {
            let handle = Handle::of_flow(id, &flow.flow_id, &table.name).to_string();
            if self.detail == Detail::Summary {
                let (table, rows) = (table.name, table.rows);
                outcome.tables.push(TableRows { table, rows, handle, ..TableRows::default() });
                continue;
            }
            let wanted = RowQuery { count: FIRST, ..RowQuery::default() };
            let found =
                flow_results::rows(self.session, id, &flow.flow_id, &table.name, &wanted).await?;
            let mut rows: Vec<_> = found.rows.into_iter().map(|row| row.row).collect();
            let cut = match self.detail {
                Detail::Full => Vec::new(),
                _ => rows::cut(&mut rows),
            };
            let kept = page::fit(rows, share)?;
            if let Some(warning) = kept.warning("get_flow_results reads it alone.") {
                outcome.note(warning);
            }
            outcome.tables.push(TableRows {
                handle,
                table: table.name,
                rows: table.rows,
                cut,
                columns: found.columns,
                first: kept.rows.into_vec(),
            });
        }
        Ok(())
    }
}

fn cancelled() -> ToolError {
    ToolError::new(crate::tool_error::Code::Cancelled, "the call was cancelled")
        .next("collections that were started go on; list_flows shows them")
}

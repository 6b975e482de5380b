//! What a flow brings back: the artifacts' own queries, run on the simulated machine.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;

use super::accounts::Account;
use super::parameters::parameters;
use super::repository::{Definition, Source};
use super::{Flow, SERVER, State, StoredFile, World};
use crate::eval::{Host, Run, Session, Sink, Stop, Text, run_artifact_source};
use crate::value::{Dict, Value};

/// The result of a flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Rows by `Artifact/Source`.
    pub(crate) sources: IndexMap<String, Rows>,
    /// The queries that the client ran: one for each artifact, or one for each source where the
    /// sources have conditions of their own.
    pub(crate) queries: Vec<QueryReport>,
    /// Level and text of each line.
    pub(crate) logs: Vec<(&'static str, String)>,
    pub(crate) uploads: Vec<(Vec<String>, StoredFile)>,
    /// Why the flow failed.
    pub(crate) error: Option<String>,
}

/// How one query of a flow went.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueryReport {
    /// Sources with rows.
    pub(crate) names: Vec<String>,
    pub(crate) rows: usize,
    pub(crate) logs: usize,
    pub(crate) error: Option<String>,
}

/// The rows of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) count: usize,
    /// The rows themselves, unless there are so many that they are computed again when read.
    kept: Option<Arc<[Dict]>>,
}

/// More rows than this are not kept.
const KEEP: usize = 20_000;

impl Outcome {
    pub(crate) fn total_rows(&self) -> usize {
        self.sources.values().map(|rows| rows.count).sum()
    }

    pub(crate) fn uploaded_bytes(&self) -> usize {
        self.uploads.iter().map(|(_, file)| file.data.len()).sum()
    }

    pub(crate) fn names_with_rows(&self) -> Vec<String> {
        self.sources
            .iter()
            .filter(|(_, rows)| rows.count > 0)
            .map(|(name, _)| name.clone())
            .collect()
    }
}

/// Runs all sources of a flow.
pub(super) fn evaluate(world: &Arc<World>, org: &str, flow: &Flow) -> Outcome {
    let mut outcome = Outcome::default();
    if let Some(limit) = flow.times_out() {
        let seconds = limit.as_secs();
        outcome.error = Some(format!("Query timed out after {seconds} seconds"));
        return outcome;
    }
    let definitions = definitions(&world.lock(), flow);
    for definition in definitions {
        for sources in definition.parts() {
            let done = run_query(world, org, flow, &definition, sources, &mut outcome);
            if done.is_break() {
                return outcome;
            }
        }
    }
    outcome
}

/// Runs the sources that make up one query; breaks where the flow is over its limit of rows.
fn run_query(
    world: &Arc<World>,
    org: &str,
    flow: &Flow,
    definition: &Definition,
    sources: &[Source],
    outcome: &mut Outcome,
) -> ControlFlow<()> {
    let mut query = QueryReport::default();
    let lines = outcome.logs.len();
    let limit = usize::try_from(flow.order.limits.max_rows).unwrap_or(0);
    let title = sources.first().map_or_else(String::new, |first| definition.source_name(first));
    let mut is_skipped = false;
    outcome.logs.push(("INFO", format!("Starting query execution for {title}.\n")));
    let mut flow_goes_on = ControlFlow::Continue(());
    for source in sources {
        let name = definition.source_name(source);
        let mut rows = Vec::new();
        let mut count = 0;
        let before = outcome.total_rows();
        let report = run_source(world, org, flow, definition, source, &mut |row| {
            count += 1;
            if count <= KEEP {
                rows.push(row);
            }
            if limit > 0 && before + count > limit {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let kept = (count <= KEEP).then(|| Arc::from(rows));
        if count > 0 {
            query.names.push(name.clone());
        }
        query.rows += count;
        outcome.sources.insert(name, Rows { count, kept });
        outcome.uploads.extend(report.uploads);
        if report.skipped {
            is_skipped = true;
        }
        outcome.logs.extend(report.logs);
        query.error = query.error.or(report.error);
        let total = before + count;
        if limit > 0 && total > limit {
            // The agent stops before it has sent what it counted. On the real server it is a
            // race, which the lab always lets the rows lose.
            if let Some(rows) = outcome.sources.get_mut(&definition.source_name(source)) {
                rows.kept = Some(Arc::from(Vec::new()));
            }
            query.error = Some(format!(
                "Rows {total} exceeded limit {limit} for flow {}. Cancelling.",
                flow.id
            ));
            flow_goes_on = ControlFlow::Break(());
            break;
        }
    }
    if is_skipped {
        outcome.logs.push(("INFO", format!("{title}: Skipping query due to preconditions\n")));
    } else {
        let part = format!("{title}: Sending response part 0 ({} rows)\n", query.rows);
        outcome.logs.push(("DEBUG", part));
    }
    outcome.logs.push(("INFO", format!("Collection {title} is done after 1ms\n")));
    query.logs = outcome.logs.len() - lines;
    if outcome.error.is_none() {
        outcome.error.clone_from(&query.error);
    }
    outcome.queries.push(query);
    flow_goes_on
}

fn definitions(state: &State, flow: &Flow) -> Vec<Arc<Definition>> {
    flow.order.artifacts.iter().filter_map(|name| state.repository.get(name).cloned()).collect()
}

/// Gives the rows of one source of a flow to a sink, from the row `start` on.
pub(crate) fn source_rows(
    world: &Arc<World>,
    org: &str,
    flow: &Flow,
    name: &str,
    start: usize,
    sink: &mut Sink<'_>,
) {
    let Some(rows) = flow.outcome.sources.get(name) else { return };
    if let Some(kept) = &rows.kept {
        for row in kept.iter().skip(start) {
            if sink(row.clone()).is_break() {
                return;
            }
        }
        return;
    }
    let definitions = definitions(&world.lock(), flow);
    for definition in &definitions {
        for source in &definition.sources {
            if definition.source_name(source) == name {
                let mut skip = start;
                run_source(world, org, flow, definition, source, &mut |row| {
                    if skip > 0 {
                        skip -= 1;
                        return ControlFlow::Continue(());
                    }
                    sink(row)
                });
            }
        }
    }
}

/// What running a source left behind besides rows.
struct Report {
    logs: Vec<(&'static str, String)>,
    uploads: Vec<(Vec<String>, StoredFile)>,
    error: Option<String>,
    /// Its condition is not met on this machine.
    skipped: bool,
}

fn run_source(
    world: &Arc<World>,
    org: &str,
    flow: &Flow,
    definition: &Definition,
    source: &Source,
    sink: &mut Sink<'_>,
) -> Report {
    let client_id = &flow.order.client_id;
    let host = {
        let mut state = world.lock();
        let endpoint = state.org(org).clients.get(client_id).and_then(|c| c.endpoint.clone());
        match endpoint {
            Some(endpoint) if client_id != SERVER => Host::Endpoint(endpoint),
            _ => Host::Server,
        }
    };
    let session = Session {
        user: flow.order.creator.clone(),
        org: org.to_owned(),
        account: Account::with_roles(["administrator"]),
    };
    let lines = Rc::new(RefCell::new(Vec::new()));
    let log = {
        let lines = Rc::clone(&lines);
        move |line: String| lines.borrow_mut().push(line)
    };
    let run = Run::new(Arc::clone(world), session, host, Arc::new(Stop::after(None)), log)
        .for_flow(flow.worked_at(), client_id, &flow.id);
    let parameters = parameters(definition, flow);
    let mut failure = None;
    match met(&run, definition.condition(source), &parameters) {
        Ok(true) => {}
        Ok(false) => {
            let (logs, uploads) = (Vec::new(), Vec::new());
            return Report { logs, uploads, error: None, skipped: true };
        }
        Err(error) => failure = Some(error),
    }
    if failure.is_none() {
        match Text::parse(&source.query) {
            Ok(text) => run_artifact_source(&run, &parameters, &text, sink),
            Err(error) => failure = Some(error),
        }
    }
    let uploads = run.take_uploads();
    drop(run);
    let mut logs = Vec::new();
    for line in Rc::into_inner(lines).map(RefCell::into_inner).unwrap_or_default() {
        let (level, text) = match line.split_once(':') {
            Some(("ERROR", text)) => ("ERROR", text),
            Some(("WARN", text)) => ("WARN", text),
            Some(("INFO", text)) => ("INFO", text),
            Some(("DEBUG", text)) => ("DEBUG", text),
            _ => ("DEFAULT", line.as_str()),
        };
        // One line at the level of an error makes the flow fail, whatever rows it has.
        if level == "ERROR" && failure.is_none() {
            failure = Some(text.to_owned());
        }
        logs.push((level, format!("{text}\n")));
    }
    Report { logs, uploads, error: failure, skipped: false }
}

/// Whether a precondition holds: it gives a row.
fn met(run: &Run, condition: &str, parameters: &[(String, Value)]) -> Result<bool, String> {
    if condition.trim().is_empty() {
        return Ok(true);
    }
    let text = Text::parse(condition)?;
    let mut any = false;
    run_artifact_source(run, parameters, &text, &mut |_| {
        any = true;
        ControlFlow::Break(())
    });
    Ok(any)
}

//! `get_hunt_results`.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::catalogue::READ;
use velociraptor_api::hunt_results::{self, Coverage, HostOutcome, Part};
use velociraptor_api::hunts::HuntState;
use velociraptor_api::results::{RowPage, RowQuery};
use velociraptor_api::{HuntId, Permission, Session};
use vql_builder::PureExpr;

use super::Summary;
use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::page::{self, Binding, Row};
use crate::table;
use crate::tool::{Effect, Tool};
use crate::tool_error::ToolError;

/// Most hosts that are named as not established; the counts are of all.
const NAMED: usize = 100;

/// Most hosts that are written in one line; the data has more.
const SHOWN: usize = 30;

/// `get_hunt_results`.
pub(super) struct GetHuntResults;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    hunt_id: String,
    /// Artifact or Artifact/Source; default all, one after the other
    table: Option<String>,
    /// VQL expression over columns
    filter: Option<String>,
    /// Rows, default 50; 0 for coverage alone
    #[schemars(range(min = 0, max = 10_000))]
    limit: Option<u32>,
    cursor: Option<String>,
}

/// How far the hunt has got, and rows.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    #[serde(flatten)]
    hunt: Summary,
    coverage: Counts,
    /// Hosts about which nothing is established, and why.
    not_established: Vec<Open>,
    tables: Vec<Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    columns: Vec<String>,
    rows: Vec<Row>,
    #[serde(skip)]
    hits: Vec<String>,
}

/// The parts sum to the scope.
#[derive(Debug, Serialize, JsonSchema)]
struct Counts {
    scope: u64,
    hit: u64,
    none: u64,
    not_applicable: u64,
    failed: u64,
    cut: u64,
    running: u64,
    never_scheduled: u64,
    /// Outside the scope.
    excluded: u64,
    joined_later: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Open {
    host: String,
    client_id: String,
    part: &'static str,
    online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Table {
    table: String,
    rows: u64,
}

impl Tool for GetHuntResults {
    const NAME: &'static str = "get_hunt_results";
    const TITLE: &'static str = "Get hunt results";
    const DESCRIPTION: &'static str = "What a hunt found, in rows of all clients, and how far it \
        looked: hit, none, failed, running, never asked; the parts sum to the scope, and the hosts \
        about which nothing is established are named. No rows from a host that is not established \
        is not a clean host.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    type Input = Input;
    type Output = Output;

    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let id = HuntId::parse(input.hunt_id.trim())?;
        let filter = input
            .filter
            .as_deref()
            .map(PureExpr::parse)
            .transpose()
            .map_err(|error| ToolError::invalid(format!("filter: {error}")))?;
        let binding = Binding::of(&cx, Self::NAME, &(&id, &input.table, &input.filter))?;
        let begun: Option<(usize, u64)> =
            input.cursor.as_deref().map(|cursor| binding.open(cursor)).transpose()?;
        let session = cx.session();
        cx.progress.report(1, Some(3), "reading coverage");
        let whole = hunt_results::coverage(&session, &id, None).await?;
        let named = input
            .table
            .as_deref()
            .map(|name| hunt_results::choose(&whole.hunt, Some(name)).map(str::to_owned))
            .transpose()?;
        let coverage = match &named {
            Some(table) => hunt_results::coverage(&session, &id, Some(table)).await?,
            None => whole,
        };
        cx.progress.report(2, Some(3), "counting rows");
        let tables = hunt_results::tables(&session, &coverage.hunt).await?;
        cx.progress.report(3, Some(3), "reading rows");
        let wanted: Vec<&str> = match &named {
            Some(table) => vec![table],
            None => tables.iter().filter(|t| t.rows > 0).map(|t| t.name.as_str()).collect(),
        };
        let (at, from) = begun.unwrap_or_default();
        let limit = input.limit.unwrap_or(50).min(10_000);
        let mut output = Output::of(&coverage);
        let (mut next, mut returned, mut warnings) = (None, 0, Vec::new());
        if limit > 0
            && let Some(table) = wanted.get(at)
        {
            let query = RowQuery { filter, from, count: limit, ..RowQuery::default() };
            let found = rows(&session, &id, table, &query).await?;
            returned = found.kept.len();
            warnings.extend(found.warning);
            next = found.next.map(|from| (at, from));
            output.table = Some((*table).to_owned());
            output.columns = found.columns;
            output.rows = found.kept;
            if next.is_none() && at + 1 < wanted.len() {
                next = Some((at + 1, 0));
            }
        }
        output.tables = tables.into_iter().map(|t| Table { table: t.name, rows: t.rows }).collect();
        let cursor = next.map(|place| binding.seal(&place)).transpose()?;
        let total: u64 = match (&named, &input.filter) {
            (_, Some(_)) => 0,
            (Some(name), None) => {
                output.tables.iter().filter(|t| t.table == *name).map(|t| t.rows).sum()
            }
            (None, None) => output.tables.iter().map(|t| t.rows).sum(),
        };
        let state = state(&coverage, cursor.is_some());
        let link = cx.link(&format!("/hunts/{id}/results"));
        let mut answer = Answer::of(&cx, &session, output).state(state).warn(warnings).link(link);
        answer.returned = Some(returned as u64);
        answer.total = input.filter.is_none().then_some(total);
        answer.cursor = cursor;
        Ok(answer)
    }
}

/// Rows that fit into an answer.
struct Found {
    columns: Vec<String>,
    kept: Vec<Row>,
    next: Option<u64>,
    warning: Option<String>,
}

async fn rows(
    session: &Session<'_>,
    hunt: &HuntId,
    table: &str,
    query: &RowQuery,
) -> Result<Found, ToolError> {
    let page: RowPage = hunt_results::rows(session, hunt, table, query).await?;
    let rows = page.rows.iter().map(|numbered| numbered.row.clone()).collect();
    let fitted = page::fit(rows, page::BYTES)?;
    let next = page.next_after(fitted.rows.len());
    let warning = fitted.warning("Name fewer columns in run_vql, or read the flow of that client.");
    Ok(Found { columns: page.columns, kept: fitted.rows, next, warning })
}

/// Complete only where every host is established and every row was handed over.
fn state(coverage: &Coverage, more: bool) -> State {
    let parts = &coverage.parts;
    let asked = coverage.scope - parts.never_scheduled;
    if more || (parts.open() > 0 && asked > 0) {
        State::Partial
    } else if parts.open() > 0 {
        match coverage.hunt.state {
            HuntState::Running if !coverage.hunt.is_expired() => State::Pending,
            HuntState::Paused | HuntState::Unset => State::Pending,
            _ if coverage.hunt.is_expired() => State::Expired,
            _ => State::Partial,
        }
    } else if parts.not_applicable > 0 && parts.hit == 0 {
        // Where the artifact does not apply nobody looked, and "empty" would say that somebody did.
        State::Partial
    } else if parts.hit == 0 {
        State::Empty
    } else {
        State::Complete
    }
}

impl Output {
    fn of(coverage: &Coverage) -> Self {
        let parts = &coverage.parts;
        let open = coverage.hosts.iter().filter(|host| !host.part.is_established());
        let hits = coverage.hosts.iter().filter(|host| host.part == Part::Hit);
        Self {
            hunt: Summary::of(&coverage.hunt),
            coverage: Counts {
                scope: coverage.scope,
                hit: parts.hit,
                none: parts.none,
                not_applicable: parts.not_applicable,
                failed: parts.failed,
                cut: parts.cut,
                running: parts.running,
                never_scheduled: parts.never_scheduled,
                excluded: coverage.excluded,
                joined_later: coverage.joined,
            },
            not_established: open.take(NAMED).map(|host| Open::of(host, coverage)).collect(),
            tables: Vec::new(),
            table: None,
            columns: Vec::new(),
            rows: Vec::new(),
            hits: hits.map(|host| name(host, coverage)).collect(),
        }
    }
}

impl Open {
    fn of(host: &HostOutcome, coverage: &Coverage) -> Self {
        let now = crate::clock::now();
        let online = host
            .last_seen
            .is_some_and(|seen| now.duration_since(seen) <= jiff::SignedDuration::from_secs(900));
        Self {
            host: name(host, coverage),
            client_id: host.client_id.to_string(),
            part: word(host.part),
            online,
            reason: host.reason.clone(),
        }
    }
}

/// The host name, with the id where another client of the hunt has the same name.
fn name(host: &HostOutcome, coverage: &Coverage) -> String {
    let Some(name) = &host.hostname else { return host.client_id.to_string() };
    let same = coverage.hosts.iter().filter(|other| other.hostname.as_ref() == Some(name));
    if same.count() > 1 { format!("{name}/{}", host.client_id) } else { name.clone() }
}

const fn word(part: Part) -> &'static str {
    match part {
        Part::Hit => "hit",
        Part::None => "none",
        Part::NotApplicable => "not applicable",
        Part::Running => "running",
        Part::Failed => "failed",
        Part::Cut => "cut",
        Part::NeverScheduled => "never asked",
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        let counts = &self.coverage;
        out.push_str(&self.hunt.line());
        let _ = write!(out, "\nscope {}: hit {}, none {}", counts.scope, counts.hit, counts.none);
        for (count, word) in [
            (counts.not_applicable, "not applicable"),
            (counts.failed, "failed"),
            (counts.cut, "cut"),
            (counts.running, "running"),
            (counts.never_scheduled, "never asked"),
        ] {
            if count > 0 {
                let _ = write!(out, ", {word} {count}");
            }
        }
        if counts.excluded > 0 {
            let _ = write!(out, "; outside the scope by label {}", counts.excluded);
        }
        if !self.hits.is_empty() {
            let shown: Vec<String> =
                self.hits.iter().take(SHOWN).map(|host| table::line_of(host)).collect();
            let _ = write!(out, "\nHIT {}", shown.join(" "));
            if self.hits.len() > SHOWN {
                let _ = write!(out, " and {} more", self.hits.len() - SHOWN);
            }
        }
        self.render_open(out);
        if self.rows.is_empty() {
            return;
        }
        let _ = write!(out, "\n\n{}", self.table.as_deref().unwrap_or_default());
        out.push('\n');
        let headings: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        table::write(
            out,
            &headings,
            self.rows.iter().map(|row| {
                self.columns.iter().map(|column| table::cell(row.get(column))).collect()
            }),
        );
    }
}

impl Output {
    /// The verdict: for how many hosts nothing is established, which, and why.
    fn render_open(&self, out: &mut String) {
        let counts = &self.coverage;
        let open = counts.failed + counts.cut + counts.running + counts.never_scheduled;
        if counts.not_applicable > 0 {
            let _ = write!(
                out,
                "\nnot looked at, because the artifact does not apply there: {} hosts",
                counts.not_applicable
            );
        }
        if open == 0 {
            if counts.not_applicable == 0 {
                out.push_str("\nevery host in the scope is established");
            }
            return;
        }
        let _ = write!(out, "\nNOT ESTABLISHED for {open} of {} hosts:", counts.scope);
        for part in [Part::Failed, Part::Cut, Part::Running, Part::NeverScheduled] {
            let of_part: Vec<&Open> =
                self.not_established.iter().filter(|host| host.part == word(part)).collect();
            if of_part.is_empty() {
                continue;
            }
            let _ = write!(out, "\n  {}: ", word(part));
            for (index, host) in of_part.iter().take(SHOWN).enumerate() {
                let separator = if index == 0 { "" } else { ", " };
                let place = if host.online { "" } else { " (offline)" };
                let _ = write!(out, "{separator}{}{place}", table::line_of(&host.host));
                if let Some(reason) = &host.reason {
                    let _ = write!(out, " ({})", table::line_of(reason));
                }
            }
            if of_part.len() > SHOWN {
                let _ = write!(out, " and {} more", of_part.len() - SHOWN);
            }
        }
        if open > self.not_established.len() as u64 {
            let _ = write!(out, "\n  and {} more", open - self.not_established.len() as u64);
        }
    }
}

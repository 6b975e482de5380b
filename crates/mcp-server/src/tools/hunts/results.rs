//! `get_hunt_results`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::catalogue::READ;
use velociraptor_api::hunt_results::{self, Coverage, HostOutcome, HuntTable, Part};
use velociraptor_api::hunts::{self, HuntState};
use velociraptor_api::results::{Place, RowQuery};
use velociraptor_api::{HuntId, Permission, Session};
use vql_builder::PureExpr;

use super::Summary;
use crate::answer::{Answer, State};
use crate::context::ToolCx;
use crate::handle::Handle;
use crate::page::{self, Binding, Rows};
use crate::rows::{self, How, Lean, Walk, Wish};
use crate::summary;
use crate::tool::{Detail, Effect, Reads, Tool};
use crate::tool_error::ToolError;

mod names;
mod render;

use names::Names;

/// Most hosts that are named as not established; the counts are of all.
const NAMED: usize = 100;

/// Most tables that are looked into for a summary.
const SUMMED: usize = 3;

/// How to read a row that is too large for an answer.
const ALONE: &str = "Name fewer columns in run_vql, or read the flow of that client.";

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
    rows: Rows,
    #[serde(flatten)]
    lean: Lean,
    /// With detail summary, instead of rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<serde_json::Value>")]
    summaries: Vec<summary::Summary>,
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
    /// Ended without rows, and whether it looked cannot be told.
    not_known: u64,
    failed: u64,
    cancelled: u64,
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
    handle: String,
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
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

impl Reads for GetHuntResults {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let id = HuntId::parse(input.hunt_id.trim())?;
        let (reading, query) = rows::query(&Wish {
            columns: &[],
            filter: input.filter.as_deref(),
            order_by: None,
            group_by: &[],
            stack: &[],
            count: false,
        })?;
        rows::plain_summary(cx.detail, &reading, &query, input.cursor.as_deref())?;
        let is_filtered = query.filter.is_some();
        let binding = Binding::of(&cx, Self::NAME, &(&id, &input.table, &input.filter))?;
        let begun: Option<Walk> =
            input.cursor.as_deref().map(|cursor| binding.open(cursor)).transpose()?;
        let session = cx.session();
        cx.progress.report(1, Some(3), "reading coverage");
        let named = match input.table.as_deref() {
            Some(name) => {
                let hunt = hunts::status(&session, &id).await?.hunt;
                Some(hunt_results::choose(&hunt, Some(name))?.to_owned())
            }
            None => None,
        };
        let coverage = hunt_results::coverage(&session, &id, named.as_deref()).await?;
        cx.progress.report(2, Some(3), "counting rows");
        let tables = hunt_results::tables(&session, &coverage.hunt).await?;
        cx.progress.report(3, Some(3), "reading rows");
        let grows = coverage.hunt.state == HuntState::Running || coverage.parts.running > 0;
        let wanted: Vec<String> = match &named {
            Some(table) => vec![table.clone()],
            None => tables.iter().filter(|t| t.rows > 0).map(|t| t.name.clone()).collect(),
        };
        let total: u64 = tables.iter().filter(|t| wanted.contains(&t.name)).map(|t| t.rows).sum();
        let limit = input.limit.unwrap_or(50).min(10_000);
        let place = match &begun {
            _ if limit == 0 || cx.detail == Detail::Summary => None,
            Some(begun) => {
                begun.check(&wanted)?;
                Some(begun.clone())
            }
            None => Walk::begin(&wanted, grows, None),
        };
        let mut output = Output::of(&coverage);
        let (mut next, mut warnings) = (None, Vec::new());
        let mut whole = true;
        if cx.detail == Detail::Summary {
            let filter = query.filter.as_ref();
            let (summaries, left) = summed(&session, &id, &tables, (&wanted, filter)).await?;
            whole = left.is_none() && summaries.iter().all(summary::Summary::is_whole);
            warnings.extend(left);
            output.summaries = summaries;
        }
        if let Some(place) = place {
            let limits = rows::limits(page::BYTES);
            let query = RowQuery { from: place.row, count: limit, limits, ..query };
            let at = Place::Hunt { hunt: &id, table: &place.table };
            let how = How { budget: page::BYTES, alone: ALONE, detail: cx.detail, named: false };
            let handed = rows::read(&session, at, &reading, &query, &how).await?;
            output.lean = handed.lean;
            warnings.extend(handed.warnings);
            next = place.after(handed.next, &wanted, grows);
            output.table = Some(place.table);
            output.columns = handed.columns;
            output.rows = handed.rows;
        }
        if grows && (next.is_some() || begun.is_some()) {
            warnings.push(String::from(
                "the hunt has not ended: rows of clients that answer meanwhile come before or \
                 between those already read, so that pages can miss or repeat rows; read it from \
                 the beginning once it has ended",
            ));
        }
        if let (None, several @ 2.., 1..) =
            (&named, coverage.hunt.artifacts.len(), coverage.parts.none)
        {
            warnings.push(format!(
                "\"none\" is where at least one of the {several} artifacts looked; with table each is \
                 judged by itself"
            ));
        }
        let returned = output.rows.len();
        let table = |table: HuntTable| Table {
            handle: Handle::of_hunt(&id, &table.name).to_string(),
            table: table.name,
            rows: table.rows,
        };
        output.tables = tables.into_iter().map(table).collect();
        let cursor = next.map(|place| binding.seal(&place)).transpose()?;
        let state = state(&coverage, cursor.is_some() || !whole);
        let link = cx.link(&format!("/hunts/{id}/results"));
        let mut answer = Answer::of(&cx, &session, output).state(state).warn(warnings).link(link);
        answer.returned = Some(returned as u64).filter(|_| cx.detail != Detail::Summary);
        answer.total = (!is_filtered).then_some(total);
        answer.cursor = cursor;
        Ok(answer)
    }
}

/// Looks at the largest of the tables; what is left out is said.
async fn summed(
    session: &Session<'_>,
    hunt: &HuntId,
    tables: &[HuntTable],
    (names, filter): (&[String], Option<&PureExpr>),
) -> Result<(Vec<summary::Summary>, Option<String>), ToolError> {
    let mut tables: Vec<_> =
        tables.iter().filter(|table| table.rows > 0 && names.contains(&table.name)).collect();
    tables.sort_by_key(|table| std::cmp::Reverse(table.rows));
    let left: Vec<&str> = tables.iter().skip(SUMMED).map(|table| table.name.as_str()).collect();
    let left = (!left.is_empty())
        .then(|| format!("not looked into, name one with table: {}", left.join(", ")));
    let mut summaries = Vec::new();
    for table in tables.into_iter().take(SUMMED) {
        let name = table.name.as_str();
        let handle = Handle::of_hunt(hunt, name).to_string();
        let place = Place::Hunt { hunt, table: name };
        let rows = Some(table.rows);
        let subject = summary::Subject { place, table: name, handle: &handle, rows, filter };
        summaries.push(summary::of(session, subject).await?);
    }
    Ok((summaries, left))
}

/// Complete only where every host is established and every row was handed over.
pub(in crate::tools) fn state(coverage: &Coverage, more: bool) -> State {
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
        let names = Names::of(&coverage.hosts);
        Self {
            hunt: Summary::of(&coverage.hunt),
            coverage: Counts {
                scope: coverage.scope,
                hit: parts.hit,
                none: parts.none,
                not_applicable: parts.not_applicable,
                not_known: parts.not_known,
                failed: parts.failed,
                cancelled: parts.cancelled,
                cut: parts.cut,
                running: parts.running,
                never_scheduled: parts.never_scheduled,
                excluded: coverage.excluded,
                joined_later: coverage.joined,
            },
            not_established: open.take(NAMED).map(|host| Open::of(host, &names)).collect(),
            tables: Vec::new(),
            table: None,
            columns: Vec::new(),
            rows: Rows::default(),
            lean: Lean::default(),
            summaries: Vec::new(),
            hits: hits.map(|host| names.name(host)).collect(),
        }
    }
}

impl Open {
    fn of(host: &HostOutcome, names: &Names<'_>) -> Self {
        Self {
            host: names.name(host),
            client_id: host.client_id.to_string(),
            part: word(host.part),
            online: host.online,
            reason: host.reason.clone(),
        }
    }
}

const fn word(part: Part) -> &'static str {
    match part {
        Part::Hit => "hit",
        Part::None => "none",
        Part::NotApplicable => "not applicable",
        Part::NotKnown => "not known",
        Part::Running => "running",
        Part::Failed => "failed",
        Part::Cancelled => "cancelled",
        Part::Cut => "cut",
        Part::NeverScheduled => "never asked",
    }
}

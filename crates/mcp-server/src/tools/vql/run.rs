//! `run_vql`.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use velociraptor_api::near::near;
use velociraptor_api::{
    Cut, Identity, IdentityKind, Permission, QueryError, QueryErrorKind, Rows, Session,
};
use vql_builder::ast::Program;
use vql_builder::{Query, RawVql};

use super::{again, excerpt, host, names, own_tool};
use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::evidence;
use crate::gateway::{Go, Work, programs};
use crate::page;
use crate::rows::Lean;
use crate::summary::Summary;
use crate::tool::{Acts, Detail, Effect, Tool};
use crate::tool_error::{Code, ToolError};

mod cells;

/// Longest text that is sent. Of statements in one text the engine (0.77.2) took 100,000, and 300,000
/// overflowed its stack and ended the process; the shortest has eight bytes.
const LONGEST: usize = 500_000;

/// `run_vql`.
pub(super) struct RunVql;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// VQL; statements need no separator
    query: String,
    /// Values by name, of any JSON type; the query uses the names. Never paste values into the text
    #[serde(default)]
    env: Map<String, Value>,
    /// Default 100
    #[schemars(range(min = 1, max = 10_000))]
    max_rows: Option<u64>,
    /// Of rows in the answer, default 40000
    #[schemars(range(min = 1000, max = 1_000_000))]
    max_bytes: Option<usize>,
    /// Seconds, default 30; an event query ends there with what it has
    #[schemars(range(min = 1, max = 600))]
    timeout: Option<u64>,
}

/// The rows.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    columns: Vec<String>,
    rows: page::Rows,
    /// To work on its rows with query_results.
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<String>,
    #[serde(flatten)]
    lean: Lean,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    summary: Option<Summary>,
}

impl Tool for RunVql {
    const NAME: &'static str = "run_vql";
    const TITLE: &'static str = "Run VQL on the server";
    const DESCRIPTION: &'static str = "Runs VQL on the server: its clients, flows, hunts, results, \
        definitions. Not on an endpoint: pslist() here lists the server's processes; for an \
        endpoint use collect_artifact. Uses an identity that can only read. Parse errors point \
        at the place; vql_help explains syntax and every function and plugin.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = &[Permission::AnyQuery];
    const DETAIL: Option<Detail> = Some(Detail::Full);
    type Input = Input;
    type Output = Output;
}

/// A query that parses, and was judged.
pub(super) struct Prepared {
    input: Input,
    program: Program,
    remarks: Vec<String>,
    /// It does nothing but read what the server stores.
    reads: bool,
}

impl Acts for RunVql {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let (rows, bytes, time) = input.limits()?;
        let bounds = guard::asked::Bounds {
            bytes: Some(bytes as u64),
            rows: Some(rows),
            seconds: Some(time.as_secs()),
        };
        if input.query.len() > LONGEST {
            return Err(ToolError::invalid(format!(
                "the query has {} bytes, and {LONGEST} is the most that is sent",
                input.query.len()
            ))
            .next("pass data through env, not in the text"));
        }
        // Parsed here first: a LIMIT that is no whole number would end the whole server (0.77.2).
        let parse = vql_builder::parse(&input.query);
        let program = parse.program().map_err(|error| excerpt::error(&input.query, &[error]));
        let program = match parse.errors() {
            [] => program?,
            errors => return Err(excerpt::error(&input.query, errors)),
        };
        let remarks = parse.warnings().iter().map(|remark| format!("line {remark}")).collect();
        let judged = programs::of_text(session, &input.query).await?;
        let reads = judged.reads();
        if !judged.unlisted.is_empty() {
            exists(cx, session, &judged.unlisted).await?;
        }
        let instead = match own_tool::hint(cx, &program) {
            _ if reads => None,
            Some(tool) => Some(tool),
            None => host::hint(cx, &program).await,
        };
        let work = Work::that("runs the query on the server")
            .sending(&input.query, judged.found)
            .within(bounds)
            .or_instead(instead);
        Ok((work, Prepared { input, program, remarks, reads }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        _go: &Go,
        Prepared { input, program, remarks, reads }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let (max_rows, max_bytes, timeout) = input.limits()?;
        let (identity, stronger) = reader(cx).await?;
        let kept = || again::keep(cx, (&input.query, &program), &input.env, reads);
        if cx.detail == Detail::Summary {
            let (handle, again) = kept()?;
            let (summary, identity) = again::summed(cx, &handle, &again).await?;
            let whole = summary.is_whole();
            let none = summary.rows == Some(0);
            let output = Output::summed(handle.to_string(), summary);
            let state = match (whole, none) {
                (false, _) => State::Partial,
                (true, true) => State::Empty,
                (true, false) => State::Complete,
            };
            let warnings = remarks.into_iter().chain(stronger);
            let answer = Answer::complete(cx, output).state(state).warn(warnings);
            return Ok(Answer { identity, ..answer });
        }
        let bind = |query| bind(query, &input.env);
        let query = bind(Query::raw("run_vql", RawVql::from_caller(input.query.as_str())))?;
        let mut call = cx.call_within(timeout);
        // What cannot be handed over is not asked for; a large first row is cut field by field.
        call.limits = call.limits.rows(max_rows).bytes(max_bytes as u64).keep_first();
        let mut rows = cx.server.run_as(identity, &query, &call, stronger.is_none()).await?;
        let whole = (input.query.as_str(), &program);
        let mut hint = host::hint(cx, &program).await;
        let unknown = rows.failures.iter().find_map(QueryErrorKind::unknown_symbol);
        // The sources are read once more, so only where that is all that it does.
        if let Some(symbol) = unknown.filter(|_| reads && hint.is_none()) {
            hint = names::of_source(cx, identity, whole, symbol, bind).await;
        }
        if !rows.failures.is_empty() && rows.rows.iter().all(is_nothing) {
            let kind = rows.failures.swap_remove(0);
            let lines = input.env.values().filter(|value| !value.is_string()).count();
            return Err(failed(cx, identity, moved_up(kind, lines), hint));
        }
        let denied = rows.failures.iter().find_map(|kind| not_stronger(identity, kind));
        let mut warnings: Vec<String> = rows
            .failures
            .iter()
            .map(|f| format!("failed in part: {}", evidence::said(f)))
            .collect();
        warnings.append(&mut rows.warnings);
        warnings.extend(remarks);
        warnings.extend(hint);
        warnings.extend(denied);
        if reads {
            let bound: Vec<&str> = input.env.keys().map(String::as_str).collect();
            warnings.extend(names::unknown(cx, identity, whole, &bound, bind).await);
        }
        warnings.extend(stronger);
        let mut answer = answer(cx, &program, rows, max_bytes, timeout, warnings)?;
        if answer.state == State::Partial {
            match kept() {
                Ok((handle, _)) => answer.data.handle = Some(handle.to_string()),
                Err(error) if error.code == Code::NotRecorded => {
                    answer.warnings.push(format!("it has no handle: {}", error.message));
                }
                // Nobody asked for one.
                Err(_) => {}
            }
        }
        Ok(answer)
    }
}

/// The query with the caller's values.
fn bind(mut query: Query, env: &Map<String, Value>) -> Result<Query, ToolError> {
    for (name, value) in env {
        query = query
            .bind_value(name, value)
            .map_err(|error| ToolError::invalid(format!("env: {error}")))?;
    }
    Ok(query)
}

impl Input {
    fn limits(&self) -> Result<(u64, usize, Duration), ToolError> {
        let rows = self.max_rows.unwrap_or(100);
        let bytes = self.max_bytes.unwrap_or(page::BYTES);
        let seconds = self.timeout.unwrap_or(30);
        if !(1..=10_000).contains(&rows) {
            return Err(ToolError::invalid("max_rows is between 1 and 10000"));
        }
        if !(1000..=1_000_000).contains(&bytes) {
            return Err(ToolError::invalid("max_bytes is between 1000 and 1000000"));
        }
        if !(1..=600).contains(&seconds) {
            return Err(ToolError::invalid("timeout is between 1 and 600 seconds"));
        }
        Ok((rows, bytes, Duration::from_secs(seconds)))
    }
}

/// Refuses names that the connected server does not have: nothing of it could run.
async fn exists(
    cx: &ToolCx<'_>,
    session: &Session<'_>,
    names: &BTreeSet<String>,
) -> Result<(), ToolError> {
    let symbols = cx.services.help().symbols(session).await?;
    let Some(name) = names.iter().find(|name| symbols.find(name).is_empty()) else {
        return Ok(());
    };
    let near = near(name, symbols.iter().map(|symbol| symbol.name.as_str()));
    let meant =
        if near.is_empty() { String::new() } else { format!("did you mean {}? ", near.join(", ")) };
    Err(ToolError::new(Code::InvalidQuery, format!("this server has no function or plugin {name}"))
        .next(format!("{meant}vql_help lists and explains what there is")))
}

/// The identity that runs the query, and a warning where it may do more than read.
async fn reader<'a>(cx: &'a ToolCx<'_>) -> Result<(&'a Identity, Option<String>), ToolError> {
    let identity = cx.identity(&[Permission::AnyQuery]).await?;
    let profile = cx.server.profile(identity, &cx.org, &cx.cancel).await?;
    let (user, kind) = (&profile.user, profile.kind());
    if kind == IdentityKind::Reader {
        return Ok((identity, None));
    }
    Ok((
        identity,
        Some(format!(
            "ran as {user} ({kind}), which may do more than read: no reader stands before it here"
        )),
    ))
}

fn answer(
    cx: &ToolCx<'_>,
    program: &Program,
    mut rows: Rows,
    max_bytes: usize,
    timeout: Duration,
    mut warnings: Vec<String>,
) -> Result<Answer<Output>, ToolError> {
    let seconds = timeout.as_secs();
    let came = rows.rows.len();
    evidence::name_columns(&mut rows.columns, &mut rows.rows);
    let lean = match cx.detail {
        Detail::Full => Lean::default(),
        _ => Lean::of(&mut rows.columns, &mut rows.rows, false),
    };
    let page = page::fit(rows.rows, max_bytes)?;
    let cut = page.more || !page.cut.is_empty() || rows.cut.is_some();
    let partial = cut || !rows.failures.is_empty();
    let state = match (partial, rows.cut, came) {
        (_, Some(Cut::Time), 0) => State::Expired,
        (true, ..) => State::Partial,
        (false, _, 0) => State::Empty,
        (false, ..) => State::Complete,
    };
    warnings.extend(page.warning("Select single columns, or part of a text with substr()."));
    if page.more {
        warnings.push(format!(
            "{} of the {came} rows that came fit into max_bytes; select fewer columns or raise it",
            page.rows.len()
        ));
    }
    warnings.extend(rows.cut.map(|cut| match (cut, host::endless(program)) {
        (Cut::Rows, _) => String::from("cut at max_rows; there may be more"),
        (Cut::Bytes, _) => format!(
            "cut at max_bytes ({max_bytes}): there are more rows; select fewer columns, or raise it"
        ),
        (Cut::Time, Some(name)) => {
            format!("{name}() never ends by itself: these are the events of {seconds} s")
        }
        (Cut::Time, None) if came == 0 => {
            format!("stopped after {seconds} s before the first row: nothing was established")
        }
        (Cut::Time, None) => format!("stopped after {seconds} s; these are the rows so far"),
    }));
    let returned = page.rows.len() as u64;
    let mut answer = Answer::complete(cx, Output::of(rows.columns, page.rows, lean))
        .state(state)
        .identity(rows.identity)
        .warn(warnings);
    answer.returned = Some(returned);
    answer.total = rows.cut.is_none().then_some(came as u64);
    Ok(answer)
}

/// A row that says nothing: what a failed function leaves behind.
fn is_nothing(row: &Map<String, Value>) -> bool {
    row.values().all(Value::is_null)
}

fn failed(
    cx: &ToolCx<'_>,
    identity: &Identity,
    kind: QueryErrorKind,
    hint: Option<String>,
) -> ToolError {
    let meant = kind.hint().map(|hint| format!("{hint} vql_help lists and explains what there is"));
    let denied = not_stronger(identity, &kind);
    let error = ToolError::from(QueryError {
        server: cx.server.name().to_owned(),
        identity: Some(identity.user().to_owned()),
        query: "run_vql",
        kind: Box::new(kind),
    });
    let steps: Vec<String> = hint.or(meant).into_iter().chain(denied).collect();
    if steps.is_empty() { error } else { error.next(steps.join(". ")) }
}

/// What a denial means here, and who could do it.
fn not_stronger(identity: &Identity, kind: &QueryErrorKind) -> Option<String> {
    let QueryErrorKind::Denied { permission, .. } = kind else { return None };
    let holds =
        permission.map_or_else(String::new, |permission| format!(" who holds {permission}"));
    Some(format!(
        "run_vql asks as {} and never as a stronger identity. collect_artifact, create_hunt, \
         label_client and quarantine_client act under identities of their own; anything else on \
         the server is for a person{holds}, in a notebook of its web pages",
        identity.user()
    ))
}

/// The failure with its place in the caller's text: each typed value is a line before it.
fn moved_up(kind: QueryErrorKind, lines: usize) -> QueryErrorKind {
    match kind {
        QueryErrorKind::Parse { place: Some((line, column)), detail } => {
            let lines = u32::try_from(lines).unwrap_or(u32::MAX);
            let place = line.checked_sub(lines).filter(|line| *line > 0).map(|line| (line, column));
            QueryErrorKind::Parse { place, detail }
        }
        other => other,
    }
}

impl Output {
    const fn of(columns: Vec<String>, rows: page::Rows, lean: Lean) -> Self {
        Self { columns, rows, handle: None, lean, summary: None }
    }

    fn summed(handle: String, summary: Summary) -> Self {
        let none = Self::of(Vec::new(), page::Rows::default(), Lean::default());
        Self { handle: Some(handle), summary: Some(summary), ..none }
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        if let Some(summary) = &self.summary {
            return summary.write(out);
        }
        cells::write(out, &self.columns, &self.rows);
        self.lean.write(out);
        if let Some(handle) = &self.handle {
            out.push_str("\nHANDLE ");
            out.push_str(handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_server_side_parse_error_is_that_of_the_callers_text() {
        let at = |line| QueryErrorKind::Parse { place: Some((line, 7)), detail: String::from("x") };
        assert_eq!(moved_up(at(3), 2), at(1));
        assert_eq!(moved_up(at(1), 0), at(1));
        let nowhere = QueryErrorKind::Parse { place: None, detail: String::from("x") };
        assert_eq!(moved_up(at(2), 2), nowhere);
    }
}

//! `query_results`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::catalogue::READ;
use velociraptor_api::results::{Again, RowQuery};
use velociraptor_api::{Permission, Session};

use super::held::{self, Held};
use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::gateway::{Go, Work, programs};
use crate::handle::Handle;
use crate::page::{self, Binding, Rows};
use crate::rows::{self, How, Lean, Reading, Wish};
use crate::summary::{self, Subject, Summary};
use crate::tool::{Acts, Detail, Effect, Tool};
use crate::tool_error::{Code, ToolError};
use crate::tools::vql;

/// How to read a row that is too large for an answer.
const ALONE: &str = "Select it alone with columns, or raise max_kb.";

/// `query_results`.
pub(super) struct QueryResults;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// From an answer: flow:…, hunt:…, query:…
    handle: String,
    #[serde(default)]
    columns: Vec<String>,
    /// VQL expression over columns
    filter: Option<String>,
    /// Column; -Column for largest first
    order_by: Option<String>,
    /// Count by these columns, commonest first
    #[serde(default)]
    group_by: Vec<String>,
    /// Same, rarest first
    #[serde(default)]
    stack: Vec<String>,
    /// Only how many rows
    #[serde(default)]
    count: bool,
    /// Default 100
    #[schemars(range(min = 1, max = 10_000))]
    limit: Option<u32>,
    /// Size of the answer, default 40
    #[schemars(range(min = 1, max = 4000))]
    max_kb: Option<u64>,
    cursor: Option<String>,
}

/// Rows, or groups of them.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    handle: String,
    columns: Vec<String>,
    rows: Rows,
    #[serde(flatten)]
    lean: Lean,
    /// With detail summary, instead of rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    summary: Option<Summary>,
    #[serde(skip)]
    filtered: bool,
}

impl Tool for QueryResults {
    const NAME: &'static str = "query_results";
    const TITLE: &'static str = "Query results";
    const DESCRIPTION: &'static str = "Works on rows by their handle, on the server: filter, \
        order, page, count, group. stack: the rarest values first, in hunts with the number of \
        hosts.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

/// Where the rows are, and which are wanted.
pub(super) struct Prepared {
    input: Input,
    handle: Handle,
    again: Option<Again>,
    reading: Reading,
    query: RowQuery,
}

impl Acts for QueryResults {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let handle = Handle::parse(&input.handle)?;
        let (reading, query) = rows::query(&Wish {
            columns: &input.columns,
            filter: input.filter.as_deref(),
            order_by: input.order_by.as_deref(),
            group_by: &input.group_by,
            stack: &input.stack,
            count: input.count,
        })?;
        rows::plain_summary(cx.detail, &reading, &query, input.cursor.as_deref())?;
        let (mut work, mut again) = (Work::reading(), None);
        if let Handle::Query(id) = &handle {
            let kept = cx.kept(id)?;
            let judged = programs::of_text(session, &kept.text).await?;
            if !judged.reads() {
                return Err(ToolError::new(Code::Denied, "the query does more than read by now")
                    .next("run_vql says what it does"));
            }
            again = Some(vql::again(&kept.text, kept.env)?);
            work = Work::that("runs the query on the server").sending(&kept.text, judged.found);
            work = work.needing_only(vec![Permission::AnyQuery]);
        }
        Ok((work, Prepared { input, handle, again, reading, query }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        _go: &Go,
        Prepared { input, handle, again, reading, query }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let asked = (handle.to_string(), &input.columns, &input.filter, &input.order_by);
        let asked = (asked, &input.group_by, &input.stack, input.count);
        let binding = Binding::of(cx, Self::NAME, &asked)?;
        let from: Option<u64> =
            input.cursor.as_deref().map(|cursor| binding.open(cursor)).transpose()?;
        let held = held::look(cx, session, &handle, again).await?;
        let filtered = query.filter.is_some();
        let budget = input.max_kb.map_or(page::BYTES, |kb| kb.clamp(1, 4000) as usize * 1000);
        let query = RowQuery {
            from: from.unwrap_or(0),
            count: input.limit.unwrap_or(100).clamp(1, 10_000),
            limits: rows::limits(budget),
            ..query
        };
        let Held { filled, state, warnings, link, .. } = &held;
        let mut output = Output {
            handle: held.handle.to_string(),
            columns: Vec::new(),
            rows: Rows::default(),
            lean: Lean::default(),
            summary: None,
            filtered,
        };
        let (mut state, mut warnings, mut cursor) = (*state, warnings.clone(), None);
        if *filled && cx.detail == Detail::Summary {
            let (table, handle) = (held.handle.table(), output.handle.as_str());
            let filter = query.filter.as_ref();
            let subject = Subject { place: held.place()?, table, handle, rows: None, filter };
            let summary = summary::of(session, subject).await?;
            if !summary.is_whole() && state == State::Complete {
                state = State::Partial;
            }
            output.summary = Some(summary);
        } else if *filled {
            let place = held.place()?;
            let named = !query.columns.is_empty();
            let how = How { budget, alone: ALONE, detail: cx.detail, named };
            if from.is_none() {
                rows::check_order(session, place, &query).await?;
            }
            let handed = rows::read(session, place, &reading, &query, &how).await?;
            output.lean = handed.lean;
            warnings.extend(handed.warnings);
            if let Some(next) = handed.next {
                cursor = Some(binding.seal(&next)?);
                state = State::Partial;
            }
            output.columns = handed.columns;
            output.rows = handed.rows;
        } else if matches!((&reading, state), (Reading::Count, State::Empty)) {
            output.columns = vec![String::from("Count")];
            output.rows =
                Rows::of(vec![page::Row::from_iter([(String::from("Count"), 0.into())])])?;
        }
        let returned = Some(output.rows.len() as u64);
        let answer = Answer::of(cx, session, output).state(state).warn(warnings);
        Ok(Answer { returned, cursor, ..answer.link(link.clone()) })
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        out.push_str(&self.handle);
        out.push('\n');
        if let Some(summary) = &self.summary {
            summary.write(out);
        } else if self.rows.is_empty() {
            out.push_str(if self.filtered { "no row matches" } else { "no rows" });
        } else {
            rows::write(out, &self.columns, &self.rows);
            self.lean.write(out);
        }
    }
}

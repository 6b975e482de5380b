//! `get_flow_results`.

use std::fmt::Write;

use futures_util::future::join;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::catalogue::READ;
use velociraptor_api::clients::Client;
use velociraptor_api::flows::{self, Flow};
use velociraptor_api::results::{Place, RowQuery};
use velociraptor_api::uploads::{self, Upload};
use velociraptor_api::{ClientId, FlowId, Permission, Session, flow_results};
use vql_builder::PureExpr;

use super::not_looked::not_looked;
use super::status;
use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::evidence;
use crate::handle::Handle;
use crate::page::{self, Binding, Rows};
use crate::resolve;
use crate::rows::{self, How, Lean, Reading, Walk, Wish};
use crate::summary::{self, Subject, Summary};
use crate::table;
use crate::tool::{Detail, Effect, Reads, Tool};
use crate::tool_error::ToolError;

pub(in crate::tools) mod tables;

/// Most uploads that one answer lists.
const UPLOADS: u32 = 50;

/// Most tables that are looked into for a summary.
const SUMMED: usize = 3;

/// How to read a row that is too large for an answer.
const ALONE: &str = "Select it alone with columns, or raise max_kb.";

/// `get_flow_results`.
pub(super) struct GetFlowResults;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Client id, host name, or server
    client: String,
    flow_id: String,
    /// Artifact or Artifact/Source; default all, one after the other
    table: Option<String>,
    /// Default all
    #[serde(default)]
    columns: Vec<String>,
    /// VQL expression over columns, such as Name =~ 'power' AND Pid > 4
    filter: Option<String>,
    /// Column; -Column for largest first
    order_by: Option<String>,
    /// Count rows by this column
    group_by: Option<String>,
    /// Only how many rows
    #[serde(default)]
    count: bool,
    /// Rows, default 100
    #[schemars(range(min = 1, max = 10_000))]
    limit: Option<u32>,
    /// Size of the answer, default 40
    #[schemars(range(min = 1, max = 4000))]
    max_kb: Option<u64>,
    cursor: Option<String>,
}

/// Rows of one table, and what else there is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    client_id: String,
    flow_id: String,
    flow_state: &'static str,
    /// With the first page only, as the uploads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<Table>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    uploads: Vec<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    columns: Vec<String>,
    rows: Rows,
    #[serde(flatten)]
    lean: Lean,
    /// With detail summary, instead of rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<serde_json::Value>")]
    summaries: Vec<Summary>,
    #[serde(skip)]
    filtered: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Table {
    table: String,
    rows: u64,
    handle: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct File {
    path: String,
    size: u64,
    stored: u64,
    server_path: String,
}

impl Tool for GetFlowResults {
    const NAME: &'static str = "get_flow_results";
    const TITLE: &'static str = "Get flow results";
    const DESCRIPTION: &'static str = "Reads what a collection found: rows of its tables, page by \
        page, and the files that it uploaded. The server filters, sorts, groups and counts, so \
        ask for what matters instead of reading all.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

impl Reads for GetFlowResults {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let session = cx.session();
        let id = FlowId::parse(input.flow_id.trim())?;
        let (reading, query) = rows::query(&Wish {
            columns: &input.columns,
            filter: input.filter.as_deref(),
            order_by: input.order_by.as_deref(),
            group_by: input.group_by.as_slice(),
            stack: &[],
            count: input.count,
        })?;
        // An id needs no look-up before its flow can be read.
        let known = ClientId::parse(input.client.trim()).ok();
        let (client, found) = match &known {
            Some(known) => {
                let found = look(&session, known, &id, input.cursor.is_some());
                let (client, found) = join(resolve::for_read(&session, &input.client), found).await;
                (client?, found?)
            }
            None => {
                let client = resolve::for_read(&session, &input.client).await?;
                let found = look(&session, &client.id, &id, input.cursor.is_some()).await?;
                (client, found)
            }
        };
        let (flow, sizes) = found;
        rows::plain_summary(cx.detail, &reading, &query, input.cursor.as_deref())?;
        let asked = (&client.id, &id, &input.table, &input.columns, &input.filter);
        let asked = (asked, &input.order_by, &input.group_by, input.count);
        let binding = Binding::of(&cx, Self::NAME, &asked)?;
        let begun: Option<Walk> =
            input.cursor.as_deref().map(|cursor| binding.open(cursor)).transpose()?;
        let names = tables::wanted(&flow, input.table.as_deref())?;
        if let (true, Some(named)) = (names.is_empty(), input.table.as_deref()) {
            tables::exists(&session, &flow, named).await?;
        }
        let grows = !flow.state.is_final();
        let plain = matches!(reading, Reading::Rows) && query.filter.is_none();
        let total = plain.then(|| tables::total(&sizes, &names));
        let place = match &begun {
            Some(begun) => {
                begun.check(&names)?;
                Some(begun.clone())
            }
            None => Walk::begin(&names, grows, total),
        };
        let mut warnings = Vec::new();
        let mut output = Output::of(&flow, &sizes);
        output.filtered = query.filter.is_some();
        if begun.is_none() && flow.uploaded_files > 0 {
            let (files, left) = files(&session, &flow).await?;
            output.uploads = files;
            warnings.extend(left);
        }
        let offline = client.client.as_ref().is_some_and(|client| !client.is_online());
        let mut state = status::state(&flow, &[], offline);
        let mut cursor = None;
        if cx.detail == Detail::Summary && place.is_some() {
            let (summaries, left) =
                summed(&session, &flow, &sizes, (&names, query.filter.as_ref())).await?;
            if left.is_some() || summaries.iter().any(|one| !one.is_whole()) {
                state = State::Partial;
            }
            warnings.extend(left);
            output.summaries = summaries;
        } else if let Some(place) = &place {
            let table = &place.table;
            let at = Place::Flow { client: &client.id, flow: &id, table };
            let budget = input.max_kb.map_or(page::BYTES, |kb| kb.clamp(1, 4000) as usize * 1000);
            let query = RowQuery {
                from: place.row,
                count: input.limit.unwrap_or(100).clamp(1, 10_000),
                limits: rows::limits(budget),
                ..query
            };
            let named = !query.columns.is_empty();
            let how = How { budget, alone: ALONE, detail: cx.detail, named };
            if begun.is_none() {
                rows::check_order(&session, at, &query).await?;
            }
            let handed = rows::read(&session, at, &reading, &query, &how).await?;
            output.lean = handed.lean;
            warnings.extend(handed.warnings);
            if let Some(next) = place.after(handed.next, &names, grows) {
                cursor = Some(binding.seal(&next)?);
                state = State::Partial;
            }
            output.table = Some(table.clone());
            output.columns = handed.columns;
            output.rows = handed.rows;
        } else {
            if state == State::Complete && (flow.uploaded_files == 0 || input.table.is_some()) {
                state = State::Empty;
            }
            warnings.extend(tables::no_rows(&flow, input.table.as_deref()));
        }
        if begun.is_none() {
            let os = client.client.as_ref().and_then(Client::system);
            let named = input.table.as_deref();
            let asleep = not_looked(&session, &flow, None, named, os).await?;
            if !asleep.is_empty() && matches!(state, State::Complete | State::Empty) {
                state = State::Partial;
            }
            warnings.extend(asleep);
        }
        if !flow.state.is_final() {
            warnings.push(String::from("the flow has not ended: more rows may come"));
        } else if let Some(status) = &flow.status {
            warnings.push(format!("the flow ended early: {}", evidence::said(status)));
            let kept = tables::total(&sizes, &flow.tables);
            if begun.is_none() && kept < flow.rows {
                warnings.push(format!("{} rows were counted, {kept} of them arrived", flow.rows));
            }
        }
        let returned = Some(output.rows.len() as u64).filter(|_| cx.detail != Detail::Summary);
        let link = cx.link(&format!("/collected/{}/{id}/results", client.id));
        let answer = Answer::of(&cx, &session, output).state(state).warn(warnings).link(link);
        let total = place.map_or(total, |place| place.total);
        Ok(Answer { total, returned, cursor, ..answer })
    }
}

/// Reads the flow and the sizes of its tables. A later page needs to know the tables and the
/// state, but not again every figure.
async fn look(
    session: &Session<'_>,
    client: &ClientId,
    id: &FlowId,
    later: bool,
) -> Result<(Flow, Vec<flow_results::Table>), ToolError> {
    if later {
        return Ok((flows::flow(session, client, id).await?, Vec::new()));
    }
    let found = flow_results::tables(session, client, id).await?;
    Ok((found.flow, found.tables))
}

/// Looks at the largest of the tables; what is left out is said.
async fn summed(
    session: &Session<'_>,
    flow: &Flow,
    sizes: &[flow_results::Table],
    (names, filter): (&[String], Option<&PureExpr>),
) -> Result<(Vec<Summary>, Option<String>), ToolError> {
    let mut tables: Vec<_> = sizes.iter().filter(|table| names.contains(&table.name)).collect();
    tables.sort_by_key(|table| std::cmp::Reverse(table.rows));
    let left: Vec<&str> = tables.iter().skip(SUMMED).map(|table| table.name.as_str()).collect();
    let left = (!left.is_empty())
        .then(|| format!("not looked into, name one with table: {}", left.join(", ")));
    let mut summaries = Vec::new();
    for table in tables.into_iter().take(SUMMED) {
        let name = table.name.as_str();
        let handle = Handle::of_flow(&flow.client_id, &flow.flow_id, name).to_string();
        let place = Place::Flow { client: &flow.client_id, flow: &flow.flow_id, table: name };
        let rows = Some(table.rows);
        let subject = Subject { place, table: name, handle: &handle, rows, filter };
        summaries.push(summary::of(session, subject).await?);
    }
    Ok((summaries, left))
}

async fn files(
    session: &Session<'_>,
    flow: &Flow,
) -> Result<(Vec<File>, Option<String>), ToolError> {
    let found = uploads::of_flow(session, &flow.client_id, &flow.flow_id, 0, UPLOADS).await?;
    let left = found.total.saturating_sub(found.uploads.len() as u64);
    let left = (left > 0)
        .then(|| format!("{left} more files were uploaded; run_vql with uploads() lists them all"));
    Ok((found.uploads.iter().map(File::of).collect(), left))
}

impl File {
    fn of(upload: &Upload) -> Self {
        let path = if upload.client_path.is_empty() { &upload.path } else { &upload.client_path };
        Self {
            path: path.clone(),
            size: upload.size,
            stored: upload.stored,
            server_path: upload.path.clone(),
        }
    }
}

impl Output {
    fn of(flow: &Flow, sizes: &[flow_results::Table]) -> Self {
        let size = |table: &flow_results::Table| Table {
            table: table.name.clone(),
            rows: table.rows,
            handle: Handle::of_flow(&flow.client_id, &flow.flow_id, &table.name).to_string(),
        };
        let mut tables: Vec<Table> = sizes.iter().map(size).collect();
        tables.sort_unstable_by(|a, b| a.table.cmp(&b.table));
        Self {
            client_id: flow.client_id.to_string(),
            flow_id: flow.flow_id.to_string(),
            flow_state: flow.state.as_str(),
            tables,
            uploads: Vec::new(),
            table: None,
            columns: Vec::new(),
            rows: Rows::default(),
            lean: Lean::default(),
            summaries: Vec::new(),
            filtered: false,
        }
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        let _ = write!(out, "{} on {}  {}", self.flow_id, self.client_id, self.flow_state);
        if self.tables.is_empty() && self.table.is_none() {
            out.push_str("\nno rows");
        }
        for table in &self.tables {
            let mark = if self.table.as_ref() == Some(&table.table) { "  below" } else { "" };
            let (rows, word) = (table.rows, table::word(table.rows));
            let _ = write!(out, "\n{rows:>8} {word:<4}  {}{mark}", table.handle);
        }
        for file in &self.uploads {
            let _ = write!(out, "\n{:>8} bytes  {}", file.size, table::line_of(&file.path));
            if file.stored < file.size {
                let _ = write!(out, "  ({} stored)", file.stored);
            }
        }
        if let Some(table) = &self.table {
            let _ = write!(out, "\n\n[{table}]\n");
            if self.rows.is_empty() {
                out.push_str(if self.filtered { "no row matches" } else { "no rows" });
            } else {
                rows::write(out, &self.columns, &self.rows);
                self.lean.write(out);
            }
        }
        self.summaries.iter().for_each(|summary| summary.write(out));
    }
}

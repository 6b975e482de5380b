//! `run_vql`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use velociraptor_api::{Cut, IdentityKind, Permission, QueryErrorKind};
use vql_builder::{Query, RawVql};

use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::table;
use crate::tool::{Effect, Tool};
use crate::tool_error::{Code, ToolError};

/// `run_vql`.
pub(super) struct RunVql;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// VQL; statements need no separator
    query: String,
    /// Most rows, default 100
    #[schemars(range(min = 1, max = 10_000))]
    max_rows: Option<u64>,
    /// Most seconds, default 30
    #[schemars(range(min = 1, max = 600))]
    timeout: Option<u64>,
}

/// The rows.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    columns: Vec<String>,
    rows: Vec<Map<String, Value>>,
}

impl Tool for RunVql {
    const NAME: &'static str = "run_vql";
    const TITLE: &'static str = "Run VQL on the server";
    const DESCRIPTION: &'static str = "Runs VQL on the server, not on an endpoint: pslist() here \
        lists the server's processes; to look at an endpoint use collect_artifact.";
    const EFFECT: Effect = Effect::Read;
    type Input = Input;
    type Output = Output;

    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let identity = cx.identity(&[Permission::AnyQuery]).await?;
        let profile = cx.server.profile(identity, &cx.org, &cx.cancel).await?;
        if profile.kind() != IdentityKind::Reader && !cx.services.changes_allowed() {
            return Err(ToolError::new(
                Code::Denied,
                format!(
                    "run_vql uses an identity that can only read, and {} is {}",
                    profile.user, profile.kind()
                ),
            )
            .next("make a reader on the server (velociraptor --config server.config.yaml config api_client --name NAME --role reader,api FILE) and configure it as reader; or a person starts megaraptor with --allow-changes"));
        }
        // Parsed here first: a LIMIT that is no whole number would end the whole server (0.77.2).
        if let Some(error) = vql_builder::parse(&input.query).errors().first() {
            return Err(ToolError::new(Code::InvalidQuery, format!("parse {error}")));
        }
        let query = Query::raw("run_vql", RawVql::from_caller(input.query));
        let mut call = cx.call_within(Duration::from_secs(input.timeout.unwrap_or(30)));
        call.limits = call.limits.rows(input.max_rows.unwrap_or(100));
        let mut rows = cx.server.run_as(identity, &query, &call, false).await?;
        if rows.rows.is_empty() && !rows.failures.is_empty() {
            return Err(failed(rows.failures.swap_remove(0)));
        }
        let state = match (rows.cut, rows.failures.is_empty(), rows.rows.is_empty()) {
            (Some(_), _, _) | (_, false, _) => State::Partial,
            (None, true, true) => State::Empty,
            (None, true, false) => State::Complete,
        };
        let returned = rows.rows.len() as u64;
        let cut = rows.cut.map(|cut| match cut {
            Cut::Rows => String::from("cut at max_rows; there are more"),
            Cut::Bytes => String::from("cut at the size limit; select fewer columns"),
            Cut::Time => String::from("stopped at the time limit; these are the rows so far"),
        });
        let mut answer = Answer::complete(&cx, Output { columns: rows.columns, rows: rows.rows })
            .state(state)
            .identity(rows.identity)
            .warn(rows.failures.iter().map(ToString::to_string))
            .warn(rows.warnings)
            .warn(cut);
        answer.returned = Some(returned);
        Ok(answer)
    }
}

fn failed(kind: QueryErrorKind) -> ToolError {
    match &kind {
        QueryErrorKind::Denied { .. } => ToolError::new(Code::Denied, kind.to_string()),
        _ => ToolError::new(Code::InvalidQuery, kind.to_string()),
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        let headings: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let rows = self.rows.iter().map(|row| {
            self.columns
                .iter()
                .map(|column| match row.get(column) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                })
                .collect()
        });
        table::write(out, &headings, rows);
    }
}

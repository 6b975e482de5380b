//! Queries that can be run again by a handle.

use serde_json::{Map, Value};
use velociraptor_api::results::{Again, Place};
use vql_builder::ast::Program;

use super::{excerpt, host};
use crate::context::ToolCx;
use crate::handle::Handle;
use crate::summary::{self, Subject, Summary};
use crate::tool_error::{Code, ToolError};

/// A kept query, so that others can be put around its rows.
///
/// # Errors
///
/// `invalid_query` saying why they cannot.
pub(in crate::tools) fn again(text: &str, env: Map<String, Value>) -> Result<Again, ToolError> {
    let parse = vql_builder::parse(text);
    let program = parse.program().map_err(|error| excerpt::error(text, &[error]))?;
    around(text, &program, env)
}

fn around(text: &str, program: &Program, env: Map<String, Value>) -> Result<Again, ToolError> {
    let unfit = |why: &dyn std::fmt::Display| {
        ToolError::new(Code::InvalidQuery, format!("nothing can be put around its rows: {why}"))
            .next("one SELECT at the end, after LETs, has a handle")
    };
    if let Some(name) = host::endless(program) {
        return Err(unfit(&format!("{name}() never ends by itself")));
    }
    let text = vql_builder::again(text, program).map_err(|why| unfit(&why))?;
    Ok(Again { text, env })
}

/// Keeps a query that only reads, and gives its handle.
///
/// # Errors
///
/// Why it has none.
pub(super) fn keep(
    cx: &ToolCx<'_>,
    (text, program): (&str, &Program),
    env: &Map<String, Value>,
    reads: bool,
) -> Result<(Handle, Again), ToolError> {
    if !reads {
        return Err(ToolError::new(Code::Denied, "it does more than read")
            .next("only a query that reads can be run again by a handle"));
    }
    let again = around(text, program, env.clone())?;
    Ok((Handle::Query(cx.keep(text, env)?), again))
}

/// What the rows of a query hold.
///
/// # Errors
///
/// As [`summary::of`].
pub(super) async fn summed(
    cx: &ToolCx<'_>,
    handle: &Handle,
    again: &Again,
) -> Result<(Summary, Option<String>), ToolError> {
    let session = cx.session();
    let (place, handle) = (Place::Query(again), handle.to_string());
    let subject = Subject { place, table: "query", handle: &handle, rows: None, filter: None };
    let summary = summary::of(&session, subject).await?;
    let identities = session.identities();
    Ok((summary, (!identities.is_empty()).then(|| identities.join(", "))))
}

//! `megaraptor tools`: what there is to call.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::columns::{Column, fitted};
use super::{Form, Global, output};
use crate::services::Services;
use crate::tool::{Effect, ToolDef};
use crate::tool_error::ToolError;
use crate::tools::FAMILIES;

#[derive(Debug, Args)]
pub(super) struct ToolsArgs {
    /// Describe this tool with its arguments
    tool: Option<String>,
}

pub(super) fn run(global: &Global, args: &ToolsArgs) -> Result<ExitCode, ToolError> {
    // A person reads about every tool, whether or not it may run now, and without a server.
    let every = || FAMILIES.iter().map(|family| family.id.to_owned()).collect();
    let families = if global.families.is_empty() { every() } else { global.families.clone() };
    let switches = global.switches(&[], &families)?;
    let services = Services::new(Vec::new(), switches);
    match (&args.tool, global.output) {
        (Some(name), Form::Text) => output::result(&describe(services.tool(name)?)),
        (Some(name), Form::Json) => output::json(&descriptor(services.tool(name)?))?,
        (None, Form::Text) => output::result(&list(&services)),
        (None, Form::Json) => output::json(&services.tools().map(descriptor).collect())?,
    }
    Ok(ExitCode::SUCCESS)
}

const COLUMNS: &[Column] =
    &[Column::whole("tool"), Column::whole("effect"), Column::cut_to("what it does", 20)];

fn list(services: &Services) -> String {
    let rows = services.tools().map(|tool| {
        vec![tool.name.to_owned(), tool.effect.as_str().to_owned(), tool.title.to_owned()]
    });
    let mut out = fitted(COLUMNS, &rows.collect::<Vec<_>>(), output::width());
    out.push_str(
        "\n\nThose that deploy and destroy are on with --families core,deploy.\n\
         Read tools run as they are; for the others the policy says whether a person is asked.\n\
         megaraptor tools NAME shows a tool's arguments.",
    );
    out
}

fn describe(tool: &ToolDef) -> String {
    let mut out = format!("{}: {} [{}]\n\n", tool.name, tool.title, tool.effect.as_str());
    out.push_str(tool.description);
    let schema = tool.input_schema();
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(Value::Object(properties)) = schema.get("properties") {
        out.push('\n');
        for (name, property) in properties {
            let must = if required.iter().any(|r| r == name) { ", must be given" } else { "" };
            let said = property.get("description").and_then(Value::as_str).unwrap_or_default();
            let _ = write!(out, "\n  {name} ({}{must})\n      {said}", kind(property));
        }
    }
    if tool.effect != Effect::Read {
        let _ =
            write!(out, "\n\nThe policy decides on a tool to {}: megaraptor policy.", tool.effect);
    }
    out
}

/// A type in a word or two.
fn kind(property: &Value) -> String {
    if let Some(Value::Array(values)) = property.get("enum") {
        return values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|");
    }
    let name = property.get("type").and_then(Value::as_str).unwrap_or("any");
    match property.get("items") {
        Some(items) if name == "array" => format!("list of {}", kind(items)),
        _ => name.to_owned(),
    }
}

fn descriptor(tool: &'static ToolDef) -> Value {
    json!({
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "effect": tool.effect.as_str(),
        "input_schema": tool.input_schema(),
        "output_schema": tool.output_schema(),
    })
}

//! Definitions as MCP descriptors.

use std::sync::Arc;

use rmcp::model::ToolAnnotations;
use serde_json::{Map, Value, json};

use crate::services::Services;
use crate::tool::{Effect, Place, ToolDef};

/// The descriptor of a tool.
pub fn describe(tool: &ToolDef, services: &Services) -> rmcp::model::Tool {
    let mut input = tool.input_schema();
    if let Some(Value::Object(properties)) = input.get_mut("properties")
        && !tool.stops
        && tool.place == Place::Server
    {
        let targets = services.targets();
        choice(
            properties,
            "server",
            services.many_servers(),
            services.has_default(),
            targets.iter().map(|t| t.server.name().to_owned()),
        );
        let orgs = targets.iter().flat_map(|t| t.orgs.iter().map(ToString::to_string));
        choice(properties, "org", services.many_orgs(), true, orgs);
    }
    rmcp::model::Tool::new(tool.name, tool.description, Arc::new(input))
        .with_title(tool.title)
        .with_raw_output_schema(Arc::new(tool.output_schema()))
        .with_annotations(annotations(tool))
}

/// What a client may tell a person about a tool before it is called. That a tool meets an open
/// world is what the protocol assumes, and it does: its rows come from endpoints.
fn annotations(tool: &ToolDef) -> ToolAnnotations {
    let annotations = ToolAnnotations::new();
    match tool.effect {
        Effect::Read => annotations.read_only(true),
        effect if tool.idempotent => {
            annotations.read_only(false).destructive(destroys(effect)).idempotent(true)
        }
        effect => annotations.read_only(false).destructive(destroys(effect)),
    }
}

/// What cannot be taken back by calling again.
const fn destroys(effect: Effect) -> bool {
    matches!(effect, Effect::Respond | Effect::Destroy)
}

/// Adds an argument that exists only where there is a choice.
fn choice(
    properties: &mut Map<String, Value>,
    name: &str,
    offered: bool,
    has_default: bool,
    values: impl Iterator<Item = String>,
) {
    if !offered {
        return;
    }
    let mut names: Vec<String> = Vec::new();
    for value in values {
        if !names.contains(&value) {
            names.push(value);
        }
    }
    let description = match names.first() {
        Some(first) if has_default => format!("default {first}"),
        _ => String::from("no default: name one"),
    };
    properties.insert(name.to_owned(), json!({ "enum": names, "description": description }));
}

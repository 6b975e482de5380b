//! The reference of the tools, and the table of them in the README, from the tools' definitions.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Generated, program};
use crate::workspace;

const REFERENCE: &str = "docs/reference/tools.md";
const README: &str = "README.md";

/// What stands between these two lines of the README is generated.
const BEGIN: &str = "<!-- tools: written by `cargo xtask codegen` -->";
const END: &str = "<!-- tools: end -->";

/// A tool as `megaraptor tools --output json` describes it.
#[derive(Debug, Deserialize)]
struct Tool {
    name: String,
    title: String,
    description: String,
    effect: String,
    input_schema: Map<String, Value>,
}

pub(super) fn reference() -> anyhow::Result<Vec<Generated>> {
    Ok(vec![Generated { path: REFERENCE.into(), text: describe(&tools()?) }])
}

pub(super) fn readme() -> anyhow::Result<Vec<Generated>> {
    let readme = fs::read_to_string(workspace::root().join(README)).context("reading README.md")?;
    Ok(vec![Generated { path: README.into(), text: with_table(&readme, &tools()?)? }])
}

fn tools() -> anyhow::Result<Vec<Tool>> {
    let text = program::ask(&["tools", "--output", "json"])?;
    let tools: Vec<Tool> = serde_json::from_str(&text).context("reading the list of tools")?;
    ensure!(!tools.is_empty(), "the program has no tools");
    Ok(tools)
}

fn describe(tools: &[Tool]) -> String {
    let mut text = String::from(
        "# Tools\n\nWritten by `cargo xtask codegen` from the tools' definitions; do not edit.\n\n\
         `read` tools run as they are. For the others the policy says whether they run, a person \
         is asked, or they are refused (`megaraptor policy`).\n",
    );
    for tool in tools {
        let Tool { name, title, description, effect, input_schema } = tool;
        let _ = write!(text, "\n## `{name}`\n\n{title} ({effect}). {description}\n");
        let properties = input_schema.get("properties").and_then(Value::as_object);
        let Some(properties) = properties.filter(|properties| !properties.is_empty()) else {
            text.push_str("\nIt takes no arguments.\n");
            continue;
        };
        text.push_str("\n| argument | type | what |\n|---|---|---|\n");
        let required = input_schema.get("required").and_then(Value::as_array);
        for (argument, schema) in properties {
            let needed = required.is_some_and(|names| names.iter().any(|name| name == argument));
            let needed = if needed { " (required)" } else { "" };
            let what = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let kind = kind(schema);
            let _ = writeln!(text, "| `{argument}`{needed} | {kind} | {} |", cell(what));
        }
    }
    text
}

/// The type of an argument in a few words.
fn kind(schema: &Value) -> String {
    let words = |values: &Vec<Value>| {
        let words: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return words(choices);
    }
    if let Some(Value::Array(either)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        return either.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(one) = schema.get("const").and_then(Value::as_str) {
        return format!("`{one}`");
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "array" => {
            let of = schema.get("items").map_or_else(|| "anything".to_owned(), kind);
            format!("list of {of}")
        }
        Some(Value::String(name)) => {
            let bound = |key| schema.get(key).and_then(Value::as_i64);
            match (bound("minimum"), bound("maximum")) {
                (Some(least), Some(most)) => format!("{name}, {least} to {most}"),
                (Some(least), None) => format!("{name}, at least {least}"),
                _ => name.clone(),
            }
        }
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .filter(|name| *name != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "anything".to_owned(),
    }
}

/// A text that may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('*', "\\*")
}

fn with_table(readme: &str, tools: &[Tool]) -> anyhow::Result<String> {
    let (before, rest) = readme
        .split_once(BEGIN)
        .with_context(|| format!("README.md has no line {BEGIN}: put it where the table goes"))?;
    let (_, after) =
        rest.split_once(END).with_context(|| format!("README.md has no line {END}"))?;
    let mut table = String::from("| tool | effect | what it is for |\n|---|---|---|\n");
    for Tool { name, title, effect, .. } in tools {
        let _ = writeln!(table, "| [`{name}`]({REFERENCE}#{name}) | {effect} | {} |", cell(title));
    }
    Ok(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool() -> Tool {
        serde_json::from_value(json!({
            "name": "run_it", "title": "Run | it", "description": "Runs it.", "effect": "read",
            "input_schema": { "required": ["query"], "properties": {
                "query": { "type": "string", "description": "a | b\nc" },
                "limit": { "type": "integer", "minimum": 1, "maximum": 5 },
                "os": { "enum": ["linux", "windows"] },
                "names": { "type": "array", "items": { "type": "string" } },
                "value": { "anyOf": [{ "type": "string" }, { "type": "number" }] },
            }},
        }))
        .unwrap()
    }

    #[test]
    fn a_tool_is_described_with_its_arguments() {
        let text = describe(&[tool()]);
        for line in [
            "## `run_it`",
            "| `query` (required) | string | a \\| b c |",
            "| `limit` | integer, 1 to 5 |  |",
            "| `os` | `linux`, `windows` |  |",
            "| `names` | list of string |  |",
            "| `value` | string or number |  |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
    }

    #[test]
    fn the_table_replaces_the_old_one_and_nothing_else() {
        let readme = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let text = with_table(&readme, &[tool()]).unwrap();
        assert!(text.starts_with("before\n") && text.ends_with("\nafter\n"), "{text}");
        assert!(!text.contains("old") && text.contains("Run \\| it"), "{text}");
        assert_eq!(with_table(&text, &[tool()]).unwrap(), text);
        assert!(with_table("no marks", &[tool()]).is_err());
    }
}

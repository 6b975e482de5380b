//! Hostile names in every text argument of every tool: the structure of no query changes.
//!
//! The server writes each query that it is sent into its log, text and values apart. A value that
//! became part of a text would be seen there.

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};

use super::{Stage, ended_well, tools};
use crate::real::{RealAgent, Role};

/// In every hostile text, to be looked for in the server's log.
const MARK: &str = "zzHostile";

const TEXTS: &[&str] = &[
    "zzHostile' OR 1=1 --",
    "zzHostile\"; SELECT * FROM info()",
    "zzHostile') { SELECT 1 FROM scope() }",
    "zzHostile /* ` */ \\",
    "zzHostile\nLET x <= 1",
    "zzHostile\u{0}end",
    "\u{202e}zzHostile\u{200b}\u{1F600}",
];

/// Fewer calls would mean that the arguments were not found.
const LEAST_CALLS: usize = 200;

pub(super) async fn run(stage: &Stage, agent: &RealAgent) -> anyhow::Result<()> {
    let mut child = stage
        .ready(&Role::ALL, &["--policy", "collect=allow", "--policy", "respond=allow"])
        .await?;
    let mut calls = 0;
    for tool in tools(&mut child).await? {
        let name = tool["name"].as_str().context("a tool without a name")?;
        for (argument, is_list) in text_arguments(&tool) {
            // Its text is VQL, and so is a filter: both are parsed and refused.
            for text in TEXTS {
                let mut arguments = required(&tool, name, agent);
                let value = if is_list { json!([text]) } else { json!(text) };
                arguments.insert(argument.clone(), value);
                let result = child.call(name, Value::Object(arguments)).await;
                let result = result.with_context(|| format!("{name} {argument} {text:?}"))?;
                let code = &result["structuredContent"]["error"]["code"];
                ensure!(code != "internal", "{name} {argument} {text:?}: {result}");
                calls += 1;
            }
        }
    }
    ended_well(child).await?;
    ensure!(calls >= LEAST_CALLS, "only {calls} calls were made");

    let log = stage.server.log_text()?;
    let mut bound = 0;
    for line in log.lines() {
        let Some((_, call)) = line.split_once("Query API call ") else { continue };
        let call: Value = serde_json::from_str(call).context("the server's log has changed")?;
        bound += usize::from(call["arg"]["env"].to_string().contains(MARK));
        for query in call["arg"]["Query"].as_array().into_iter().flatten() {
            let text = query["VQL"].as_str().unwrap_or_default();
            ensure!(!text.contains(MARK), "a value became part of a query: {text}");
        }
    }
    // Or nothing was sent, and nothing proved.
    ensure!(bound > 50, "only {bound} queries had a hostile value bound");
    Ok(())
}

/// The arguments that take any text, and whether they take a list of it.
fn text_arguments(tool: &Value) -> Vec<(String, bool)> {
    let properties = tool["inputSchema"]["properties"].as_object();
    let is_text = |schema: &Value| schema["type"] == "string" && schema["enum"].is_null();
    properties
        .into_iter()
        .flatten()
        .filter_map(|(name, schema)| {
            let is_list = schema["type"] == "array" && is_text(&schema["items"]);
            (is_list || is_text(schema)).then(|| (name.clone(), is_list))
        })
        .collect()
}

/// Values for what must be given, as far as they can be guessed from names.
fn required(tool: &Value, name: &str, agent: &RealAgent) -> Map<String, Value> {
    // Nobody is to be cut off from the network, whatever the arguments say.
    let client = if name == "quarantine_client" { "C.0000000000000000" } else { agent.client_id() };
    let mut given = Map::new();
    for argument in tool["inputSchema"]["required"].as_array().into_iter().flatten() {
        let Some(argument) = argument.as_str() else { continue };
        let schema = &tool["inputSchema"]["properties"][argument];
        let text = match argument {
            "client" | "clients" => client,
            "artifact" | "artifacts" => "Generic.Client.Info",
            "flow" | "flow_id" => "F.0000000000000",
            "hunt" | "hunt_id" => "H.0000000000000",
            _ => "x",
        };
        let value = match (&schema["enum"][0], schema["type"].as_str()) {
            (first, _) if !first.is_null() => first.clone(),
            (_, Some("array")) => json!([text]),
            (_, Some("integer")) => json!(1),
            (_, Some("boolean")) => json!(false),
            (_, Some("object")) => json!({}),
            _ => json!(text),
        };
        given.insert(argument.to_owned(), value);
    }
    given
}

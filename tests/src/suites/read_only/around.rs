//! What is no tool: resources, prompts, completion.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::inputs::ARTIFACT;
use super::{Bench, Way};

/// In place of a name.
const NAMES: &[&str] = &[
    "x' OR label(client_id=client_id, labels='x', op='set') --",
    "') SELECT hunt(artifacts='Generic.Client.Info') FROM scope() --",
    "../..",
    "%2e%2e%2f",
    "server",
    "*",
    "\u{202e}\u{0}",
];

/// Lists, reads, gets and completes everything, with names that exist and hostile ones.
pub(super) async fn everything(bench: &Bench, way: &mut Way) -> anyhow::Result<()> {
    let standing = &bench.standing;
    let real = [&standing.client, &standing.flow, &standing.hunt, ARTIFACT];
    let mut answered = 0;
    let listed = list(way, "resources/list", "resources").await?;
    for resource in &listed {
        answered += usize::from(read(way, resource["uri"].as_str().context("no uri")?).await?);
    }
    ensure!(answered == listed.len(), "{answered} of {} are read", listed.len());

    let mut answered = 0;
    for template in list(way, "resources/templates/list", "resourceTemplates").await? {
        let template = template["uriTemplate"].as_str().context("no template")?;
        let path = template.split("{?").next().unwrap_or(template);
        let named = [
            ("{client}", standing.client.as_str()),
            ("{flow_id}", standing.flow.as_str()),
            ("{hunt_id}", standing.hunt.as_str()),
            ("{name}", ARTIFACT),
        ];
        let uri = named.iter().fold(path.to_owned(), |uri, (name, real)| uri.replace(name, real));
        ensure!(!uri.contains('{'), "what is meant by {uri}?");
        answered += usize::from(read(way, &uri).await?);
        for hostile in NAMES {
            let fill = |uri: String, (name, _): &(&str, &str)| uri.replace(name, hostile);
            read(way, &named.iter().fold(path.to_owned(), fill)).await?;
            read(way, &format!("{uri}?cursor={hostile}&org={hostile}")).await?;
        }
        for variable in ["client", "flow_id", "hunt_id", "name", "cursor", "org", "server"] {
            for typed in NAMES.iter().chain(&real) {
                let about = json!({ "type": "ref/resource", "uri": template });
                complete(way, about, variable, typed).await?;
            }
        }
    }
    ensure!(answered >= 6, "only {answered} resources were read");

    let mut answered = 0;
    let prompts = list(way, "prompts/list", "prompts").await?;
    for prompt in &prompts {
        let name = prompt["name"].as_str().context("no name")?;
        let arguments = prompt["arguments"].as_array().context("no arguments")?;
        let names = arguments.iter().filter_map(|argument| argument["name"].as_str());
        for value in NAMES.iter().chain(&real) {
            let given: serde_json::Map<_, _> = names
                .clone()
                .filter(|name| !["hunt_type", "incident_type", "timeframe"].contains(name))
                .map(|name| (name.to_owned(), json!(value)))
                .collect();
            let params = json!({ "name": name, "arguments": given });
            answered += usize::from(way.ask("prompts/get", params).await?.get("result").is_some());
            for argument in names.clone() {
                let about = json!({ "type": "ref/prompt", "name": name });
                complete(way, about, argument, value).await?;
            }
        }
    }
    ensure!(answered >= prompts.len(), "only {answered} prompts were given");
    Ok(())
}

async fn list(way: &mut Way, method: &str, what: &str) -> anyhow::Result<Vec<Value>> {
    let mut answer = way.ask(method, json!({})).await?;
    match answer["result"][what].take() {
        Value::Array(all) if !all.is_empty() => Ok(all),
        _ => anyhow::bail!("{method} lists nothing: {answer}"),
    }
}

/// Whether there is such a resource.
async fn read(way: &mut Way, uri: &str) -> anyhow::Result<bool> {
    let answer = way.ask("resources/read", json!({ "uri": uri })).await?;
    Ok(answer.get("result").is_some())
}

async fn complete(
    way: &mut Way,
    about: Value,
    argument: &str,
    typed: &str,
) -> anyhow::Result<Value> {
    let params = json!({ "ref": about, "argument": { "name": argument, "value": typed } });
    way.ask("completion/complete", params).await
}

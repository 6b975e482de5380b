//! Hostile input: queries in every disguise, values of every wrong type, values that are queries.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use vql_builder::effects::{self, Effect, Kind, NoArtifacts, analyse};

use super::{Bench, Way, failed};

const DANGERS: &str = include_str!("../../../../crates/vql-builder/tests/corpus/dangers.vql");

/// In place of a text.
const TEXTS: &[&str] = &[
    "' OR label(client_id=client_id, labels='x', op='set') --",
    "x\"; SELECT hunt(artifacts='Generic.Client.Info') FROM scope()",
    "') { SELECT collect_client(client_id='server', artifacts='Generic.Client.Info') FROM scope() }",
    "SELECT * FROM execve(argv=['touch', 'x'])",
    "Artifact.Server.Utils.DeleteClient()",
    "label(client_id=client_id, labels='x', op='set')",
    "-label",
    "../../../../etc/passwd",
    "server",
    "*",
    "",
    "\u{0}\u{202e}`\\\n%27%00",
];

/// The dangerous queries of the corpus.
pub(super) fn dangerous() -> anyhow::Result<Vec<&'static str>> {
    let texts: Vec<_> = DANGERS
        .split("\n---- ")
        .skip(1)
        .filter_map(|part| part.split_once('\n').map(|(_, text)| text.trim()))
        .collect();
    ensure!(texts.len() > 500, "only {} dangerous queries", texts.len());
    let harmless = texts.iter().filter(|text| !does_more(text)).count();
    ensure!(harmless < 40, "{harmless} of them do no more than read and wait");
    Ok(texts)
}

/// Whether a text does more than read and take time. That alone is allowed: every query has bounds.
pub(super) fn does_more(text: &str) -> bool {
    let report = analyse(text, &NoArtifacts);
    let reads = |effect: Effect| effect <= Effect::Read || effect == Effect::Dos;
    report.other_orgs || !report.effects.iter().all(reads)
}

/// Expressions with each name of the table that does more than read.
fn expressions() -> anyhow::Result<Vec<String>> {
    let more = effects::entries().iter().filter(|entry| !entry.effects.is_read());
    let expressions: Vec<_> = more
        .filter_map(|entry| match entry.kind {
            Kind::Function => Some(format!("NOT {}()", entry.name)),
            Kind::Plugin => Some(format!("{{ SELECT * FROM {}() }}", entry.name)),
            _ => None,
        })
        .collect();
    ensure!(expressions.len() > 150, "only {} expressions", expressions.len());
    Ok(expressions)
}

/// Every dangerous query to every argument that takes VQL: each is
/// refused, for what it is.
pub(super) async fn dangers(bench: &Bench, way: &mut Way) -> anyhow::Result<()> {
    let mut texts: Vec<String> = dangerous()?.into_iter().map(str::to_owned).collect();
    texts.extend(expressions()?);
    let inputs = bench.standing.honest();
    let mut arguments = 0;
    for tool in bench.registry.tools.iter().filter(|tool| !tool.changes || tool.name == "run_vql") {
        let honest = inputs.iter().find(|(name, _)| *name == tool.name);
        let (name, honest) = honest.context("no honest input")?;
        for (argument, schema) in &tool.arguments {
            let takes_vql = schema["description"].as_str().is_some_and(|text| text.contains("VQL"));
            if !takes_vql || schema["type"] != "string" {
                continue;
            }
            arguments += 1;
            let runs = tool.name == "run_vql";
            for text in &texts {
                // Nothing is risked: what is not known to be refused is not sent as a query.
                if runs && !does_more(text) {
                    continue;
                }
                let mut wish = honest.clone();
                wish[argument] = json!(text);
                let answer = way.call(name, &wish).await?;
                ensure!(failed(&answer), "{name} with {argument} {text}: {answer}");
                let counted = answer.to_string().contains("calls_per_minute");
                ensure!(!counted, "it is refused for the number of calls alone: {answer}");
            }
        }
    }
    ensure!(arguments >= 3, "only {arguments} arguments take VQL");
    Ok(())
}

/// Every argument of every tool, with texts that are queries and values of no type that it takes.
/// What is answered may be an error or not; it is an answer, and not one of an inner fault.
pub(super) async fn every_argument(bench: &Bench, way: &mut Way) -> anyhow::Result<()> {
    let inputs = bench.standing.honest();
    let huge = "A".repeat(300_000);
    let mut calls = 0;
    for tool in &bench.registry.tools {
        let honest = inputs.iter().find(|(name, _)| *name == tool.name);
        let (name, honest) = honest.context("no honest input")?;
        for argument in tool.arguments.keys() {
            let texts = TEXTS.iter().copied().chain([huge.as_str()]);
            let texts = texts.flat_map(|text| {
                let named = json!({ "Generic.Client.Info": { text: text }, text: text });
                [json!(text), json!([text]), named]
            });
            for value in texts.chain(of_no_type()) {
                let mut wish = honest.clone();
                wish[argument] = value;
                let answer = way.call(name, &wish).await?;
                let code = &answer["result"]["structuredContent"]["error"]["code"];
                let given: String = wish.to_string().chars().take(300).collect();
                ensure!(code != "internal", "{name} {given}: {answer}");
                ensure!(
                    failed(&answer) || !tool.changes,
                    "{name} {given} is not refused: {answer}"
                );
                calls += 1;
            }
        }
        for wish in [json!({}), json!({ "unknown": 1 }), Value::Null, json!([1]), json!("x")] {
            let answer = way.call(name, &wish).await?;
            ensure!(failed(&answer) || !tool.changes, "{name} {wish} is not refused: {answer}");
        }
    }
    ensure!(calls > 2000, "only {calls} calls");
    Ok(())
}

fn of_no_type() -> Vec<Value> {
    let mut deep = json!(1);
    for _ in 0..60 {
        deep = json!([deep]);
    }
    let many: Vec<u32> = (0..5000).collect();
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!([]),
        json!({}),
        json!([[["x"]], null, { "a": [1] }]),
        json!(many),
        deep,
    ]
}

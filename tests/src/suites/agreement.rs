//! Our parser against the engine's: the same texts, the same verdict, the same place.
//!
//! The server is asked without running anything: a last statement is appended to each text that is
//! certainly wrong at a known place. The engine parses a text as a whole before it runs any of it,
//! so it always answers with a parse error. Where that error is tells its opinion: at our
//! statement, when it takes the text itself, and earlier, when it does not. Our parser is given the
//! very same text and must name the same line and column.

mod fragments;
mod mutation;

use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Limits, OrgId, QueryErrorKind, Server};
use vql_builder::{Code, Query, RawVql};

use crate::real::{RealServer, Role};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "agreement",
    about: "our VQL parser and the engine's agree on built-in and on broken texts",
    run,
};

/// A statement that no text can make right, on a line of its own.
const SENTINEL: &str = "\nLET zz_sentinel = )";

/// Broken texts that are tried, each a small change of a built-in one.
const MUTATIONS: usize = 4_000;

/// Disagreements that are told; more would bury the first.
const TOLD: usize = 12;

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let server = RealServer::start().await?;
    let mut texts = server.built_in_texts().await?;
    let total = texts.len();
    texts.sort();
    texts.dedup();
    let client = Arc::new(server.open(&[Role::Reader])?);

    cases
        .case(
            format!("the {total} built-in texts, {} of them different, are accepted", texts.len()),
            {
                let texts = &texts;
                async move {
                    // Fewer would mean that they were not found where they are looked for.
                    ensure!(total > 750, "only {total} texts");
                    for text in texts {
                        let parse = vql_builder::parse(text);
                        if let Some(error) = parse.errors().first() {
                            bail!("{error}\n{text}");
                        }
                        ensure!(
                            parse.tree().to_text() == *text,
                            "the tree has lost text of\n{text}"
                        );
                    }
                    Ok(())
                }
            },
        )
        .await;
    cases.case("the engine agrees on each of them", agree(&client, &texts)).await;

    let mut broken = mutation::of(&texts, MUTATIONS);
    broken.retain(|text| !is_deadly(text));
    let name = format!("the engine agrees on {} changed texts", broken.len());
    cases.case(name, agree(&client, &broken)).await;

    let fragments = fragments::ALL.iter().map(|text| (*text).to_owned());
    let (deadly, fragments): (Vec<_>, Vec<_>) = fragments.partition(|text| is_deadly(text));
    let name = format!("the engine agrees on {} corners of the grammar", fragments.len());
    cases.case(name, agree(&client, &fragments)).await;
    cases
        .case("texts that would kill the server are refused here", async move {
            ensure!(deadly == fragments::DEADLY, "{deadly:?}");
            Ok(())
        })
        .await;
    Ok(())
}

/// Whether the engine must not be asked: a LIMIT that is no whole number ends the whole server
/// (0.77.2 dereferences a null pointer), whoever asks. Our parser refuses such a text, and what the
/// product sends was parsed before.
fn is_deadly(text: &str) -> bool {
    vql_builder::parse(text).errors().iter().any(|error| error.code == Code::LimitNotWhole)
}

/// Where a parser stops, line and column.
type Place = (u32, u32);

async fn agree(server: &Arc<Server>, texts: &[String]) -> anyhow::Result<()> {
    let mut verdicts = stream::iter(texts)
        .map(|text| async move {
            let asked = format!("{text}{SENTINEL}");
            let ours = ours(&asked);
            let theirs = theirs(server, &asked).await;
            (text, ours, theirs)
        })
        .buffered(16);
    let mut different = Vec::new();
    while let Some((text, ours, theirs)) = verdicts.next().await {
        let (place, words) = theirs.with_context(|| format!("asking about\n{text}"))?;
        if ours.as_ref().map(|(place, _)| *place) != Some(place) {
            let ours = ours.map_or_else(
                || "takes it".to_owned(),
                |((line, column), words)| format!("stops at {line}:{column}: {words}"),
            );
            let (line, column) = place;
            different.push(format!(
                "engine stops at {line}:{column}: {words}\nours {ours}\n{}",
                surroundings(text, place)
            ));
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    let count = different.len();
    different.truncate(TOLD);
    bail!("{count} of {} differ, among them:\n{}", texts.len(), different.join("\n---\n"))
}

fn ours(text: &str) -> Option<(Place, String)> {
    let parse = vql_builder::parse(text);
    let first = parse.errors().first()?;
    Some(((first.line, first.column), first.message.clone()))
}

/// The engine's parse error. Anything else is an error of this suite.
async fn theirs(server: &Server, text: &str) -> anyhow::Result<(Place, String)> {
    let identity = server.identities().first().context("no identity")?;
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let query = Query::raw("agreement", RawVql::from_caller(text));
    let rows = server.run_as(identity, &query, &call, true).await?;
    for failure in &rows.failures {
        if let QueryErrorKind::Parse { place: Some(place), detail } = failure {
            return Ok((*place, detail.clone()));
        }
    }
    bail!("no parse error with a place came back: {:?}, {} rows", rows.failures, rows.rows.len())
}

/// The lines around a place, so that a difference can be judged from the report.
fn surroundings(text: &str, (line, _): Place) -> String {
    let from = (line as usize).saturating_sub(3);
    let lines = text.lines().enumerate().skip(from).take(4);
    lines.map(|(at, line)| format!("{:>5} | {line:?}", at + 1)).collect::<Vec<_>>().join("\n")
}

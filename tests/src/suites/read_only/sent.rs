//! What reached the server, by the server's own log.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::Value;
use velociraptor_api::queries;
use vql_builder::effects::{NoArtifacts, analyse};

use super::{Bench, hostile};
use crate::real::state;

/// Every query that was sent since the log had this length reads.
pub(super) async fn check(bench: &Bench, since: usize) -> anyhow::Result<()> {
    let log = bench.stage.server.log_text()?;
    let log = log.get(since..).context("the log is shorter than it was")?;
    let mut texts = BTreeSet::new();
    let mut sent = 0;
    for line in log.lines() {
        let Some((_, call)) = line.split_once("Query API call ") else { continue };
        let call: Value = serde_json::from_str(call).context("the server's log has changed")?;
        for query in call["arg"]["Query"].as_array().into_iter().flatten() {
            texts.insert(query["VQL"].as_str().context("a query without a text")?.to_owned());
            sent += 1;
        }
    }
    ensure!(sent > 500 && texts.len() > 15, "only {sent} queries of {} texts", texts.len());
    let dangers = hostile::dangerous()?;
    for text in &texts {
        let danger = dangers.iter().any(|danger| text.trim() == *danger);
        ensure!(!danger, "this reached the server: {text}");
        if state::QUERIES.contains(&text.as_str()) {
            continue;
        }
        if let Some(entry) = queries::ALL.iter().find(|entry| entry.text == text) {
            ensure!(!entry.mutates, "{} reached the server", entry.name);
            continue;
        }
        let report = analyse(text, &NoArtifacts);
        ensure!(report.is_read(), "this reached the server: {text}: {}", report.reasons());
    }
    Ok(())
}

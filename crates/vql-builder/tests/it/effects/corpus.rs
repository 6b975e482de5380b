//! The two corpora: texts that do more than read, and honest reads.

use vql_builder::effects::{Effect, Kind, NoArtifacts, analyse, entries};
use vql_builder::parse;

const DANGERS: &str = include_str!("../../corpus/dangers.vql");
const READS: &str = include_str!("../../corpus/reads.vql");

/// What is tried, and the text.
fn queries(corpus: &'static str) -> Vec<(&'static str, &'static str)> {
    let parts = corpus.split("\n---- ").skip(1);
    parts.map(|part| part.split_once('\n').expect("a title and a text")).collect()
}

#[test]
fn no_danger_passes_as_a_read() {
    let dangers = queries(DANGERS);
    assert!(dangers.len() >= 500, "{}", dangers.len());
    for (title, text) in &dangers {
        let report = analyse(text, &NoArtifacts);
        assert!(!report.is_read(), "{title}:\n{text}");
        assert!(!report.reasons().is_empty(), "{title}:\n{text}");
    }
    // What the parser refuses is never a read, and proves nothing.
    let accepted = dangers.iter().filter(|(_, text)| parse(text).errors().is_empty()).count();
    assert!(accepted + 10 >= dangers.len(), "{accepted}");
}

#[test]
fn the_dangers_hold_every_name_that_does_more_than_read() {
    let dangers = queries(DANGERS);
    for entry in entries() {
        if entry.kind == Kind::Accessor || entry.effects.is_read() || entry.name == "Artifact" {
            continue;
        }
        let found = dangers.iter().any(|(_, text)| {
            let report = analyse(text, &NoArtifacts);
            report.findings.iter().any(|found| {
                found.kind == entry.kind && found.name == entry.name && !found.effects.is_read()
            })
        });
        assert!(found, "{} {}", entry.kind.as_str(), entry.name);
    }
}

#[test]
fn honest_reads_pass() {
    let reads = queries(READS);
    assert!(reads.len() >= 100, "{}", reads.len());
    for (title, text) in reads {
        let report = analyse(text, &NoArtifacts);
        assert!(report.is_read(), "{title}:\n{text}\n{}", report.reasons());
        assert!(!report.other_orgs, "{title}");
        assert!(!report.effects.contains(Effect::Unknown), "{title}");
    }
}

/// So that the live suite runs each of them and sees that nothing changes.
#[test]
fn the_reads_hold_every_name_that_is_one() {
    // Not on Linux, though help() says so of the second; the others are no reads by themselves.
    const NOT_TRIED: &[&str] = &["xattr", "for", "import", "scope"];
    let reads = queries(READS);
    for entry in entries() {
        let tried = entry.kind != Kind::Accessor && !NOT_TRIED.contains(&entry.name);
        if !tried || !entry.effects.is_read() {
            continue;
        }
        let found = reads.iter().any(|(_, text)| {
            let report = analyse(text, &NoArtifacts);
            report.findings.iter().any(|found| found.kind == entry.kind && found.name == entry.name)
        });
        assert!(found, "{} {}", entry.kind.as_str(), entry.name);
    }
}

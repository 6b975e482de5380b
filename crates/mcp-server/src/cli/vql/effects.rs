//! `megaraptor vql effects`: what texts and artifact definitions can do.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use vql_builder::Diagnostic;
use vql_builder::effects::{Analyser, Definition, Effect, EffectSet, Report};

use super::super::{Form, output};
use super::{definitions, each_line, excerpt, read_text};
use crate::tool_error::{Code, ToolError};

#[derive(Debug, Args)]
pub(in super::super) struct EffectsArgs {
    /// Files of VQL, or artifact definitions (.yaml); none or - is standard input
    files: Vec<PathBuf>,
    /// One JSON string a line in, one object a line out
    #[arg(long)]
    jsonl: bool,
    /// Files or folders of artifact definitions; an artifact that is not there is unknown
    #[arg(long, value_name = "YAML")]
    definitions: Vec<PathBuf>,
    /// Exit with 1 where one of them can do more; without it the exit code says nothing of that
    #[arg(long, value_name = "EFFECT")]
    require: Option<Require>,
}

/// What texts may do at most.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Require {
    /// Read what the server stores
    Read,
}

pub(super) fn run(args: EffectsArgs, form: Form) -> Result<ExitCode, ToolError> {
    let files = if args.files.is_empty() { vec![PathBuf::from("-")] } else { args.files };
    let known = definitions::load(&args.definitions)?;
    let analyser = Analyser::new(&known);
    let (mut readable, mut reads) = (true, true);
    for file in &files {
        if args.jsonl {
            each_line(file, |text| {
                let report = analyser.text(text);
                reads &= report.is_read();
                output::json_line(&object(&report));
            })?;
            continue;
        }
        let text = read_text(file)?;
        let name = file.display().to_string();
        let report = if definitions::is_yaml(file) {
            let definition = definitions::parse(&text, file)?.0;
            readable &= texts(&definition).all(|text| vql_builder::parse(text).program().is_ok());
            analyser.artifact(&definition)
        } else {
            let parse = vql_builder::parse(&text);
            let parses = parse.program().is_ok();
            readable &= parses;
            if !parses && form == Form::Text {
                output::result(&unread(&name, &text, parse.errors()));
                continue;
            }
            analyser.text(&text)
        };
        reads &= report.is_read();
        match form {
            Form::Json => output::json(&object(&report))?,
            Form::Text => output::result(&shown(&name, &report)),
        }
    }
    Ok(match (readable, args.require) {
        (false, _) => ExitCode::from(Code::InvalidQuery.exit_code()),
        (true, Some(Require::Read)) if !reads => ExitCode::from(1),
        (true, _) => ExitCode::SUCCESS,
    })
}

/// The texts of VQL in a definition.
fn texts(definition: &Definition) -> impl Iterator<Item = &str> {
    let queries = definition.sources.iter().flat_map(|source| &source.queries);
    queries.chain(&definition.export).map(String::as_str)
}

/// A text that is no VQL: what it does is not known, and why it cannot be read.
fn unread(file: &str, text: &str, errors: &[Diagnostic]) -> String {
    let mut told = format!("{file}: this is no VQL, so what it does cannot be told");
    for error in errors {
        let _ = write!(told, "\n{file}:{}", excerpt(text, error));
    }
    told
}

/// The verdict first, then what keeps the text from being a read.
fn shown(file: &str, report: &Report) -> String {
    let beyond: EffectSet =
        report.effects.iter().filter(|effect| !EffectSet::of(*effect).is_read()).collect();
    let verdict = if report.is_read() {
        format!("reads only: {}", report.effects)
    } else if beyond == EffectSet::of(Effect::Unknown) {
        String::from("what it does cannot be told, so it does not count as reading")
    } else {
        format!("does more than read: {beyond}")
    };
    let mut text = format!("{file}: {verdict}");
    if report.other_orgs {
        text.push_str("\n    names another org");
    }
    for finding in report.obstacles() {
        text.push_str("\n    ");
        text.push_str(&finding.to_string());
    }
    text
}

fn object(report: &Report) -> Value {
    let calls: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "kind": finding.kind.as_str(),
                "name": finding.name,
                "effect": finding.effects.strongest().as_str(),
                "effects": names(finding.effects),
                "part": finding.place.part,
                "line": finding.place.line,
                "column": finding.place.column,
                "why": finding.why,
            })
        })
        .collect();
    json!({
        "effect": report.strongest().as_str(),
        "effects": names(report.effects),
        "read": report.is_read(),
        "other_orgs": report.other_orgs,
        "calls": calls,
    })
}

fn names(effects: EffectSet) -> Vec<&'static str> {
    effects.iter().map(Effect::as_str).collect()
}

#[cfg(test)]
mod tests {
    use vql_builder::effects::{NoArtifacts, analyse};

    use super::*;

    #[test]
    fn what_cannot_be_told_is_not_said_to_do_something() {
        let shown = shown("a.vql", &analyse("SELECT FROM FROM", &NoArtifacts));
        assert!(shown.starts_with("a.vql: what it does cannot be told"), "{shown}");
    }

    #[test]
    fn a_text_that_is_no_vql_is_shown_with_the_place() {
        let text = "SELECT FROM\n";
        let told = unread("a.vql", text, vql_builder::parse(text).errors());
        assert!(told.starts_with("a.vql: this is no VQL"), "{told}");
        assert!(told.contains("\na.vql:1:12: error: the text ends here"), "{told}");
        let report = analyse(text, &NoArtifacts);
        assert!(report.reasons().contains(": text: unknown (it cannot be read"), "{report:?}");
    }

    #[test]
    fn the_verdict_comes_first_and_the_reasons_after_it() {
        let report = analyse("SELECT rm(filename='\u{202e}a') FROM clients()", &NoArtifacts);
        let shown = shown("a.vql", &report);
        assert_eq!(shown, "a.vql: does more than read: write\n    1:8: function rm: write");
        let object = object(&report);
        assert_eq!(
            (object["effect"].as_str(), object["read"].as_bool()),
            (Some("write"), Some(false))
        );
        assert_eq!(object["calls"][0]["name"], "rm");
        assert_eq!(
            (object["calls"][0]["line"].as_u64(), object["calls"][0]["column"].as_u64()),
            (Some(1), Some(8))
        );
    }
}

//! `megaraptor audit`: the record of calls, read offline.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use guard::audit::{Call, CopyTold, Decision, Expected, Filter, Report, Tip};
use guard::digest::Digest;
use guard::effect::Effect;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Form, Global, output};
use crate::clock;
use crate::table;
use crate::tool_error::ToolError;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Say whether the record is what was written, and where it is not
    Verify(VerifyArgs),
    /// List calls with what came of them
    Show(ShowArgs),
    /// Write calls as JSON lines
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct Place {
    /// The record's folder [default: audit in the state folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    place: Place,
    /// An entry that must still be there, as an earlier verify printed it
    #[arg(long, value_name = "NUMBER:SHA256", value_parser = tip)]
    expect: Option<Tip>,
    /// The public key that must have signed, as an earlier verify printed it
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

#[derive(Debug, Args)]
struct Narrow {
    /// Calls from this time on, such as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Calls of this tool
    #[arg(long)]
    tool: Option<String>,
    /// Calls by this HTTP subject or MCP client
    #[arg(long)]
    who: Option<String>,
    /// Calls with this effect
    #[arg(long, value_parser = effect)]
    effect: Option<Effect>,
    /// Calls with this outcome: a state such as complete, abandoned, open, or an error's code
    #[arg(long)]
    outcome: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    narrow: Narrow,
    /// No more than the latest of them; 0 for all
    #[arg(long, default_value_t = 50)]
    last: usize,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    narrow: Narrow,
    /// The file to make; it must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(super) fn run(global: &Global, command: AuditCommand) -> Result<ExitCode, ToolError> {
    match command {
        AuditCommand::Verify(args) => verify(global, args),
        AuditCommand::Show(args) => show(global, args),
        AuditCommand::Export(args) => export(global, args),
    }
}

impl Place {
    fn folder(self, global: &Global) -> Result<PathBuf, ToolError> {
        match self.folder {
            Some(folder) => Ok(folder),
            None => Ok(global.home()?.join("audit")),
        }
    }
}

impl Narrow {
    fn filter(self) -> Filter {
        let Self { since, tool, who, effect, outcome } = self;
        Filter { since, tool, who, effect, outcome }
    }
}

fn tip(text: &str) -> Result<Tip, String> {
    let (seq, hash) = text.split_once(':').ok_or("expected NUMBER:SHA256")?;
    let seq = seq.parse().map_err(|error| format!("{seq:?} is no number: {error}"))?;
    let hash = Digest::parse(hash).map_err(|error| error.to_string())?;
    Ok(Tip { seq, hash })
}

fn effect(text: &str) -> Result<Effect, String> {
    Effect::ALL.into_iter().find(|effect| effect.as_str() == text).ok_or_else(|| {
        let known: Vec<_> = Effect::ALL.iter().map(|effect| effect.as_str()).collect();
        format!("there is no effect {text:?}; there are {}", known.join(", "))
    })
}

fn verify(global: &Global, args: VerifyArgs) -> Result<ExitCode, ToolError> {
    let mut expected = Expected::default();
    if let Some(head) = args.expect {
        expected = expected.with_head(head);
    }
    if let Some(key) = &args.key {
        expected = expected.with_key(key).ok_or_else(|| {
            ToolError::invalid(format!("{key:?} is no public key: expected 64 digits of 0-9, a-f"))
        })?;
    }
    let folder = args.place.folder(global)?;
    let report = guard::audit::verify(&folder, &expected)?;
    match global.output {
        Form::Json => output::json(&json!(report))?,
        Form::Text => output::result(&text_of(&report, args.key.is_some())),
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn text_of(report: &Report, key_was_given: bool) -> String {
    let mut lines: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    let end = report
        .tip
        .map_or_else(|| String::from("no entry"), |tip| format!("{}:{}", tip.seq, tip.hash));
    let whose = if key_was_given { "as given" } else { "by the record's own word" };
    lines.push(format!(
        "{}: {} calls in {} entries, {} files; {} checkpoints, {} torn ends, {} emergency entries",
        if report.is_sound() { "sound" } else { "NOT SOUND" },
        report.calls,
        report.lines,
        report.files,
        report.checkpoints,
        report.torn,
        report.emergency,
    ));
    lines.push(format!("key  {} ({whose})", report.key));
    lines.push(format!("head {end}"));
    if let Some(CopyTold { time, to, state }) = &report.copy {
        lines.push(format!("copy {state}: {to}, {}", clock::to_second(*time)));
    }
    if report.unsigned() > 0 {
        lines.push(format!(
            "     the last {} entries are not signed for: the process still runs, or was killed \
             within a second of them; whether others stood after them cannot be told",
            report.unsigned()
        ));
    }
    lines.join("\n")
}

fn show(global: &Global, args: ShowArgs) -> Result<ExitCode, ToolError> {
    let folder = args.place.folder(global)?;
    let mut calls = guard::audit::show(&folder, &args.narrow.filter())?;
    let all = calls.len();
    if args.last > 0 {
        calls.drain(..all.saturating_sub(args.last));
    }
    match global.output {
        Form::Json => output::json(&json!({ "calls": calls, "total": all }))?,
        Form::Text => {
            let mut shown = String::new();
            let headings = ["entry", "time", "who", "tool", "effect", "decision", "outcome", "ms"];
            table::write(&mut shown, &headings, calls.iter().map(row));
            output::result(&format!("{shown}\n{} of {all} calls", calls.len()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(call: &Call) -> Vec<String> {
    let who = &call.intent.who;
    let name = who.client.as_ref().map(|client| client.name.clone());
    vec![
        call.seq.to_string(),
        clock::to_second(call.time).to_string(),
        who.subject.clone().or(name).unwrap_or_else(|| who.transport.clone()),
        call.intent.tool.clone(),
        call.intent.effect.as_str().to_owned(),
        decision(&call.intent.decision),
        call.outcome.clone().unwrap_or_else(|| String::from("open")),
        call.took_us.map_or_else(String::new, |took| format!("{:.1}", took as f64 / 1000.0)),
    ]
}

fn decision(decision: &Decision) -> String {
    let value = serde_json::to_value(decision).unwrap_or(Value::Null);
    let word = |pointer| value.pointer(pointer).and_then(Value::as_str);
    match (word("/verdict"), word("/on/by")) {
        (Some(verdict), Some(by)) => format!("{verdict} by {by}"),
        (Some(verdict), None) => verdict.to_owned(),
        (None, _) => String::from("?"),
    }
}

fn export(global: &Global, args: ExportArgs) -> Result<ExitCode, ToolError> {
    let folder = args.place.folder(global)?;
    let filter = args.narrow.filter();
    let Some(to) = args.to else {
        let mut lines = Vec::new();
        guard::audit::export(&folder, &filter, &mut lines)?;
        // Byte for byte what was written, which was masked and escaped then.
        output::passed(String::from_utf8_lossy(&lines).trim_end());
        return Ok(ExitCode::SUCCESS);
    };
    let unwritten = |error: std::io::Error| {
        ToolError::invalid(format!("{} cannot be written: {error}", to.display()))
    };
    let mut file = std::fs::File::create_new(&to).map_err(unwritten)?;
    let count = guard::audit::export(&folder, &filter, &mut file)?;
    file.flush().and_then(|()| file.sync_all()).map_err(unwritten)?;
    output::result(&format!("{count} calls in {}", to.display()));
    Ok(ExitCode::SUCCESS)
}

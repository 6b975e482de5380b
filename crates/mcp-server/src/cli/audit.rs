//! `megaraptor audit`: the record of calls, read offline.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use guard::audit::{Entry, Expected, Filter, Reading, Report, Tip, What};
use guard::digest::Digest;
use guard::effect::Effect;
use jiff::Timestamp;
use serde_json::json;

use super::{Form, Global, output};
use crate::tool_error::ToolError;

mod rows;
mod told;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Say whether the record is what was written, and where it is not
    Verify(VerifyArgs),
    /// List calls with what came of them, decisions and emergency stops
    Show(ShowArgs),
    /// Write calls, decisions and emergency stops as JSON lines
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
    /// Calls before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Calls of this tool, and decisions about them
    #[arg(long)]
    tool: Option<String>,
    /// Calls and decisions by this subject of a token, MCP client, account or way (stdio, http, cli)
    #[arg(long, visible_alias = "subject")]
    who: Option<String>,
    /// Calls about this host: its client id, or its name where the arguments have it
    #[arg(long, value_name = "HOST")]
    client: Option<String>,
    /// Calls with this effect
    #[arg(long, value_parser = effect)]
    effect: Option<Effect>,
    /// Calls with this outcome: a state such as complete, abandoned, open, an error's code; for
    /// decisions what was done: approve, deny, grant, revoke_grant, create_token, revoke_token
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
    /// All that is known of each, one under another
    #[arg(long)]
    details: bool,
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
        let Self { since, until, tool, who, client, effect, outcome } = self;
        Filter { since, until, tool, who, client, effect, outcome }
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
        Form::Text => output::result(&told::report(&report, args.key.is_some())),
    }
    Ok(verdict(&report))
}

fn show(global: &Global, args: ShowArgs) -> Result<ExitCode, ToolError> {
    let folder = args.place.folder(global)?;
    let Reading { mut entries, report } = guard::audit::read(&folder, &args.narrow.filter())?;
    let all = entries.len();
    if args.last > 0 {
        entries.drain(..all.saturating_sub(args.last));
    }
    match global.output {
        Form::Json => {
            output::json(&json!({ "entries": entries, "total": all, "verified": report }))?;
        }
        Form::Text => output::result(&shown(&entries, all, &report, args.details)),
    }
    Ok(verdict(&report))
}

/// The entries, between warnings where the record does not hold.
fn shown(entries: &[Entry], all: usize, report: &Report, details: bool) -> String {
    let warning = told::warning(report);
    let mut parts: Vec<String> = warning.clone().into_iter().collect();
    if details {
        parts.extend(entries.iter().map(rows::block));
    } else if !entries.is_empty() {
        parts.push(rows::lines(entries, output::width()));
    }
    let apart =
        entries.iter().filter(|entry| matches!(&entry.what, What::Emergency(stop) if stop.apart));
    let files = match apart.count() {
        0 => String::from("emergency.jsonl was read too"),
        n => format!("{n} of them from emergency.jsonl"),
    };
    let holds = if warning.is_none() { "; the record is sound" } else { "" };
    let more = if details || entries.is_empty() { "" } else { "\n--details has all of each" };
    parts.push(format!("{} of {all} entries, {files}{holds}{more}", entries.len()));
    parts.extend(warning);
    parts.join("\n\n")
}

/// The exit code of whoever read a record: that of `verify`.
fn verdict(report: &Report) -> ExitCode {
    if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn export(global: &Global, args: ExportArgs) -> Result<ExitCode, ToolError> {
    let folder = args.place.folder(global)?;
    let Reading { entries, report } = guard::audit::read(&folder, &args.narrow.filter())?;
    if let Some(warning) = told::warning(&report) {
        output::error(&warning);
    }
    let Some(to) = args.to else {
        let mut lines = Vec::new();
        guard::audit::export(&entries, &mut lines)?;
        // Byte for byte what was written, which was masked and escaped then.
        output::passed(String::from_utf8_lossy(&lines).trim_end());
        return Ok(verdict(&report));
    };
    let unwritten = |error: std::io::Error| {
        ToolError::invalid(format!("{} cannot be written: {error}", to.display()))
    };
    let mut file = std::fs::File::create_new(&to).map_err(unwritten)?;
    guard::audit::export(&entries, &mut file)?;
    file.flush().and_then(|()| file.sync_all()).map_err(unwritten)?;
    let count = entries.len();
    output::result(&format!("{count} entries in {}, emergency.jsonl read too", to.display()));
    Ok(verdict(&report))
}

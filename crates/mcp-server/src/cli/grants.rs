//! `megaraptor grants`: a person says beforehand what may be collected for a case.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use guard::grant::{Grant, GrantEnd, GrantError, GrantHosts, Grants, Terms};
use guard::policy::{Glob, parse_bytes};
use guard::record::Clock;
use jiff::Timestamp;
use serde_json::json;
use velociraptor_api::ClientId;

use super::{Form, Global, output, person};
use crate::tool_error::{Code, ToolError};
use crate::{clock, evidence};

#[derive(Debug, Subcommand)]
pub(super) enum GrantsCommand {
    /// List the grants
    List {
        /// Those that are over, too
        #[arg(long)]
        all: bool,
    },
    /// Let collections of a case run without a question each; needs a terminal
    Create(CreateArgs),
    /// Take a grant back; what runs goes on
    Revoke {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The case, or the reason
    #[arg(long)]
    case: String,
    /// The server, by its configured name
    #[arg(long)]
    server: String,
    /// The org
    #[arg(long, default_value = "root")]
    org: String,
    /// Patterns of artifacts, such as Windows.Sys.*
    #[arg(long, required = true, value_delimiter = ',', value_name = "PATTERN")]
    artifacts: Vec<String>,
    /// The clients, by id
    #[arg(long, value_delimiter = ',', value_name = "ID", value_parser = client,
          required_unless_present = "label", conflicts_with = "label")]
    clients: Vec<ClientId>,
    /// The clients that have this label when they are collected from
    #[arg(long)]
    label: Option<String>,
    /// What all collections may bring in together, such as "2 GB"
    #[arg(long, value_parser = bytes)]
    bytes: u64,
    /// How many collections
    #[arg(long, default_value_t = 50)]
    collections: u64,
    /// How long it lives, at most 168
    #[arg(long, default_value_t = 8)]
    hours: u64,
}

fn client(text: &str) -> Result<ClientId, String> {
    ClientId::parse(text).map_err(|error| format!("{error}; an endpoint chooses its own host name"))
}

fn bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text)
        .ok_or_else(|| format!("{text:?} is no size; expected such as 500 MB or 2 GiB"))
}

pub(super) fn run(global: &Global, command: GrantsCommand) -> Result<ExitCode, ToolError> {
    let (home, form) = (global.home()?, global.output);
    let grants =
        Grants::open(&home, Clock::of_the_machine()).map_err(|error| told(error.into()))?;
    match command {
        GrantsCommand::List { all } => {
            let mut found = grants.list().map_err(told)?;
            found.retain(|grant| all || grant.ended.is_none());
            if found.is_empty() && form == Form::Text {
                output::result("no grant covers anything");
                return Ok(ExitCode::SUCCESS);
            }
            print(&found, form)
        }
        GrantsCommand::Create(args) => create(&grants, args, form),
        GrantsCommand::Revoke { id } => {
            let revoked = grants.revoke(&id, person::who()).map_err(told)?;
            print(&[revoked], form)
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

fn create(grants: &Grants, args: CreateArgs, form: Form) -> Result<(), ToolError> {
    person::needs_terminal("giving a grant")?;
    let hosts = match args.label {
        Some(label) => GrantHosts::Label(label),
        None => GrantHosts::Ids(args.clients.into_iter().collect()),
    };
    let terms = Terms {
        case: args.case,
        server: args.server,
        org: args.org,
        artifacts: args.artifacts.into_iter().map(Glob::new).collect(),
        hosts,
        bytes: args.bytes,
        collections: args.collections,
    };
    let life = Duration::from_secs(args.hours.saturating_mul(3600));
    output::error(&evidence::escape_text(&format!(
        "For {} h, without a question each:\n{}",
        args.hours,
        in_words(&terms)
    )));
    if person::ask("To give this grant, type yes; anything else gives none:")? != "yes" {
        return Err(ToolError::new(Code::Cancelled, "no grant was given"));
    }
    let grant = grants.give(terms, life, person::who()).map_err(told)?;
    print(&[grant], form)
}

fn print(grants: &[Grant], form: Form) -> Result<(), ToolError> {
    match form {
        Form::Json => {
            let mut value = json!({ "grants": grants });
            evidence::escape_value(&mut value);
            output::json(&value)
        }
        Form::Text => {
            let now = Timestamp::now();
            let all: Vec<_> = grants.iter().map(|grant| block(grant, now)).collect();
            output::result(&evidence::escape_text(&all.join("\n")));
            Ok(())
        }
    }
}

fn block(grant: &Grant, now: Timestamp) -> String {
    let state = match &grant.ended {
        None => format!("until {}", clock::dated(now, Some(grant.void_after))),
        Some(GrantEnd::Revoked { by, at }) => format!("revoked by {by} at {at}"),
        Some(GrantEnd::Expired { why, .. }) => format!("expired: {}", why.as_str()),
    };
    format!(
        "{}  {state}, given by {}\n{}\n  used         {} bytes, {} collections",
        grant.id(),
        grant.given_by,
        in_words(&grant.terms),
        grant.used_bytes,
        grant.used_collections,
    )
}

/// The terms, a line each. Texts of the person who gives them stay on their line.
fn in_words(terms: &Terms) -> String {
    let artifacts: Vec<_> = terms.artifacts.iter().map(Glob::as_str).collect();
    let hosts = match &terms.hosts {
        GrantHosts::Label(label) => format!("label {label}"),
        GrantHosts::Ids(ids) => ids.iter().map(ClientId::as_str).collect::<Vec<_>>().join(", "),
    };
    [
        ("case", terms.case.clone()),
        ("where", format!("{} / {}", terms.server, terms.org)),
        ("artifacts", artifacts.join(", ")),
        ("hosts", hosts),
        ("bytes", format!("{}, over all", terms.bytes)),
        ("collections", terms.collections.to_string()),
    ]
    .map(|(label, text)| format!("  {label:<12} {}", text.replace(['\n', '\t'], " ")))
    .join("\n")
}

fn told(error: GrantError) -> ToolError {
    let code = match &error {
        GrantError::Unknown { .. } => Code::NotFound,
        GrantError::Ended { .. } => Code::Conflict,
        GrantError::Terms { .. } => Code::InvalidInput,
        _ => Code::Internal,
    };
    ToolError::new(code, error.to_string())
}

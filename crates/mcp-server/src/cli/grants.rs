//! `megaraptor grants`: a person says beforehand what may be collected for a case.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use guard::audit::Audit;
use guard::grant::{Grant, GrantEnd, GrantError, GrantHosts, Grants, Terms};
use guard::policy::{Glob, parse_bytes};
use guard::record::Clock;
use guard::size;
use jiff::Timestamp;
use serde_json::json;
use velociraptor_api::ClientId;

use super::{Form, Global, configured, output, person, undecided};
use crate::clock;
use crate::collection::default_bytes;
use crate::tool_error::{Code, ToolError};

/// The smallest bound that a call can set: max_mb 1.
const LEAST: u64 = 1_000_000;

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
    /// What all collections may bring in together, such as "20 GB". Each reserves the whole bound of
    /// its uploads from each client before it runs: the call's max_mb, else what its artifacts set,
    /// else 1074 MB. What it did not use is given back if its flows end while the call waits for them
    #[arg(long, value_parser = bytes)]
    bytes: u64,
    /// Give it although its bytes are less than the bound of one collection: it covers only calls
    /// that set max_mb
    #[arg(long)]
    small: bool,
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
        GrantsCommand::Create(args) => {
            configured::check(
                global,
                std::slice::from_ref(&args.server),
                std::slice::from_ref(&args.org),
            )?;
            person::needs_terminal("giving a grant")?;
            create(&grants, args, &global.record(&home)?, form)
        }
        GrantsCommand::Revoke { id } => {
            let audit = global.record(&home)?;
            let revoked = grants.revoke(&id, person::who(), &audit).map_err(told)?;
            print(&[revoked], form)
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

fn create(grants: &Grants, args: CreateArgs, audit: &Audit, form: Form) -> Result<(), ToolError> {
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
    fits_one(terms.bytes, args.small)?;
    let life = Duration::from_secs(args.hours.saturating_mul(3600));
    output::error(&format!("For {} h, without a question each:\n{}", args.hours, in_words(&terms)));
    if person::ask("To give this grant, type yes; anything else gives none:")? != "yes" {
        return Err(ToolError::new(Code::Cancelled, "no grant was given"));
    }
    let grant = grants.give(terms, life, person::who(), audit).map_err(told)?;
    print(&[grant], form)
}

/// Refuses bytes into which not even one collection fits.
fn fits_one(given: u64, small: bool) -> Result<(), ToolError> {
    let least = if small { LEAST } else { default_bytes() };
    if given >= least {
        return Ok(());
    }
    let what = if small {
        "with the smallest max_mb"
    } else {
        "for which neither the call nor its artifacts set a bound"
    };
    let error = ToolError::invalid(format!(
        "the grant would cover too little: a collection {what} reserves {} from each client, and \
         the grant has {}",
        size::at_most(least),
        size::at_least(given)
    ));
    Err(if small {
        error
    } else {
        error.next(
            "give more bytes; or --small, for calls that set max_mb, and artifacts that set \
             max_upload_bytes, to what is there",
        )
    })
}

fn print(grants: &[Grant], form: Form) -> Result<(), ToolError> {
    match form {
        Form::Json => output::json(&json!({ "grants": grants })),
        Form::Text => {
            let now = Timestamp::now();
            let all: Vec<_> = grants.iter().map(|grant| block(grant, now)).collect();
            output::result(&all.join("\n"));
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
        "{}  {state}, given by {}\n{}\n  {:<12} {} of {}, {} of {} collections",
        grant.id(),
        grant.given_by,
        in_words(&grant.terms),
        "left",
        size::at_least(grant.left_bytes()),
        size::at_most(grant.terms.bytes),
        grant.left_collections(),
        grant.terms.collections,
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
        ("bytes", bytes_in_words(terms.bytes)),
        ("collections", terms.collections.to_string()),
    ]
    .map(|(label, text)| format!("  {label:<12} {}", text.replace(['\n', '\t'], " ")))
    .join("\n")
}

/// Bytes, and how far they reach: each collection reserves its whole bound.
fn bytes_in_words(bytes: u64) -> String {
    let fit = match bytes / default_bytes() {
        0 => String::from("not one fits"),
        1 => String::from("one fits"),
        n => format!("{n} fit"),
    };
    format!(
        "{} over all; a collection reserves {} for each client ({fit}), unless the call sets \
         max_mb or its artifacts a bound",
        size::at_most(bytes),
        size::at_most(default_bytes())
    )
}

fn told(error: GrantError) -> ToolError {
    if let GrantError::Unrecorded(error) = &error {
        return undecided(error);
    }
    let code = match &error {
        GrantError::Unknown { .. } => Code::NotFound,
        GrantError::Ended { .. } => Code::Conflict,
        GrantError::Terms { .. } => Code::InvalidInput,
        _ => Code::Internal,
    };
    ToolError::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_into_which_no_collection_fits_is_refused() {
        let told = |given, small| fits_one(given, small).err().map(|error| error.message);
        assert_eq!(told(1_073_741_824, false), None);
        let why = told(1_000_000_000, false).unwrap();
        assert!(
            why.contains("reserves 1074 MB from each client, and the grant has 1000 MB"),
            "{why}"
        );
        assert_eq!(told(500_000_000, true), None);
        assert!(told(999_999, true).is_some());
    }

    #[test]
    fn how_far_the_bytes_reach_is_said() {
        let told = bytes_in_words(20_000_000_000);
        assert!(told.starts_with("20 GB over all; a collection reserves 1074 MB"), "{told}");
        assert!(told.contains("each client (18 fit)"), "{told}");
        let told = bytes_in_words(500_000_000);
        assert!(told.contains("(not one fits)"), "{told}");
    }
}

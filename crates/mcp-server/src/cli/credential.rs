//! `megaraptor credential`: the secrets that were kept. A value is shown to a person on a terminal
//! and nowhere else; no tool gives one.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use credstore::{
    AskPassphrase, CredentialRef, CredentialStore, Expired, FileStore, Group, Metadata, Page,
    PageRequest,
};
use secret::Secret;
use serde_json::json;

use super::columns::{Column, fitted};
use super::{Form, Global, output, person};
use crate::clock;
use crate::credentials::{self, told};
use crate::deployments::keep;
use crate::tool_error::{Code, ToolError};

/// The exit code of a list that is known to lack something.
const IN_PART: u8 = 9;

#[derive(Debug, Subcommand)]
pub(super) enum CredentialCommand {
    /// List what is kept, without opening any of it
    List(ListArgs),
    /// Show one secret; needs a terminal
    Show {
        /// Its reference, cred:<deployment>/<name>
        credential: CredentialRef,
        /// Show it although its use has ended
        #[arg(long)]
        expired: bool,
        /// Write it to a new file for its owner only, as an API file for another program, and show nothing
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Delete one secret for good; needs a terminal
    Delete {
        /// Its reference, cred:<deployment>/<name>
        credential: CredentialRef,
    },
    /// Make a lost or damaged index anew, from the secrets themselves
    Rebuild,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those of this deployment
    #[arg(long, value_name = "ID")]
    deployment: Option<Group>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Begin behind this one
    #[arg(long, value_name = "REFERENCE")]
    after: Option<CredentialRef>,
}

/// The person who runs this command.
struct Person;

/// Whoever is asked for a passphrase.
pub(super) fn person() -> Option<Arc<dyn AskPassphrase>> {
    Some(Arc::new(Person))
}

impl AskPassphrase for Person {
    fn choose(&self) -> Result<Option<Secret<String>>, String> {
        // No command of this family makes a store.
        Ok(None)
    }

    fn ask(&self) -> Result<Option<Secret<String>>, String> {
        if person::needs_terminal("a passphrase").is_err() {
            return Ok(None);
        }
        let typed = person::ask_hidden("Passphrase of the credential store:");
        typed.map(Some).map_err(|error| error.message)
    }
}

pub(super) fn run(global: &Global, command: CredentialCommand) -> Result<ExitCode, ToolError> {
    let form = global.output;
    let store = credentials::open(&global.home()?, Some(Arc::new(Person)));
    match command {
        CredentialCommand::List(args) => list(&store, args, form),
        CredentialCommand::Show { credential, expired, out } => {
            person::needs_terminal("showing a secret")?;
            let value = opened(&store, &credential, expired)?;
            match out {
                None => show(&credential, &value, form),
                Some(file) => write(&credential, &value, file, form),
            }
        }
        CredentialCommand::Delete { credential } => delete(&store, &credential, form),
        CredentialCommand::Rebuild => rebuild(&store, form),
    }
}

fn list(store: &FileStore, args: ListArgs, form: Form) -> Result<ExitCode, ToolError> {
    if args.limit == 0 {
        return Err(ToolError::invalid("--limit is 0; expected at least 1"));
    }
    let request = PageRequest { after: args.after, limit: args.limit };
    let page = store.list(args.deployment.as_ref(), &request).map_err(|error| told(&error))?;
    let protection = store.protection().map_err(|error| told(&error))?;
    match form {
        Form::Json => {
            let Page { items, total, next, unlisted } = &page;
            output::json(&json!({
                "credentials": items, "total": total, "next": next, "unlisted": unlisted,
                "key": protection,
            }))?;
        }
        Form::Text => {
            let key = protection.map_or_else(
                || "no store was made yet".to_owned(),
                |protection| protection.in_words(),
            );
            output::result(&in_words(&page, args.deployment.as_ref(), &key));
        }
    }
    Ok(if page.unlisted > 0 { ExitCode::from(IN_PART) } else { ExitCode::SUCCESS })
}

/// What a line of the list says.
const COLUMNS: &[Column] = &[
    Column::whole("reference"),
    Column::whole("kind"),
    Column::whole("bytes").ranked(2),
    Column::whole("made").ranked(1),
    Column::cut_to("expires", 20),
];

fn in_words(page: &Page, deployment: Option<&Group>, key: &str) -> String {
    let now = clock::now();
    let mut text = String::new();
    if !page.items.is_empty() {
        let rows: Vec<_> = page.items.iter().map(|item| row(item, now)).collect();
        text = fitted(COLUMNS, &rows, output::width());
        text.push('\n');
    }
    let of = deployment.map(|group| format!(" of {group}")).unwrap_or_default();
    let count = match page.total {
        0 => format!("no secret{of} is kept"),
        total => format!("{} of {total} secrets{of}", page.items.len()),
    };
    let mut lines = vec![format!("{count}; {key}")];
    lines.extend(page.next.as_ref().map(|next| format!("more: --after {next}")));
    if page.unlisted > 0 {
        lines.push(format!(
            "{} more are on the disk and the index does not name them: megaraptor credential rebuild",
            page.unlisted
        ));
    }
    text.push_str(&lines.join("\n"));
    text
}

fn row(item: &Metadata, now: jiff::Timestamp) -> Vec<String> {
    let expires = match (item.expires, item.expired) {
        (Some(end), true) => format!("expired {}", clock::dated(now, Some(end))),
        (end, _) => clock::dated(now, end),
    };
    vec![
        item.credential.to_string(),
        item.kind.as_str().to_owned(),
        item.size.to_string(),
        clock::dated(now, Some(item.made)),
        expires,
    ]
}

fn opened(
    store: &FileStore,
    credential: &CredentialRef,
    expired: bool,
) -> Result<Secret<String>, ToolError> {
    let expired = if expired { Expired::Allowed } else { Expired::Refused };
    credstore::open_text(store, credential, expired).map_err(|error| match &error {
        credstore::StoreError::Expired { .. } => told(&error).next("--expired shows it"),
        _ => told(&error),
    })
}

fn write(
    credential: &CredentialRef,
    value: &Secret<String>,
    file: PathBuf,
    form: Form,
) -> Result<ExitCode, ToolError> {
    let file =
        std::path::absolute(file).map_err(|error| ToolError::invalid(format!("--out: {error}")))?;
    keep(&file, value.expose())?;
    match form {
        Form::Text => output::result(&format!(
            "{} has {credential}, for its owner only: delete it when it is not needed any longer",
            file.display()
        )),
        Form::Json => output::json(&json!({ "ref": credential, "file": file }))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(
    credential: &CredentialRef,
    value: &Secret<String>,
    form: Form,
) -> Result<ExitCode, ToolError> {
    // It is shown as it is, and so not where it would move the cursor or change the terminal.
    if value.expose().chars().any(|sign| sign.is_control() && !matches!(sign, '\n' | '\r' | '\t')) {
        return Err(ToolError::new(
            Code::Conflict,
            format!("{credential} holds control characters and is not shown on a terminal"),
        ));
    }
    // What was asked for is not masked.
    match form {
        Form::Text => output::passed(value.expose()),
        Form::Json => {
            let shown = json!({ "ref": credential, "secret": value.expose().as_str() });
            output::passed_json(&shown)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn delete(
    store: &FileStore,
    credential: &CredentialRef,
    form: Form,
) -> Result<ExitCode, ToolError> {
    person::needs_terminal("deleting a secret")?;
    let found = store.find(credential).map_err(|error| told(&error))?;
    let found = found
        .ok_or_else(|| told(&credstore::StoreError::Unknown { credential: credential.clone() }))?;
    output::error(&format!(
        "{credential}: {}, made {}. Deleted, it cannot be had again.",
        found.kind.as_str(),
        clock::dated(clock::now(), Some(found.made))
    ));
    if person::ask("To delete it, type yes; anything else leaves it:")? != "yes" {
        return Err(ToolError::new(Code::Cancelled, "nothing was deleted"));
    }
    let removed = store.remove(credential).map_err(|error| told(&error))?;
    match form {
        Form::Text => output::result(&format!("{credential} is deleted")),
        Form::Json => output::json(&json!({ "deleted": removed }))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn rebuild(store: &FileStore, form: Form) -> Result<ExitCode, ToolError> {
    let rebuilt = store.rebuild().map_err(|error| told(&error))?;
    let left: Vec<_> = rebuilt
        .left
        .iter()
        .map(|(path, why)| json!({ "file": path.display().to_string(), "why": why }))
        .collect();
    match form {
        Form::Json => output::json(&json!({
            "kept": rebuilt.kept, "left": left,
            "old_index": rebuilt.old_index.map(|path| path.display().to_string()),
        }))?,
        Form::Text => {
            let mut lines = vec![format!("the index names {} secrets", rebuilt.kept)];
            lines
                .extend(rebuilt.old_index.map(|path| format!("the old one is {}", path.display())));
            lines.extend(
                rebuilt
                    .left
                    .iter()
                    .map(|(path, why)| format!("not named: {} ({why})", path.display())),
            );
            output::result(&lines.join("\n"));
        }
    }
    Ok(if left.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(IN_PART) })
}

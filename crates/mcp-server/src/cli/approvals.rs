//! `megaraptor approvals`: a person decides what the chat is not enough for.

use std::process::ExitCode;

use clap::Subcommand;
use guard::approval::{Approval, ApprovalError, Approvals, State};
use guard::audit::Audit;
use guard::record::Clock;
use jiff::Timestamp;
use serde_json::json;

use super::columns::{Column, fitted};
use super::{Form, Global, output, person, undecided};
use crate::clock;
use crate::tool_error::{Code, ToolError};

#[derive(Debug, Subcommand)]
pub(super) enum ApprovalsCommand {
    /// List what waits for an answer, and what was approved and has not run
    List {
        /// Those that are over, too
        #[arg(long)]
        all: bool,
    },
    /// Show the plan card of a request
    Show {
        /// Its id, or the first digits of its digest
        id: String,
    },
    /// Approve a request; needs a terminal
    Approve {
        /// Its id, or the first digits of its digest
        id: String,
    },
    /// Refuse a request, or take an approval back that has not run
    Deny {
        /// Its id, or the first digits of its digest
        id: String,
        /// Why, for whoever asked
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(super) fn run(global: &Global, command: ApprovalsCommand) -> Result<ExitCode, ToolError> {
    let (home, form) = (global.home()?, global.output);
    let approvals =
        Approvals::open(&home, Clock::of_the_machine()).map_err(|error| told(error.into()))?;
    match command {
        ApprovalsCommand::List { all } => list(&approvals, all, form),
        ApprovalsCommand::Show { id } => {
            let approval = approvals.find(&id).map_err(told)?;
            show(&approval, global.lab, form)
        }
        ApprovalsCommand::Approve { id } => {
            person::needs_terminal("approving")?;
            approve(&approvals, &id, &global.record(&home)?, form)
        }
        ApprovalsCommand::Deny { id, reason } => {
            let approval = approvals.find(&id).map_err(told)?;
            let audit = global.record(&home)?;
            let denied = approvals.deny(&approval, person::who(), reason, &audit).map_err(told)?;
            done(&denied, form)
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

fn list(approvals: &Approvals, all: bool, form: Form) -> Result<(), ToolError> {
    let mut found = approvals.list().map_err(told)?;
    found.retain(|approval| all || !approval.state.is_ended());
    match form {
        Form::Json => output::json(&json!({ "approvals": found })),
        Form::Text if found.is_empty() => {
            output::result("nothing waits for an answer");
            Ok(())
        }
        Form::Text => {
            let now = Timestamp::now();
            let rows: Vec<_> = found.iter().map(|approval| row(approval, now)).collect();
            output::result(&fitted(COLUMNS, &rows, output::width()));
            Ok(())
        }
    }
}

/// What a line of the list says.
const COLUMNS: &[Column] = &[
    Column::whole("id"),
    Column::whole("state"),
    Column::whole("effect"),
    Column::whole("tool"),
    Column::cut_to("where", 8),
    Column::whole("hosts").ranked(1),
    Column::cut_to("asked by", 8),
    Column::whole("void after").ranked(2),
    Column::whole("ends"),
];

fn row(approval: &Approval, now: Timestamp) -> Vec<String> {
    let asked = &approval.asked;
    vec![
        approval.id(),
        approval.state.as_str().to_owned(),
        approval.needed.to_string(),
        asked.tool.clone(),
        format!("{} / {}", asked.server, asked.org),
        asked.clients.count().to_string(),
        format!("{} / {}", asked.caller.subject, asked.caller.program),
        clock::to_second(approval.void_after).to_string(),
        clock::age(now, approval.void_after),
    ]
}

fn show(approval: &Approval, lab: bool, form: Form) -> Result<(), ToolError> {
    match form {
        Form::Json => output::json(&json!({ "approval": approval })),
        Form::Text => {
            output::result(approval.card(Timestamp::now()).trim_end());
            if approval.state == State::Pending {
                let id = approval.id();
                let lab = if lab { " --lab" } else { "" };
                output::result(&format!(
                    "\nmegaraptor approvals approve {id}{lab}\nmegaraptor approvals deny {id}{lab}"
                ));
            }
            Ok(())
        }
    }
}

fn approve(approvals: &Approvals, id: &str, audit: &Audit, form: Form) -> Result<(), ToolError> {
    let approval = approvals.find(id).map_err(told)?;
    if approval.state != State::Pending {
        return Err(told(ApprovalError::NotPending {
            id: approval.id(),
            state: approval.state.as_str(),
        }));
    }
    output::error(&approval.card(Timestamp::now()));
    let typed = person::ask(
        "To approve this, type the first 4 digits of its digest; anything else leaves it as it is:",
    )?;
    let seen = approval
        .confirm(&typed)
        .map_err(|error| ToolError::new(Code::Cancelled, error.to_string()))?;
    let approved = approvals.approve(seen, person::who(), audit).map_err(told)?;
    done(&approved, form)
}

fn done(approval: &Approval, form: Form) -> Result<(), ToolError> {
    match form {
        Form::Json => output::json(&json!({ "approval": approval })),
        Form::Text => {
            let id = approval.id();
            output::result(&match &approval.state {
                State::Approved { by, .. } => format!(
                    "{id} is approved by {by}, for one run until {}. Whoever asked calls again.",
                    clock::to_second(approval.void_after)
                ),
                State::Denied { by, .. } => format!("{id} is denied by {by}"),
                other => format!("{id} is {}", other.as_str()),
            });
            Ok(())
        }
    }
}

pub(super) fn told(error: ApprovalError) -> ToolError {
    if let ApprovalError::Unrecorded(error) = &error {
        return undecided(error);
    }
    let code = match &error {
        ApprovalError::Unknown { .. } => Code::NotFound,
        ApprovalError::Ambiguous { .. } => Code::Ambiguous,
        ApprovalError::NotPending { .. } | ApprovalError::TooMany { .. } => Code::Conflict,
        ApprovalError::Life { .. } | ApprovalError::Plan(_) => Code::InvalidInput,
        _ => Code::Internal,
    };
    ToolError::new(code, error.to_string())
}

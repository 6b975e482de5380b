//! A call that a person makes on a terminal: asked where the policy says so, told step by step.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use guard::approval::{Approval, State};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{Global, approvals, call, flags, output, person};
use crate::caller::Caller;
use crate::context::Progress;
use crate::gateway::{Gateway, Mute, Request, Stop};
use crate::tool::Finished;
use crate::tool_error::{Code, ToolError};

/// Families that the commands over deployments need.
const FAMILY: &str = "deploy";

/// Calls a tool of deployments. Where a person has to approve it, whoever sits here is asked.
pub(super) async fn call(
    global: &Global,
    tool: &str,
    arguments: Map<String, Value>,
) -> Result<Finished, ToolError> {
    let gateway = global.gateway_with(&[FAMILY.to_owned()])?;
    let caller = Caller::cli();
    let progress = Steps::default();
    let cancel = call::cancel_on_interrupt();
    let request = Request { caller: &caller, cancel, progress: &progress, voice: &Mute };
    let mut done = once(&gateway, &request, tool, arguments.clone()).await;
    if let Err(error) = &done
        && error.code == Code::ApprovalRequired
        && person::needs_terminal("approving").is_ok()
    {
        progress.clear();
        let waiting = waiting(&gateway, &caller, tool, &arguments)?;
        output::error(&waiting.card(Timestamp::now()));
        let typed = typed(&request.cancel).await?;
        let seen = waiting.confirm(&typed).map_err(|error| {
            ToolError::new(Code::Cancelled, format!("nothing was done: {error}"))
        })?;
        let guardian = gateway.guardian();
        let approved = guardian.approvals().approve(seen, person::who(), guardian.audit());
        approved.map_err(approvals::told)?;
        done = once(&gateway, &request, tool, arguments).await;
    }
    progress.clear();
    // What goes on when nobody waits is stopped in order: this process ends.
    if let Ok(deployments) = gateway.services().deployments() {
        deployments.stop().await;
    }
    done.map_err(flags::told)
}

/// What the person types, or that they broke off: whoever waits for a line does not see signals.
async fn typed(cancel: &CancellationToken) -> Result<String, ToolError> {
    let asked = tokio::task::spawn_blocking(|| {
        person::ask(
            "To do this, type the first 4 digits of its digest; anything else leaves all as it is:",
        )
    });
    tokio::select! {
        biased;
        () = cancel.cancelled() => {
            Err(ToolError::new(Code::Cancelled, "nothing was done: it was broken off"))
        }
        typed = asked => typed.map_err(|error| ToolError::new(Code::Internal, error.to_string()))?,
    }
}

/// Calls it and prints the answer.
pub(super) async fn print(
    global: &Global,
    tool: &str,
    arguments: Map<String, Value>,
) -> Result<std::process::ExitCode, ToolError> {
    call::print(&call(global, tool, arguments).await?, global.output)
}

async fn once(
    gateway: &Gateway,
    request: &Request<'_>,
    tool: &str,
    arguments: Map<String, Value>,
) -> Result<Finished, ToolError> {
    gateway.call(request, tool, arguments).await.map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Ask(asking) => ToolError::new(Code::ApprovalRequired, asking.card),
    })
}

/// The request that was just made.
fn waiting(
    gateway: &Gateway,
    caller: &Caller,
    tool: &str,
    arguments: &Map<String, Value>,
) -> Result<Approval, ToolError> {
    let all = gateway.guardian().approvals().list().map_err(approvals::told)?;
    own(all, &caller.as_asked(), tool, arguments).ok_or_else(|| {
        ToolError::new(Code::Internal, "what was asked for is not among the requests")
    })
}

/// The newest request of these that is this caller's and for this very call: somebody else's, or one
/// for another deployment, is not shown in its place.
fn own(
    all: Vec<Approval>,
    who: &guard::asked::Caller,
    tool: &str,
    arguments: &Map<String, Value>,
) -> Option<Approval> {
    let fits = |one: &Approval| {
        one.state == State::Pending
            && one.asked.tool == tool
            && one.asked.caller == *who
            && arguments.iter().all(|(name, value)| one.asked.arguments.get(name) == Some(value))
    };
    all.into_iter().filter(fits).max_by_key(|one| one.void_after)
}

/// Each step as a line, and what is waited for in it as a line that overwrites itself.
#[derive(Default)]
struct Steps(Mutex<u64>);

impl Steps {
    fn clear(&self) {
        let mut err = std::io::stderr().lock();
        if err.is_terminal() {
            let _ = write!(err, "\r\x1b[K").and_then(|()| err.flush());
        }
    }
}

impl Progress for Steps {
    fn report(&self, done: u64, total: Option<u64>, message: &str) {
        let message = crate::evidence::message(message);
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut err = std::io::stderr().lock();
        let of = total.map_or_else(String::new, |total| format!("/{total}"));
        let terminal = err.is_terminal();
        let new = *last != done || message.starts_with("takes back");
        *last = done;
        // A terminal that cannot show progress loses nothing that matters.
        let _ = if new {
            let clear = if terminal { "\r\x1b[K" } else { "" };
            writeln!(err, "{clear}{done:>2}{of} {message}")
        } else if terminal {
            let cut: String = message.chars().take(output::width().saturating_sub(8)).collect();
            write!(err, "\r\x1b[K      {cut}").and_then(|()| err.flush())
        } else {
            Ok(())
        };
    }
}

#[cfg(test)]
mod tests;

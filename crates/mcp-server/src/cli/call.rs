//! `megaraptor call`: one tool, from the command line.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::narrow::narrowed;
use super::{Form, Global, output};
use crate::answer::State;
use crate::caller::Caller;
use crate::context::Progress;
use crate::gateway::{Mute, Request, Stop};
use crate::tool::Finished;
use crate::tool_error::{Code, ToolError};
use crate::tools::FAMILIES;

#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// The tool
    #[arg(value_parser = tool_names(), hide_possible_values = true)]
    tool: String,
    /// Its arguments: a JSON object, or - to read one from standard input
    #[arg(long, default_value = "{}", value_name = "OBJECT")]
    json: String,
}

/// Every tool by name, so that shells complete them.
fn tool_names() -> PossibleValuesParser {
    FAMILIES.iter().flat_map(|family| family.tools).map(|tool| tool.name).collect::<Vec<_>>().into()
}

pub(super) async fn run(global: &Global, args: CallArgs) -> Result<ExitCode, ToolError> {
    let gateway = global.gateway()?;
    let arguments = arguments(&args.json)?;
    let caller = Caller::cli();
    let progress = Terminal;
    let request = Request {
        caller: &caller,
        cancel: cancel_on_interrupt(),
        progress: &progress,
        voice: &Mute,
    };
    for told in gateway.take_back_overdue(crate::clock::now(), &request.cancel).await {
        output::error(&format!("! {told}"));
    }
    let finished = match gateway.call(&request, &args.tool, arguments).await {
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Ask(asking)) => Err(ToolError::new(Code::ApprovalRequired, asking.card)),
        Ok(finished) => Ok(finished),
    };
    Terminal.clear();
    // What goes on when nobody waits is stopped in order: this process ends.
    if let Ok(deployments) = gateway.services().deployments() {
        deployments.stop().await;
    }
    print(&finished?, global.output)
}

/// Prints an answer, and says by the exit code how complete it is.
pub(super) fn print(finished: &Finished, form: Form) -> Result<ExitCode, ToolError> {
    match form {
        Form::Text => {
            let narrow = narrowed(&finished.text, output::width());
            output::passed(narrow.as_deref().unwrap_or(&finished.text));
        }
        Form::Json => output::passed_json(&Value::Object(finished.data()?))?,
    }
    Ok(ExitCode::from(exit_code(finished.state, finished.goes_on)))
}

/// What the state of an answer means for a script: 0 is for what was done, to its end. A page that
/// a cursor follows is the whole of what was asked for.
const fn exit_code(state: State, goes_on: bool) -> u8 {
    match state {
        State::Complete | State::Empty => 0,
        State::Partial if goes_on => 0,
        State::Expired => 6,
        State::Partial => 9,
        State::Pending | State::Offline => 10,
    }
}

fn arguments(json: &str) -> Result<Map<String, Value>, ToolError> {
    let mut piped = String::new();
    let text = if json == "-" {
        std::io::stdin().read_to_string(&mut piped).map_err(|error| {
            ToolError::invalid(format!("standard input cannot be read: {error}"))
        })?;
        &piped
    } else {
        json
    };
    serde_json::from_str(text).map_err(|error| {
        ToolError::invalid(format!("--json is not a JSON object: {error}"))
            .next("for example --json '{\"search\":\"host:WS-11\"}'")
    })
}

/// A token that Ctrl-C and the signals to end cancel, so that the server's work ends too, and so
/// that what was put on disk for the time of the command goes.
pub(super) fn cancel_on_interrupt() -> CancellationToken {
    let cancel = CancellationToken::new();
    let on_interrupt = cancel.clone();
    match interrupted() {
        Ok(interrupted) => drop(tokio::spawn(async move {
            interrupted.await;
            on_interrupt.cancel();
        })),
        Err(error) => tracing::warn!(%error, "signals cannot be watched"),
    }
    cancel
}

/// Watches from now on; the future ends with the first signal.
#[cfg(unix)]
fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Watches from now on; the future ends with the first Ctrl-C.
#[cfg(windows)]
fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

/// Progress as one line that overwrites itself, where standard error is a terminal.
struct Terminal;

impl Terminal {
    fn clear(&self) {
        let mut out = std::io::stderr().lock();
        if out.is_terminal() {
            let _ = write!(out, "\r\x1b[K").and_then(|()| out.flush());
        }
    }
}

impl Progress for Terminal {
    fn report(&self, done: u64, total: Option<u64>, message: &str) {
        let mut out = std::io::stderr().lock();
        if !out.is_terminal() {
            return;
        }
        let message = crate::evidence::message(message);
        let of = total.map_or_else(String::new, |total| format!("/{total}"));
        // A terminal that cannot show progress loses nothing that matters.
        let _ = write!(out, "\r\x1b[K{done}{of} {message}").and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_done_to_its_end_is_not_success() {
        assert_eq!(exit_code(State::Complete, false), 0);
        assert_eq!(exit_code(State::Empty, false), 0);
        assert_eq!(exit_code(State::Partial, true), 0, "one page of several");
        assert_eq!(exit_code(State::Partial, false), 9, "something failed or was refused");
        assert_eq!(exit_code(State::Offline, false), 10);
        assert_eq!(exit_code(State::Pending, true), 10);
        assert_eq!(exit_code(State::Expired, false), 6);
    }

    #[test]
    fn arguments_that_are_no_object_are_refused_with_an_example() {
        for text in ["[1]", "{", "\"x\"", ""] {
            let error = arguments(text).unwrap_err();
            assert_eq!(error.code, Code::InvalidInput, "{text}");
            assert!(error.next_step.is_some());
        }
        assert_eq!(arguments("{\"a\":1}").unwrap().len(), 1);
    }
}

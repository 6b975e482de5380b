//! The one place that writes to the terminal.

use std::io::Write;

use serde_json::Value;

use crate::tool_error::{Code, ToolError};

/// Writes a result to standard output. A reader that went away is no error of ours.
pub(super) fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes typed data to standard output.
pub(super) fn json(value: &Value) -> Result<(), ToolError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
    result(&text);
    Ok(())
}

/// Writes a message for the person to standard error.
pub(super) fn error(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{text}");
}

/// How many characters a line of standard output holds. A file or a pipe has no edge.
pub(super) fn width() -> usize {
    use std::io::IsTerminal as _;
    if !std::io::stdout().is_terminal() {
        return usize::MAX;
    }
    columns().unwrap_or(80).max(40)
}

#[cfg(unix)]
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn columns() -> Option<usize> {
    None
}

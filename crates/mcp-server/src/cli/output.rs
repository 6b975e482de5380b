//! The one place that writes to the terminal. What is written passes the filter here, except by
//! [`passed`] and [`passed_json`].

use std::io::Write;

use serde_json::Value;

use crate::evidence;
use crate::tool_error::{Code, ToolError};

/// Writes a result to standard output.
pub(super) fn result(text: &str) {
    passed(&evidence::text(text));
}

/// Writes typed data to standard output.
pub(super) fn json(value: &Value) -> Result<(), ToolError> {
    passed_json(&filtered(value))
}

/// Writes typed data as one line to standard output.
pub(super) fn json_line(value: &Value) {
    passed(&filtered(value).to_string());
}

/// Writes a message for the person to standard error.
pub(super) fn error(text: &str) {
    passed_error(&evidence::text(text));
}

/// Writes what has passed the filter, or what the person asked to be given as it is: a token that
/// was made, a file for another program. A reader that went away is no error of ours.
pub(super) fn passed(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes typed data as [`passed`] writes a text.
pub(super) fn passed_json(value: &Value) -> Result<(), ToolError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
    passed(&text);
    Ok(())
}

/// Writes to standard error what has passed the filter.
pub(super) fn passed_error(text: &str) {
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

fn filtered(value: &Value) -> Value {
    let mut value = value.clone();
    evidence::value(&mut value);
    value
}

/// Standard error for diagnostics: text of servers and endpoints can be in those as well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Diagnostics;

impl Write for Diagnostics {
    /// Takes one whole event.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        std::io::stderr().lock().write_all(guard::outlet::text(&text).0.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

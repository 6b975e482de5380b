//! The one place that writes to the terminal.

use std::io::Write;

/// Writes a result to standard output. A reader that went away is no error of ours.
pub(super) fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes a message for the person to standard error.
pub(super) fn error(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{text}");
}

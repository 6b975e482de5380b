//! The person at the terminal: that there is one, who it is, and what they type.

use std::io::{self, BufRead, IsTerminal, Read};

use guard::approver::Approver;

use super::output;
use crate::tool_error::{Code, ToolError};

/// The longest line that is read.
const LONGEST: u64 = 1000;

/// Who runs this command.
pub(super) fn who() -> Approver {
    Approver { user: user(), host: host(), terminal: terminal() }
}

/// Refuses to go on without a person: both what is shown and what is typed go
/// through a terminal.
pub(super) fn needs_terminal(what: &str) -> Result<(), ToolError> {
    // Questions go to standard error.
    if io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    Err(ToolError::new(
        Code::Denied,
        format!("{what} needs a terminal: a person reads it and types the answer"),
    )
    .next("run it in a terminal of your own, without a pipe"))
}

/// Asks, and reads one line.
pub(super) fn ask(question: &str) -> Result<String, ToolError> {
    output::error(question);
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(LONGEST)
        .read_line(&mut line)
        .map_err(|error| ToolError::invalid(format!("the answer cannot be read: {error}")))?;
    Ok(line.trim().to_owned())
}

#[cfg(unix)]
fn user() -> String {
    let uid = rustix::process::getuid().as_raw();
    // Variables such as USER are set by whoever started this; the number is not.
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    account(&accounts, uid).unwrap_or_else(|| format!("uid {uid}"))
}

/// The name of the account with this number.
#[cfg(unix)]
fn account(accounts: &str, uid: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(unix)]
fn terminal() -> String {
    rustix::termios::ttyname(io::stdin(), Vec::new())
        .map_or_else(|_| String::from("no terminal"), |name| name.to_string_lossy().into_owned())
}

#[cfg(not(unix))]
fn user() -> String {
    std::env::var("USERNAME").unwrap_or_else(|_| String::from("unknown"))
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| String::from("unknown"))
}

#[cfg(not(unix))]
fn terminal() -> String {
    String::from(if io::stdin().is_terminal() { "console" } else { "no terminal" })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_number() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\n\n# no line\nalice:x:1000:1000::/home/alice:";
        assert_eq!(account(accounts, 1000).as_deref(), Some("alice"));
        assert_eq!(account(accounts, 0).as_deref(), Some("root"));
        assert_eq!(account(accounts, 1), None);
    }
}

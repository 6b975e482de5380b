//! The person at the terminal: that there is one, who it is, and what they type.

use std::io::{self, BufRead, IsTerminal, Read};

use guard::approver::Approver;
use secret::Secret;
use zeroize::Zeroizing;

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

/// Asks for what nobody may read over a shoulder, and reads one line.
pub(super) fn ask_hidden(question: &str) -> Result<Secret<String>, ToolError> {
    // Before the question: whoever sees it may type at once.
    let _silence = Silence::begin()?;
    output::error(question);
    // Room from the start: a text that grows leaves copies behind.
    let mut line = Zeroizing::new(String::with_capacity(LONGEST as usize));
    let read = io::stdin().lock().take(LONGEST).read_line(&mut line);
    read.map_err(|error| ToolError::invalid(format!("the answer cannot be read: {error}")))?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A terminal that does not show what is typed, until this is dropped.
#[cfg(unix)]
struct Silence(rustix::termios::Termios);

#[cfg(unix)]
impl Silence {
    fn begin() -> Result<Self, ToolError> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let told = |error| {
            ToolError::new(
                Code::Denied,
                format!(
                    "the terminal would show what is typed, and cannot be told not to: {error}"
                ),
            )
        };
        let before = tcgetattr(io::stdin()).map_err(told)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO;
        silent.local_modes |= LocalModes::ECHONL;
        // What was typed ahead is taken too.
        tcsetattr(io::stdin(), OptionalActions::Now, &silent).map_err(told)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Silence {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // A terminal that went away has nothing to be put back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(not(unix))]
struct Silence;

#[cfg(not(unix))]
impl Silence {
    fn begin() -> Result<Self, ToolError> {
        Err(ToolError::new(
            Code::Denied,
            "the console would show what is typed, and cannot be told not to on this system",
        )
        .next(format!("name a file that holds it: {}", crate::credentials::PASSPHRASE_FILE)))
    }
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

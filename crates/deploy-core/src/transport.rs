//! How a host is reached: programs run on it, files put there and read back.
//!
//! [`Transport`] is narrow on purpose. Everything else that a deployer does on a host, it does by
//! running a program. Program, arguments and standard input are apart from each other, so nothing has
//! to be quoted by the caller: a transport that needs a shell quotes for its own. Secrets go by
//! standard input or in files, never in arguments, which every user of a host can list.
//!
//! [`contract::transport`](crate::contract::transport) tests what is said here.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use secret::Secret;
use serde::{Deserialize, Serialize};

use crate::evidence::Pipe;

mod error;
mod facts;

pub use error::TransportError;
pub use facts::{HostFacts, clock_ahead, free_disk};

/// How long a program may run, unless it is said otherwise.
const WITHIN: Duration = Duration::from_secs(30);

/// How many bytes a program may write, unless it is said otherwise.
const MOST: usize = 1024 * 1024;

/// One way to one host.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Which host, for a person.
    fn host(&self) -> &str;

    /// Runs a program in the folder `/`, in the language `C`, and waits until it has ended. That it
    /// failed is in its answer. One that runs too long or writes too much is ended with all that it
    /// started.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the program, as far as the host is reached still.
    async fn run(&self, command: &Command<'_>) -> Result<Ended, TransportError>;

    /// Runs a program as [`run`](Self::run) does, and sends what it writes to standard output on while
    /// it writes it: it may be any amount. Of errors there are at most as many bytes as are allowed.
    async fn pour(&self, command: &Command<'_>, into: &Pipe) -> Result<Ended, TransportError>;

    /// Puts a file there, whole or not at all: under another name beside it, with its rights, compared
    /// by its SHA-256, renamed at last. A link of that name is replaced, not followed.
    async fn put(&self, file: &NewFile<'_>) -> Result<(), TransportError>;

    /// Reads a file of at most so many bytes; nothing where there is none. A link is refused.
    async fn read(
        &self,
        path: &str,
        most: usize,
    ) -> Result<Option<Secret<Vec<u8>>>, TransportError>;

    /// The SHA-256 of a file, in hexadecimal; nothing where there is none. A link is refused.
    async fn sha256(&self, path: &str) -> Result<Option<String>, TransportError>;

    /// What is at a path; nothing where nothing is. Of a link itself, not of what it leads to.
    async fn stat(&self, path: &str) -> Result<Option<Stat>, TransportError>;

    /// Removes a file, a link, or a folder with all in it. Links in it are removed, not followed.
    /// Removing what is not there is no failure.
    async fn remove(&self, path: &str) -> Result<(), TransportError>;
}

/// A program that is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// Its name, or where it is.
    pub program: &'a str,
    /// Its arguments. No secrets: a host shows them to everybody on it.
    pub arguments: &'a [&'a str],
    /// Standard input; without it there is none to read.
    pub input: Option<&'a Secret<Vec<u8>>>,
    /// How long it may run.
    pub within: Duration,
    /// How many bytes it may write, output and errors together.
    pub most: usize,
}

/// How a program ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; 128 and the signal's number where a signal ended it.
    pub code: i64,
    /// Standard output.
    pub out: Secret<Vec<u8>>,
    /// Standard error.
    pub err: String,
}

/// To whom a file or folder belongs, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The nine bits of permission.
    pub mode: u32,
}

/// A file that is to be put on a host.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// Where. Its folder is there already.
    pub path: &'a str,
    /// What is in it.
    pub content: Content<'a>,
    /// Whose it is.
    pub rights: Rights,
}

/// What is in a file.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// These bytes.
    Bytes(&'a Secret<Vec<u8>>),
    /// Those of a file of this machine.
    File {
        /// Which one.
        path: &'a Path,
        /// What its SHA-256 has to be, in hexadecimal. Anything else is not put.
        sha256: &'a str,
    },
}

/// What something at a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A link, a socket, a device.
    Other,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Whose it is.
    pub rights: Rights,
    /// Its size in bytes.
    pub size: u64,
}

impl<'a> Command<'a> {
    /// A program with these arguments, for half a minute and a megabyte.
    pub const fn new(program: &'a str, arguments: &'a [&'a str]) -> Self {
        Self { program, arguments, input: None, within: WITHIN, most: MOST }
    }

    /// Gives it something to read.
    #[must_use]
    pub const fn input(self, input: &'a Secret<Vec<u8>>) -> Self {
        Self { input: Some(input), ..self }
    }

    /// Gives it another time.
    #[must_use]
    pub const fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Lets it write more or less.
    #[must_use]
    pub const fn most(self, most: usize) -> Self {
        Self { most, ..self }
    }
}

impl Ended {
    /// Standard output as a text, for programs that write no secrets.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.out.expose()).into_owned()
    }

    /// The last lines of standard error, for a person.
    pub fn why(&self) -> String {
        let lines = self.err.lines().rev().filter(|line| !line.trim().is_empty());
        let mut lines: Vec<String> =
            lines.take(3).map(|line| line.trim().escape_default().to_string()).collect();
        lines.reverse();
        if lines.is_empty() { String::from("it said nothing") } else { lines.join(" / ") }
    }
}

impl Rights {
    /// The administrator's, with this mode.
    pub const fn root(mode: u32) -> Self {
        Self { uid: 0, gid: 0, mode }
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {:04o}", self.uid, self.gid, self.mode)
    }
}

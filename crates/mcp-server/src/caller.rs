//! Who calls.

use guard::tokens::{Scope, Token};

/// The way by which a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// MCP over standard input and output: whoever started Megaraptor.
    Stdio,
    /// MCP over HTTP, with a token.
    Http,
    /// The command line.
    Cli,
}

impl Transport {
    /// The word in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::Cli => "cli",
        }
    }
}

/// Who calls, and what the caller may see and do at most.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The way.
    pub transport: Transport,
    /// The token that was shown; `None` where the way itself says who it is.
    pub subject: Option<Subject>,
    /// The program that speaks for the caller, as it calls itself. Nobody has checked it.
    pub client: Option<ClientProgram>,
    /// What the token allows; everything for other ways.
    pub scope: Scope,
}

/// The token of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name, which is who the record says that it was.
    pub name: String,
    /// Tells it from another token that had the same name before.
    pub token: String,
}

/// An MCP client as it calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientProgram {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The account that runs this process.
#[cfg(unix)]
pub fn account() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}

/// The account that runs this process.
#[cfg(not(unix))]
pub fn account() -> String {
    std::env::var("USERNAME").unwrap_or_else(|_| String::from("this account"))
}

impl Caller {
    /// Whoever started Megaraptor as an MCP server.
    pub fn stdio() -> Self {
        Self::local(Transport::Stdio)
    }

    /// Whoever typed a command.
    pub fn cli() -> Self {
        Self::local(Transport::Cli)
    }

    fn local(transport: Transport) -> Self {
        Self { transport, subject: None, client: None, scope: Scope::everything() }
    }

    /// Whoever showed this token.
    pub fn of_token(token: &Token) -> Self {
        Self {
            transport: Transport::Http,
            subject: Some(Subject { name: token.name.clone(), token: token.id.clone() }),
            client: None,
            scope: token.scope.clone(),
        }
    }

    /// The caller as the policy judges it.
    pub fn as_asked(&self) -> guard::asked::Caller {
        guard::asked::Caller {
            subject: match &self.subject {
                Some(subject) => format!("{}#{}", subject.name, subject.token),
                None => account(),
            },
            program: self.client.as_ref().map_or_else(
                || format!("megaraptor {}", self.transport.as_str()),
                |client| client.name.clone(),
            ),
        }
    }

    /// The same caller, through that program.
    #[must_use]
    pub fn through(self, name: &str, version: &str) -> Self {
        let client = ClientProgram { name: name.to_owned(), version: version.to_owned() };
        Self { client: Some(client), ..self }
    }
}

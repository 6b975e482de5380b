//! Why there is no configuration.

/// Why a configuration cannot be made or read. No message holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A host name cannot be one.
    #[error(
        "{0:?} is no host name or address; expected one such as velociraptor.example.org or 192.0.2.7"
    )]
    Host(String),
    /// Two services would listen on one port.
    #[error("{one} and {other} are both to listen on port {port}; give each a port of its own")]
    PortTwice {
        /// A service.
        one: &'static str,
        /// Another.
        other: &'static str,
        /// The port.
        port: u16,
    },
    /// A port cannot be listened on.
    #[error("{0} has the port 0; expected 1 to 65535")]
    NoPort(&'static str),
    /// A folder is not absolute.
    #[error("{what} is {found:?}; expected an absolute path")]
    Relative {
        /// Which folder.
        what: &'static str,
        /// What was given.
        found: String,
    },
    /// A text is no PEM of the kind that is needed.
    #[error("{what} is no {expected}{hint}")]
    Pem {
        /// Which text.
        what: &'static str,
        /// The kind of block.
        expected: &'static str,
        /// What helps.
        hint: &'static str,
    },
    /// A user name cannot be given.
    #[error(
        "{0:?} cannot be a user's name; expected letters, digits and @ . _ -, and not a name of Velociraptor's own"
    )]
    User(String),
    /// A label cannot be given to agents.
    #[error(
        "{0:?} cannot be a label; expected 1 to 64 characters without control characters and commas"
    )]
    Label(String),
    /// There is no such profile.
    #[error("{0:?} is no profile; there are minimal, rapid, standard and enterprise")]
    Profile(String),
    /// There is nothing in it.
    #[error(
        "the {0} configuration is empty; Velociraptor would run without checking anybody's rights on an \
         empty API file, so it is refused here"
    )]
    Empty(&'static str),
    /// It is no configuration of its kind.
    #[error("the {kind} configuration cannot be read: {cause}")]
    Malformed {
        /// Server, client or API.
        kind: &'static str,
        /// Where and why, without what stands there.
        cause: String,
    },
    /// A key that has to be there is missing or empty.
    #[error("the {kind} configuration has no {key}; it is not whole")]
    Missing {
        /// Server, client or API.
        kind: &'static str,
        /// The path of the key.
        key: &'static str,
    },
    /// The system gives no randomness.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

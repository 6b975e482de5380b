//! Why a policy cannot be used. The start is refused: a policy that is half understood guards
//! nothing.

use std::fmt;

use super::settings::Origin;

/// A policy that cannot be used, with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The file with the line, the variable, or the option.
    pub place: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file cannot be read.
    Unreadable(String),
    /// The file is no TOML.
    Syntax(String),
    /// A file that should hold a policy alone holds something else.
    NoPolicy {
        /// The key on the top level.
        key: String,
    },
    /// A file that should hold a policy holds none.
    Empty,
    /// `--policy` without `=`.
    NoAssignment(String),
    /// There is no such key.
    UnknownKey {
        /// The key as it was written.
        key: String,
        /// The key that is most like it.
        nearest: Option<String>,
    },
    /// A list holds a word (a tool, a server, an effect, a mode) that does not exist.
    UnknownWord {
        /// The key.
        key: String,
        /// The word.
        given: String,
        /// The word that is most like it.
        nearest: Option<String>,
        /// All words.
        known: Vec<String>,
    },
    /// A value of another kind.
    BadValue {
        /// The key.
        key: String,
        /// What stands there.
        given: String,
        /// What was expected.
        expected: String,
    },
    /// Something else than a client id among the protected clients.
    NotAnId {
        /// What stands there.
        given: String,
    },
}

impl PolicyError {
    pub(super) fn at(place: &str, problem: Problem) -> Self {
        Self { place: place.to_owned(), problem }
    }

    pub(super) fn from(origin: &Origin, problem: Problem) -> Self {
        Self::at(&origin.to_string(), problem)
    }
}

/// More words than this are not listed.
const LISTED: usize = 12;

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        let mean = |f: &mut fmt::Formatter<'_>, nearest: &Option<String>| match nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        };
        match &self.problem {
            Problem::Unreadable(why) => write!(f, "the policy cannot be read: {why}"),
            Problem::Syntax(why) => f.write_str(why),
            Problem::NoPolicy { key } => {
                write!(
                    f,
                    "{key:?} is no part of a policy: a policy file holds [policy] and nothing else"
                )
            }
            Problem::Empty => f.write_str("there is no [policy] in the policy file"),
            Problem::NoAssignment(text) => {
                write!(f, "{text:?} sets nothing: expected KEY=VALUE, such as collect=allow")
            }
            Problem::UnknownKey { key, nearest } => {
                write!(f, "the policy has no key {key:?}")?;
                mean(f, nearest)
            }
            Problem::UnknownWord { key, given, nearest, known } => {
                write!(f, "{key} does not know {given:?}")?;
                mean(f, nearest)?;
                if known.is_empty() {
                    f.write_str("; there is none that could be named")
                } else if known.len() <= LISTED {
                    write!(f, " (it takes {})", known.join(", "))
                } else {
                    Ok(())
                }
            }
            Problem::BadValue { key, given, expected } => {
                write!(f, "{key} is {given}: expected {expected}")
            }
            Problem::NotAnId { given } => write!(
                f,
                "protected_clients holds {given:?}, which is no client id (C. and 16 hexadecimal digits): an endpoint chooses its own host name, so a name protects nothing; list_clients shows the id"
            ),
        }
    }
}

impl std::error::Error for PolicyError {}

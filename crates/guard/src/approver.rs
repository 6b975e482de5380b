//! Who said yes, or no.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A person at a terminal. All three come from the operating system and not from a variable that a
/// caller could set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The account's name, or its number where it has no name.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The terminal, such as `/dev/pts/3`.
    pub terminal: String,
}

impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} on {}", self.user, self.host, self.terminal)
    }
}

#[cfg(test)]
pub(crate) fn bob() -> Approver {
    Approver { user: "bob".into(), host: "soc-1".into(), terminal: "/dev/pts/3".into() }
}

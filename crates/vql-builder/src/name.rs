//! Names: which are allowed, and how they are spelled.

use std::fmt;

use crate::syntax::{TokenKind, only_token};

/// Why a text cannot be used as a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No spelling makes a column or argument of it.
    #[error("{0:?} cannot be spelled as a name in VQL")]
    Unspellable(String),
    /// A value is bound to letters, digits and underscores, not starting with a digit.
    #[error("{0:?} is not a name: use letters, digits and _, starting with a letter, at most 64")]
    NotAName(String),
    /// A word of the language.
    #[error("{0} is a reserved word of VQL: choose another name")]
    Keyword(String),
    /// The server gives the name a meaning of its own.
    #[error("{name} is reserved: {reason}; choose another name")]
    Reserved {
        /// The name.
        name: String,
        /// What it means.
        reason: &'static str,
    },
    /// The name is bound already.
    #[error("{0} is bound twice")]
    Twice(String),
}

/// The name of a column, checked and spelled so that the engine reads it as one name.
///
/// ```
/// let column = vql_builder::Identifier::new("Last Seen")?;
/// assert_eq!(column.to_string(), "`Last Seen`");
/// # Ok::<(), vql_builder::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier(String);

impl Identifier {
    /// Takes the name as it is shown in results, without backticks.
    ///
    /// # Errors
    ///
    /// [`NameError::Unspellable`] for what no spelling keeps: nothing at all, backticks,
    /// backslashes (an escape in some places and none in others), control characters, and a
    /// leading minus (which the engine takes for a negation, even between backticks).
    pub fn new(name: &str) -> Result<Self, NameError> {
        let kept = |character: char| !matches!(character, '`' | '\\') && !character.is_control();
        if name.is_empty() || name.starts_with('-') || !name.chars().all(kept) {
            return Err(NameError::Unspellable(name.to_owned()));
        }
        let plain = only_token(name) == Some(TokenKind::Name);
        Ok(Self(if plain { name.to_owned() } else { format!("`{name}`") }))
    }
}

/// The spelling.
impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names that the server reads without being asked to: a value bound there changes what a query
/// does. `source()` takes its arguments from the first group, accessors from the last.
const RESERVED: &[(&str, &str)] = &[
    ("ArtifactName", "source() takes its artifact from it"),
    ("ClientId", "source() takes its client from it"),
    ("EndTime", "source() takes the end of its range from it"),
    ("FlowId", "source() takes its flow from it"),
    ("HuntId", "source() takes its hunt from it"),
    ("Limit", "source() takes its last row from it"),
    ("NotebookCellId", "source() takes its notebook cell from it"),
    ("NotebookCellTable", "source() takes its notebook table from it"),
    ("NotebookCellVersion", "source() takes its notebook cell from it"),
    ("NotebookId", "source() takes its notebook from it"),
    ("StartRow", "source() takes its first row from it"),
    ("StartTime", "source() takes the start of its range from it"),
    ("TZ", "times are written in its time zone"),
    ("config", "it is the server's configuration"),
    ("OVERLAY_ACCESSOR_DELEGATES", "an accessor is configured by it"),
    ("S3_CREDENTIALS", "an accessor is configured by it"),
    ("SMB_CREDENTIALS", "an accessor is configured by it"),
    ("SSH_CONFIG", "an accessor is configured by it"),
];

/// Names that this crate binds itself start so.
pub(crate) const PRIVATE_PREFIX: &str = "MR_";

/// Checks a name to which a caller binds a value.
pub(crate) fn check_bindable(name: &str) -> Result<(), NameError> {
    const LONGEST: usize = 64;
    let reserved = |reason| NameError::Reserved { name: name.to_owned(), reason };
    match only_token(name) {
        Some(kind) if kind.is_keyword() => return Err(NameError::Keyword(name.to_owned())),
        Some(TokenKind::Name) if name.is_ascii() && name.len() <= LONGEST => {}
        _ => return Err(NameError::NotAName(name.to_owned())),
    }
    if name.starts_with('_') {
        return Err(reserved("names starting with _ are internal"));
    }
    if name.starts_with(PRIVATE_PREFIX) {
        return Err(reserved("names starting with MR_ carry the values themselves"));
    }
    match reserved_reason(name) {
        Some(reason) => Err(reserved(reason)),
        None => Ok(()),
    }
}

pub(crate) fn reserved_reason(name: &str) -> Option<&'static str> {
    RESERVED.iter().find(|(reserved, _)| *reserved == name).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_quoted_where_needed() {
        for (name, spelled) in [
            ("Name", "Name"),
            ("limit", "`limit`"),
            ("order", "order"),
            ("a.b", "`a.b`"),
            ("1st", "`1st`"),
            ("Last Seen", "`Last Seen`"),
            ("a' OR 1", "`a' OR 1`"),
            ("GROUP BY", "`GROUP BY`"),
        ] {
            assert_eq!(Identifier::new(name).map(|column| column.to_string()), Ok(spelled.into()));
        }
        for name in ["", "a`b", "`", "a\\b", "-a", "a\nb", "a\0"] {
            assert!(Identifier::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_with_a_meaning_are_refused() {
        for name in ["Hosts", "x", "clientid", "a_1"] {
            assert_eq!(check_bindable(name), Ok(()), "{name}");
        }
        for name in ["ClientId", "config", "TZ", "_x", "MR_x", "StartRow"] {
            assert!(matches!(check_bindable(name), Err(NameError::Reserved { .. })), "{name}");
        }
        for name in ["select", "NULL", "True"] {
            assert!(matches!(check_bindable(name), Err(NameError::Keyword(_))), "{name}");
        }
        for name in ["", "$x", "a b", "1a", "a-b", "é", "`a`", "a\n", " a", &"x".repeat(65)] {
            assert!(matches!(check_bindable(name), Err(NameError::NotAName(_))), "{name}");
        }
    }
}

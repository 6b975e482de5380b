//! Names: of a group, of a secret in it, and of both together.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a reference begins with.
const SCHEME: &str = "cred:";

/// The longest name of a group or of a secret.
const LONGEST: usize = 64;

/// A text that is no name. It is shown cut: somebody may have pasted a secret in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is no {what}; expected {expected}")]
pub struct BadName {
    what: &'static str,
    shown: String,
    expected: &'static str,
}

impl BadName {
    fn new(what: &'static str, text: &str, expected: &'static str) -> Self {
        let mut shown: String = text.chars().take(8).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self { what, shown, expected }
    }
}

/// What `name` in a reference may look like.
const EXPECTED: &str = "1 to 64 of the letters a-z and A-Z, digits, '-', '_' and '.', beginning with a letter or digit";

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() <= LONGEST
        && text.bytes().all(fits)
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                if is_name(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadName::new($what, text, EXPECTED))
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// What secrets belong to: a deployment, by its id.
    Group, "group"
}

name! {
    /// The name of a secret in its group.
    Name, "name of a secret"
}

/// Names one secret, as `cred:<group>/<name>`. This is what plans, records and answers carry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CredentialRef {
    group: Group,
    name: Name,
}

impl CredentialRef {
    /// The reference to a secret of a group.
    pub const fn new(group: Group, name: Name) -> Self {
        Self { group, name }
    }

    /// What it belongs to.
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// Its name there.
    pub const fn name(&self) -> &Name {
        &self.name
    }
}

impl FromStr for CredentialRef {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let parts = text.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/'));
        let read = parts.and_then(|(group, name)| {
            Some(Self { group: group.parse().ok()?, name: name.parse().ok()? })
        });
        read.ok_or_else(|| {
            BadName::new("reference to a secret", text, "cred:<group>/<name>, as the list shows it")
        })
    }
}

impl TryFrom<String> for CredentialRef {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl From<CredentialRef> for String {
    fn from(credential: CredentialRef) -> Self {
        credential.to_string()
    }
}

impl fmt::Display for CredentialRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.group, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_they_are_written() {
        for text in ["cred:D-23456789bc/gui-admin", "cred:a/b", "cred:A.b_c/0-x.pem"] {
            let read: CredentialRef = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
            let json = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<CredentialRef>(&json).unwrap(), read);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(65);
        for bad in ["", ".", "..", "-a", "a/b", "a b", "ü", "a\0", "a\n", "../x", &long] {
            assert!(bad.parse::<Group>().is_err(), "{bad:?}");
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
            assert!(format!("cred:{bad}/x").parse::<CredentialRef>().is_err(), "{bad:?}");
        }
        for bad in ["", "cred:", "cred:a", "cred:a/", "cred:/a", "a/b", "CRED:a/b", "cred:a/b/c"] {
            assert!(bad.parse::<CredentialRef>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_secret_in_the_place_of_a_name_is_not_repeated() {
        let pasted = "correct horse battery staple";
        let error = pasted.parse::<CredentialRef>().unwrap_err().to_string();
        assert!(error.contains("\"correct …\"") && !error.contains("horse"), "{error}");
        assert!(error.contains("cred:<group>/<name>"), "{error}");
    }
}

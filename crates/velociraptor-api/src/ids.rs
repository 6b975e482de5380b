//! Identifiers, checked where they enter.
//!
//! The server does not check them well (its pattern for clients has no end anchor, and a flow id
//! chosen by a caller is stored as given), so a malformed one is refused here, before it is sent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not the identifier that was wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a {kind}: expected {expected}")]
pub struct IdError {
    /// What was given.
    pub given: String,
    /// The kind of identifier.
    pub kind: &'static str,
    /// The form it has.
    pub expected: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a text of the right form.
            ///
            /// # Errors
            ///
            /// [`IdError`] with the form that was expected.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { given: text.to_owned(), kind: $kind, expected: $expected })
                }
            }

            /// The identifier as the server writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// An enrolled endpoint, or the server itself ([`ClientId::server`]).
    ///
    /// `C.` and 16 hexadecimal digits; outside the root org followed by `-` and the org's id.
    ClientId,
    "client id",
    "C. and 16 hexadecimal digits (outside the root org followed by -ORGID), or server",
    |text| text == "server" || client_form(text)
);
id!(
    /// One collection on one client. A collection that was appended to a flow has a `/N` suffix.
    FlowId,
    "flow id",
    "F. followed by letters, digits and dots",
    |text| prefixed(text, "F.")
);
id!(
    /// A collection that runs on many clients.
    HuntId,
    "hunt id",
    "H. followed by letters and digits",
    |text| prefixed(text, "H.")
);
id!(
    /// An organisation of the server. The root org is `root`.
    OrgId,
    "org id",
    "root, or letters and digits such as O123",
    |text| !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
);

impl ClientId {
    /// The pseudo client on which server artifacts run.
    pub fn server() -> Self {
        Self(String::from("server"))
    }

    /// Whether this is the server itself.
    pub fn is_server(&self) -> bool {
        self.0 == "server"
    }
}

impl OrgId {
    /// The root org.
    pub fn root() -> Self {
        Self(String::from("root"))
    }

    /// Whether this is the root org. Unary calls act on no other.
    pub fn is_root(&self) -> bool {
        self.0 == "root"
    }
}

fn client_form(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("C.") else { return false };
    let (digits, org) = rest.split_once('-').map_or((rest, None), |(d, o)| (d, Some(o)));
    digits.len() == 16
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
        && org.is_none_or(|org| OrgId::parse(org).is_ok())
}

fn prefixed(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        // What would be a way to another folder is no id, although it keeps to the alphabet.
        rest.len() <= 64
            && rest.split('/').all(|part| part.bytes().any(|b| b.is_ascii_alphanumeric()))
            && !rest.contains("..")
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'-' | b'_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_are_checked_to_their_end() {
        for good in ["C.0123456789abcdef", "C.0123456789ABCDEF-OV7NG", "server"] {
            assert_eq!(ClientId::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "C.",
            "C.0123",
            "C.0123456789abcdef'",
            "C.0123456789abcdef-",
            "c.0123456789abcdef",
            "C.0123456789abcdeg",
            "WS-11",
        ] {
            assert!(ClientId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn flow_and_hunt_ids_keep_to_their_alphabet() {
        assert!(FlowId::parse("F.CVK1N4Q2.H").is_ok());
        assert!(FlowId::parse("F.CVK1N4Q2/1").is_ok());
        assert!(HuntId::parse("H.CVK1N4Q2").is_ok());
        for bad in ["F.", "F.a b", "F.a\"", "H.C9", "F", "F.a/../b", "F./", "F.a//1", "F.a..b"] {
            assert!(FlowId::parse(bad).is_err(), "{bad}");
        }
    }
}

//! What can be wrong with a certificate, and what to do about it.

use std::fmt;

use jiff::Timestamp;

use super::{KeyKind, Summary};
use crate::issue::between;
use crate::key::{KeyError, LEAST_BITS};
use crate::profile::Role;

/// What is wrong. `Display` says what was found, [`Fault::remedy`] what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Its time is over.
    Expired {
        /// Which certificate.
        what: &'static str,
        /// Its subject.
        subject: String,
        /// When it ended.
        ended: Timestamp,
        /// The time by this computer.
        now: Timestamp,
    },
    /// Its time has not come.
    NotYetValid {
        /// Which certificate.
        what: &'static str,
        /// Its subject.
        subject: String,
        /// When it begins.
        begins: Timestamp,
        /// The time by this computer.
        now: Timestamp,
    },
    /// Its time is nearly over. It works still.
    EndsSoon {
        /// Which certificate.
        what: &'static str,
        /// Its subject.
        subject: String,
        /// When it ends.
        ends: Timestamp,
        /// The time by this computer.
        now: Timestamp,
    },
    /// It was signed with its own key.
    SelfSigned {
        /// What it says.
        certificate: Box<Summary>,
    },
    /// Another CA signed it.
    OtherAuthority {
        /// What it says.
        certificate: Box<Summary>,
        /// What the expected CA says.
        ca: Box<Summary>,
    },
    /// The expected CA is none.
    NoAuthority {
        /// What it says.
        ca: Box<Summary>,
    },
    /// A verifier refuses it for a reason that is not told apart here.
    Refused {
        /// What it says.
        certificate: Box<Summary>,
        /// What the verifier said.
        detail: String,
    },
    /// It has no alternative name.
    NoName {
        /// Its common name, which nobody looks at.
        common_name: String,
    },
    /// It speaks for others.
    OtherName {
        /// What it is for.
        role: Role,
        /// The name that was expected.
        expected: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// It may not be used for this.
    LacksUse {
        /// What it is for.
        role: Role,
        /// `server` or `client`.
        lacking: &'static str,
    },
    /// Its key is short.
    WeakKey {
        /// The length.
        bits: usize,
    },
    /// Its key is not RSA.
    NotRsa {
        /// What it is.
        found: KeyKind,
    },
    /// It may sign others, and is not for that.
    IsAuthority {
        /// What it is for.
        role: Role,
    },
    /// It may not sign others, and is for that.
    NotAuthority {
        /// Its subject.
        subject: String,
    },
    /// The key that goes with it belongs to another.
    OtherKey {
        /// The certificate's subject.
        subject: String,
    },
    /// The key that goes with it cannot be used.
    Key {
        /// Why.
        error: KeyError,
    },
}

impl Fault {
    /// Whether it keeps the certificate from working now.
    pub const fn is_grave(&self) -> bool {
        !matches!(self, Self::EndsSoon { .. })
    }

    /// What to do next.
    pub fn remedy(&self) -> String {
        let same_ca = "issue it again under the same CA; agents and API clients notice nothing";
        match self {
            Self::Expired { .. } | Self::EndsSoon { .. } => {
                format!(
                    "Rotate it: {same_ca}. If it is the CA's own, agents need a new configuration."
                )
            }
            Self::NotYetValid { begins, now, .. } => format!(
                "Set this computer's clock if it is {} behind; else wait, or {same_ca}.",
                between(*now, *begins)
            ),
            Self::SelfSigned { certificate } => format!(
                "Ask the server's administrator, over another way than this connection, for the SHA-256 of the certificate that is shown. If it is {}, use the API file or the ca_certificate of that very server: its CA is pinned there. If it is not, somebody is between you and the server.",
                certificate.sha256
            ),
            Self::OtherAuthority { ca, .. } => format!(
                "Ask the server's administrator, over another way than this connection, for the SHA-256 of its CA (openssl x509 -noout -fingerprint -sha256). The one pinned here is {}. If it was changed on purpose, pin the new one by taking a new API file; if not, somebody is between you and the server.",
                ca.sha256
            ),
            Self::NoAuthority { .. } => String::from(
                "Give the value of Client.ca_certificate from the server's configuration.",
            ),
            Self::Refused { .. } => format!("Look at it with: openssl x509 -text; then {same_ca}."),
            Self::NoName { .. } | Self::OtherName { .. } | Self::LacksUse { .. } => {
                format!("It cannot be mended: {same_ca}.")
            }
            Self::WeakKey { .. } | Self::NotRsa { .. } => {
                format!("Rotate it with a new RSA key of 2048 bits: {same_ca}.")
            }
            Self::IsAuthority { .. } => {
                format!("Do not use a CA as server or client; {same_ca}.")
            }
            Self::NotAuthority { .. } => {
                String::from("Give the CA's certificate in its place: Client.ca_certificate.")
            }
            Self::OtherKey { .. } => String::from(
                "Put the key back that was made with it, or issue the certificate again for this key.",
            ),
            Self::Key { .. } => String::from("Put right what is said of the key."),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { what, subject, ended, now } => {
                let ago = between(*ended, *now);
                write!(f, "{what} ({subject}) expired {ago} ago, on {ended}")
            }
            Self::NotYetValid { what, subject, begins, now } => {
                let by = between(*now, *begins);
                write!(
                    f,
                    "{what} ({subject}) is not valid for another {by}, until {begins}; this computer's clock says {now}"
                )
            }
            Self::EndsSoon { what, subject, ends, now } => {
                let left = between(*now, *ends);
                write!(f, "{what} ({subject}) ends in {left}, on {ends}")
            }
            Self::SelfSigned { certificate } => {
                write!(f, "the certificate is self-signed, so nobody vouches for it: {certificate}")
            }
            Self::OtherAuthority { certificate, ca } => {
                write!(
                    f,
                    "the certificate is from another CA than the expected one: {certificate}; expected CA: {ca}"
                )?;
                if certificate.issuer == ca.subject {
                    f.write_str(" (both CAs have the same name, as all of Velociraptor's have: their keys differ)")?;
                }
                Ok(())
            }
            Self::NoAuthority { ca } => {
                write!(f, "what was given as the CA may sign nothing: {ca}")
            }
            Self::Refused { certificate, detail } => {
                write!(f, "the certificate does not hold: {detail}; {certificate}")
            }
            Self::NoName { common_name } => write!(
                f,
                "the certificate has no alternative name (SAN), only the common name {common_name:?}, which TLS no longer looks at"
            ),
            Self::OtherName { role, expected, found } => {
                let what = role.words();
                write!(f, "{what} is not for {expected:?} but for {}", found.join(", "))
            }
            Self::LacksUse { role, lacking } => write!(
                f,
                "{} may not be used as a {lacking} (extended key usage); Velociraptor wants it",
                role.words()
            ),
            Self::WeakKey { bits } => {
                write!(f, "its RSA key has {bits} bits and at least {LEAST_BITS} are needed")
            }
            Self::NotRsa { found } => {
                write!(f, "its key is {found}, and Velociraptor takes RSA keys only")
            }
            Self::IsAuthority { role } => {
                write!(
                    f,
                    "{} is marked as a CA: TLS takes no CA for a server or client",
                    role.words()
                )
            }
            Self::NotAuthority { subject } => {
                write!(f, "the certificate ({subject}) is no CA and may sign nothing")
            }
            Self::OtherKey { subject } => {
                write!(f, "the key does not belong to the certificate ({subject})")
            }
            Self::Key { error } => write!(f, "{error}"),
        }
    }
}

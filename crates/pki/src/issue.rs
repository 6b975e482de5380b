//! A certificate with its key, and why there is none.

use jiff::Timestamp;
use secret::Secret;

use crate::name::NameError;
use crate::profile::Role;
use crate::shown;

/// A certificate and its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key, PKCS#1.
    pub key: Secret<String>,
}

/// Why no certificate was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// A name cannot be in a certificate.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The random numbers of the system are not to be had.
    #[error("the system gave no random numbers: {detail}")]
    Random {
        /// What it said.
        detail: String,
    },
    /// No key was made.
    #[error("no key was made: {detail}")]
    Key {
        /// What the cryptographic library said.
        detail: String,
    },
    /// Nothing was signed.
    #[error("{} was not signed: {detail}", role.words())]
    Signing {
        /// Which certificate.
        role: Role,
        /// What the library said.
        detail: String,
    },
    /// It would hold longer than what it rests on.
    #[error(
        "{} cannot hold until {wanted}: its CA ends on {ends}; give at most {} days",
        role.words(),
        days_left(*ends, *now)
    )]
    OutlivesAuthority {
        /// Which certificate.
        role: Role,
        /// Until when it was to hold.
        wanted: Timestamp,
        /// The end of the CA.
        ends: Timestamp,
        /// When it was asked for.
        now: Timestamp,
    },
    /// The authority's own time is over, or has not come.
    #[error(
        "{} cannot be made: the CA holds from {begins} to {ends} only, and it is {now}",
        role.words()
    )]
    AuthorityTime {
        /// Which certificate.
        role: Role,
        /// The beginning of the CA.
        begins: Timestamp,
        /// Its end.
        ends: Timestamp,
        /// When it was asked for.
        now: Timestamp,
    },
    /// What was signed does not hold against its authority. It is not handed out.
    #[error(
        "{} was signed and does not hold against its CA, so it is not used: {detail}",
        role.words()
    )]
    NotProved {
        /// Which certificate.
        role: Role,
        /// What the verifier said.
        detail: String,
    },
}

/// Whole days until the authority ends.
fn days_left(ends: Timestamp, now: Timestamp) -> i64 {
    (ends.duration_since(now).as_hours() / 24).max(0)
}

/// How long ago, or until, in words.
pub(crate) fn between(one: Timestamp, other: Timestamp) -> String {
    shown::length(other.duration_since(one))
}

//! What is looked at before a plan is carried out, and changes nothing.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use serde::Serialize;

const GB: u64 = 1 << 30;
const MB: u64 = 1 << 20;

/// Whether something is as a plan needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Fits,
    /// It may do; a person should know.
    Doubtful,
    /// It is not: the plan would fail.
    Unfit,
    /// It could not be looked at, and that is not the same as being fit.
    NotLooked,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub what: String,
    /// What the plan needs.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// What that means.
    pub verdict: Verdict,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Verdict {
    /// The word for reading.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Doubtful => "doubtful",
            Self::Unfit => "unfit",
            Self::NotLooked => "not looked",
        }
    }
}

impl Check {
    /// Something that was looked at.
    pub fn new(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        verdict: Verdict,
    ) -> Self {
        let (what, expected, found) = (what.into(), expected.into(), found.into());
        Self { what, expected, found, verdict, next: None }
    }

    /// Says what a person can do about it.
    #[must_use]
    pub fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// Whether a port of this machine can be listened on.
    pub fn port(what: &str, at: SocketAddr) -> Self {
        let expected = format!("{at} is free");
        let (found, verdict) = match TcpListener::bind(at) {
            Ok(_) => (String::from("free"), Verdict::Fits),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                (String::from("something listens there"), Verdict::Unfit)
            }
            Err(error) => (error.to_string(), Verdict::Unfit),
        };
        let check = Self::new(what, expected, found, verdict);
        if verdict == Verdict::Fits {
            return check;
        }
        check.next(format!("end what listens on port {}, or choose another", at.port()))
    }

    /// Whether there is so much of something.
    pub fn amount(what: &str, needed: u64, found: Option<u64>, next: &str) -> Self {
        let expected = format!("at least {}", Bytes(needed));
        match found {
            None => Self::new(what, expected, "it cannot be seen from here", Verdict::NotLooked),
            Some(there) if there >= needed => {
                Self::new(what, expected, Bytes(there).to_string(), Verdict::Fits)
            }
            Some(there) => {
                Self::new(what, expected, Bytes(there).to_string(), Verdict::Unfit).next(next)
            }
        }
    }
}

/// Bytes for reading.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        if bytes >= GB {
            write!(f, "{}.{} GiB", bytes / GB, bytes % GB * 10 / GB)
        } else {
            write!(f, "{} MiB", bytes / MB)
        }
    }
}

/// Bytes that are free for an ordinary account on the disk of a path of this machine; nothing where
/// that cannot be seen.
#[cfg(unix)]
pub fn free_disk(path: &Path) -> Option<u64> {
    let seen = rustix::fs::statvfs(path).ok()?;
    Some(seen.f_bavail.saturating_mul(seen.f_frsize))
}

/// Bytes that are free; not looked at on this system.
#[cfg(not(unix))]
pub fn free_disk(_path: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_seen() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let check = Check::port("the GUI", at);
        assert_eq!(
            (check.verdict, check.found.as_str()),
            (Verdict::Unfit, "something listens there")
        );
        drop(taken);
        assert_eq!(Check::port("the GUI", at).verdict, Verdict::Fits);
    }

    #[test]
    fn what_cannot_be_seen_is_not_taken_for_enough() {
        let check = Check::amount("memory", 512 * MB, None, "free some");
        assert_eq!(check.verdict, Verdict::NotLooked);
        let check = Check::amount("memory", GB + GB / 2, Some(GB), "free some");
        assert_eq!((check.verdict, check.expected.as_str()), (Verdict::Unfit, "at least 1.5 GiB"));
        assert_eq!(Check::amount("memory", GB, Some(GB), "").verdict, Verdict::Fits);
        assert!(free_disk(&std::env::temp_dir()).is_some() || !cfg!(unix));
    }
}

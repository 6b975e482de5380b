//! What is looked at before a plan is carried out, and changes nothing.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use jiff::SignedDuration;
use serde::Serialize;

/// So far the clock of a host may be off without anybody noticing.
const ON_TIME: SignedDuration = SignedDuration::from_secs(60);

/// Further off, certificates that are made here have ended there, or have not begun, and the times
/// of all that the server notes are wrong.
const FAR_OFF: SignedDuration = SignedDuration::from_hours(1);

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
        Self::bound(what, at, TcpListener::bind(at).map(drop))
    }

    /// What came of listening there.
    fn bound(what: &str, at: SocketAddr, bound: io::Result<()>) -> Self {
        let (address, port) = (at.ip(), at.port());
        let Err(error) = bound else {
            return Self::new(what, format!("{at} is free"), "free", Verdict::Fits);
        };
        let (found, verdict, next) = match error.kind() {
            io::ErrorKind::AddrInUse => (
                String::from("something listens there"),
                Verdict::Unfit,
                format!("end what listens on port {port} (ss -ltnp shows it), or choose another"),
            ),
            // Whether it is free is another matter: who is to listen there may be allowed to.
            io::ErrorKind::PermissionDenied => (
                format!("this account may not listen on port {port}, so it was not tried"),
                Verdict::NotLooked,
                format!(
                    "look yourself whether port {port} is free (ss -ltn), or choose one above 1023"
                ),
            ),
            io::ErrorKind::AddrNotAvailable => (
                format!("{address} is no address of this machine"),
                Verdict::Unfit,
                String::from("name an address that this machine has (ip address shows them)"),
            ),
            _ => (
                error.to_string(),
                Verdict::Unfit,
                format!("mend what it names, or choose another address than {at}"),
            ),
        };
        Self::new(what, format!("{at} is free"), found, verdict).next(next)
    }

    /// Whether the clock of a host shows the time of this one. `ahead` is by how much it is ahead, or
    /// nothing where the host does not say.
    pub fn clock(ahead: Option<SignedDuration>) -> Self {
        let (what, expected) = ("the clock there", "the time of this machine");
        let Some(ahead) = ahead else {
            return Self::new(what, expected, "it does not say", Verdict::NotLooked)
                .next("look yourself whether its clock is right");
        };
        let off = SignedDuration::try_from(ahead.unsigned_abs()).unwrap_or(SignedDuration::MAX);
        let off = SignedDuration::from_secs(off.as_secs());
        let found = match (off, ahead.is_negative()) {
            (off, _) if off <= ON_TIME => {
                return Self::new(what, expected, "the same", Verdict::Fits);
            }
            (off, true) => format!("{off:#} behind"),
            (off, false) => format!("{off:#} ahead"),
        };
        let verdict = if off > FAR_OFF { Verdict::Unfit } else { Verdict::Doubtful };
        Self::new(what, expected, found, verdict).next(
            "set the clock of the one that is wrong: certificates and the times of evidence hang on it",
        )
    }

    /// Whether a server that runs has room for its data. Below a bound it takes nothing more from
    /// agents, and says that it is well all the same.
    pub fn room(at: &str, needed: u64, found: Option<u64>) -> Self {
        let what = format!("free disk at {at}");
        let next = "make room: below this the server takes nothing more from agents";
        let check = Self::amount(&what, needed, found, next);
        match check.verdict {
            Verdict::NotLooked => check.next("look yourself whether there is room"),
            _ => check,
        }
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
    fn a_port_that_could_not_be_tried_is_not_looked_at() {
        let at: SocketAddr = "0.0.0.0:443".parse().unwrap();
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let check = Check::bound("the agents' port", at, Err(denied));
        assert_eq!(check.verdict, Verdict::NotLooked);
        assert!(check.found.contains("may not listen on port 443"), "{check:?}");
        assert!(check.next.as_deref().is_some_and(|next| next.contains("above 1023")), "{check:?}");
    }

    #[test]
    fn an_address_of_another_machine_is_said_to_be_one() {
        // An address of documentation, which no machine has.
        let check = Check::port("the GUI", "192.0.2.7:0".parse().unwrap());
        assert_eq!(check.verdict, Verdict::Unfit);
        assert_eq!(check.found, "192.0.2.7 is no address of this machine");
        let next = check.next.unwrap_or_default();
        assert!(next.contains("ip address") && !next.contains("end what listens"), "{next}");
    }

    #[test]
    fn a_clock_that_is_far_off_is_unfit() {
        let seen = |seconds| Check::clock(Some(SignedDuration::from_secs(seconds)));
        for (seconds, verdict, found) in [
            (0, Verdict::Fits, "the same"),
            (-60, Verdict::Fits, "the same"),
            (61, Verdict::Doubtful, "1m 1s ahead"),
            (-3600, Verdict::Doubtful, "1h behind"),
            (3601, Verdict::Unfit, "1h 1s ahead"),
            (i64::MIN, Verdict::Unfit, "behind"),
        ] {
            let check = seen(seconds);
            assert!(check.verdict == verdict && check.found.ends_with(found), "{check:?}");
            assert_eq!(check.next.is_some(), verdict != Verdict::Fits, "{check:?}");
        }
        assert_eq!(Check::clock(None).verdict, Verdict::NotLooked);
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

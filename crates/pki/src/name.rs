//! Names that certificates speak for: the server's, the gateway's, users' and the GUI's.
//!
//! A certificate's common name *is* the identity. The server's own name is a superuser at the API,
//! and the gateway's may act as anybody; so no user's certificate may carry either.

use std::fmt;
use std::net::IpAddr;

use crate::shown::{is_hidden, shown};

/// The name of a server's certificate, unless its configuration pins another one.
pub const SERVER: &str = "VelociraptorServer";

/// The name of the gateway between the GUI and the API, unless its configuration pins another one.
pub const GATEWAY: &str = "GRPC_GW";

/// X.509 allows no longer common name.
const LONGEST_COMMON: usize = 64;

/// DNS allows no longer name, and no longer part of one.
const LONGEST_DNS: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Why a name cannot be in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or blanks only.
    #[error("the {what} is empty; give one")]
    Empty {
        /// Which name.
        what: &'static str,
    },
    /// A character that is not seen, or blanks at an end.
    #[error(
        "the {what} \"{name}\" holds a character that is not seen (control, direction, blank at an end); write it with letters, digits, dots, dashes"
    )]
    Hidden {
        /// Which name.
        what: &'static str,
        /// The name with those characters escaped.
        name: String,
    },
    /// Too long.
    #[error("the {what} has {length} characters and at most {most} are possible")]
    Long {
        /// Which name.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The bound.
        most: usize,
    },
    /// The server's or the gateway's own.
    #[error(
        "the user name \"{name}\" is reserved: whoever holds its certificate is {power}; choose another name"
    )]
    Reserved {
        /// The name.
        name: String,
        /// What it may do.
        power: &'static str,
    },
    /// Neither a DNS name nor an address.
    #[error(
        "the {what} \"{name}\" is neither a host name nor an IP address; give it without scheme, port and wildcard, such as velociraptor.example.com or 192.0.2.7"
    )]
    NotHost {
        /// Which name.
        what: &'static str,
        /// The name, escaped.
        name: String,
    },
    /// Server and gateway would be one.
    #[error("server and gateway cannot both be pinned to \"{name}\"; give them two names")]
    Same {
        /// The name.
        name: String,
    },
    /// There are two of a kind.
    #[error("the {what} \"{name}\" is given twice; names of users differ in more than case")]
    Twice {
        /// Which name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// None, or too many.
    #[error("{count} names for the GUI's certificate; give 1 to {most}")]
    Count {
        /// How many.
        count: usize,
        /// The bound.
        most: usize,
    },
}

/// The two names that a deployment is pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    server: String,
    gateway: String,
}

impl Default for Pinned {
    fn default() -> Self {
        Self { server: SERVER.to_owned(), gateway: GATEWAY.to_owned() }
    }
}

impl Pinned {
    /// Other names than the usual, as `Client.pinned_server_name` and `API.pinned_gw_name` say.
    ///
    /// # Errors
    ///
    /// One of them is no host name, or they are the same.
    pub fn new(server: &str, gateway: &str) -> Result<Self, NameError> {
        for (what, name) in [("pinned server name", server), ("pinned gateway name", gateway)] {
            checked(what, name, LONGEST_COMMON)?;
            if !is_dns(name) {
                return Err(NameError::NotHost { what, name: shown(name) });
            }
        }
        if same(server, gateway) {
            return Err(NameError::Same { name: server.to_owned() });
        }
        Ok(Self { server: server.to_owned(), gateway: gateway.to_owned() })
    }

    /// The server's name.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The gateway's name.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }
}

/// The name of a user of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

impl UserName {
    /// Checks a name. Reserved are the pinned names and the usual ones, in any case: Velociraptor
    /// compares names of users without regard to case.
    ///
    /// # Errors
    ///
    /// It is empty, too long, reserved, or holds characters that are not seen.
    pub fn parse(name: &str, pinned: &Pinned) -> Result<Self, NameError> {
        checked("user name", name, LONGEST_COMMON)?;
        let superuser = "the server itself, a superuser";
        let anybody = "the GUI's gateway, which may act as any user";
        let reserved = [
            (pinned.server(), superuser),
            (SERVER, superuser),
            (pinned.gateway(), anybody),
            (GATEWAY, anybody),
        ];
        for (taken, power) in reserved {
            if same(name, taken) {
                return Err(NameError::Reserved { name: name.to_owned(), power });
            }
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether Velociraptor takes both for one user.
    pub fn is_same(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that a browser or an agent asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AltName {
    /// A host name.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl AltName {
    /// Reads an address, also an IPv6 one in brackets, or a host name.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let what = "host name";
        checked(what, name, LONGEST_DNS)?;
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        if let Ok(address) = bare.parse() {
            return Ok(Self::Ip(address));
        }
        // What looks like an address and is none would become a name that nobody can ask for.
        let last = name.rsplit('.').next().unwrap_or_default();
        if !is_dns(name) || last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NameError::NotHost { what, name: shown(name) });
        }
        Ok(Self::Dns(name.to_owned()))
    }
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => write!(f, "{address}"),
        }
    }
}

fn checked(what: &'static str, name: &str, most: usize) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Empty { what });
    }
    let length = name.chars().count();
    if length > most {
        return Err(NameError::Long { what, length, most });
    }
    if name.trim() != name || name.chars().any(is_hidden) {
        return Err(NameError::Hidden { what, name: shown(name) });
    }
    Ok(())
}

/// Underscores are none of DNS, but `GRPC_GW` has one and so have host names of Windows.
fn is_dns(name: &str) -> bool {
    name.len() <= LONGEST_DNS
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= LONGEST_LABEL
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_refused_in_any_case_and_when_others_are_pinned() {
        let own = Pinned::new("Raptor", "Raptor_GW").unwrap();
        for name in ["VelociraptorServer", "velociraptorserver", "GRPC_GW", "grpc_gw"] {
            for pinned in [&Pinned::default(), &own] {
                let error = UserName::parse(name, pinned).unwrap_err();
                assert!(matches!(error, NameError::Reserved { .. }), "{name}: {error}");
            }
        }
        let error = UserName::parse("RAPTOR_gw", &own).unwrap_err().to_string();
        assert!(error.contains("may act as any user") && error.contains("choose another"));
        assert!(UserName::parse("raptor", &Pinned::default()).is_ok());
    }

    #[test]
    fn names_that_cannot_be_read_off_are_refused() {
        for name in ["", "  ", "\t"] {
            assert!(matches!(user(name), Err(NameError::Empty { .. })), "{name:?}");
        }
        for name in ["a\nb", "a\0", "a\u{1b}[2J", "a\u{202e}b", "a\u{200b}", " a", "a "] {
            let error = user(name).unwrap_err();
            assert!(matches!(error, NameError::Hidden { .. }), "{name:?}");
            assert!(!error.to_string().contains(is_hidden), "{error}");
        }
        assert!(matches!(user(&"ä".repeat(65)), Err(NameError::Long { length: 65, .. })));
        for name in ["ä".repeat(64).as_str(), "jane.doe@example.com", "Jane Doe"] {
            assert_eq!(user(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn d28_hosts_are_names_or_addresses() {
        for (text, name) in [
            ("velociraptor.example.com", AltName::Dns("velociraptor.example.com".into())),
            ("localhost", AltName::Dns("localhost".into())),
            ("192.0.2.7", AltName::Ip([192, 0, 2, 7].into())),
            ("[::1]", AltName::Ip("::1".parse().unwrap())),
        ] {
            assert_eq!(AltName::parse(text).unwrap(), name);
        }
        for text in [
            "https://a.example",
            "a.example:8889",
            "*.example.com",
            "a..b",
            "-a.example",
            "a b",
            "192.0.2.300",
            "ünï.example",
            &"a".repeat(64),
        ] {
            let error = AltName::parse(text).unwrap_err();
            assert!(matches!(error, NameError::NotHost { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn pinned_names_differ() {
        assert!(matches!(Pinned::new("same", "SAME"), Err(NameError::Same { .. })));
        assert!(matches!(Pinned::new("a b", "c"), Err(NameError::NotHost { .. })));
        assert!(matches!(Pinned::new("a", ""), Err(NameError::Empty { .. })));
    }

    fn user(name: &str) -> Result<UserName, NameError> {
        UserName::parse(name, &Pinned::default())
    }
}

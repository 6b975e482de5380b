//! A host name or an address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::error::ConfigError;

/// A host name, or an address, that can stand in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// Whether it means this machine itself.
    pub fn is_loopback(&self) -> bool {
        let bare = self.0.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

impl FromStr for Host {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<Ipv6Addr>() {
            return Ok(Self(format!("[{address}]")));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        // What looks like an address has to be one: `10.0.0.300` is no name.
        let last = text.rsplit('.').next().unwrap_or_default();
        let numeric = !last.is_empty() && last.chars().all(|c| c.is_ascii_digit());
        let sound = text.len() <= 253
            && text.split('.').all(label)
            && (!numeric || text.parse::<IpAddr>().is_ok());
        if sound {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(ConfigError::Host(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_from_what_leads_elsewhere() {
        for (text, host) in [
            ("localhost", "localhost"),
            ("Velociraptor.Example.org", "velociraptor.example.org"),
            ("192.0.2.7", "192.0.2.7"),
            ("::1", "[::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), host);
        }
        for wrong in ["", "a b", "a/b", "a:1", "-a", "a..b", "10.0.0.300", "x@y", "ä", "a\nb"] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong:?}");
        }
        let loopback = |text: &str| text.parse::<Host>().unwrap().is_loopback();
        assert!(loopback("localhost") && loopback("127.9.9.9") && loopback("::1"));
        assert!(!loopback("192.0.2.7"));
    }
}

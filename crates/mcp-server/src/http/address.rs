//! Where to listen.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen at: `127.0.0.1:8765`, `[::1]:0`, `localhost:8765`. Port 0 lets the system
/// choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind(pub SocketAddr);

/// An address that cannot be listened at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A text that is no address.
    #[error("{0:?} is no address to listen at; expected IP:PORT, such as 127.0.0.1:8765")]
    Malformed(String),
    /// Tokens and evidence would cross a network in the clear.
    #[error(
        "{0} can be reached from other machines, and there is no certificate: tokens and evidence would cross the network in the clear"
    )]
    Exposed(SocketAddr),
}

impl FromStr for Bind {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(text.to_owned());
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| malformed())?;
            return Ok(Self(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        }
        text.parse().map(Self).map_err(|_| malformed())
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Bind {
    /// Whether this machine alone reaches it.
    pub fn is_loopback(&self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }

    /// Whether it is every address of the machine, which is no name by which a caller calls it.
    pub fn is_every_address(&self) -> bool {
        match self.0.ip() {
            IpAddr::V4(ip) => ip.is_unspecified(),
            IpAddr::V6(ip) => ip.is_unspecified(),
        }
    }

    /// Refuses what other machines reach, unless there is TLS.
    ///
    /// # Errors
    ///
    /// [`AddressError::Exposed`].
    pub fn check(&self, has_tls: bool) -> Result<(), AddressError> {
        if has_tls || self.is_loopback() { Ok(()) } else { Err(AddressError::Exposed(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_without_tls() {
        for (text, loopback) in [
            ("127.0.0.1:0", true),
            ("127.9.9.9:1", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("localhost:8765", true),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("192.0.2.1:80", false),
            ("[2001:db8::1]:443", false),
        ] {
            let bind: Bind = text.parse().unwrap();
            assert_eq!(bind.is_loopback(), loopback, "{text}");
            assert_eq!(bind.check(false).is_ok(), loopback, "{text}");
            assert_eq!(bind.check(true), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_address_is_named() {
        for text in ["", "8765", "127.0.0.1", "host:1", "127.0.0.1:99999", "localhost:"] {
            assert_eq!(text.parse::<Bind>(), Err(AddressError::Malformed(text.to_owned())));
        }
    }
}

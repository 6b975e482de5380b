//! The address of an API: `host:port`, as `api_connection_string` writes it.

use std::fmt;

/// A host and a port. The host is a name, an IPv4 address, or an IPv6 address without brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or address.
    pub host: String,
    /// Port, never zero.
    pub port: u16,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "api_connection_string {given:?} is not an address: {problem}; expected host:port, such as 127.0.0.1:8001"
)]
pub struct AddressError {
    /// What was given.
    pub given: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Address {
    /// Parses `host:port` or `[v6]:port`; a leading `https://` and a trailing `/` are tolerated.
    ///
    /// # Errors
    ///
    /// [`AddressError`] saying what is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let fail = |problem| AddressError { given: text.to_owned(), problem };
        let bare = text.trim();
        if bare.starts_with("unix:") || bare.starts_with('/') {
            return Err(fail("unix sockets are not supported; give the API a TCP address"));
        }
        let bare = bare.strip_prefix("https://").unwrap_or(bare);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        if bare.contains("://") {
            return Err(fail("only a bare host and port are expected"));
        }
        let (host, port) = bare.rsplit_once(':').ok_or_else(|| fail("it has no port"))?;
        let port: u16 = match port.parse() {
            Ok(0) | Err(_) => return Err(fail("the port is not a number from 1 to 65535")),
            Ok(port) => port,
        };
        let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(v6) if v6.parse::<std::net::Ipv6Addr>().is_ok() => v6,
            Some(_) => return Err(fail("the text in brackets is not an IPv6 address")),
            None if host.contains(':') => return Err(fail("an IPv6 address stands in brackets")),
            None => host,
        };
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || !host.bytes().all(legal) {
            return Err(fail("the host is empty or holds characters that no host name has"));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The address as a URL that the gRPC stack dials.
    pub(crate) fn url(&self) -> String {
        format!("https://{self}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_read() {
        for (text, shown) in [
            ("127.0.0.1:8001", "127.0.0.1:8001"),
            (" https://velociraptor.example:8001/ ", "velociraptor.example:8001"),
            ("[::1]:8001", "[::1]:8001"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, problem) in [
            ("127.0.0.1", "it has no port"),
            ("host:0", "the port is not a number from 1 to 65535"),
            ("host:99999", "the port is not a number from 1 to 65535"),
            ("::1:8001", "an IPv6 address stands in brackets"),
            ("http://host:8001", "only a bare host and port are expected"),
            ("a b:1", "the host is empty or holds characters that no host name has"),
        ] {
            assert_eq!(Address::parse(text).unwrap_err().problem, problem, "{text}");
        }
    }
}

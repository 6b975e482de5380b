//! Who listens on a host, as its kernel lists it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use deploy_core::StepError;
use deploy_core::transport::Transport;

/// Some fifty thousand connections.
const MOST: usize = 8 * 1024 * 1024;

/// The kernel's number of a socket that listens.
const LISTENS: &str = "0A";

/// Something that listens, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) at: SocketAddr,
    pub(crate) uid: u32,
}

/// Everything that listens.
pub(crate) async fn listeners(host: &dyn Transport) -> Result<Vec<Listener>, StepError> {
    let mut all = Vec::new();
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // Without IPv6 there is no second file.
        let read = host.read(path, MOST).await?;
        let text = read.map(|read| String::from_utf8_lossy(read.expose()).into_owned());
        all.extend(text.unwrap_or_default().lines().skip(1).filter_map(parse));
    }
    Ok(all)
}

impl Listener {
    /// Whether nobody else can listen there.
    pub(crate) fn takes(&self, at: SocketAddr) -> bool {
        let any = self.at.ip().is_unspecified() || at.ip().is_unspecified();
        self.at.port() == at.port() && (any || self.at.ip() == at.ip())
    }
}

fn parse(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (&local, &state, &uid) = (fields.get(1)?, fields.get(3)?, fields.get(7)?);
    if state != LISTENS {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Words of four bytes, each in the order of the machine.
    let word = |at: usize| -> Option<[u8; 4]> {
        Some(u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes())
    };
    let ip = if address.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0)?))
    } else {
        let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
        let ip = Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?);
        ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
    };
    Some(Listener { at: SocketAddr::new(ip, port), uid: uid.parse().ok()? })
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const LINES: &str = "  sl  local_address rem_address   st
   0: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000   997        0 1 1
   1: 0100007F:1F41 0100007F:9C40 01 00000000:00000000 00:00000000 00000000   997        0 2 1
   2: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1
   3: 0000000000000000FFFF00000100007F:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4 1";

    #[test]
    fn the_kernels_list_is_read() {
        let found: Vec<Listener> = LINES.lines().skip(1).filter_map(parse).collect();
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let wanted = [("127.0.0.1:8001", 997), ("[::]:8000", 0), ("127.0.0.1:22", 0)];
        let wanted = wanted.map(|(text, uid)| Listener { at: at(text), uid });
        assert_eq!(found, wanted);
        assert!(found[0].takes(at("127.0.0.1:8001")) && found[0].takes(at("0.0.0.0:8001")));
        assert!(!found[0].takes(at("192.0.2.7:8001")) && !found[0].takes(at("127.0.0.1:8002")));
        assert!(found[1].takes(at("192.0.2.7:8000")));
    }
}

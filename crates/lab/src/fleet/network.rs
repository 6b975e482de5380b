//! Connections, interfaces, neighbours and names looked up.

use super::Os;
use super::endpoint::Endpoint;
use crate::value::{Dict, Value, row};

/// The server, as the fleet reaches it.
pub(super) const SERVER_IP: &str = "10.20.0.5";

const OUTSIDE: &[(&str, &str, i64)] = &[
    ("192.0.2.10", "updates.vendor.example", 443),
    ("192.0.2.44", "mail.corp.example", 993),
    ("198.51.100.23", "cdn.office.example", 443),
    ("198.51.100.80", "time.example", 123),
    ("192.0.2.130", "packages.example", 443),
];

/// The rows of `netstat()`. A machine in quarantine talks to the server only.
pub(super) fn connections(endpoint: &Endpoint) -> Vec<Dict> {
    let agent = connection(endpoint, 1820, "TCP", "ESTAB", endpoint.port(), SERVER_IP, 8000, 30);
    if endpoint.is_quarantined() {
        return vec![agent];
    }
    let mut random = endpoint.random("connections");
    let listening: &[u64] = match endpoint.os {
        Os::Windows => &[135, 139, 445, 3389, 5040, 5985],
        Os::Linux => &[22, 53, 80, 443, 9100],
        Os::Darwin => &[22, 88, 5000],
    };
    let mut rows: Vec<Dict> = listening
        .iter()
        .map(|port| connection(endpoint, 900, "TCP", "LISTEN", *port, "0.0.0.0", 0, 600))
        .collect();
    rows.push(agent);
    for at in 0..(12 + random.below(30)) {
        let (ip, _, port) = *random.pick(OUTSIDE);
        let pid = i64::try_from(1000 + 4 * random.below(900)).unwrap_or(1000);
        let kind = if port == 123 { "UDP" } else { "TCP" };
        let status = if at % 5 == 0 { "TIME_WAIT" } else { "ESTAB" };
        let local = 49_200 + random.below(15_000);
        rows.push(connection(endpoint, pid, kind, status, local, ip, port, random.below(120)));
    }
    rows
}

/// One row, for ordinary connections and for planted ones.
#[expect(clippy::too_many_arguments, reason = "a row of that many columns")]
pub(super) fn connection(
    endpoint: &Endpoint,
    pid: i64,
    kind: &str,
    status: &str,
    local_port: u64,
    remote: &str,
    remote_port: i64,
    minutes_ago: u64,
) -> Dict {
    row! {
        "Pid" => pid,
        "Name" => if pid == 1820 { "Velociraptor.exe" } else { "svchost.exe" },
        "FamilyString" => "IPv4",
        "TypeString" => kind,
        "Status" => status,
        "Laddr" => row! { "IP" => &endpoint.ip, "Port" => local_port },
        "Raddr" => row! { "IP" => remote, "Port" => remote_port },
        "Timestamp" => endpoint.ago(minutes_ago),
        "inode" => pid * 17 + 4000,
        "uid" => 0,
    }
}

/// The rows of `interfaces()`.
pub(super) fn interfaces(endpoint: &Endpoint) -> Vec<Dict> {
    let names: (&str, &str) = match endpoint.os {
        Os::Windows => ("Loopback Pseudo-Interface 1", "Ethernet0"),
        Os::Linux => ("lo", "ens18"),
        Os::Darwin => ("lo0", "en0"),
    };
    let one = |index: i32, name: &str, mac: &str, ip: &str, mask: &str| {
        row! {
            "Index" => index,
            "MTU" => 1500,
            "Name" => name,
            "HardwareAddr" => mac,
            "HardwareAddrString" => mac,
            "Flags" => 51,
            "Up" => true,
            "PointToPoint" => false,
            "IP" => ip,
            "Mask" => mask,
            "AddrsString" => Value::strings([format!("{ip}/24")]),
        }
    };
    vec![
        one(1, names.0, "", "127.0.0.1", "ff000000"),
        one(2, names.1, &endpoint.mac, &endpoint.ip, "ffffff00"),
    ]
}

/// The ARP cache.
pub(super) fn neighbours(endpoint: &Endpoint) -> Vec<Dict> {
    let mut random = endpoint.random("neighbours");
    let net = endpoint.ip.rsplit_once('.').map_or("10.20.4", |(net, _)| net);
    (0..8)
        .map(|_| {
            let digits = random.hex(10);
            row! {
                "AddressFamily" => "IPv4",
                "Store" => "Active",
                "State" => "Stale",
                "InterfaceIndex" => 2,
                "LocalAddress" => &endpoint.ip,
                "HardwareAddr" => &endpoint.mac,
                "RemoteAddress" => format!("{net}.{}", 2 + random.below(250)),
                "InterfaceAlias" => "Ethernet0",
                "RemoteMACAddress" => format!(
                    "02-{}-{}-{}-{}-{}",
                    &digits[0..2], &digits[2..4], &digits[4..6], &digits[6..8], &digits[8..10]
                ),
            }
        })
        .collect()
}

/// Names that were looked up lately.
pub(super) fn dns_cache(endpoint: &Endpoint) -> Vec<Dict> {
    OUTSIDE
        .iter()
        .filter(|(_, name, _)| super::random::hash(name) % 7 != endpoint.seed % 7)
        .map(|(ip, name, _)| dns(name, ip))
        .collect()
}

pub(super) fn dns(name: &str, ip: &str) -> Dict {
    row! {
        "Name" => name,
        "Record" => ip,
        "RecordType" => "A",
        "TTL" => 1800,
        "QueryStatus" => "Success",
        "SectionType" => "Answer",
    }
}

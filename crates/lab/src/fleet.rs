//! The simulated machines: 25 in the first org, two in the second.
//!
//! Their tables are generated when they are read, from a seed that is the machine's name: the same
//! machine always shows the same rows.

mod accounts;
mod artifacts;
mod endpoint;
mod files;
mod hostile;
mod incident;
mod logs;
mod network;
mod persistence;
mod processes;
mod quarantine;
mod random;
mod tables;
mod truth;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

pub(crate) use artifacts::built_in;
pub(crate) use endpoint::Endpoint;
pub use truth::{Evidence, GroundTruth, Indicator, Injection, PlantedHost, ground_truth};

use crate::value::{Dict, Value, row};
use crate::world::Order;
use incident::Part;

/// An operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Os {
    Windows,
    Linux,
    Darwin,
}

impl Os {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Linux => "linux",
            Self::Darwin => "darwin",
        }
    }
}

#[derive(Deserialize)]
struct FleetFile {
    org: Vec<OrgEntry>,
    host: Vec<HostEntry>,
}

#[derive(Deserialize)]
struct OrgEntry {
    id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostEntry {
    name: String,
    #[serde(default)]
    org: Option<String>,
    os: Os,
    release: String,
    ip: String,
    users: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    processes: Option<usize>,
    #[serde(default)]
    offline_hours: Option<u64>,
    #[serde(default)]
    part: Option<Part>,
    #[serde(default)]
    fault: Option<String>,
}

/// All machines.
pub(crate) struct Fleet {
    orgs: Vec<(String, String, Vec<Arc<Endpoint>>)>,
}

const FLEET: &str = include_str!("../data/fleet.toml");

impl Fleet {
    /// Reads the fleet. `anchor` is the present of the scenario: everything that is planted
    /// happened so and so long before it.
    ///
    /// # Errors
    /// A mistake in the data file.
    pub(crate) fn load(anchor: Timestamp) -> Result<Self, toml::de::Error> {
        let file: FleetFile = toml::from_str(FLEET)?;
        let first = file.org.first().map(|org| org.id.clone()).unwrap_or_default();
        let mut orgs: Vec<(String, String, Vec<Arc<Endpoint>>)> =
            file.org.into_iter().map(|org| (org.id, org.name, Vec::new())).collect();
        for host in file.host {
            let org = host.org.clone().unwrap_or_else(|| first.clone());
            let suffix = if org == first { String::new() } else { format!("-{org}") };
            let endpoint = Arc::new(Endpoint::new(host, &suffix, anchor));
            if let Some((.., endpoints)) = orgs.iter_mut().find(|(id, ..)| *id == org) {
                endpoints.push(endpoint);
            }
        }
        Ok(Self { orgs })
    }

    /// One more machine of the first org, whose texts are all the same.
    pub(crate) fn add_strange(&mut self, name: &str, anchor: Timestamp) {
        let entry = HostEntry {
            name: name.to_owned(),
            org: None,
            os: Os::Linux,
            release: name.to_owned(),
            ip: String::from("10.20.2.66"),
            users: vec![name.to_owned()],
            labels: vec![name.to_owned()],
            processes: None,
            offline_hours: None,
            part: None,
            fault: None,
        };
        if let Some((.., endpoints)) = self.orgs.first_mut() {
            endpoints.push(Arc::new(Endpoint::new(entry, "", anchor)));
        }
    }

    /// The orgs: id and name.
    pub(crate) fn orgs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.orgs.iter().map(|(id, name, _)| (id.as_str(), name.as_str()))
    }

    /// The machines of an org.
    pub(crate) fn endpoints(&self, org: &str) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.orgs.iter().filter(move |(id, ..)| id == org).flat_map(|(.., endpoints)| endpoints)
    }

    /// The row of `info()` on the server, which announces itself as simulated.
    #[expect(clippy::unused_self, reason = "the server belongs to the fleet")]
    pub(crate) fn server_info(&self) -> Dict {
        let now = Timestamp::now();
        let boot = now.as_second() - 90_000;
        row! {
            "Hostname" => "lab-simulated",
            "Uptime" => 90_000,
            "BootTime" => boot,
            "OS" => "linux",
            "Platform" => "LAB (simulated)",
            "PlatformFamily" => "lab",
            "PlatformVersion" => "1",
            "KernelVersion" => "0.0-simulated",
            "VirtualizationSystem" => "",
            "VirtualizationRole" => "",
            "CompilerVersion" => "",
            "HostID" => "00000000-0000-0000-0000-000000000000",
            "Exe" => "",
            "CWD" => "/",
            "IsAdmin" => false,
            "ClientStart" => now - Duration::from_hours(25),
            "LocalTZ" => "UTC",
            "LocalTZOffset" => 0,
            "Fqdn" => "lab-simulated.invalid",
            "Architecture" => "amd64",
        }
    }
}

/// How much longer than usual the work on an order takes.
pub(crate) fn extra_work(order: &Order) -> Duration {
    let seconds = order
        .specs
        .get("Custom.Lab.Slow")
        .and_then(|parameters| parameters.get("Seconds"))
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let slow = order.artifacts.iter().any(|artifact| artifact == "Custom.Lab.Slow");
    match (slow, seconds) {
        (true, 0) => Duration::from_secs(30),
        (true, seconds) => Duration::from_secs(seconds),
        (false, _) => Duration::ZERO,
    }
}

/// A row of some columns that are texts.
fn texts<const N: usize>(columns: [(&str, &str); N]) -> Dict {
    columns.into_iter().map(|(name, text)| (Arc::from(name), Value::str(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleet_is_what_the_demo_tells() {
        let fleet = Fleet::load(Timestamp::now()).unwrap();
        let count = |os| fleet.endpoints("root").filter(|e| e.os == os).count();
        assert_eq!((count(Os::Windows), count(Os::Linux), count(Os::Darwin)), (15, 7, 3));
        let offline = fleet.endpoints("root").filter(|e| e.offline_for.is_some()).count();
        assert_eq!(offline, 2);
        assert!(fleet.endpoints("O4K2Q").all(|e| e.client_id.ends_with("-O4K2Q")));
    }
}

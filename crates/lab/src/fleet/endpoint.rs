//! One simulated machine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::incident::Part;
use super::random::{Random, hash};
use super::{HostEntry, Os, tables};
use crate::value::{Dict, row};

/// A machine with an agent on it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) client_id: String,
    pub(crate) hostname: String,
    pub(crate) fqdn: String,
    pub(crate) os: Os,
    pub(crate) release: String,
    pub(crate) machine: String,
    pub(crate) ip: String,
    pub(crate) mac: String,
    pub(crate) agent_version: String,
    /// The flow of its first collection.
    pub(crate) interrogation: String,
    pub(crate) labels: Vec<String>,
    pub(crate) users: Vec<String>,
    pub(crate) enrolled_days_ago: u64,
    /// For how long nothing has been heard of it.
    pub(crate) offline_for: Option<Duration>,
    pub(crate) seed: u64,
    /// The present of the scenario.
    pub(super) anchor: Timestamp,
    pub(super) processes: usize,
    pub(super) part: Option<Part>,
    /// What goes wrong when its registry is read.
    pub(super) fault: Option<String>,
    pub(super) quarantined: AtomicBool,
}

impl Endpoint {
    pub(super) fn new(entry: HostEntry, suffix: &str, anchor: Timestamp) -> Self {
        let seed = hash(&entry.name);
        let mut random = Random::new(seed, "identity");
        let digits = random.hex(10);
        let pairs: Vec<&str> =
            (0..5).map(|at| digits.get(at * 2..at * 2 + 2).unwrap_or("00")).collect();
        Self {
            client_id: format!("C.{}{suffix}", random.hex(16)),
            fqdn: format!("{}.corp.example", entry.name.to_lowercase()),
            hostname: entry.name,
            machine: String::from(if entry.os == Os::Darwin { "arm64" } else { "amd64" }),
            os: entry.os,
            release: entry.release,
            ip: entry.ip,
            // Locally administered.
            mac: format!("02:{}", pairs.join(":")),
            agent_version: String::from("0.77.2"),
            interrogation: format!("F.{}", random.hex(13).to_uppercase()),
            labels: entry.labels,
            users: entry.users,
            enrolled_days_ago: 40 + random.below(300),
            offline_for: entry.offline_hours.map(Duration::from_hours),
            processes: entry.processes.unwrap_or_else(|| {
                let spread = usize::try_from(random.below(140)).unwrap_or(0);
                if entry.os == Os::Windows { 180 + spread } else { 110 + spread }
            }),
            seed,
            anchor: Timestamp::from_second(anchor.as_second()).unwrap_or(anchor),
            part: entry.part,
            fault: entry.fault,
            quarantined: AtomicBool::new(false),
        }
    }

    /// The port that its connection to the server comes from.
    pub(crate) fn port(&self) -> u64 {
        49_152 + self.seed % 16_000
    }

    /// The rows of one of its tables.
    ///
    /// # Errors
    /// What is broken on this machine.
    pub(crate) fn table(
        &self,
        name: &str,
        arguments: &Dict,
    ) -> Result<Box<dyn Iterator<Item = Dict> + '_>, String> {
        tables::rows(self, name, arguments)
    }

    /// The content of one of its files.
    pub(crate) fn file(&self, path: &str) -> Option<Vec<u8>> {
        super::files::content(self, path)
    }

    pub(super) fn random(&self, purpose: &str) -> Random {
        Random::new(self.seed, purpose)
    }

    /// So many minutes before the present of the scenario.
    pub(super) fn ago(&self, minutes: u64) -> Timestamp {
        self.anchor - Duration::from_mins(minutes)
    }

    pub(super) fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::SeqCst)
    }

    /// The machine's main user.
    pub(super) fn user(&self) -> &str {
        self.users.first().map_or("user", String::as_str)
    }

    /// The row of `info()`.
    pub(super) fn info(&self) -> Dict {
        let boot = self.ago(60 * 11 + self.seed % 4000);
        row! {
            "Hostname" => &self.hostname,
            "Uptime" => self.anchor.as_second() - boot.as_second(),
            "BootTime" => boot.as_second(),
            "OS" => self.os.name(),
            "Platform" => &self.release,
            "PlatformFamily" => "",
            "PlatformVersion" => "",
            "KernelVersion" => "",
            "VirtualizationSystem" => "",
            "VirtualizationRole" => "",
            "CompilerVersion" => "",
            "HostID" => "",
            "Exe" => match self.os {
                Os::Windows => r"C:\Program Files\Velociraptor\Velociraptor.exe",
                Os::Linux => "/usr/local/bin/velociraptor_client",
                Os::Darwin => "/usr/local/sbin/velociraptor",
            },
            "CWD" => "/",
            "IsAdmin" => true,
            "ClientStart" => boot,
            "LocalTZ" => "UTC",
            "LocalTZOffset" => 0,
            "Fqdn" => &self.fqdn,
            "Architecture" => &self.machine,
        }
    }
}

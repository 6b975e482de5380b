//! Client records: one for each enrolled machine, and ghosts.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::fleet::Endpoint;
use crate::value::{Dict, Value, row};

/// What the server knows of a client.
#[derive(Clone, Debug)]
pub(crate) struct ClientRecord {
    pub(crate) id: String,
    /// The machine. A ghost has none: a label on an unknown id makes one.
    pub(crate) endpoint: Option<Arc<Endpoint>>,
    pub(crate) labels: Vec<String>,
    pub(crate) metadata: IndexMap<String, String>,
    first_seen: Timestamp,
    /// `None` while the machine is connected.
    offline_since: Option<Timestamp>,
    online_since: Timestamp,
    pub(crate) last_hunt: i64,
    /// How often it is heard of while it is connected.
    poll: Duration,
}

impl ClientRecord {
    /// The record of an enrolled machine.
    pub(crate) fn enrolled(endpoint: &Arc<Endpoint>, poll: Duration) -> Self {
        let now = Timestamp::now();
        Self {
            id: endpoint.client_id.clone(),
            labels: endpoint.labels.clone(),
            metadata: IndexMap::new(),
            first_seen: now - Duration::from_hours(24 * endpoint.enrolled_days_ago),
            offline_since: endpoint.offline_for.map(|time| now - time),
            online_since: now - Duration::from_hours(9),
            last_hunt: 0,
            poll,
            endpoint: Some(Arc::clone(endpoint)),
        }
    }

    /// What remains when a label is set on an id that nobody has.
    pub(crate) fn ghost(id: &str) -> Self {
        let never = Timestamp::UNIX_EPOCH;
        Self {
            id: id.to_owned(),
            endpoint: None,
            labels: Vec::new(),
            metadata: IndexMap::new(),
            first_seen: never,
            offline_since: Some(never),
            online_since: never,
            last_hunt: 0,
            poll: Duration::ZERO,
        }
    }

    pub(crate) const fn is_ghost(&self) -> bool {
        self.endpoint.is_none()
    }

    pub(crate) const fn is_online(&self) -> bool {
        self.offline_since.is_none()
    }

    /// Since when the machine is connected.
    pub(crate) const fn online_since(&self) -> Timestamp {
        self.online_since
    }

    /// The machine connects. Whether it was offline and exists.
    pub(crate) fn come_online(&mut self, now: Timestamp) -> bool {
        if self.is_ghost() || self.is_online() {
            return false;
        }
        self.offline_since = None;
        self.online_since = now;
        true
    }

    pub(crate) const fn first_seen(&self) -> Timestamp {
        self.first_seen
    }

    pub(crate) fn last_seen(&self) -> Timestamp {
        if let Some(since) = self.offline_since {
            return since;
        }
        // Between two polls nothing is heard; each machine has a phase of its own.
        let phase = self.endpoint.as_ref().map_or(0, |endpoint| endpoint.seed % 60_000_000);
        let now = Timestamp::now();
        let poll = u64::try_from(self.poll.as_micros()).unwrap_or(u64::MAX).max(1);
        let since = (now.as_microsecond().unsigned_abs() + phase) % poll;
        (now - Duration::from_micros(since)).max(self.online_since)
    }

    pub(crate) fn hostname(&self) -> &str {
        self.endpoint.as_ref().map_or("", |endpoint| &endpoint.hostname)
    }

    pub(crate) fn fqdn(&self) -> &str {
        self.endpoint.as_ref().map_or("", |endpoint| &endpoint.fqdn)
    }

    pub(crate) fn os(&self) -> &str {
        self.endpoint.as_ref().map_or("", |endpoint| endpoint.os.name())
    }

    pub(crate) fn has_label(&self, label: &str) -> bool {
        self.labels.iter().any(|own| own.eq_ignore_ascii_case(label))
    }

    /// The row of `clients()`, and the answer of `client_info()`.
    pub(crate) fn row(&self, in_flight: Dict) -> Dict {
        let endpoint = self.endpoint.as_deref();
        let text = |of: fn(&Endpoint) -> &str| endpoint.map_or("", of).to_owned();
        row! {
            "client_id" => &self.id,
            "agent_information" => row! {
                "version" => text(|e| &e.agent_version),
                "name" => if self.is_ghost() { "" } else { "velociraptor" },
                "build_time" => if self.is_ghost() { "" } else { "2026-08-10T07:21:44Z" },
                "build_url" => "",
            },
            "os_info" => row! {
                "system" => self.os(),
                "hostname" => self.hostname(),
                "release" => text(|e| &e.release),
                "machine" => text(|e| &e.machine),
                "fqdn" => self.fqdn(),
                "mac_addresses" => Value::strings(endpoint.map(|e| e.mac.as_str())),
            },
            "first_seen_at" => self.first_seen.as_second(),
            "last_seen_at" => self.last_seen().as_microsecond(),
            "last_ip" => endpoint.map_or_else(String::new, |e| format!("{}:{}", e.ip, e.port())),
            "last_interrogate_flow_id" => text(|e| &e.interrogation),
            "last_interrogate_artifact_name" =>
                if self.is_ghost() { "" } else { "Generic.Client.Info/BasicInformation" },
            "labels" => &self.labels,
            "last_hunt_timestamp" => self.last_hunt,
            "last_event_table_version" => 0,
            "last_label_timestamp" => 0,
            "in_flight_flows" => in_flight,
        }
    }
}

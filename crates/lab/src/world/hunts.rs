//! Hunts: one order for all clients that fit, scheduled as each of them is heard of.

use indexmap::IndexMap;
use jiff::Timestamp;

use super::{ClientRecord, Flow, FlowState, Order, Org, micros};
use crate::value::{Dict, Value, row};

/// Where a hunt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HuntState {
    Paused,
    Running,
    Stopped,
    Archived,
}

impl HuntState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Paused => "PAUSED",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
            Self::Archived => "ARCHIVED",
        }
    }
}

/// Which clients a hunt is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Condition {
    /// `windows`, `linux` or `darwin`.
    pub(crate) os: Option<String>,
    /// Any of these.
    pub(crate) labels: Vec<String>,
    /// None of these.
    pub(crate) excluded: Vec<String>,
}

impl Condition {
    pub(crate) fn admits(&self, client: &ClientRecord) -> bool {
        self.os.as_ref().is_none_or(|os| client.os() == os)
            && (self.labels.is_empty() || self.labels.iter().any(|l| client.has_label(l)))
            && !self.excluded.iter().any(|label| client.has_label(label))
    }
}

/// A hunt.
#[derive(Clone, Debug)]
pub(crate) struct Hunt {
    pub(crate) id: String,
    version: Timestamp,
    created: Timestamp,
    started: Option<Timestamp>,
    pub(crate) expires: Timestamp,
    pub(crate) description: String,
    pub(crate) tags: Vec<String>,
    pub(crate) state: HuntState,
    pub(crate) condition: Condition,
    client_limit: u64,
    pub(crate) order: Order,
    /// Its artifacts as they were when it was made.
    compiled: Vec<Value>,
    /// `Artifact/Source` of everything that it collects.
    pub(crate) sources: Vec<String>,
    /// The flow of each client that was scheduled.
    pub(crate) members: IndexMap<String, String>,
    org: String,
}

/// What a new hunt is made of.
pub(crate) struct NewHunt {
    pub(crate) id: String,
    pub(crate) order: Order,
    pub(crate) compiled: Vec<Value>,
    pub(crate) sources: Vec<String>,
    pub(crate) condition: Condition,
    pub(crate) description: String,
    pub(crate) tags: Vec<String>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) client_limit: u64,
    pub(crate) paused: bool,
    pub(crate) org: String,
}

/// A hunt expires after a week unless told otherwise.
const LIFETIME: std::time::Duration = std::time::Duration::from_hours(168);

impl Hunt {
    pub(crate) fn new(new: NewHunt) -> Self {
        let now = Timestamp::now();
        Self {
            id: new.id,
            version: now,
            created: now,
            started: (!new.paused).then_some(now),
            expires: new.expires.unwrap_or(now + LIFETIME),
            description: new.description,
            tags: new.tags,
            state: if new.paused { HuntState::Paused } else { HuntState::Running },
            condition: new.condition,
            client_limit: new.client_limit,
            order: new.order,
            compiled: new.compiled,
            sources: new.sources,
            members: IndexMap::new(),
            org: new.org,
        }
    }

    /// The id of its flow on every client.
    pub(crate) fn flow_id(&self) -> String {
        format!("F.{}.H", self.id.trim_start_matches("H."))
    }

    /// Starts, pauses or stops it. A stopped hunt can be started again, as of then; an archived one
    /// stays so.
    pub(crate) fn change_state(&mut self, state: HuntState) {
        if state == HuntState::Running {
            if self.state == HuntState::Archived {
                return;
            }
            if self.state != HuntState::Running || self.started.is_none() {
                self.started = Some(Timestamp::now());
            }
        }
        self.state = state;
        self.touch();
    }

    pub(crate) fn touch(&mut self) {
        self.version = Timestamp::now();
    }

    /// The record as `hunts()` gives it.
    pub(crate) fn row(&self, org: &Org) -> Dict {
        let label = |labels: &Vec<String>| row! { "label" => labels };
        let os = match self.condition.os.as_deref() {
            Some("windows") => "WINDOWS",
            Some("linux") => "LINUX",
            Some("darwin") => "OSX",
            _ => "ALL",
        };
        let mut request = self.order.row(&self.flow_id());
        request.insert("compiled_collector_args".into(), Value::array(self.compiled.clone()));
        row! {
            "hunt_id" => &self.id,
            "version" => i64::try_from(self.version.as_nanosecond()).unwrap_or(0),
            "create_time" => micros(self.created),
            "creator" => &self.order.creator,
            "start_time" => self.started.map_or(0, micros),
            "expires" => micros(self.expires),
            "hunt_description" => &self.description,
            "tags" => &self.tags,
            "start_request" => request,
            "condition" => row! {
                "excluded_labels" => label(&self.condition.excluded),
                "labels" => label(&self.condition.labels),
                "os" => row! { "os" => os },
            },
            "client_limit" => self.client_limit,
            "stats" => self.stats(org),
            "artifacts" => &self.order.artifacts,
            "artifact_sources" => &self.sources,
            "state" => self.state.name(),
            "org_ids" => Value::strings([&self.org]),
        }
    }

    fn stats(&self, org: &Org) -> Dict {
        let flows: Vec<&Flow> =
            self.members.iter().filter_map(|(client, flow)| org.flow(client, flow)).collect();
        let count = |keep: &dyn Fn(&Flow) -> bool| flows.iter().filter(|flow| keep(flow)).count();
        row! {
            "total_clients_scheduled" => self.members.len(),
            // As the server counts: every flow that ended, with rows or without.
            "total_clients_with_results" => count(&|f| f.state.is_final()),
            "total_clients_without_results" =>
                count(&|f| f.state == FlowState::Finished && f.outcome.total_rows() == 0),
            "total_clients_with_errors" => count(&|f| f.state == FlowState::Error),
            "total_uploaded_bytes" => flows.iter().map(|f| f.outcome.uploaded_bytes()).sum::<usize>(),
            "total_collected_rows" => flows.iter().map(|f| f.outcome.total_rows()).sum::<usize>(),
            "total_finished_clients" => count(&|f| f.state.is_final()),
            "stopped" => matches!(self.state, HuntState::Stopped | HuntState::Archived),
            "available_downloads" => row! { "files" => Vec::<Value>::new() },
            "last_client_table_scan" => 0,
        }
    }

    /// The record as `hunt()` returns it: another encoding, in which 64-bit numbers are texts and
    /// whatever is zero is left out.
    pub(crate) fn created_row(&self) -> Dict {
        let text = |time: Timestamp| micros(time).to_string();
        let mut request = row! {
            "creator" => &self.order.creator,
            "flow_id" => self.flow_id(),
            "artifacts" => &self.order.artifacts,
        };
        if self.order.limits.max_bytes > 0 {
            request
                .insert("max_upload_bytes".into(), self.order.limits.max_bytes.to_string().into());
        }
        let mut out = row! {
            "hunt_id" => &self.id,
            "create_time" => text(self.created),
            "creator" => &self.order.creator,
        };
        if let Some(started) = self.started {
            out.insert("start_time".into(), text(started).into());
        }
        out.insert("expires".into(), text(self.expires).into());
        if !self.description.is_empty() {
            out.insert("hunt_description".into(), Value::str(&self.description));
        }
        out.extend(row! {
            "start_request" => request,
            "stats" => Dict::new(),
            "artifacts" => &self.order.artifacts,
            "artifact_sources" => &self.sources,
            "state" => self.state.name(),
            "org_ids" => Value::strings([&self.org]),
        });
        out
    }
}

impl Org {
    /// Gives running hunts to the connected clients that they are for.
    pub(super) fn schedule_hunts(&mut self, now: Timestamp) {
        let mut flows = Vec::new();
        for hunt in self.hunts.values_mut() {
            if hunt.state == HuntState::Running && hunt.expires <= now {
                hunt.change_state(HuntState::Stopped);
            }
            if hunt.state != HuntState::Running {
                continue;
            }
            for client in self.clients.values_mut() {
                let full = hunt.client_limit > 0 && hunt.members.len() as u64 >= hunt.client_limit;
                if full
                    || !client.is_online()
                    || hunt.members.contains_key(&client.id)
                    || !hunt.condition.admits(client)
                {
                    continue;
                }
                let order = Order { client_id: client.id.clone(), ..hunt.order.clone() };
                hunt.members.insert(client.id.clone(), hunt.flow_id());
                client.last_hunt = now.as_microsecond();
                flows.push(Flow::new(hunt.flow_id(), order));
            }
        }
        for flow in flows {
            self.add_flow(flow);
        }
    }

    /// Clients that a condition admits, ghosts included.
    pub(crate) fn estimate(&self, condition: &Condition, seen_since: Option<Timestamp>) -> u64 {
        self.clients
            .values()
            .filter(|client| seen_since.is_none_or(|since| client.last_seen() >= since))
            .filter(|client| condition.admits(client))
            .count() as u64
    }
}

//! Flows: what was asked of one client, and how far it is.

mod row;

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::results::{Outcome, evaluate};
use super::{Order, Org, SERVER, World};
use crate::value::{Dict, Value};

/// Where a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowState {
    /// Scheduled: the client has not fetched it.
    Running,
    /// Fetched by the client.
    Waiting,
    /// The client works on it.
    InProgress,
    Finished,
    Error,
}

impl FlowState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Waiting => "WAITING",
            Self::InProgress => "IN_PROGRESS",
            Self::Finished => "FINISHED",
            Self::Error => "ERROR",
        }
    }

    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Error)
    }
}

/// A flow.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) id: String,
    pub(crate) order: Order,
    pub(crate) created: Timestamp,
    pub(crate) state: FlowState,
    pub(crate) status: String,
    /// When the client fetched it, began and will be done.
    times: Option<Times>,
    /// Somebody is computing the outcome.
    evaluating: bool,
    pub(crate) outcome: Arc<Outcome>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    fetched: Timestamp,
    begun: Timestamp,
    done: Timestamp,
}

impl Flow {
    pub(crate) fn new(id: String, order: Order) -> Self {
        Self {
            id,
            order,
            created: Timestamp::now(),
            state: FlowState::Running,
            status: String::new(),
            times: None,
            evaluating: false,
            outcome: Arc::default(),
        }
    }

    /// A flow that was done long ago; its outcome is computed when somebody looks.
    pub(crate) fn past(id: String, order: Order, created: Timestamp) -> Self {
        let after = |millis| created + Duration::from_millis(millis);
        let times = Times { fetched: after(120), begun: after(190), done: after(610) };
        Self { created, times: Some(times), ..Self::new(id, order) }
    }

    /// The instant that the client's own clock shows while it works.
    pub(crate) fn worked_at(&self) -> Timestamp {
        self.times.map_or(self.created, |times| times.begun)
    }

    fn last_active(&self) -> Option<Timestamp> {
        self.times.map(|times| match self.state {
            FlowState::Running | FlowState::Waiting => times.fetched,
            FlowState::InProgress => times.begun,
            FlowState::Finished | FlowState::Error => times.done,
        })
    }

    /// The client fetches the flow: from here on its course is set.
    fn fetch(&mut self, world: &World, online_since: Timestamp, seed: u64) {
        let jitter = self.id.bytes().fold(seed, |sum, b| sum.wrapping_mul(31) + u64::from(b));
        let millis = |base: u64, spread: u64, salt: u64| {
            world.scaled(Duration::from_millis(base + (jitter / salt) % spread))
        };
        let fetched = self.created.max(online_since) + millis(80, 220, 1);
        let begun = fetched + millis(60, 120, 7);
        let work = crate::fleet::extra_work(&self.order);
        let work = world.scaled(self.times_out().unwrap_or(work));
        let done = begun + millis(150, 500, 13) + work;
        self.times = Some(Times { fetched, begun, done });
    }

    /// The limit of time that the work runs into, if it does.
    pub(crate) fn times_out(&self) -> Option<Duration> {
        let limit = u64::try_from(self.order.limits.timeout).ok().filter(|limit| *limit > 0)?;
        let limit = Duration::from_secs(limit);
        (crate::fleet::extra_work(&self.order) > limit).then_some(limit)
    }

    /// Ends the flow as a cancellation does: whatever it was before, it is an error now.
    pub(crate) fn cancel(&mut self) {
        if self.times.is_none() {
            let now = Timestamp::now();
            self.times = Some(Times { fetched: now, begun: now, done: now });
        }
        self.state = FlowState::Error;
        self.status = String::from("Cancelled by VQL query");
    }
}

/// Lets everything happen that is due.
pub(crate) fn advance(world: &Arc<World>, now: Timestamp) {
    loop {
        let mut due: Vec<(String, Flow)> = Vec::new();
        {
            let mut state = world.lock();
            for (org_id, org) in &mut state.orgs {
                org.schedule_hunts(now);
                org.move_flows(world, now);
                for flow in org.flows.values_mut() {
                    let is_due = flow.times.is_some_and(|times| times.done <= now);
                    if is_due && !flow.evaluating && !flow.state.is_final() {
                        flow.evaluating = true;
                        due.push((org_id.clone(), flow.clone()));
                    }
                }
            }
        }
        if due.is_empty() {
            return;
        }
        for (org_id, flow) in due {
            let outcome = evaluate(world, &org_id, &flow);
            let mut state = world.lock();
            let org = state.org(&org_id);
            if let Some(kept) = org.flows.get_mut(&key(&flow.order.client_id, &flow.id)) {
                kept.evaluating = false;
                // A flow that was cancelled in the meantime stays cancelled.
                if !kept.state.is_final() {
                    kept.state = if outcome.error.is_some() {
                        FlowState::Error
                    } else {
                        FlowState::Finished
                    };
                    kept.status = outcome.error.clone().unwrap_or_default();
                    kept.outcome = Arc::new(outcome);
                    org.keep_uploads(&flow.order.client_id, &flow.id);
                }
            }
        }
    }
}

/// The key of a flow: ids of hunt flows are the same on all clients.
pub(crate) fn key(client_id: &str, flow_id: &str) -> String {
    format!("{client_id}/{flow_id}")
}

impl Org {
    pub(crate) fn flow(&self, client_id: &str, flow_id: &str) -> Option<&Flow> {
        self.flows.get(&key(client_id, flow_id))
    }

    pub(crate) fn flow_mut(&mut self, client_id: &str, flow_id: &str) -> Option<&mut Flow> {
        self.flows.get_mut(&key(client_id, flow_id))
    }

    /// The flows of a client, newest first.
    pub(crate) fn flows_of(&self, client_id: &str) -> Vec<&Flow> {
        let mut flows: Vec<&Flow> =
            self.flows.values().filter(|flow| flow.order.client_id == client_id).collect();
        flows.sort_by_key(|flow| std::cmp::Reverse(flow.created));
        flows
    }

    pub(crate) fn add_flow(&mut self, flow: Flow) {
        self.flows.insert(key(&flow.order.client_id, &flow.id), flow);
    }

    /// Unfinished flows that a client has fetched, with their start in seconds.
    pub(crate) fn in_flight(&self, client_id: &str) -> Dict {
        self.flows
            .values()
            .filter(|flow| flow.order.client_id == client_id && !flow.state.is_final())
            .map(|flow| (flow.id.as_str().into(), Value::Int(flow.created.as_second())))
            .collect()
    }

    fn move_flows(&mut self, world: &World, now: Timestamp) {
        for flow in self.flows.values_mut() {
            if flow.times.is_none() && !flow.state.is_final() {
                if flow.order.client_id == SERVER {
                    flow.fetch(world, flow.created, 0);
                } else if let Some(client) = self.clients.get(&flow.order.client_id)
                    && client.is_online()
                {
                    let seed = client.endpoint.as_ref().map_or(0, |endpoint| endpoint.seed);
                    flow.fetch(world, client.online_since(), seed);
                }
            }
            if let Some(times) = flow.times
                && !flow.state.is_final()
            {
                flow.state = if times.begun <= now {
                    FlowState::InProgress
                } else if times.fetched <= now {
                    FlowState::Waiting
                } else {
                    FlowState::Running
                };
            }
        }
    }

    fn keep_uploads(&mut self, client_id: &str, flow_id: &str) {
        let Some(flow) = self.flow(client_id, flow_id) else { return };
        let files: IndexMap<_, _> = flow.outcome.uploads.iter().cloned().collect();
        self.files.extend(files);
    }
}

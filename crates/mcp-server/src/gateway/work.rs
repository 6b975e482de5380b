//! What a call is about to do, told by the tool before it does it.

use std::collections::BTreeMap;

use guard::approval::{Counts, Host, Hosts, Plan};
use guard::asked::{Bounds, Clients, Definition, VqlFound};
use guard::policy::Policy;
use guard::size::at_most;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use velociraptor_api::clients::{Client, Resolved};
use velociraptor_api::collections::InForce;
use velociraptor_api::{ClientId, Permission};

use super::programs::Programs;
use crate::collection::over_all;
use crate::tool::Effect;

/// More hosts than these are counted by system and not named: as many as a card has lines for.
const NAMED: usize = 10;

/// What a call is about to do, resolved: clients by id, definitions as they are now.
#[derive(Debug, Default)]
pub struct Work {
    pub(super) clients: Clients,
    pub(super) hosts: Vec<Client>,
    pub(super) artifacts: BTreeMap<String, Definition>,
    pub(super) vql: VqlFound,
    pub(super) text: Option<String>,
    pub(super) bounds: Bounds,
    each: Option<InForce>,
    pub(super) expires_after: Option<u64>,
    pub(super) effect: Option<Effect>,
    pub(super) bound: Map<String, Value>,
    pub(super) needs: Option<Vec<Permission>>,
    pub(super) further: Vec<Permission>,
    pub(super) looks_only: bool,
    weight: Option<String>,
    does: String,
    steps: Vec<String>,
    notes: Vec<String>,
    others: Vec<String>,
    undo: String,
    proof: String,
    reason: Option<String>,
    pub(super) instead: Option<String>,
}

impl Work {
    /// A look at what the server has.
    pub fn reading() -> Self {
        Self::default()
    }

    /// A look by a tool that does more in other calls.
    pub fn looking() -> Self {
        Self { looks_only: true, ..Self::default() }
    }

    /// Something that has an effect, in words such as `blocks all but Velociraptor`.
    pub fn that(effect: impl Into<String>) -> Self {
        Self { does: effect.into(), ..Self::default() }
    }

    /// On exactly these clients.
    #[must_use]
    pub fn on(mut self, clients: impl IntoIterator<Item = Client>) -> Self {
        self.hosts = clients.into_iter().collect();
        self.clients = Clients::exactly(self.hosts.iter().map(|client| client.client_id.clone()));
        self
    }

    /// On the client, or the server, that a name stands for.
    #[must_use]
    pub fn on_resolved(self, resolved: &Resolved) -> Self {
        match &resolved.client {
            Some(client) => self.on([client.clone()]),
            None => self.on_the_server(),
        }
    }

    /// On the server itself.
    #[must_use]
    pub fn on_the_server(mut self) -> Self {
        self.clients.ids.insert(ClientId::server());
        self
    }

    /// As a hunt over those that fit a rule in words, which are these now; of an exact list where
    /// there is no rule.
    #[must_use]
    pub fn hunting(
        mut self,
        rule: Option<String>,
        reached: impl IntoIterator<Item = Client>,
    ) -> Self {
        self = self.on(reached);
        let ids = std::mem::take(&mut self.clients.ids);
        self.clients = match rule {
            Some(rule) => Clients::hunt_by(rule, ids),
            None => Clients::hunt_over(ids),
        };
        self
    }

    /// Runs artifacts.
    #[must_use]
    pub fn running(mut self, programs: Programs) -> Self {
        self.artifacts = programs.artifacts;
        self.vql = programs.found;
        self
    }

    /// Runs a text of VQL on the server.
    #[must_use]
    pub fn sending(mut self, text: &str, found: VqlFound) -> Self {
        self.text = Some(text.to_owned());
        self.vql = found;
        self
    }

    /// Within these bounds.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// A collection with these bounds on each of so many machines: bytes and rows are judged over all
    /// of them together, seconds on each.
    #[must_use]
    pub fn collecting(self, each: InForce, machines: u64) -> Self {
        let bounds = over_all(&each, machines);
        Self { each: Some(each), bounds, ..self }
    }

    /// Waits so many seconds for endpoints.
    #[must_use]
    pub fn expiring(self, seconds: u64) -> Self {
        Self { expires_after: Some(seconds), ..self }
    }

    /// Weighs at least as much as this effect, whatever the tool's own is, and why.
    #[must_use]
    pub fn weighing(self, effect: Effect, why: impl Into<String>) -> Self {
        Self { effect: Some(effect), weight: Some(why.into()), ..self }
    }

    /// In these steps, one after the other.
    #[must_use]
    pub fn stepwise(self, steps: impl IntoIterator<Item = String>) -> Self {
        Self { steps: steps.into_iter().collect(), ..self }
    }

    /// With this to keep in mind, one text each.
    #[must_use]
    pub fn noting(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }

    /// Also depends on this, which is no argument: what is approved is bound to it.
    #[must_use]
    pub fn bound_to(mut self, name: &str, value: &impl Serialize) -> Self {
        // Types of ours: what cannot be written would be equal to nothing, and so never approved.
        let value = serde_json::to_value(value).unwrap_or_else(|error| error.to_string().into());
        self.bound.insert(name.to_owned(), value);
        self
    }

    /// Needs these permissions and not those of the tool.
    #[must_use]
    pub fn needing_only(self, needs: Vec<Permission>) -> Self {
        Self { needs: Some(needs), ..self }
    }

    /// Needs these permissions beside those of the tool.
    #[must_use]
    pub fn needing(self, further: Vec<Permission>) -> Self {
        Self { further, ..self }
    }

    /// How it is undone, and what is not undone by itself.
    #[must_use]
    pub fn undone_by(self, undo: impl Into<String>) -> Self {
        Self { undo: undo.into(), ..self }
    }

    /// How it is proved that it worked.
    #[must_use]
    pub fn proved_by(self, proof: impl Into<String>) -> Self {
        Self { proof: proof.into(), ..self }
    }

    /// Who else is at work there, one text each.
    #[must_use]
    pub fn beside(self, others: Vec<String>) -> Self {
        Self { others, ..self }
    }

    /// Why, in the words of whoever asks.
    #[must_use]
    pub fn because(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }

    /// What to do instead, where it may not be done.
    #[must_use]
    pub fn or_instead(self, instead: Option<String>) -> Self {
        Self { instead, ..self }
    }

    /// What a person reads before they say yes.
    pub(super) fn plan(&self, policy: &Policy) -> Plan {
        let or = |text: &str, otherwise: &str| {
            if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
        };
        Plan {
            hosts: self.shown(policy),
            effect: or(&self.does, "reads"),
            steps: self.steps.clone(),
            notes: self.notes.clone(),
            others: self.others.clone(),
            undo: or(&self.undo, "nothing automatic"),
            proof: or(&self.proof, "read back from the server"),
            cost: self.cost(),
            reason: self.reason.clone(),
            weight: self.weight.clone(),
            grants: Vec::new(),
        }
    }

    fn shown(&self, policy: &Policy) -> Hosts {
        if self.clients.ids.is_empty() {
            return Hosts::None;
        }
        if self.hosts.is_empty() {
            let of = |id: &ClientId| Host {
                id: id.clone(),
                name: String::from("the server"),
                system: String::from("server"),
                last_seen: None,
                protected: policy.protects(id),
            };
            return Hosts::Each(self.clients.ids.iter().map(of).collect());
        }
        if self.hosts.len() <= NAMED {
            return Hosts::Each(self.hosts.iter().map(|client| host(client, policy)).collect());
        }
        let mut by_system = BTreeMap::new();
        for client in &self.hosts {
            *by_system.entry(system(client)).or_insert(0) += 1;
        }
        let count = |is: &dyn Fn(&Client) -> bool| {
            self.hosts.iter().filter(|client| is(client)).count() as u64
        };
        Hosts::Many(Counts {
            by_system,
            online: count(&|client| client.is_online()),
            protected: count(&|client| policy.protects(&client.client_id)),
        })
    }

    /// What a collection from several hosts, or a hunt, costs: on each host and in total, as far as
    /// its bounds say it.
    fn cost(&self) -> Option<String> {
        let each = self.each.filter(|_| self.clients.hunt || self.hosts.len() > 1)?;
        let told = |bytes: Option<u64>, rows: Option<u64>| {
            let bytes = bytes.map_or_else(|| String::from("any number of bytes"), at_most);
            let rows = rows.map_or_else(|| String::from("any number of"), |rows| rows.to_string());
            format!("{bytes}, {rows} rows")
        };
        let online = self.hosts.iter().filter(|client| client.is_online()).count();
        let joining = if self.clients.condition.is_some() { ", more as others join" } else { "" };
        Some(format!(
            "per host at most {}, {} s for each artifact; in total {} over {} hosts{joining}; \
             {online} are online",
            told(each.bytes, each.rows),
            each.seconds,
            told(self.bounds.bytes, self.bounds.rows),
            self.hosts.len()
        ))
    }
}

fn host(client: &Client, policy: &Policy) -> Host {
    Host {
        id: client.client_id.clone(),
        name: client.hostname.clone(),
        system: system(client),
        last_seen: client.last_seen.map(whole_seconds),
        protected: policy.protects(&client.client_id),
    }
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    crate::clock::to_second(time)
}

fn system(client: &Client) -> String {
    client.os.clone().unwrap_or_else(|| String::from("unknown system"))
}

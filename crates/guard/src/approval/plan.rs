//! What a person wants to know before they say yes.
//!
//! What would run, where and as whom is taken from the request itself, which the digest binds. Here
//! is the rest: what is known about the hosts, what it does in words, who else is at work there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use velociraptor_api::ClientId;

use crate::asked::Asked;

/// What is known about a request beside the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The endpoints.
    pub hosts: Hosts,
    /// What it does, in words of ours.
    pub effect: String,
    /// Its steps in order, where it is done in steps.
    #[serde(default)]
    pub steps: Vec<String>,
    /// What to keep in mind, one text each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Who else is at work on the same endpoints, one text for each hunt.
    pub others: Vec<String>,
    /// How it is undone, and what is not undone by itself.
    pub undo: String,
    /// How it will be proved that it worked.
    pub proof: String,
    /// What it is expected to cost, for hunts.
    pub cost: Option<String>,
    /// Why, in the words of whoever asked.
    pub reason: Option<String>,
    /// Why it weighs more than calls of its tool do; `None` where it does not.
    #[serde(default)]
    pub weight: Option<String>,
    /// Why case grants that seem to be for it do not cover it, one text each.
    #[serde(default)]
    pub grants: Vec<String>,
}

/// The endpoints of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hosts {
    /// None is touched.
    None,
    /// Each of them.
    Each(Vec<Host>),
    /// Too many to be named.
    Many(Counts),
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its id.
    pub id: ClientId,
    /// The name that it gives itself.
    pub name: String,
    /// Its system, such as `windows`.
    pub system: String,
    /// When it was last heard of.
    pub last_seen: Option<Timestamp>,
    /// It is on the list of protected clients.
    pub protected: bool,
}

/// Many endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// How many of each system. The sum is all of them.
    pub by_system: BTreeMap<String, u64>,
    /// How many are online.
    pub online: u64,
    /// How many are protected.
    pub protected: u64,
}

/// A plan that is about something else than the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan does not fit the request: {what}")]
pub struct PlanError {
    /// Where they differ.
    pub what: String,
}

impl Plan {
    /// Whether it shows the very endpoints of the request.
    pub(super) fn check(&self, asked: &Asked) -> Result<(), PlanError> {
        let ids = &asked.clients.ids;
        let what = match &self.hosts {
            Hosts::None if ids.is_empty() => return Ok(()),
            Hosts::None => format!("it names no host, and the request touches {}", ids.len()),
            Hosts::Each(hosts) => {
                if hosts.len() == ids.len() && hosts.iter().all(|host| ids.contains(&host.id)) {
                    return Ok(());
                }
                format!("it names {} hosts, and the request touches others", hosts.len())
            }
            Hosts::Many(counts) => {
                let sum: u64 = counts.by_system.values().sum();
                if sum == asked.clients.count() && counts.online <= sum && counts.protected <= sum {
                    return Ok(());
                }
                format!("it counts {sum} hosts, and the request touches {}", ids.len())
            }
        };
        Err(PlanError { what })
    }
}

//! Family `hunts`: the same collection on many clients.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use velociraptor_api::hunts::{Hunt, HuntScope};

use crate::tool::{Family, ToolDef};
use crate::tool_error::ToolError;
use crate::{clock, system};

mod applies;
mod census;
mod create;
mod list;
mod modify;
pub(super) mod results;

/// Hunting.
pub static FAMILY: Family = Family {
    id: "hunts",
    purpose: "collect from many clients, and say for which of them nothing is established",
    default: true,
    tools: &[
        ToolDef::acts::<create::CreateHunt>(),
        ToolDef::reads::<list::ListHunts>(),
        ToolDef::reads::<results::GetHuntResults>(),
        ToolDef::acts::<modify::ModifyHunt>(),
    ],
};

/// A lifetime in hours: at most a year, since a longer one is a slip of the keyboard.
fn hours(hours: u64) -> Result<Duration, ToolError> {
    match hours {
        1..=8760 => Ok(Duration::from_secs(hours * 3600)),
        _ => Err(ToolError::invalid(format!("expires_hours is from 1 to 8760, not {hours}"))),
    }
}

/// What every answer about a hunt says of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Summary {
    hunt_id: String,
    hunt_state: &'static str,
    description: String,
    artifacts: Vec<String>,
    /// Which clients it means, in words.
    targets: String,
    #[schemars(with = "String")]
    expires: Option<Timestamp>,
}

impl Summary {
    fn of(hunt: &Hunt) -> Self {
        Self {
            hunt_id: hunt.hunt_id.to_string(),
            hunt_state: if hunt.is_expired() { "EXPIRED" } else { hunt.state.as_str() },
            description: hunt.description.clone(),
            artifacts: hunt.artifacts.clone(),
            targets: targets(&hunt.scope),
            expires: hunt.expires.map(clock::to_second),
        }
    }

    fn line(&self) -> String {
        let Self { hunt_id, hunt_state, description, .. } = self;
        let named =
            if description.is_empty() { String::new() } else { format!(" \"{description}\"") };
        format!("{hunt_id} {hunt_state}{named}: {} on {}", self.artifacts.join(", "), self.targets)
    }
}

/// The rule of a hunt in words; none where it is for listed clients.
fn rule(scope: &HuntScope) -> Option<String> {
    matches!(scope, HuntScope::Rule { .. }).then(|| targets(scope))
}

/// A scope in words.
fn targets(scope: &HuntScope) -> String {
    match scope {
        HuntScope::Clients(ids) if ids.len() == 1 => format!("only {}", ids[0]),
        HuntScope::Clients(ids) => format!("{} listed clients", ids.len()),
        HuntScope::Rule { os, include_labels, exclude_labels } => {
            let mut words =
                os.map_or_else(|| String::from("every client"), |os| system::word(os).to_owned());
            if !include_labels.is_empty() {
                words.push_str(" labelled ");
                words.push_str(&include_labels.join(" or "));
            }
            if !exclude_labels.is_empty() {
                words.push_str(" but not labelled ");
                words.push_str(&exclude_labels.join(" or "));
            }
            words
        }
    }
}

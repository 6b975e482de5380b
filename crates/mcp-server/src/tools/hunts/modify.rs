//! `modify_hunt`.

use std::fmt::Write;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::collections::InForce;
use velociraptor_api::hunts::{self, HuntChange, HuntState, HuntStatus};
use velociraptor_api::{HuntId, Permission, Session};

use super::Summary;
use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::gateway::{Go, Work, contains, kept, programs};
use crate::tool::{Acts, Effect, Tool};
use crate::tool_error::ToolError;

/// Most flows that are named as still running.
const NAMED: usize = 50;

/// `modify_hunt`.
pub(super) struct ModifyHunt;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    hunt_id: String,
    /// stop is for good as far as new clients go; flows that run go on
    action: Option<Action>,
    description: Option<String>,
    /// From now
    #[schemars(range(min = 1, max = 8760))]
    expires_hours: Option<u64>,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    Start,
    Pause,
    Stop,
    Archive,
}

/// The hunt after the change, read back.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    #[serde(flatten)]
    hunt: Summary,
    was: &'static str,
    /// Flows that go on although the hunt schedules nobody any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    still_running: Vec<Running>,
    still_running_total: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Running {
    client_id: String,
    flow_id: String,
}

impl Tool for ModifyHunt {
    const NAME: &'static str = "modify_hunt";
    const TITLE: &'static str = "Change a hunt";
    const DESCRIPTION: &'static str = "Starts, pauses, stops or archives a hunt, or changes its \
        description or expiry; the change is read back. Stopping names the flows that still run: \
        cancel_flow ends one.";
    const EFFECT: Effect = Effect::Collect;
    const NEEDS: &'static [Permission] =
        &[Permission::AnyQuery, Permission::ReadResults, Permission::StartHunt];
    const IDEMPOTENT: bool = true;
    type Input = Input;
    type Output = Output;
}

/// The hunt as it was, and what is to change.
pub(super) struct Prepared {
    id: HuntId,
    was: &'static str,
    changes: Vec<(&'static str, HuntChange)>,
}

impl Acts for ModifyHunt {
    type Prepared = Prepared;

    async fn prepare(
        _cx: &ToolCx<'_>,
        session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let id = HuntId::parse(input.hunt_id.trim())?;
        let changes = changes(&input)?;
        let status = hunts::status(session, &id).await?;
        let HuntStatus { hunt, request, .. } = &status;
        let starts = changes.iter().any(|(_, change)| *change == HuntChange::Start);
        // A later end of a hunt that runs, or whose time is over, lets further clients join.
        let prolongs = input.expires_hours.is_some() && hunt.state == HuntState::Running;
        let names: Vec<&str> = changes.iter().map(|(name, _)| *name).collect();
        let does = format!("{} of hunt {id}, which is {}", names.join(", "), hunt.state);
        let mut work = Work::that(does).undone_by("another change; what ran meanwhile stays");
        if contains(&hunt.artifacts) {
            work = work.weighing(Effect::Respond, programs::CONTAINS);
        }
        if let Some(hours) = input.expires_hours {
            work = work.expiring(hours.saturating_mul(3600));
        }
        if starts || prolongs {
            let reached = hunts::reach(session, &hunt.scope).await?;
            work = work
                .bound_to("hunt", request)
                .collecting(InForce::of_hunt(&status), reached.len() as u64)
                .hunting(super::rule(&hunt.scope), reached)
                .running(kept::of_hunt(session, &status).await?)
                .undone_by("stop; flows that it has started go on until they are cancelled");
        }
        Ok((work, Prepared { id, was: hunt.state.as_str(), changes }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        go: &Go,
        Prepared { id, was, changes }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let mut done: Vec<&str> = Vec::new();
        for (name, change) in &changes {
            if matches!(change, HuntChange::Start | HuntChange::Expire(_)) {
                go.started_hunt(&id).await;
            }
            // Several changes are several steps: a failure says which were made.
            if let Err(fault) = hunts::modify(session, &id, change).await {
                let mut error = ToolError::from(fault);
                if !done.is_empty() {
                    error.message = format!("{} (done before: {})", error.message, done.join(", "));
                }
                return Err(error);
            }
            done.push(name);
        }
        let after = hunts::status(session, &id).await?;
        let running = match after.hunt.state {
            HuntState::Running => Vec::new(),
            _ => hunts::running_flows(session, &id).await?,
        };
        let data = Output {
            hunt: Summary::of(&after.hunt),
            was,
            still_running_total: running.len() as u64,
            still_running: running
                .iter()
                .take(NAMED)
                .map(|flow| Running {
                    client_id: flow.client_id.to_string(),
                    flow_id: flow.flow_id.to_string(),
                })
                .collect(),
        };
        let link = cx.link(&format!("/hunts/{id}"));
        Ok(Answer::of(cx, session, data).state(State::Complete).link(link))
    }
}

/// The changes in an order that makes sense: what a start needs comes before it.
fn changes(input: &Input) -> Result<Vec<(&'static str, HuntChange)>, ToolError> {
    let mut changes = Vec::new();
    if let Some(description) = &input.description {
        changes.push(("description", HuntChange::Describe(description.clone())));
    }
    if let Some(hours) = input.expires_hours {
        let at = Timestamp::now() + super::hours(hours)?;
        changes.push(("expiry", HuntChange::Expire(at)));
    }
    if let Some(action) = input.action {
        changes.push(match action {
            Action::Start => ("start", HuntChange::Start),
            Action::Pause => ("pause", HuntChange::Pause),
            Action::Stop => ("stop", HuntChange::Stop),
            Action::Archive => ("archive", HuntChange::Archive),
        });
    }
    if changes.is_empty() {
        return Err(ToolError::invalid("nothing to change").next(
            "give an action (start, pause, stop, archive), a description, or expires_hours",
        ));
    }
    Ok(changes)
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        let _ = write!(out, "{}\nit was {}", self.hunt.line(), self.was);
        if let Some(expires) = self.hunt.expires {
            let _ = write!(out, ", expires {expires}");
        }
        if self.still_running_total > 0 {
            let _ = write!(
                out,
                "\nSTILL RUNNING {}: cancel_flow ends each of them",
                self.still_running_total
            );
            for flow in &self.still_running {
                let _ = write!(out, "\n  {} {}", flow.client_id, flow.flow_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(json: serde_json::Value) -> Input {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn d04_every_action_is_a_change_and_no_state_is_pasted() {
        for (action, change) in [
            ("start", HuntChange::Start),
            ("pause", HuntChange::Pause),
            ("stop", HuntChange::Stop),
            ("archive", HuntChange::Archive),
        ] {
            let made = changes(&input(serde_json::json!({"hunt_id": "H.1", "action": action})));
            assert_eq!(made.unwrap()[0].1, change);
        }
    }

    #[test]
    fn an_expiry_is_set_before_the_start_that_needs_it() {
        let wish = serde_json::json!({"hunt_id": "H.1", "action": "start", "expires_hours": 2});
        let names: Vec<_> = changes(&input(wish)).unwrap().into_iter().map(|c| c.0).collect();
        assert_eq!(names, ["expiry", "start"]);
    }

    #[test]
    fn a_wish_without_a_change_is_refused() {
        assert!(changes(&input(serde_json::json!({"hunt_id": "H.1"}))).is_err());
    }
}

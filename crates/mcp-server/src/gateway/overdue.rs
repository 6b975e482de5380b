//! Work that waited for endpoints for longer than was agreed.
//!
//! The server lets a collection wait for its client for ever: only hunts expire there. What was
//! started with a wait is noted with its end in the ledger, and taken back by the first process of
//! Megaraptor that runs after that. Until one does, it stays where it is.

use guard::audit::{Decision, Intent, Outcome, Who};
use guard::ledger::{Started, Work};
use guard::permit::Authority;
use guard::policy::{Origin, Rule};
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use velociraptor_api::flows::{self, FlowState};
use velociraptor_api::{Fault, OrgId, Session};

use super::Gateway;
use crate::tool::Effect;

/// What the record calls it. No tool has that name.
const TAKE_BACK: &str = "take_back";

impl Gateway {
    /// Takes back the collections whose wait was over at that time, and says what became of each.
    /// Nothing is done where only reading is allowed. What cannot be taken back is tried again by
    /// the next process.
    pub async fn take_back_overdue(
        &self,
        now: Timestamp,
        cancel: &CancellationToken,
    ) -> Vec<String> {
        if self.services.policy().read_only() {
            return Vec::new();
        }
        let standing = match self.guardian.ledger.standing() {
            Ok(standing) => standing,
            Err(error) => return vec![format!("the ledger cannot be read: {error}")],
        };
        let mut told = Vec::new();
        for started in standing.started {
            if started.until.is_some_and(|until| until <= now)
                && let Some(text) = self.take_back(&started, cancel).await
            {
                told.push(text);
            }
        }
        told
    }

    async fn take_back(&self, started: &Started, cancel: &CancellationToken) -> Option<String> {
        let Work::Flow { client, flow } = &started.work else { return None };
        let find = |target: &&crate::services::Target| target.server.name() == started.server;
        // Another configuration of the same account may know the server.
        let targets = self.services.targets();
        let target = targets.iter().find(find)?;
        let org = OrgId::parse(&started.org).ok()?;
        let session = Session::new(&target.server, &org, cancel);
        let said = |what: &str| format!("{flow} on {client}: its wait is over; {what}");
        let how = match flows::flow(&session, client, flow).await {
            Ok(found) if found.state.is_final() => format!("had ended: {}", found.state),
            // Its client came in time.
            Ok(found) if found.state == FlowState::InProgress => return None,
            Ok(_) => match self.cancel_recorded(&session, started).await {
                Ok(how) => how,
                Err(why) => return Some(said(&format!("NOT taken back: {why}"))),
            },
            Err(Fault::UnknownFlow { .. }) => String::from("is gone from the server"),
            Err(fault) => return Some(said(&format!("NOT taken back: {fault}"))),
        };
        match self.guardian.ledger.ended(started, &how) {
            Ok(()) => Some(said(&how)),
            Err(error) => Some(said(&format!("{how}; the ledger still has it: {error}"))),
        }
    }

    /// Cancels a flow, on record before and after.
    async fn cancel_recorded(
        &self,
        session: &Session<'_>,
        started: &Started,
    ) -> Result<String, String> {
        let Work::Flow { client, flow } = &started.work else {
            return Err(String::from("it is no flow"));
        };
        let rule = Rule { setting: String::from("queue_hours"), origin: Origin::Default };
        let own = Who { transport: String::from("own"), ..Who::default() };
        let arguments = json!({ "client": client, "flow_id": flow, "until": started.until });
        let on = Decision::Allowed { on: Authority::Policy { rule } };
        let intent = Intent::new(self.number(), own, TAKE_BACK, arguments, Effect::Collect, on)
            .at(Some(started.server.clone()), Some(started.org.clone()));
        let begun = self.guardian.audit.begin(intent).await.map_err(|error| error.to_string())?;
        let done = flows::cancel(session, client, flow).await;
        let outcome = if done.is_ok() { "complete" } else { "failed" };
        if let Err(error) = begun.end(Outcome::without_answer(outcome)).await {
            tracing::error!(%error, "what came of taking a flow back is not on record");
        }
        match done {
            Ok(done) if done.cancelled => Ok(format!("taken back, was {}", done.before)),
            Ok(done) => Ok(format!("had ended: {}", done.flow.state)),
            Err(fault) => Err(fault.to_string()),
        }
    }
}

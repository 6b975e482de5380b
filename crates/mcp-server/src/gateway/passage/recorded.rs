//! What the record says of a call: before it runs, and what came of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use guard::asked::Asked;
use guard::audit::{Begun, Decision, Endpoint, Intent, Outcome};
use serde_json::Value;

use super::super::{Stop, Work, undone, unrecorded, who};
use super::{Halt, Passage, everywhere};
use crate::tool::{Effect, Finished};
use crate::tool_error::{Code, ToolError};

/// How long an emergency stop waits for its own line.
const HALTING: Duration = Duration::from_secs(2);

impl Passage<'_> {
    /// Opens for a tool that only ends what was begun. It is recorded where that can be done at once;
    /// nothing stops it.
    pub(crate) async fn halt(&self) -> Halt {
        let (server, org) = everywhere(&self.gateway.services);
        let on = self.gateway.services.policy().stopping();
        let intent = Intent {
            server: Some(server),
            org: Some(org),
            ..self.unopened(Decision::Allowed { on })
        };
        let recorded = self.begin(intent);
        let unrecorded = match tokio::time::timeout(HALTING, recorded).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.message),
            Err(_) => Some(format!("the record did not answer within {} s", HALTING.as_secs())),
        };
        Halt {
            services: Arc::clone(&self.gateway.services),
            guardian: Arc::clone(&self.gateway.guardian),
            unrecorded,
        }
    }

    pub(super) async fn record(
        &self,
        asked: &Asked,
        work: &Work,
        needed: Effect,
        decision: Decision,
    ) -> Result<(), ToolError> {
        let identity = Some(asked.identity.user.clone()).filter(|user| !user.is_empty());
        let effect = needed.max(asked.effect);
        let intent = Intent {
            vql: work.text.clone(),
            identity,
            effect,
            // What nobody is ever asked about needs no name.
            request: (effect != Effect::Read).then(|| asked.digest()),
            ..self.unopened(decision)
        };
        let hosts = work.hosts.iter().map(|client| Endpoint {
            client: client.client_id.clone(),
            name: client.hostname.clone(),
        });
        self.begin(intent.on(hosts)).await
    }

    async fn begin(&self, intent: Intent) -> Result<(), ToolError> {
        self.told.store(true, Ordering::Relaxed);
        let begun = self.gateway.guardian.audit.begin(intent).await.map_err(unrecorded)?;
        *self.slot() = Some(begun);
        Ok(())
    }

    /// The call as it is known before it is judged.
    fn unopened(&self, decision: Decision) -> Intent {
        let (server, org) = self.place.clone();
        let (by, asked) = (who(self.request.caller), Value::Object(self.arguments.clone()));
        Intent::new(self.call.clone(), by, self.tool.name, asked, self.tool.effect, decision)
            .at(Some(server), Some(org))
    }

    /// Records what came of the call.
    pub(in super::super) async fn close(
        self,
        done: Result<Finished, Stop>,
    ) -> Result<Finished, Stop> {
        self.told.store(true, Ordering::Relaxed);
        let begun = self.slot().take();
        let begun = match (begun, &done) {
            (Some(begun), _) => begun,
            // It failed before it could be said what it is about to do.
            (None, Err(Stop::Error(error))) if error.code != Code::NotRecorded => {
                let intent = self.unopened(undone(error));
                self.gateway.guardian.audit.begin(intent).await.map_err(unrecorded)?
            }
            (None, _) => return done,
        };
        let outcome = match &done {
            Ok(finished) => {
                Outcome::answered(finished.state.as_str(), finished.structured.get().as_bytes())
                    .by(finished.identity.clone())
            }
            Err(Stop::Error(error)) => Outcome::without_answer(error.code.as_str()),
            Err(Stop::Ask(_)) => Outcome::without_answer(Code::ApprovalRequired.as_str()),
        };
        match (begun.end(outcome).await, done) {
            (Ok(()), done) => done,
            (Err(error), Ok(mut finished)) => {
                // It ran: to call it failed would be as wrong as to say nothing.
                let _ = std::fmt::Write::write_fmt(
                    &mut finished.text,
                    format_args!("\n! what came of this call is not on record: {error}"),
                );
                Ok(finished)
            }
            (Err(error), done) => {
                tracing::error!(%error, "what came of a call is not on record");
                done
            }
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Begun>> {
        self.begun.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Passage<'_> {
    /// Whoever goes away while the call is prepared, or while a person is asked, leaves a line.
    fn drop(&mut self) {
        if !std::mem::replace(self.told.get_mut(), true) {
            let why = String::from("it was given up before it was decided");
            self.gateway.guardian.audit.abandon(self.unopened(Decision::Undecided { why }));
        }
    }
}

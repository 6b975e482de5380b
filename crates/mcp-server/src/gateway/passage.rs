//! One call on its way through: judged, asked about, recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use guard::approval::NotApproved;
use guard::asked::{AsWhom, Asked};
use guard::audit::{Begun, Decision, Intent, Outcome};
use guard::grant::{Cover, Labels};
use guard::ledger::{Starting, Work as Started};
use guard::permit::{Authority, ChatAnswer, NotInChat, Permit, Question, Where};
use guard::policy::{Denial, Rule};
use guard::record::RecordError;
use serde_json::{Map, Value};
use velociraptor_api::{ClientId, FlowId, HuntId};

use super::voice::Said;
use super::{Asking, Gateway, Request, Stop, Work, unrecorded, who};
use crate::context::ToolCx;
use crate::tool::{Effect, Finished, ToolDef};
use crate::tool_error::{Code, ToolError};

/// How long a question outside the chat waits for an answer.
const OUTSIDE: Duration = Duration::from_secs(60 * 60);

/// How long a question in the chat does.
const IN_CHAT: Duration = Duration::from_secs(15 * 60);

/// A call on its way to its tool. Made by the [`Gateway`] only.
pub struct Passage<'a> {
    gateway: &'a Gateway,
    request: &'a Request<'a>,
    call: String,
    tool: &'a ToolDef,
    arguments: Map<String, Value>,
    begun: Mutex<Option<Begun>>,
}

/// Lets a tool do what it said. What it starts is noted here.
pub struct Go {
    authority: Authority,
    starting: Option<Starting>,
}

impl<'a> Passage<'a> {
    pub(super) const fn new(
        gateway: &'a Gateway,
        request: &'a Request<'a>,
        call: String,
        tool: &'a ToolDef,
        arguments: Map<String, Value>,
    ) -> Self {
        Self { gateway, request, call, tool, arguments, begun: Mutex::new(None) }
    }

    /// Judges the work, asks where somebody has to be asked, and records that it begins.
    ///
    /// # Errors
    ///
    /// Where it may not run, or not yet.
    pub(crate) async fn open(&self, cx: &ToolCx<'_>, work: &Work) -> Result<Go, Stop> {
        use guard::policy::Decision as Judged;
        let asked = self.asked(cx, work).await?;
        let permit = match self.gateway.services.policy().judge(&asked) {
            Judged::Allow { permit, .. } => permit,
            Judged::Deny(denial) => {
                let why = Decision::Refused {
                    rule: Some(denial.rule.clone()),
                    why: denial.cause.clone(),
                };
                self.record(&asked, work, why).await?;
                return Err(denied(&denial, work.instead.as_deref()).into());
            }
            Judged::Ask { rule, place, question } => {
                match self.ask(cx, question, place, &rule, work).await {
                    Ok(permit) => permit,
                    Err(stop) => {
                        self.record(&asked, work, Decision::Asked { rule }).await?;
                        return Err(stop);
                    }
                }
            }
        };
        let authority = permit
            .spend(&asked)
            .map_err(|error| ToolError::new(Code::Denied, error.to_string()))?;
        self.record(&asked, work, Decision::Allowed { on: authority.clone() }).await?;
        let starting = if work.artifacts.is_empty() {
            None
        } else {
            let begun = self.gateway.guardian.ledger.starting(&asked);
            Some(begun.map_err(|error| not_in_ledger(&error))?)
        };
        Ok(Go { authority, starting })
    }

    /// The call as it is judged.
    async fn asked(&self, cx: &ToolCx<'_>, work: &Work) -> Result<Asked, ToolError> {
        let identity = if self.tool.effect == Effect::Read && work.vql.is_empty() {
            AsWhom { kind: String::new(), user: String::new() }
        } else {
            let needs = [self.tool.needs, work.further.as_slice()].concat();
            let identity = cx.identity(&needs).await?;
            let profile = cx.server.profile(identity, &cx.org, &cx.cancel).await?;
            AsWhom { kind: profile.kind().to_string(), user: profile.user.clone() }
        };
        Ok(Asked {
            caller: self.request.caller.as_asked(),
            tool: self.tool.name.to_owned(),
            effect: self.tool.effect,
            arguments: self.arguments.clone(),
            server: cx.server.name().to_owned(),
            org: cx.org.to_string(),
            identity,
            clients: work.clients.clone(),
            artifacts: work.artifacts.clone(),
            vql: work.vql.clone(),
            bounds: work.bounds,
            expires_after: work.expires_after,
        })
    }

    /// Finds somebody's word that lets the request run: a grant, the chat, an approval.
    async fn ask(
        &self,
        cx: &ToolCx<'_>,
        question: Question,
        place: Where,
        rule: &Rule,
        work: &Work,
    ) -> Result<Permit, Stop> {
        let guardian = &*self.gateway.guardian;
        match guardian.grants.cover(&question, &labels(work)) {
            Ok(Cover::Covered(permit)) => return Ok(permit),
            Ok(Cover::Not(_)) => {}
            Err(error) => return Err(unreadable(&error).into()),
        }
        let changed = match guardian.approvals.carry_out(&question) {
            Ok(permit) => return Ok(permit),
            Err(error @ NotApproved::Denied { .. }) => {
                return Err(ToolError::new(Code::Denied, error.to_string())
                    .next("another request is another question")
                    .into());
            }
            Err(NotApproved::Failed(error)) => return Err(unreadable(&error).into()),
            Err(error @ NotApproved::Changed { .. }) => Some(error.to_string()),
            Err(_) => None,
        };
        let plan = work.plan(self.gateway.services.policy());
        if place == Where::InChat {
            if let Some((state, answer)) = self.request.voice.resumed() {
                return guardian
                    .sealer
                    .redeem(state, question, answer)
                    .map_err(|error| ToolError::new(Code::Denied, error.to_string()).into());
            }
            let card = question.card(plan.clone(), IN_CHAT);
            if self.request.voice.asks_later() {
                let state = guardian
                    .sealer
                    .seal(&question, IN_CHAT)
                    .map_err(|error| ToolError::new(Code::Denied, error.to_string()))?;
                return Err(Stop::Ask(Box::new(Asking { card, state })));
            }
            let said = tokio::select! {
                said = self.request.voice.ask(&card) => said,
                () = tokio::time::sleep(IN_CHAT) => Said::Answered(ChatAnswer::No),
                () = cx.cancel.cancelled() => Said::Answered(ChatAnswer::No),
            };
            if let Said::Answered(answer) = said {
                return question.answered(answer).map_err(|error| declined(&error).into());
            }
        }
        let approval = guardian
            .approvals
            .ask(&question, plan, OUTSIDE)
            .map_err(|error| ToolError::new(Code::Denied, error.to_string()))?;
        let mut message = format!("nothing was done: a person has to approve this first ({rule})");
        if let Some(changed) = changed {
            message = format!("{message}; {changed}");
        }
        let id = approval.id();
        let card = approval.card(jiff::Timestamp::now());
        Err(ToolError::new(Code::ApprovalRequired, format!("{message}\n{card}"))
            .next(format!(
                "a person runs: megaraptor approvals approve {id} - then make the same call again"
            ))
            .into())
    }

    async fn record(
        &self,
        asked: &Asked,
        work: &Work,
        decision: Decision,
    ) -> Result<(), ToolError> {
        let identity = Some(asked.identity.user.clone()).filter(|user| !user.is_empty());
        let intent = Intent {
            call: self.call.clone(),
            who: who(self.request.caller),
            tool: asked.tool.clone(),
            arguments: Value::Object(self.arguments.clone()),
            vql: work.text.clone(),
            server: Some(asked.server.clone()),
            org: Some(asked.org.clone()),
            identity,
            effect: asked.effect,
            decision,
        };
        let begun = self.gateway.guardian.audit.begin(intent).await.map_err(unrecorded)?;
        *self.slot() = Some(begun);
        Ok(())
    }

    /// Records what came of the call.
    pub(super) async fn close(
        self,
        cx: &ToolCx<'_>,
        done: Result<Finished, Stop>,
    ) -> Result<Finished, Stop> {
        let begun = self.slot().take();
        let begun = match (begun, &done) {
            (Some(begun), _) => begun,
            // It failed before it could be said what it is about to do.
            (None, Err(Stop::Error(error))) if error.code != Code::NotRecorded => {
                let intent = Intent {
                    call: self.call.clone(),
                    who: who(self.request.caller),
                    tool: self.tool.name.to_owned(),
                    arguments: Value::Object(self.arguments.clone()),
                    vql: None,
                    server: Some(cx.server.name().to_owned()),
                    org: Some(cx.org.to_string()),
                    identity: None,
                    effect: self.tool.effect,
                    decision: Decision::Refused { rule: None, why: error.message.clone() },
                };
                self.gateway.guardian.audit.begin(intent).await.map_err(unrecorded)?
            }
            (None, _) => return done,
        };
        let outcome = match &done {
            Ok(finished) => {
                Outcome::answered(finished.state.as_str(), finished.structured.get().as_bytes())
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

impl Go {
    /// On whose word it is done.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Notes a flow that was started, so that an emergency stop finds it.
    pub fn started_flow(&self, client: &ClientId, flow: &FlowId) {
        self.started(Started::Flow { client: client.clone(), flow: flow.clone() });
    }

    /// Notes a hunt that was made or started, so that an emergency stop finds it.
    pub fn started_hunt(&self, hunt: &HuntId) {
        self.started(Started::Hunt { hunt: hunt.clone() });
    }

    fn started(&self, work: Started) {
        let Some(starting) = &self.starting else { return };
        if let Err(error) = starting.started(work) {
            // It stays in the ledger as a start whose outcome is not known.
            tracing::error!(%error, "what was started is not in the ledger by its id");
        }
    }

    /// Says that nothing else came of it. Where that is not known the ledger keeps it open.
    pub(crate) fn settle<T>(self, done: &Result<T, ToolError>) {
        let known = match done {
            Ok(_) => true,
            Err(error) => !matches!(
                error.code,
                Code::Timeout
                    | Code::Cancelled
                    | Code::Unavailable
                    | Code::ServerFailed
                    | Code::Internal
            ),
        };
        if let Some(starting) = self.starting.filter(|_| known)
            && let Err(error) = starting.settled()
        {
            tracing::error!(%error, "the ledger keeps a start that has ended");
        }
    }
}

fn not_in_ledger(error: &RecordError) -> ToolError {
    ToolError::new(
        Code::NotRecorded,
        format!("nothing was started, since the ledger cannot be written: {error}"),
    )
    .next("without it an emergency stop would not find what was started")
}

/// The labels of the clients of a call, as they were read for it.
fn labels(work: &Work) -> Labels {
    let of = |labels: &[String]| labels.iter().cloned().collect::<BTreeSet<_>>();
    work.hosts
        .iter()
        .map(|client| (client.client_id.clone(), of(&client.labels)))
        .collect::<BTreeMap<_, _>>()
}

fn denied(denial: &Denial, instead: Option<&str>) -> ToolError {
    let next = match instead {
        Some(instead) => format!("{instead}; {}", denial.next),
        None => denial.next.clone(),
    };
    ToolError::new(Code::Denied, format!("{} ({})", denial.cause, denial.rule)).next(next)
}

fn declined(error: &NotInChat) -> ToolError {
    ToolError::new(Code::Denied, format!("nothing was done: {error}"))
}

fn unreadable(error: &dyn std::error::Error) -> ToolError {
    ToolError::new(Code::Denied, format!("nothing was done: approvals cannot be read: {error}"))
}

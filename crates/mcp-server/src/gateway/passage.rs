//! One call on its way through: judged, asked about, recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guard::approval::NotApproved;
use guard::asked::{AsWhom, Asked};
use guard::audit::{Begun, Decision, Intent, Outcome};
use guard::grant::{Cover, Grants, Labels, Uncovered};
use guard::ledger::{Starting, Work as Started};
use guard::permit::{Authority, NotInChat, Permit, Question, Where};
use guard::policy::{Denial, Rule};
use guard::record::RecordError;
use jiff::Timestamp;
use serde_json::{Map, Value};
use velociraptor_api::{ClientId, FlowId, HuntId};

use super::voice::Said;
use super::{Asking, Gateway, Guardian, Request, Stop, Work, undone, unrecorded, who};
use crate::context::ToolCx;
use crate::off::{PATIENCE, off};
use crate::services::Services;
use crate::tool::{Effect, Finished, ToolDef};
use crate::tool_error::{Code, ToolError};

/// How long a question outside the chat waits for an answer.
const OUTSIDE: Duration = Duration::from_secs(60 * 60);

/// How long an emergency stop waits for its own line.
const HALTING: Duration = Duration::from_secs(2);

/// How long a question in the chat does.
const IN_CHAT: Duration = Duration::from_secs(15 * 60);

/// Most grants of which a card says why they do not cover a request.
const GRANTS: usize = 5;

/// A call on its way to its tool. Made by the [`Gateway`] only.
pub struct Passage<'a> {
    gateway: &'a Gateway,
    request: &'a Request<'a>,
    call: String,
    tool: &'a ToolDef,
    arguments: Map<String, Value>,
    /// The server and the org that it names.
    place: (String, String),
    begun: Mutex<Option<Begun>>,
    /// The record knows of the call, or is being told.
    told: AtomicBool,
}

/// Lets a tool do what it said. What it starts is noted here.
pub struct Go {
    authority: Authority,
    on_grant: Option<Box<OnGrant>>,
    starting: Option<Arc<Starting>>,
    unsure: AtomicBool,
}

/// The grant that a call runs on.
struct OnGrant {
    grants: Grants,
    id: String,
    /// Bytes that were taken off it before.
    reserved: u64,
}

/// Lets a tool end what was begun, whatever the policy says and whether it is on record or not.
pub struct Halt {
    /// What is configured, for a task that outlives the call.
    pub(crate) services: Arc<Services>,
    pub(crate) guardian: Arc<Guardian>,
    /// Why the call itself is not on record.
    pub(crate) unrecorded: Option<String>,
}

/// How far a passage is open.
pub(crate) enum Opening {
    /// It may be done.
    Go(Go),
    /// A person was waited for and agreed, to what was found before.
    Agreed(Permit, Effect),
}

/// Somebody's word that lets a request run.
enum Word {
    /// It was there, for the request as it is now.
    Given(Permit),
    /// It was waited for.
    Awaited(Permit),
}

impl<'a> Passage<'a> {
    pub(super) const fn new(
        gateway: &'a Gateway,
        request: &'a Request<'a>,
        call: String,
        tool: &'a ToolDef,
        arguments: Map<String, Value>,
        place: (String, String),
    ) -> Self {
        Self {
            gateway,
            request,
            call,
            tool,
            arguments,
            place,
            begun: Mutex::new(None),
            told: AtomicBool::new(false),
        }
    }

    /// Judges the work, asks where somebody has to be asked, and records that it begins.
    ///
    /// # Errors
    ///
    /// Where it may not run, or not yet.
    pub(crate) async fn open(&self, cx: &ToolCx<'_>, work: &Work) -> Result<Opening, Stop> {
        use guard::policy::Decision as Judged;
        let asked = self.asked(cx, work).await?;
        let (permit, needed) = match self.gateway.services.policy().judge(&asked) {
            Judged::Allow { permit, needed, .. } => {
                self.in_scope(&asked, work, needed).await?;
                (permit, needed)
            }
            Judged::Deny(denial) => {
                let why = Decision::Refused {
                    rule: Some(denial.rule.clone()),
                    why: denial.cause.clone(),
                };
                self.record(&asked, work, asked.effect, why).await?;
                return Err(denied(&denial, work.instead.as_deref()).into());
            }
            Judged::Ask { rule, place, question } => {
                let needed = question.needed();
                self.in_scope(&asked, work, needed).await?;
                match self.ask(cx, question, place, &rule, work).await {
                    Ok(Word::Given(permit)) => (permit, needed),
                    // It took the person a while: what would run is looked at again.
                    Ok(Word::Awaited(permit)) => return Ok(Opening::Agreed(permit, needed)),
                    Err(stop) => {
                        let decision = match &stop {
                            Stop::Error(error) if error.code == Code::Denied => {
                                Decision::Refused { rule: Some(rule), why: error.message.clone() }
                            }
                            _ => Decision::Asked { rule },
                        };
                        self.record(&asked, work, needed, decision).await?;
                        return Err(stop);
                    }
                }
            }
        };
        self.go(&asked, work, permit, needed).await.map(Opening::Go)
    }

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

    /// Goes on after a word that was awaited, with the work as it is found now.
    ///
    /// # Errors
    ///
    /// Where it is no longer what the person saw.
    pub(crate) async fn go_on(
        &self,
        cx: &ToolCx<'_>,
        work: &Work,
        (permit, needed): (Permit, Effect),
    ) -> Result<Go, Stop> {
        let asked = self.asked(cx, work).await?;
        self.go(&asked, work, permit, needed).await
    }

    async fn go(
        &self,
        asked: &Asked,
        work: &Work,
        permit: Permit,
        needed: Effect,
    ) -> Result<Go, Stop> {
        let authority = match permit.spend(asked) {
            Ok(authority) => authority,
            Err(error) => {
                let why = format!("it is no longer what the person was shown: {error}");
                let decision = Decision::Refused { rule: None, why: why.clone() };
                self.record(asked, work, needed, decision).await?;
                return Err(ToolError::new(Code::Denied, format!("nothing was done: {why}"))
                    .next("make the call again, to be asked about it as it is now")
                    .into());
            }
        };
        self.record(asked, work, needed, Decision::Allowed { on: authority.clone() }).await?;
        let starting = if needed == Effect::Read {
            None
        } else {
            let (ledger, asked) = (self.gateway.guardian.ledger.clone(), asked.clone());
            let begun = off(PATIENCE, move || ledger.starting(&asked)).await;
            let begun = begun.map_err(|why| not_in_ledger(&why))?;
            Some(Arc::new(begun.map_err(|error| not_in_ledger(&error))?))
        };
        let on_grant = match &authority {
            Authority::Grant { id, .. } => Some(Box::new(OnGrant {
                grants: self.gateway.guardian.grants.clone(),
                id: id.clone(),
                reserved: asked.bounds.bytes.unwrap_or(0),
            })),
            _ => None,
        };
        Ok(Go { authority, on_grant, starting, unsure: AtomicBool::new(false) })
    }

    /// Refuses what the token of the caller does not cover: what a call does can weigh more than
    /// its tool.
    async fn in_scope(&self, asked: &Asked, work: &Work, needed: Effect) -> Result<(), Stop> {
        if self.gateway.services.in_scope(needed) {
            return Ok(());
        }
        let why = format!(
            "the token of this connection does not cover {needed}, and that is what this call to \
             {} comes to",
            asked.tool
        );
        let decision = Decision::Refused { rule: None, why: why.clone() };
        self.record(asked, work, needed, decision).await?;
        Err(ToolError::new(Code::Denied, why)
            .next("a person can make another with megaraptor token create NAME --effects")
            .into())
    }

    /// The call as it is judged.
    async fn asked(&self, cx: &ToolCx<'_>, work: &Work) -> Result<Asked, ToolError> {
        let identity = if self.tool.effect == Effect::Read && work.vql.is_empty() {
            AsWhom { kind: String::new(), user: String::new() }
        } else {
            let own = work.needs.as_deref().unwrap_or(self.tool.needs);
            let needs = [own, work.further.as_slice()].concat();
            let identity = cx.identity(&needs).await?;
            let profile = cx.server.profile(identity, &cx.org, &cx.cancel).await?;
            AsWhom { kind: profile.kind().to_string(), user: profile.user.clone() }
        };
        let mut arguments = self.arguments.clone();
        arguments.extend(work.bound.clone());
        Ok(Asked {
            caller: self.request.caller.as_asked(),
            tool: self.tool.name.to_owned(),
            effect: work.effect.map_or(self.tool.effect, |effect| effect.max(self.tool.effect)),
            arguments,
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
    ) -> Result<Word, Stop> {
        let guardian = &*self.gateway.guardian;
        let refusal = self.request.voice.resumed().and_then(|(_, answer)| answer.refusal());
        if let Some(refusal) = refusal {
            return Err(declined(&refusal).into());
        }
        let (grants, labels) = (guardian.grants.clone(), labels(work));
        let look = move || (grants.cover(&question, &labels), question);
        let (cover, question) = off(PATIENCE, look).await.map_err(|why| unreadable(&why))?;
        let uncovered = match cover {
            Ok(Cover::Covered(permit)) => return Ok(Word::Given(permit)),
            Ok(Cover::Not(uncovered)) => uncovered,
            Err(error) => return Err(unreadable(&error).into()),
        };
        let approvals = guardian.approvals.clone();
        let look = move || (approvals.carry_out(&question), question);
        let (approved, question) = off(PATIENCE, look).await.map_err(|why| unreadable(&why))?;
        let changed = match approved {
            Ok(permit) => return Ok(Word::Given(permit)),
            Err(error @ NotApproved::Denied { .. }) => {
                return Err(ToolError::new(Code::Denied, error.to_string())
                    .next("another request is another question")
                    .into());
            }
            Err(NotApproved::Failed(error)) => return Err(unreadable(&error).into()),
            Err(error @ NotApproved::Changed { .. }) => Some(error.to_string()),
            Err(_) => None,
        };
        let mut plan = work.plan(self.gateway.services.policy());
        plan.weight = plan.weight.or_else(|| question.weight().map(str::to_owned));
        plan.grants = told(&uncovered);
        if place == Where::InChat {
            if let Some((state, answer)) = self.request.voice.resumed() {
                return guardian
                    .sealer
                    .redeem(state, question, answer)
                    .map(Word::Given)
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
            let unanswered = |why: &str| {
                ToolError::new(Code::Denied, format!("nothing was done: {why}"))
                    .next("make the call again, to be asked again")
            };
            let said = tokio::select! {
                said = self.request.voice.ask(&card) => said,
                () = tokio::time::sleep(IN_CHAT) => {
                    return Err(unanswered("nobody answered within 15 minutes").into());
                }
                () = cx.cancel.cancelled() => {
                    return Err(unanswered("the call was cancelled before anybody answered").into());
                }
            };
            if let Said::Answered(answer) = said {
                let permit = question.answered(answer).map_err(|error| declined(&error))?;
                return Ok(Word::Awaited(permit));
            }
        }
        let approvals = guardian.approvals.clone();
        let approval = off(PATIENCE, move || approvals.ask(&question, plan, OUTSIDE))
            .await
            .map_err(|why| unreadable(&why))?
            .map_err(|error| ToolError::new(Code::Denied, error.to_string()))?;
        let mut message = format!("nothing was done: a person has to approve this first ({rule})");
        if let Some(changed) = changed {
            message = format!("{message}; {changed}");
        }
        let id = approval.id();
        let card = approval.card(Timestamp::now());
        // What is done to the simulated server is kept apart.
        let lab = if self.gateway.services.simulated() { " --lab" } else { "" };
        Err(ToolError::new(Code::ApprovalRequired, format!("{message}\n{card}"))
            .next(format!(
                "a person runs: megaraptor approvals approve {id}{lab} - then make the same call \
                 again"
            ))
            .into())
    }

    async fn record(
        &self,
        asked: &Asked,
        work: &Work,
        needed: Effect,
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
            effect: needed.max(asked.effect),
            decision,
        };
        self.begin(intent).await
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
        Intent {
            call: self.call.clone(),
            who: who(self.request.caller),
            tool: self.tool.name.to_owned(),
            arguments: Value::Object(self.arguments.clone()),
            vql: None,
            server: Some(server),
            org: Some(org),
            identity: None,
            effect: self.tool.effect,
            decision,
        }
    }

    /// Records what came of the call.
    pub(super) async fn close(self, done: Result<Finished, Stop>) -> Result<Finished, Stop> {
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

/// The names of every server and org that a caller sees.
pub(crate) fn everywhere(services: &Services) -> (String, String) {
    let mut servers = Vec::new();
    let mut orgs = BTreeSet::new();
    for target in services.targets() {
        servers.push(target.server.name());
        orgs.extend(target.orgs.iter().map(ToString::to_string));
    }
    (servers.join(", "), orgs.into_iter().collect::<Vec<_>>().join(", "))
}

impl Go {
    /// On whose word it is done.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Notes a flow that was started, so that an emergency stop finds it.
    pub async fn started_flow(&self, client: &ClientId, flow: &FlowId) {
        self.started_flow_until(client, flow, None).await;
    }

    /// The same of a flow that may wait for its client until then: it is taken back afterwards.
    pub async fn started_flow_until(
        &self,
        client: &ClientId,
        flow: &FlowId,
        until: Option<Timestamp>,
    ) {
        self.started(Started::Flow { client: client.clone(), flow: flow.clone() }, until).await;
    }

    /// Notes a hunt that was made or started, so that an emergency stop finds it.
    pub async fn started_hunt(&self, hunt: &HuntId) {
        self.started(Started::Hunt { hunt: hunt.clone() }, None).await;
    }

    /// Says that something may have been started whose id is not known: the ledger keeps it as such.
    pub fn unsure(&self) {
        self.unsure.store(true, Ordering::Relaxed);
    }

    /// Says what was brought in, once nothing more will come: where it runs on a grant the rest of
    /// what was taken off is given back.
    pub async fn brought_in(&self, bytes: u64) {
        let Some(OnGrant { grants, id, reserved }) = self.on_grant.as_deref() else { return };
        let (grants, id, reserved) = (grants.clone(), id.clone(), *reserved);
        let given_back = off(PATIENCE, move || grants.settle(&id, reserved, bytes)).await;
        let given_back = given_back.and_then(|done| done.map_err(|error| error.to_string()));
        if let Err(error) = given_back {
            // The grant lasts for less, which harms nobody.
            tracing::warn!(%error, "what was not used is not given back to its grant");
        }
    }

    async fn started(&self, work: Started, until: Option<Timestamp>) {
        let Some(starting) = self.starting.clone() else { return };
        if let Err(error) = noted(move || starting.waiting(work, until)).await {
            // It stays in the ledger as a start whose outcome is not known.
            tracing::error!(%error, "what was started is not in the ledger by its id");
        }
    }

    /// Says that nothing else came of it. Where that is not known the ledger keeps it open.
    pub(crate) async fn settle(self, failed: Option<Code>) {
        let known = !matches!(
            failed,
            Some(
                Code::Timeout
                    | Code::Cancelled
                    | Code::Unavailable
                    | Code::ServerFailed
                    | Code::Internal
            )
        );
        let known = known && !self.unsure.into_inner();
        if let Some(starting) = self.starting.filter(|_| known)
            && let Err(error) = noted(move || starting.settled()).await
        {
            tracing::error!(%error, "the ledger keeps a start that has ended");
        }
    }
}

/// Writes into the ledger, on a thread that may wait for its lock.
async fn noted(
    write: impl FnOnce() -> Result<(), RecordError> + Send + 'static,
) -> Result<(), String> {
    off(PATIENCE, write).await?.map_err(|error| error.to_string())
}

fn not_in_ledger(error: &dyn std::fmt::Display) -> ToolError {
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

/// Why grants for the same server and org do not cover a request, the newest first.
fn told(uncovered: &[Uncovered]) -> Vec<String> {
    let mut here = uncovered.iter().filter(|grant| grant.here);
    let mut told: Vec<String> = here.by_ref().take(GRANTS).map(ToString::to_string).collect();
    match here.count() {
        0 => {}
        more => told.push(format!("and {more} more do not: megaraptor grants list")),
    }
    told
}

fn denied(denial: &Denial, instead: Option<&str>) -> ToolError {
    let next = match instead {
        Some(instead) => format!("{instead}; {}", denial.next),
        None => denial.next.clone(),
    };
    ToolError::new(Code::Denied, format!("{} ({})", denial.cause, denial.rule)).next(next)
}

fn declined(error: &NotInChat) -> ToolError {
    let next = match error {
        NotInChat::Closed | NotInChat::WithoutYes => "make the call again, to be asked again",
        NotInChat::Declined => "ask for something else; the same is asked only if they want it",
        NotInChat::Outside { .. } => "a person approves it on a terminal",
    };
    ToolError::new(Code::Denied, format!("nothing was done: {error}")).next(next)
}

fn unreadable(error: &dyn std::fmt::Display) -> ToolError {
    ToolError::new(Code::Denied, format!("nothing was done: approvals cannot be read: {error}"))
}

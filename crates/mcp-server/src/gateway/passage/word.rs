//! Somebody's word that lets a call run: a grant, the chat, an approval.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use guard::approval::NotApproved;
use guard::grant::{Cover, Labels, Uncovered};
use guard::permit::{NotInChat, Permit, Question, Where};
use guard::policy::Rule;
use jiff::Timestamp;

use super::super::voice::Said;
use super::super::{Asking, Stop, Work};
use super::Passage;
use crate::clock;
use crate::context::ToolCx;
use crate::off::{PATIENCE, off};
use crate::tool_error::{Code, ToolError};

/// How long a question outside the chat waits for an answer.
const OUTSIDE: Duration = Duration::from_secs(60 * 60);

/// How long a question in the chat does.
const IN_CHAT: Duration = Duration::from_secs(15 * 60);

/// Most grants of which a card says why they do not cover a request.
const GRANTS: usize = 5;

/// Somebody's word that lets a request run.
pub(super) enum Word {
    /// It was there, for the request as it is now.
    Given(Permit),
    /// It was waited for.
    Awaited(Permit),
}

impl Passage<'_> {
    /// Finds somebody's word that lets the request run: a grant, the chat, an approval.
    pub(super) async fn ask(
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
            let card = format!("{card}{}", until(Timestamp::now() + IN_CHAT));
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
        // Here nobody is asked in the chat: it is not enough, or the caller cannot ask there.
        let mut shown = approval;
        shown.place = Where::Outside;
        let card = format!("{}{}", shown.card(Timestamp::now()), until(shown.void_after));
        // What is done to the simulated server is kept apart.
        let lab = if self.gateway.services.simulated() { " --lab" } else { "" };
        Err(ToolError::new(Code::ApprovalRequired, format!("{message}\n{card}"))
            .next(format!(
                "a person runs: megaraptor approvals approve {id}{lab} - then make the same call \
                 again"
            ))
            .into())
    }
}

/// Until when a question is open, for those who read the card: the day too, and how long that is.
fn until(end: Timestamp) -> String {
    let now = clock::now();
    let minutes = end.duration_since(now).as_secs().unsigned_abs().div_ceil(60);
    let minutes =
        if minutes == 1 { String::from("1 minute") } else { format!("{minutes} minutes") };
    format!("open    until {}, {minutes} from now\n", clock::to_second(end))
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

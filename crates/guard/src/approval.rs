//! Approvals: a person outside the chat says yes to one request in one state of things.
//!
//! pending → approved → used; or denied; or expired. An approval is used once, within its life, for
//! the request whose digest the person saw. When it is carried out, the request is resolved anew:
//! where anything is different by then, it does not run, and what is different is told.
//!
//! The records are files of their owner. Whoever can write them as that owner can approve: see
//! `docs/design/approval.md`.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::approver::Approver;
use crate::audit::{Act, Audit, Decided};
use crate::permit::{Authority, Permit, Question};
use crate::record::{Clock, Held, RecordError, Shelf};

mod card;
mod change;
mod error;
mod plan;
mod state;

pub use change::Change;
pub use error::{ApprovalError, NotApproved};
pub use plan::{Counts, Host, Hosts, Plan, PlanError};
pub use state::{Approval, Confirmed, Ended, State, WrongDigits};

/// The longest life of a request.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// More requests than this do not wait at a time: a list that nobody reads protects nothing.
const MOST_PENDING: usize = 50;

/// More ended ones than this are not kept.
const MOST_ENDED: usize = 500;

/// The approvals of a state folder.
#[derive(Clone, Debug)]
pub struct Approvals(Shelf);

impl Approvals {
    /// The approvals in the state folder, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where the folder cannot be made, or is open to others.
    pub fn open(home: &Path, clock: Clock) -> Result<Self, RecordError> {
        Ok(Self(Shelf::open(home, "approvals", clock)?))
    }

    /// Puts a question to whoever looks at the list. The same request in the same state, asked
    /// again while it is pending or approved, is the same record.
    ///
    /// # Errors
    ///
    /// [`ApprovalError`] where the plan does not fit the request, or too many wait already.
    pub fn ask(
        &self,
        question: &Question,
        plan: Plan,
        life: Duration,
    ) -> Result<Approval, ApprovalError> {
        plan.check(question.asked())?;
        if life.is_zero() || life > LONGEST {
            return Err(ApprovalError::Life { given: life });
        }
        let held = self.0.hold()?;
        let all = current(&held)?;
        let same = |approval: &&Approval| {
            approval.digest == question.digest()
                && matches!(approval.state, State::Pending | State::Approved { .. })
        };
        if let Some(approval) = all.iter().find(same) {
            return Ok(approval.clone());
        }
        let pending = all.iter().filter(|one| one.state == State::Pending).count();
        if pending >= MOST_PENDING {
            return Err(ApprovalError::TooMany { pending });
        }
        let number = held.next_number()?;
        let now = held.times().now;
        let approval = Approval::pending(number, question, plan, now, now + life);
        held.write(number, &approval)?;
        let ended: Vec<_> = all.iter().filter(|one| one.state.is_ended()).collect();
        for old in ended.iter().take(ended.len().saturating_sub(MOST_ENDED)) {
            held.remove(old.number)?;
        }
        Ok(approval)
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    ///
    /// [`ApprovalError`] where they cannot be read.
    pub fn list(&self) -> Result<Vec<Approval>, ApprovalError> {
        current(&self.0.hold()?)
    }

    /// The one with this id, or the only pending one whose digest begins so (four digits or more).
    ///
    /// # Errors
    ///
    /// [`ApprovalError::Unknown`], [`ApprovalError::Ambiguous`].
    pub fn find(&self, name: &str) -> Result<Approval, ApprovalError> {
        let all = self.list()?;
        if let Some(approval) = all.iter().find(|approval| approval.id() == name) {
            return Ok(approval.clone());
        }
        let start = name.to_ascii_lowercase();
        let fits = |approval: &&Approval| {
            start.len() >= 4 && approval.digest.to_string().starts_with(&start)
        };
        let found: Vec<_> = all.iter().filter(fits).collect();
        let pending: Vec<_> =
            found.iter().filter(|approval| approval.state == State::Pending).collect();
        match (pending.as_slice(), found.as_slice()) {
            ([only], _) => Ok((**only).clone()),
            ([], [.., last]) => Ok((*last).clone()),
            ([], []) => Err(ApprovalError::Unknown { name: name.to_owned() }),
            (several, _) => Err(ApprovalError::Ambiguous {
                name: name.to_owned(),
                ids: several.iter().map(|approval| approval.id()).collect(),
            }),
        }
    }

    /// Writes down that a person approved what they saw, in the record of calls first.
    ///
    /// # Errors
    ///
    /// [`ApprovalError::NotPending`] where it ended meanwhile, or was decided by somebody else;
    /// [`ApprovalError::Unrecorded`]: then it waits as before.
    pub fn approve(
        &self,
        seen: Confirmed,
        by: Approver,
        audit: &Audit,
    ) -> Result<Approval, ApprovalError> {
        self.decide(seen.number(), audit, |approval, at| {
            if approval.digest != seen.digest() {
                return Err(ApprovalError::Altered { id: approval.id() });
            }
            Ok(State::Approved { by, at })
        })
    }

    /// Writes down that a person refused it, in the record of calls first.
    ///
    /// # Errors
    ///
    /// [`ApprovalError::NotPending`] where it is over. What was approved can still be refused.
    /// [`ApprovalError::Unrecorded`]: then it is as before.
    pub fn deny(
        &self,
        approval: &Approval,
        by: Approver,
        reason: Option<String>,
        audit: &Audit,
    ) -> Result<Approval, ApprovalError> {
        self.decide(approval.number, audit, |_, at| Ok(State::Denied { by, at, reason }))
    }

    fn decide(
        &self,
        number: u64,
        audit: &Audit,
        to: impl FnOnce(&Approval, jiff::Timestamp) -> Result<State, ApprovalError>,
    ) -> Result<Approval, ApprovalError> {
        let held = self.0.hold()?;
        let mut approval = current(&held)?
            .into_iter()
            .find(|approval| approval.number == number)
            .ok_or_else(|| ApprovalError::Unknown { name: number.to_string() })?;
        let state = to(&approval, held.times().now)?;
        let takes_back =
            matches!((&approval.state, &state), (State::Approved { .. }, State::Denied { .. }));
        if approval.state != State::Pending && !takes_back {
            return Err(ApprovalError::NotPending {
                id: approval.id(),
                state: approval.state.as_str(),
            });
        }
        approval.state = state;
        let write = || held.write(number, &approval).map_err(ApprovalError::from);
        audit.decide(on_record(&approval)?, write)?;
        Ok(approval)
    }

    /// Uses up the approval of a request that is about to run, as it was resolved just now.
    ///
    /// It is written down as used before the permit is given: whatever happens then, it is not used
    /// twice.
    ///
    /// # Errors
    ///
    /// [`NotApproved`]: nobody was asked, nobody answered, it was refused, it is over, or something
    /// is no longer as it was approved.
    pub fn carry_out(&self, question: &Question) -> Result<Permit, NotApproved> {
        let held = self.0.hold().map_err(ApprovalError::from)?;
        let all = current(&held)?;
        let now = held.times().now;
        let exact = |approval: &&Approval| {
            approval.digest == question.digest() && matches!(approval.state, State::Approved { .. })
        };
        if let Some(approval) = all.iter().find(exact)
            && let State::Approved { by, .. } = &approval.state
        {
            let by = by.clone();
            let used =
                Approval { state: State::Used { by: by.clone(), at: now }, ..approval.clone() };
            held.write(approval.number, &used).map_err(ApprovalError::from)?;
            let authority = Authority::Approval { id: approval.id(), approved_by: by };
            return Ok(Permit::new(question.digest(), authority));
        }
        // The newest that was about the same call, in whatever state of things.
        let asked = question.asked();
        let Some(approval) = all.iter().rev().find(|one| one.is_about_the_call(asked)) else {
            return Err(NotApproved::NotAsked);
        };
        let id = approval.id();
        Err(match &approval.state {
            State::Approved { .. } => {
                NotApproved::Changed { id, changes: change::between(&approval.asked, asked) }
            }
            State::Pending if approval.digest != question.digest() => {
                NotApproved::Changed { id, changes: change::between(&approval.asked, asked) }
            }
            State::Pending => NotApproved::Pending { id, void_after: approval.void_after },
            // A no is for the request that was shown, for as long as that would have lived.
            State::Denied { .. }
                if approval.digest != question.digest() || now >= approval.void_after =>
            {
                NotApproved::NotAsked
            }
            State::Denied { by, reason, .. } => {
                NotApproved::Denied { id, by: Box::new(by.clone()), reason: reason.clone() }
            }
            State::Expired { why, at } => NotApproved::Expired { id, why: *why, at: *at },
            State::Used { at, .. } => NotApproved::Used { id, at: *at },
        })
    }
}

/// What the record of calls says of a request that was just decided.
fn on_record(approval: &Approval) -> Result<Decided, ApprovalError> {
    let (act, by, reason) = match &approval.state {
        State::Approved { by, .. } => (Act::Approve, by, None),
        State::Denied { by, reason, .. } => (Act::Deny, by, reason.clone()),
        other => {
            let (id, state) = (approval.id(), other.as_str());
            return Err(ApprovalError::NotPending { id, state });
        }
    };
    let asked = &approval.asked;
    Ok(Decided {
        digest: Some(approval.digest),
        tool: Some(asked.tool.clone()),
        effect: Some(approval.needed),
        asked_by: Some(asked.caller.clone()),
        server: Some(asked.server.clone()),
        org: Some(asked.org.clone()),
        until: Some(approval.void_after),
        reason,
        terms: Value::Object(asked.arguments.clone()),
        ..Decided::new(act, approval.id(), by.clone())
    })
}

/// All approvals; those whose life is over are written down as expired, and stay so whatever the
/// clock says later.
fn current(held: &Held<'_>) -> Result<Vec<Approval>, ApprovalError> {
    let times = held.times();
    let mut all = Vec::new();
    for (number, mut approval) in held.all::<Approval>()? {
        if approval.number != number || approval.asked.digest() != approval.digest {
            return Err(ApprovalError::Altered { id: approval.id() });
        }
        let why = if times.went_back {
            Some(Ended::ClockWentBack)
        } else if times.now >= approval.void_after {
            Some(Ended::TimeOver)
        } else {
            None
        };
        if let Some(why) = why
            && !approval.state.is_ended()
        {
            approval.state = State::Expired { why, at: times.now };
            held.write(number, &approval)?;
        }
        all.push(approval);
    }
    held.remember_time()?;
    Ok(all)
}

#[cfg(test)]
mod tests;

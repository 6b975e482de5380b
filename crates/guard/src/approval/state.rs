//! One approval and its states.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::approver::Approver;
use crate::asked::Asked;
use crate::digest::Digest;
use crate::effect::Effect;
use crate::permit::{Question, Where};
use crate::policy::Rule;

/// A request with what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Its number, counted from 1.
    pub number: u64,
    /// What an approval is for: see [`Asked::digest`].
    pub digest: Digest,
    /// The request.
    pub asked: Asked,
    /// The heaviest effect in it.
    pub needed: Effect,
    /// The setting that asks.
    pub rule: Rule,
    /// Where it may be answered.
    pub place: Where,
    /// What a person wants to know about it.
    pub plan: Plan,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// From when on it is worth nothing, approved or not.
    pub void_after: Timestamp,
    /// What became of it.
    pub state: State,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// Nobody has answered.
    Pending,
    /// Somebody said yes, and it has not run.
    Approved {
        /// Who.
        by: Approver,
        /// When.
        at: Timestamp,
    },
    /// Somebody said no.
    Denied {
        /// Who.
        by: Approver,
        /// When.
        at: Timestamp,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// It was not used within its life.
    Expired {
        /// What ended it.
        why: Ended,
        /// When that was seen.
        at: Timestamp,
    },
    /// It ran, or was about to.
    Used {
        /// Who approved it.
        by: Approver,
        /// When it was used.
        at: Timestamp,
    },
}

/// What ended a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Its time.
    TimeOver,
    /// The clock of the machine was set back, so that nobody knows how much of it is left.
    ClockWentBack,
}

impl Ended {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimeOver => "its time is over",
            Self::ClockWentBack => "the clock of this machine was set back",
        }
    }
}

impl State {
    /// Whether nothing can come of it any more.
    pub const fn is_ended(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::Expired { .. } | Self::Used { .. })
    }

    /// In a word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Expired { .. } => "expired",
            Self::Used { .. } => "used",
        }
    }
}

/// What was typed is not the beginning of the digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{typed:?} are not the first {DIGITS} digits of the digest: nothing was approved")]
pub struct WrongDigits {
    /// What was typed.
    pub typed: String,
}

/// How many digits a person types.
const DIGITS: usize = 4;

/// A request that a person has seen: they typed the beginning of its digest.
#[derive(Debug)]
pub struct Confirmed {
    number: u64,
    digest: Digest,
}

impl Confirmed {
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) const fn digest(&self) -> Digest {
        self.digest
    }
}

impl Approval {
    pub(crate) fn pending(
        number: u64,
        question: &Question,
        plan: Plan,
        asked_at: Timestamp,
        void_after: Timestamp,
    ) -> Self {
        Self {
            number,
            digest: question.digest(),
            asked: question.asked().clone(),
            needed: question.needed(),
            rule: question.rule().clone(),
            place: question.place(),
            plan,
            asked_at,
            void_after,
            state: State::Pending,
        }
    }

    /// How it is called: the short digest and the number, such as `7c1e02fa-3`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.digest.short(), self.number)
    }

    /// Takes what a person typed who was shown the card.
    ///
    /// # Errors
    ///
    /// [`WrongDigits`].
    pub fn confirm(&self, typed: &str) -> Result<Confirmed, WrongDigits> {
        let wanted = &self.digest.to_string()[..DIGITS];
        if typed.trim().eq_ignore_ascii_case(wanted) {
            Ok(Confirmed { number: self.number, digest: self.digest })
        } else {
            Err(WrongDigits { typed: typed.trim().to_owned() })
        }
    }

    /// Whether it is about the same call of the same caller, in whatever state of things.
    pub(super) fn is_about_the_call(&self, asked: &Asked) -> bool {
        let own = &self.asked;
        (&own.caller, &own.tool, &own.server, &own.org, &own.arguments)
            == (&asked.caller, &asked.tool, &asked.server, &asked.org, &asked.arguments)
    }
}

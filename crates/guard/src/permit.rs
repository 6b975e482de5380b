//! What lets a call run, and what is asked where nothing lets it run yet.
//!
//! A [`Permit`] is made in this crate only: by a policy that allows, a person who said yes, or a
//! grant. It is for one request and is used up by running it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::approval::{Approval, Plan};
use crate::approver::Approver;
use crate::asked::Asked;
use crate::digest::Digest;
use crate::effect::Effect;
use crate::policy::Rule;

/// Lets one request run, once.
#[derive(Debug)]
#[must_use = "a permit that is not spent lets nothing run"]
pub struct Permit {
    digest: Digest,
    authority: Authority,
}

/// On whose word something runs. Goes into the record of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Authority {
    /// The policy allows it without a question.
    Policy {
        /// The setting that does.
        rule: Rule,
    },
    /// The person in the chat said yes.
    Chat {
        /// The setting that asked.
        rule: Rule,
    },
    /// A case grant covers it.
    Grant {
        /// The grant.
        id: String,
        /// Who gave it.
        given_by: Approver,
    },
    /// A person approved it outside the chat.
    Approval {
        /// The approval.
        id: String,
        /// Who approved it.
        approved_by: Approver,
    },
}

/// A permit that was made for another request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the permit is for request {permitted}, and this is request {given}")]
pub struct OtherRequest {
    /// The request that may run, its short form.
    pub permitted: String,
    /// The request that was to run, its short form.
    pub given: String,
}

impl Permit {
    pub(crate) const fn new(digest: Digest, authority: Authority) -> Self {
        Self { digest, authority }
    }

    /// On whose word.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Uses it up for a request that is about to run.
    ///
    /// # Errors
    ///
    /// [`OtherRequest`] where it was made for another one, or for this one in another state of
    /// things. It is used up all the same.
    pub fn spend(self, asked: &Asked) -> Result<Authority, OtherRequest> {
        let given = asked.digest();
        if given == self.digest {
            Ok(self.authority)
        } else {
            Err(OtherRequest { permitted: self.digest.short(), given: given.short() })
        }
    }
}

/// Where a question may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// In the chat is enough.
    InChat,
    /// On a terminal, by `megaraptor approvals`.
    Outside,
}

/// A request that somebody has to be asked about. Made by the policy only.
#[derive(Debug)]
#[must_use = "a question that is not put to anybody lets nothing run"]
pub struct Question {
    asked: Box<Asked>,
    digest: Digest,
    needed: Effect,
    rule: Rule,
    place: Where,
    touches_protected: bool,
    weight: Option<String>,
}

/// What the person in the chat said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChatAnswer {
    /// Run it.
    Yes,
    /// Do not.
    No,
    /// The form came back without a yes.
    WithoutYes,
    /// The question was closed without an answer.
    Closed,
}

impl ChatAnswer {
    /// Why it lets nothing run; `None` for a yes.
    pub const fn refusal(self) -> Option<NotInChat> {
        match self {
            Self::Yes => None,
            Self::No => Some(NotInChat::Declined),
            Self::WithoutYes => Some(NotInChat::WithoutYes),
            Self::Closed => Some(NotInChat::Closed),
        }
    }
}

/// Why a word in the chat lets nothing run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInChat {
    /// It is approved outside, whatever was said in the chat.
    #[error(
        "request {digest} is approved on a terminal and not in the chat ({rule}): megaraptor approvals list"
    )]
    Outside {
        /// The request, its short form.
        digest: String,
        /// The setting that asks.
        rule: Rule,
    },
    /// The person said no.
    #[error("the person who was asked declined")]
    Declined,
    /// The person sent the form, and it does not say yes.
    #[error("the form came back without a yes in it")]
    WithoutYes,
    /// The person closed the question.
    #[error("the question was closed without an answer, so nobody has decided")]
    Closed,
}

impl Question {
    pub(crate) fn new(
        asked: &Asked,
        needed: Effect,
        rule: Rule,
        place: Where,
        touches_protected: bool,
    ) -> Self {
        let digest = asked.digest();
        Self {
            asked: Box::new(asked.clone()),
            digest,
            needed,
            rule,
            place,
            touches_protected,
            weight: None,
        }
    }

    /// What in its VQL makes it heavier than its tool.
    pub(crate) fn weighing(self, weight: Option<String>) -> Self {
        Self { weight, ..self }
    }

    /// The request.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// What an answer binds.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The heaviest effect in it: the tool's, or that of the VQL in it.
    pub const fn needed(&self) -> Effect {
        self.needed
    }

    /// The setting that asks.
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What in its VQL makes it heavier than its tool; `None` where nothing does.
    pub fn weight(&self) -> Option<&str> {
        self.weight.as_deref()
    }

    /// Where it may be answered.
    pub const fn place(&self) -> Where {
        self.place
    }

    /// Whether a protected client is among those that it touches.
    pub const fn touches_protected(&self) -> bool {
        self.touches_protected
    }

    /// Whether the chat is enough.
    ///
    /// # Errors
    ///
    /// [`NotInChat::Outside`].
    pub fn may_be_asked_in_chat(&self) -> Result<(), NotInChat> {
        match self.place {
            Where::InChat => Ok(()),
            Where::Outside => {
                Err(NotInChat::Outside { digest: self.digest.short(), rule: self.rule.clone() })
            }
        }
    }

    /// What a person in the chat reads before they answer.
    pub fn card(&self, plan: Plan, life: Duration) -> String {
        let now = Timestamp::now();
        Approval::pending(0, self, plan, now, now + life).card(now)
    }

    /// Takes the answer that was given in the chat while the call waited for it. Where the answer
    /// comes with a later call, [`crate::seal::Sealer::redeem`] takes it.
    ///
    /// # Errors
    ///
    /// [`NotInChat`] where the answer was no, or where the chat is not enough.
    pub fn answered(self, answer: ChatAnswer) -> Result<Permit, NotInChat> {
        self.may_be_asked_in_chat()?;
        match answer.refusal() {
            Some(refusal) => Err(refusal),
            None => Ok(Permit::new(self.digest, Authority::Chat { rule: self.rule })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asked::example;

    fn question(place: Where) -> Question {
        Question::new(&example::collection(), Effect::Collect, Rule::example(), place, false)
    }

    #[test]
    fn a_permit_is_for_one_request_in_one_state() {
        let permit = || question(Where::InChat).answered(ChatAnswer::Yes).unwrap();
        let mut asked = example::collection();
        assert_eq!(permit().spend(&asked), Ok(Authority::Chat { rule: Rule::example() }));
        asked.identity.user.push('x');
        let refused = permit().spend(&asked).unwrap_err();
        assert_eq!(refused.permitted, example::collection().digest().short());
    }

    #[test]
    fn a_yes_in_the_chat_counts_only_where_the_chat_is_enough() {
        let said = question(Where::Outside).answered(ChatAnswer::Yes);
        assert!(matches!(said, Err(NotInChat::Outside { .. })), "{said:?}");
        for answer in [ChatAnswer::No, ChatAnswer::WithoutYes, ChatAnswer::Closed] {
            let said = question(Where::InChat).answered(answer);
            assert_eq!(said.err(), answer.refusal());
        }
        let words: std::collections::BTreeSet<_> =
            [NotInChat::Declined, NotInChat::WithoutYes, NotInChat::Closed]
                .map(|why| why.to_string())
                .into();
        assert_eq!(words.len(), 3, "each has words of its own");
    }
}

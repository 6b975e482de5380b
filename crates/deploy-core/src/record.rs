//! What is known of a deployment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::evidence::Copied;
use crate::id::{DeploymentId, StepName};
use crate::plan::{Plan, Step};

/// What steps found out, by name.
pub type Facts = BTreeMap<String, Value>;

/// How often a record was stored. Whoever stores one says from which generation it was made.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Generation(pub u64);

impl Generation {
    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A platform, as in `docker`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetKind(pub String);

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person says about a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What it is for.
    pub description: String,
    /// The number of the case.
    pub case: Option<String>,
    /// Words to find it by.
    pub tags: BTreeSet<String>,
    /// The profile that it was made with.
    pub profile: String,
    /// When it is due to be removed. It is reported then, and never removed by itself.
    pub due: Option<Timestamp>,
}

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// It is to be there.
    Up,
    /// It is to be gone.
    Gone,
}

/// How far a step has got, as far as it is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing of it was begun, or all of it was taken back.
    Waiting,
    /// It was about to be done: all, some or nothing of it may be there.
    Begun,
    /// It was seen to be there.
    Done,
    /// It was about to be taken back: all, some or nothing of it may be there.
    Undoing,
}

/// What kept it from its goal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// In which step.
    pub step: StepName,
    /// What was seen.
    pub cause: String,
    /// What a person can do about it.
    pub next: String,
    /// When.
    pub at: Timestamp,
}

/// How a deployment stands, as far as it is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing was done yet.
    Planned,
    /// It failed, and all that had been done was taken back.
    Undone,
    /// On its way up, or stopped there.
    Partial,
    /// All of it was seen to be there.
    Up,
    /// On its way down, or stopped there.
    Removing,
    /// All of it was seen to be gone.
    Gone,
}

impl Status {
    /// Whether nothing of it is there: nothing yet, or nothing any more.
    pub const fn is_nothing(self) -> bool {
        matches!(self, Self::Planned | Self::Undone | Self::Gone)
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Undone => "undone",
            Self::Partial => "partial",
            Self::Up => "up",
            Self::Removing => "removing",
            Self::Gone => "gone",
        }
    }
}

/// A deployment: what was wished, what is planned, how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which one.
    pub id: DeploymentId,
    /// How often it was stored.
    pub generation: Generation,
    /// On what.
    pub kind: TargetKind,
    /// What a person says about it.
    pub about: About,
    /// When it was made.
    pub made: Timestamp,
    /// When it was last stored.
    pub changed: Timestamp,
    /// What is wanted of it.
    pub goal: Goal,
    /// What is to be done.
    pub plan: Plan,
    /// How far each step is; as many as the plan has.
    pub phases: Vec<Phase>,
    /// What steps found out. No secrets: references to them.
    pub facts: Facts,
    /// What kept it from its goal at last.
    pub trouble: Option<Trouble>,
    /// Copies of its evidence, each as it was read back. They stay on record when it is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Copied>,
}

impl Record {
    /// A deployment of which nothing was done yet.
    pub fn new(id: DeploymentId, kind: TargetKind, about: About, plan: Plan) -> Self {
        let now = Timestamp::now();
        let phases = vec![Phase::Waiting; plan.steps().len()];
        Self {
            id,
            generation: Generation::default(),
            kind,
            about,
            made: now,
            changed: now,
            goal: Goal::Up,
            plan,
            phases,
            facts: Facts::new(),
            trouble: None,
            copies: Vec::new(),
        }
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        let all = |wanted| self.phases.iter().all(|phase| *phase == wanted);
        match self.goal {
            Goal::Up if all(Phase::Done) => Status::Up,
            Goal::Up if all(Phase::Waiting) && self.trouble.is_some() => Status::Undone,
            Goal::Up if all(Phase::Waiting) => Status::Planned,
            Goal::Up => Status::Partial,
            Goal::Gone if all(Phase::Waiting) => Status::Gone,
            Goal::Gone => Status::Removing,
        }
    }

    /// Whether it is past its time.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.status() != Status::Gone && self.about.due.is_some_and(|due| due <= now)
    }

    /// What tells the target where it is from all others, once that was seen.
    pub fn target(&self) -> Option<&str> {
        self.facts.get(crate::deployer::TARGET).and_then(Value::as_str)
    }

    /// The steps with their phases.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = (&Step, Phase)> + ExactSizeIterator {
        self.plan.steps().iter().zip(self.phases.iter().copied())
    }

    /// What cannot be in a record that this program wrote: it was edited.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let (steps, phases) = (self.plan.steps().len(), self.phases.len());
        if steps != phases {
            return Err(format!("the plan has {steps} steps, and {phases} phases are on record"));
        }
        if steps == 0 {
            return Err(String::from("the plan has no steps"));
        }
        let touched = |phase: &Phase| *phase != Phase::Waiting;
        let end = self.phases.iter().rposition(touched).map_or(0, |last| last + 1);
        let inner = &self.phases[..end.saturating_sub(1)];
        // Steps are done in order and taken back in order: all before the last one touched are done,
        // but for those that were found changed when it was resumed.
        match inner.iter().position(|phase| *phase == Phase::Waiting) {
            Some(gap) => {
                let name = &self.plan.steps()[gap].name;
                Err(format!("step {name} waits although a later one was begun"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(phases: &[Phase]) -> Record {
        let step = |n| Step::new(StepName::new(format!("s{n}")).unwrap(), "x", &()).unwrap();
        let plan = Plan::new((0..3).map(step).collect()).unwrap();
        let id = DeploymentId::generate().unwrap();
        let mut record = Record::new(id, TargetKind("toy".into()), About::default(), plan);
        record.phases = phases.to_vec();
        record
    }

    #[test]
    fn the_status_follows_from_the_phases() {
        use Phase::{Begun, Done, Undoing, Waiting};
        for (phases, up, gone) in [
            ([Waiting, Waiting, Waiting], Status::Planned, Status::Gone),
            ([Done, Begun, Waiting], Status::Partial, Status::Removing),
            ([Done, Done, Undoing], Status::Partial, Status::Removing),
            ([Done, Done, Done], Status::Up, Status::Removing),
        ] {
            let mut record = record(&phases);
            assert_eq!((record.status(), record.check()), (up, Ok(())));
            record.goal = Goal::Gone;
            assert_eq!(record.status(), gone);
        }
    }

    #[test]
    fn a_record_that_was_edited_is_seen() {
        use Phase::{Begun, Done, Waiting};
        for phases in [&[Waiting, Done, Waiting][..], &[Done, Waiting, Begun], &[Done]] {
            assert!(record(phases).check().is_err(), "{phases:?}");
        }
    }
}

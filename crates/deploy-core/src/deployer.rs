//! What a platform has to know how to do.

use std::fmt;
use std::sync::Mutex;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::id::DeploymentId;
use crate::plan::Step;
use crate::record::{Facts, TargetKind};

/// The steps of one platform.
///
/// Every name that a step gives to what it makes is known before it is made, from the plan alone, so
/// that what a killed program left behind is found again. What a step makes says to which deployment
/// it belongs; what does not say so is not ours, and is neither taken for done nor removed.
///
/// [`contract::deployer`](crate::contract::deployer) tests all of this.
#[async_trait]
pub trait Deployer: fmt::Debug + Send + Sync {
    /// The platform.
    fn kind(&self) -> TargetKind;

    /// Looks how a step stands. Changes nothing.
    async fn look(&self, cx: &StepCx<'_>, step: &Step) -> Result<Found, StepError>;

    /// Does a step. It may have run before, wholly or by half: doing it twice is doing it once. The
    /// future may be dropped at any await.
    async fn apply(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError>;

    /// Takes a step back, also one that ran by half or not at all. Taking it back twice is taking it
    /// back once. The future may be dropped at any await.
    async fn undo(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError>;
}

/// How a step stands on its target, found by looking there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// All of it is there.
    Done,
    /// Nothing of it is there, and it can be done.
    Absent,
    /// Some of it is there: it ran by half, or something was taken away.
    Half {
        /// What is there.
        left: Vec<String>,
    },
    /// It cannot be done: something is in the way that is not ours, or something is missing.
    Refused {
        /// What would do.
        expected: String,
        /// What is there.
        found: String,
        /// What a person can do about it.
        next: String,
    },
}

/// Why a step did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StepError {
    /// It failed.
    #[error("{cause}")]
    Failed {
        /// What was seen.
        cause: String,
        /// What a person can do about it.
        next: String,
    },
    /// The target does not answer: nothing is known about how the step stands.
    #[error("{target} does not answer: {cause}")]
    Unreachable {
        /// Which host or daemon.
        target: String,
        /// What was seen.
        cause: String,
    },
    /// The step's code panicked.
    #[error("the program failed in this step: {0}")]
    Panicked(String),
    /// It ran out of time.
    #[error("it did not end within {seconds} s; last seen: {last}")]
    Late {
        /// The time it had.
        seconds: u64,
        /// What it last said.
        last: String,
    },
}

impl StepError {
    /// A failure, and what a person can do about it.
    pub fn failed(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Failed { cause: cause.into(), next: next.into() }
    }

    /// What a person can do about it.
    pub fn next(&self) -> &str {
        match self {
            Self::Failed { next, .. } => next,
            Self::Unreachable { .. } => {
                "nothing was removed from the record: make it reachable and try again"
            }
            Self::Panicked(_) => "resume it once, and report the failure if it comes again",
            Self::Late { .. } => "look at what was last seen, then resume or destroy it",
        }
    }
}

/// Where progress is told.
pub trait Progress: Send + Sync {
    /// Says what is being done. Called often, and from any thread.
    fn say(&self, step: usize, of: usize, what: &str);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn say(&self, _step: usize, _of: usize, _what: &str) {}
}

/// The fact with what tells the target from all others.
pub(crate) const TARGET: &str = "target";

/// What a step may use: narrow on purpose.
pub struct StepCx<'a> {
    /// The deployment.
    pub id: &'a DeploymentId,
    /// Cancelled when the deployment is to stop. The engine drops the step then; a step looks here
    /// only where it would do something that cannot be dropped.
    pub cancel: &'a CancellationToken,
    facts: Mutex<Facts>,
    last: Mutex<String>,
    progress: &'a dyn Progress,
    place: (usize, usize),
}

impl<'a> StepCx<'a> {
    pub(crate) fn new(
        id: &'a DeploymentId,
        facts: Facts,
        cancel: &'a CancellationToken,
        progress: &'a dyn Progress,
        place: (usize, usize),
    ) -> Self {
        let last = Mutex::new(String::from("nothing"));
        Self { id, cancel, facts: Mutex::new(facts), last, progress, place }
    }

    /// What an earlier step, or this one, found out.
    ///
    /// # Errors
    ///
    /// [`StepError::Failed`] where nobody found it out, or it is of another form.
    pub fn fact<T: DeserializeOwned>(&self, name: &str) -> Result<T, StepError> {
        let again = "the record was changed by hand; destroy the deployment and make a new one";
        let facts = lock(&self.facts);
        let fact = facts.get(name).ok_or_else(|| {
            StepError::failed(format!("no earlier step found out {name:?}"), again)
        })?;
        T::deserialize(fact).map_err(|error| {
            StepError::failed(format!("the record's {name:?} cannot be read: {error}"), again)
        })
    }

    /// Notes something for later steps; kept once the step is done. Not for secrets.
    pub fn note(&self, name: &str, fact: impl Into<Value>) {
        lock(&self.facts).insert(name.to_owned(), fact.into());
    }

    /// Notes something with a form of its own.
    ///
    /// # Errors
    ///
    /// [`StepError::Failed`] where it is no JSON.
    pub fn note_all(&self, name: &str, fact: &impl Serialize) -> Result<(), StepError> {
        let fact = serde_json::to_value(fact)
            .map_err(|error| StepError::failed(format!("{name:?}: {error}"), "report this"))?;
        self.note(name, fact);
        Ok(())
    }

    /// Whether such a thing was found out.
    pub fn has_fact(&self, name: &str) -> bool {
        lock(&self.facts).contains_key(name)
    }

    /// Whether two things that were found out are the same.
    pub fn same(&self, one: &str, other: &str) -> bool {
        let facts = lock(&self.facts);
        facts.get(one) == facts.get(other)
    }

    /// Notes on which target this is, by what tells it from all others, and refuses another than the
    /// one where it began: what is not found there may well be where it is.
    ///
    /// # Errors
    ///
    /// [`StepError::Unreachable`], so that record and secrets are kept.
    pub fn stays_on(&self, what: &str, target: &str) -> Result<(), StepError> {
        let mut facts = lock(&self.facts);
        match facts.get(TARGET).and_then(Value::as_str) {
            None => {
                facts.insert(TARGET.to_owned(), Value::from(target));
                Ok(())
            }
            Some(known) if known == target => Ok(()),
            Some(known) => Err(StepError::Unreachable {
                target: format!("{what} {known}, where {} is", self.id),
                cause: format!("it is another one that answers here: {target}"),
            }),
        }
    }

    /// Takes back what was found out.
    pub fn forget(&self, name: &str) {
        lock(&self.facts).remove(name);
    }

    /// Says what is being done or waited for.
    pub fn say(&self, what: &str) {
        what.clone_into(&mut lock(&self.last));
        self.progress.say(self.place.0, self.place.1, what);
    }

    /// What was last said.
    pub(crate) fn last(&self) -> String {
        lock(&self.last).clone()
    }

    pub(crate) fn facts(&self) -> Facts {
        lock(&self.facts).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

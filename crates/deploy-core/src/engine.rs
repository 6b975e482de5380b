//! The one algorithm that carries plans out.

use tokio_util::sync::CancellationToken;

use crate::deployer::{Deployer, Found, Progress, StepError};
use crate::id::{DeploymentId, StepName};
use crate::record::{Goal, Phase, Record, Trouble};
use crate::registry::{Claim, RegistryError, StateRegistry};

mod change;
mod copy;
mod down;
mod error;
mod step;
mod up;

pub use change::Change;
pub use error::EngineError;

/// Brings deployments up and takes them down.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'a> {
    registry: &'a dyn StateRegistry,
    deployer: &'a dyn Deployer,
}

/// How one run is led.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Stops it: the deployment stays as far as it got, and can be resumed or taken down.
    pub cancel: &'a CancellationToken,
    /// Where progress is told.
    pub progress: &'a dyn Progress,
    /// What becomes of it when a step fails.
    pub on_failure: OnFailure,
}

/// What becomes of a deployment when a step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// What was done is taken back, the half-run step first.
    #[default]
    TakeBack,
    /// It stays as it is, to be looked at, resumed or taken down.
    Keep,
}

/// Somebody's word that a deployment is to be removed.
#[derive(Clone, Debug)]
pub struct Consent {
    id: DeploymentId,
    by: String,
}

impl Consent {
    /// `by` has said that this one is to be removed.
    pub fn given(by: impl Into<String>, id: DeploymentId) -> Self {
        Self { id, by: by.into() }
    }

    /// It is for that one only.
    fn is_for(&self, id: &DeploymentId) -> Result<(), EngineError> {
        if self.id == *id {
            return Ok(());
        }
        Err(EngineError::OtherConsent { given: self.id.clone(), asked: id.clone() })
    }

    /// Who gave it.
    pub fn by(&self) -> &str {
        &self.by
    }
}

impl<'a> Engine<'a> {
    /// An engine for one platform.
    pub const fn new(registry: &'a dyn StateRegistry, deployer: &'a dyn Deployer) -> Self {
        Self { registry, deployer }
    }

    /// Records a deployment before anything of it is done.
    ///
    /// # Errors
    ///
    /// Where it cannot be recorded.
    pub async fn record(&self, mut record: Record) -> Result<Record, EngineError> {
        self.fits(&record)?;
        self.store(&mut record).await?;
        Ok(record)
    }

    /// Brings a deployment up, from wherever it stands.
    ///
    /// # Errors
    ///
    /// [`EngineError::Failed`] where a step fails, [`EngineError::Stopped`] where it was stopped. The
    /// record that is stored says how far it got.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is like killing the program: the record tells of the step that may have
    /// run by half. To stop in order, cancel the run.
    pub async fn bring_up(&self, id: &DeploymentId, run: &Run<'_>) -> Result<Record, EngineError> {
        let (_claim, mut record) = self.take(id).await?;
        if record.goal == Goal::Gone {
            return Err(EngineError::Leaving(id.clone()));
        }
        self.up(&mut record, run).await?;
        Ok(record)
    }

    /// Takes a deployment down, from wherever it stands, and looks that nothing of it is left. One
    /// that is gone is looked at again.
    ///
    /// # Errors
    ///
    /// [`EngineError::Remains`] where a step cannot be taken back or its target does not answer.
    ///
    /// # Cancel safety
    ///
    /// As of [`bring_up`](Self::bring_up).
    pub async fn take_down(
        &self,
        id: &DeploymentId,
        run: &Run<'_>,
        consent: &Consent,
    ) -> Result<Record, EngineError> {
        consent.is_for(id)?;
        let (_claim, mut record) = self.take(id).await?;
        self.leave(&mut record, run).await?;
        Ok(record)
    }

    /// Looks how each step stands now, in order. Changes nothing, not even the record.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Claimed`] where somebody is at work on it: a look between two effects would
    /// tell nothing. What a step's own look fails with is in its place.
    pub async fn look(
        &self,
        id: &DeploymentId,
        run: &Run<'_>,
    ) -> Result<Vec<(StepName, Result<Found, StepError>)>, EngineError> {
        self.look_at(id, run).await.map(|(_, found)| found)
    }

    /// The same, with the record as it was meanwhile.
    ///
    /// # Errors
    ///
    /// As of [`look`](Self::look).
    pub async fn look_at(
        &self,
        id: &DeploymentId,
        run: &Run<'_>,
    ) -> Result<(Record, Vec<(StepName, Result<Found, StepError>)>), EngineError> {
        let (_claim, kept) = self.take(id).await?;
        let mut record = kept.clone();
        let mut found = Vec::new();
        for at in 0..record.plan.steps().len() {
            let name = record.plan.steps()[at].name.clone();
            found.push(match self.work(step::Look, &mut record, at, run).await {
                step::Ended::Done(seen) => (name, Ok(seen)),
                step::Ended::Failed(error) => (name, Err(error)),
                step::Ended::Stopped => {
                    return Err(EngineError::Stopped { id: id.clone(), step: name });
                }
            });
        }
        Ok((kept, found))
    }

    async fn take(&self, id: &DeploymentId) -> Result<(Claim, Record), EngineError> {
        let claim = self.registry.claim(id).await?;
        let record = self.registry.load(id).await?;
        let record = record.ok_or_else(|| RegistryError::Missing(id.clone()))?;
        self.fits(&record)?;
        Ok((claim, record))
    }

    fn fits(&self, record: &Record) -> Result<(), EngineError> {
        let expected = self.deployer.kind();
        if record.kind == expected {
            return Ok(());
        }
        let (id, found) = (record.id.clone(), record.kind.clone());
        Err(EngineError::OtherKind { id, expected, found })
    }

    async fn store(&self, record: &mut Record) -> Result<(), EngineError> {
        let expected = record.generation;
        record.generation = expected.next();
        record.changed = jiff::Timestamp::now();
        let stored = self.registry.store(expected, record).await;
        if stored.is_err() {
            record.generation = expected;
        }
        Ok(stored?)
    }

    async fn enter(
        &self,
        record: &mut Record,
        step: usize,
        phase: Phase,
    ) -> Result<(), EngineError> {
        record.phases[step] = phase;
        self.store(record).await
    }

    /// Writes down what went wrong. That this fails does not hide what did.
    async fn trouble(
        &self,
        record: &mut Record,
        step: &StepName,
        cause: StepError,
    ) -> Result<StepError, EngineError> {
        record.trouble = Some(Trouble {
            step: step.clone(),
            cause: cause.to_string(),
            next: cause.next().to_owned(),
            at: jiff::Timestamp::now(),
        });
        match self.store(record).await {
            Ok(()) => Ok(cause),
            Err(EngineError::Registry(registry)) => {
                let (id, step) = (record.id.clone(), step.clone());
                Err(EngineError::Unrecorded { id, step, cause, registry: Box::new(registry) })
            }
            Err(other) => Err(other),
        }
    }
}

#[cfg(test)]
mod tests;

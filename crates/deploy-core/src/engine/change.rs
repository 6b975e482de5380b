//! A change of what is wanted of a deployment that is there.

use async_trait::async_trait;

use super::{Engine, EngineError, OnFailure, Run};
use crate::deployer::StepError;
use crate::id::DeploymentId;
use crate::record::{Goal, Record};

/// A change of what is wanted. Nobody else works on the deployment from before it is begun until it
/// is proved or has failed.
#[async_trait]
pub trait Change: Sync {
    /// What it is to come to.
    type Wanted: Send + Sync;

    /// Says what is wanted, where the steps look for it. Until it has said all, nothing is changed:
    /// when this fails, or is killed, the deployment is as it was.
    async fn begin(&self, record: &Record) -> Result<Self::Wanted, StepError>;

    /// Looks whether it came to that, once the deployment is up.
    async fn prove(&self, record: &Record, wanted: &Self::Wanted) -> Result<(), StepError>;
}

impl Engine<'_> {
    /// Brings a deployment up in another form. What fails is left as it is, whatever the run says:
    /// what was up has evidence in it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Unchanged`] where the change was not begun; [`EngineError::Unproved`] where it
    /// is up and the change is not to be seen; else as of [`Engine::bring_up`].
    ///
    /// # Cancel safety
    ///
    /// As of [`Engine::bring_up`].
    pub async fn bring_up_after<C: Change>(
        &self,
        id: &DeploymentId,
        run: &Run<'_>,
        change: &C,
    ) -> Result<(Record, C::Wanted), EngineError> {
        let (_claim, mut record) = self.take(id).await?;
        if record.goal == Goal::Gone {
            return Err(EngineError::Leaving(id.clone()));
        }
        let wanted = change.begin(&record).await;
        let wanted = wanted.map_err(|cause| EngineError::Unchanged { id: id.clone(), cause })?;
        let run = Run { on_failure: OnFailure::Keep, ..*run };
        self.up(&mut record, &run).await?;
        let proved = change.prove(&record, &wanted).await;
        proved.map_err(|cause| EngineError::Unproved { id: id.clone(), cause })?;
        Ok((record, wanted))
    }
}

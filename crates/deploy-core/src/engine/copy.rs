//! Copying the evidence of a deployment out of it, by itself or before it is taken down.

use std::path::Path;

use super::{Consent, Engine, EngineError, Run};
use crate::evidence::{Copied, Copying, Evidence};
use crate::id::DeploymentId;
use crate::record::{Goal, Phase, Record};

impl Engine<'_> {
    /// Stops the server, copies its evidence into a file that is not there yet, and writes down that
    /// it did. Afterwards the server is stopped: bringing the deployment up starts it again.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotCopied`]; then there is no file. Where it cannot be recorded there is one.
    pub async fn copy_out(
        &self,
        id: &DeploymentId,
        run: &Run<'_>,
        source: &dyn Evidence,
        file: &Path,
    ) -> Result<(Record, Copied), EngineError> {
        let (_claim, mut record) = self.take(id).await?;
        let copied = self.copied(&mut record, run, source, file).await?;
        Ok((record, copied))
    }

    /// Takes a deployment down, once its evidence was copied: between the two nobody else works on it.
    /// One that is being removed already is copied as far as its evidence is there.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotCopied`]; then nothing of it was removed. Else as of
    /// [`take_down`](Self::take_down).
    pub async fn take_down_copied(
        &self,
        id: &DeploymentId,
        run: &Run<'_>,
        consent: &Consent,
        source: &dyn Evidence,
        file: &Path,
    ) -> Result<(Record, Copied), EngineError> {
        consent.is_for(id)?;
        let (_claim, mut record) = self.take(id).await?;
        let copied = self.copied(&mut record, run, source, file).await?;
        self.leave(&mut record, run).await?;
        Ok((record, copied))
    }

    /// From now on it is to be gone.
    pub(super) async fn leave(
        &self,
        record: &mut Record,
        run: &Run<'_>,
    ) -> Result<(), EngineError> {
        if record.goal != Goal::Gone {
            record.goal = Goal::Gone;
            record.trouble = None;
            // One of which nothing was begun is not gone before that was seen either.
            if record.phases.iter().all(|phase| *phase == Phase::Waiting)
                && let Some(first) = record.phases.first_mut()
            {
                *first = Phase::Undoing;
            }
            self.store(record).await?;
        }
        self.down(record, run).await
    }

    async fn copied(
        &self,
        record: &mut Record,
        run: &Run<'_>,
        source: &dyn Evidence,
        file: &Path,
    ) -> Result<Copied, EngineError> {
        let steps = record.plan.steps().len();
        let say = |what: &str| run.progress.say(0, steps, what);
        let copying = Copying { source, file, cancel: run.cancel, say: &say };
        let copied = copying
            .run(record)
            .await
            .map_err(|cause| EngineError::NotCopied { id: record.id.clone(), cause })?;
        record.copies.push(copied.clone());
        self.store(record).await?;
        Ok(copied)
    }
}

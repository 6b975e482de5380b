//! Taking a deployment down, or back after a failure.

use tokio_util::sync::CancellationToken;

use super::step::{Ended, Look, Undo};
use super::{Engine, EngineError, Run};
use crate::deployer::{Found, StepError};
use crate::record::{Goal, Phase, Record};

impl Engine<'_> {
    /// After a failure: from the step that may have run by half to the first. Being told to stop
    /// does not stop this: to leave less behind is what was asked for.
    pub(super) async fn take_back(
        &self,
        record: &mut Record,
        run: &Run<'_>,
    ) -> Result<(), EngineError> {
        let never = CancellationToken::new();
        let run = Run { cancel: &never, ..*run };
        let touched = |phase: &Phase| *phase != Phase::Waiting;
        let end = record.phases.iter().rposition(touched).map_or(0, |last| last + 1);
        for at in (0..end).rev() {
            self.off(record, at, &run).await?;
        }
        record.facts.clear();
        self.store(record).await
    }

    /// From the last step to the first, those too that never began according to the record: a
    /// record that was restored may be older than what is there.
    pub(super) async fn down(&self, record: &mut Record, run: &Run<'_>) -> Result<(), EngineError> {
        debug_assert_eq!(record.goal, Goal::Gone);
        for at in (0..record.plan.steps().len()).rev() {
            self.off(record, at, run).await?;
        }
        if !record.facts.is_empty() || record.trouble.is_some() {
            record.facts.clear();
            record.trouble = None;
            self.store(record).await?;
        }
        Ok(())
    }

    /// One step: taken back where anything of it may be there, and seen to be gone.
    async fn off(&self, record: &mut Record, at: usize, run: &Run<'_>) -> Result<(), EngineError> {
        let step = record.plan.steps()[at].clone();
        let stopped = EngineError::Stopped { id: record.id.clone(), step: step.name.clone() };
        if record.phases[at] == Phase::Waiting {
            // Nothing of it is on record. What is there all the same is taken back only where the
            // deployer finds it to be ours.
            match self.work(Look, record, at, run).await {
                Ended::Done(Found::Absent | Found::Refused { .. }) => return Ok(()),
                Ended::Done(Found::Done | Found::Half { .. }) => {}
                Ended::Failed(cause @ StepError::Unreachable { .. }) => {
                    return Err(self.remains(record, at, cause).await);
                }
                // It may be there, and looking may fail for as long as it is by half: what is not ours
                // is not touched by taking it back either.
                Ended::Failed(_) => {}
                Ended::Stopped => return Err(stopped),
            }
        }
        if record.phases[at] != Phase::Undoing {
            self.mark(record, at, Phase::Undoing).await?;
        }
        run.progress.say(at + 1, record.plan.steps().len(), &step.undone());
        match self.work(Undo, record, at, run).await {
            Ended::Done(()) => {}
            Ended::Failed(cause) => return Err(self.remains(record, at, cause).await),
            Ended::Stopped => return Err(stopped),
        }
        let left = match self.work(Look, record, at, run).await {
            // What is in the way and not ours was there before, or came after.
            Ended::Done(Found::Absent | Found::Refused { .. }) => {
                return self.mark(record, at, Phase::Waiting).await;
            }
            Ended::Done(Found::Half { left }) => left.join(", "),
            Ended::Done(Found::Done) => String::from("all of it"),
            Ended::Failed(cause) => return Err(self.remains(record, at, cause).await),
            Ended::Stopped => return Err(stopped),
        };
        let cause = StepError::failed(
            format!("it ended without an error, and this is still there: {left}"),
            "look at the target, then destroy it again",
        );
        Err(self.remains(record, at, cause).await)
    }

    async fn mark(&self, record: &mut Record, at: usize, phase: Phase) -> Result<(), EngineError> {
        // Steps before one that is being taken back are not waiting: a record reads in order.
        for earlier in &mut record.phases[..at] {
            if *earlier == Phase::Waiting {
                *earlier = Phase::Undoing;
            }
        }
        self.enter(record, at, phase).await
    }

    async fn remains(&self, record: &mut Record, at: usize, cause: StepError) -> EngineError {
        let step = record.plan.steps()[at].name.clone();
        match self.trouble(record, &step, cause).await {
            Ok(cause) => EngineError::Remains { id: record.id.clone(), step, cause, after: None },
            Err(error) => error,
        }
    }
}

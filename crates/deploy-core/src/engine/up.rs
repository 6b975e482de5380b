//! Bringing a deployment up.

use super::step::{Apply, Ended, Look};
use super::{Engine, EngineError, OnFailure, Run};
use crate::deployer::{Found, StepError};
use crate::record::{Phase, Record};

impl Engine<'_> {
    /// Each step in order: looked at, and where it is not done, intended, done, looked at again.
    /// Steps that are done according to the record are looked at too: somebody may have taken them
    /// away.
    pub(super) async fn up(&self, record: &mut Record, run: &Run<'_>) -> Result<(), EngineError> {
        for at in 0..record.plan.steps().len() {
            let name = record.plan.steps()[at].name.clone();
            match self.one(record, at, run).await? {
                Ended::Done(()) => {}
                Ended::Stopped => {
                    return Err(EngineError::Stopped { id: record.id.clone(), step: name });
                }
                Ended::Failed(cause) => {
                    let cause = self.trouble(record, &name, cause).await?;
                    let id = record.id.clone();
                    if run.on_failure == OnFailure::Keep {
                        return Err(EngineError::Failed {
                            id,
                            step: name,
                            cause,
                            left_as_it_is: true,
                        });
                    }
                    return Err(match self.take_back(record, run).await {
                        Ok(()) => {
                            EngineError::Failed { id, step: name, cause, left_as_it_is: false }
                        }
                        Err(EngineError::Remains { id, step, cause: remains, .. }) => {
                            let after = Some(Box::new((name, cause)));
                            EngineError::Remains { id, step, cause: remains, after }
                        }
                        Err(other) => other,
                    });
                }
            }
        }
        if record.trouble.take().is_some() {
            self.store(record).await?;
        }
        Ok(())
    }

    async fn one(
        &self,
        record: &mut Record,
        at: usize,
        run: &Run<'_>,
    ) -> Result<Ended<()>, EngineError> {
        let facts = record.facts.clone();
        match self.work(Look, record, at, run).await {
            Ended::Done(Found::Done) => {
                if record.phases[at] != Phase::Done {
                    self.enter(record, at, Phase::Done).await?;
                } else if record.facts != facts {
                    self.store(record).await?;
                }
                return Ok(Ended::Done(()));
            }
            Ended::Done(Found::Absent | Found::Half { .. }) => {}
            Ended::Done(Found::Refused { expected, found, next }) => {
                let cause = format!("expected {expected}, found {found}");
                return Ok(Ended::Failed(StepError::failed(cause, next)));
            }
            Ended::Failed(error) => return Ok(Ended::Failed(error)),
            Ended::Stopped => return Ok(Ended::Stopped),
        }
        self.enter(record, at, Phase::Begun).await?;
        let does = record.plan.steps()[at].does.clone();
        run.progress.say(at + 1, record.plan.steps().len(), &does);
        match self.work(Apply, record, at, run).await {
            Ended::Done(()) => {}
            other => return Ok(other),
        }
        // That it said nothing against it is no proof.
        let why = match self.work(Look, record, at, run).await {
            Ended::Done(Found::Done) => {
                self.enter(record, at, Phase::Done).await?;
                return Ok(Ended::Done(()));
            }
            Ended::Done(Found::Absent) => String::from("nothing of it is there"),
            Ended::Done(Found::Half { left }) => format!("only {} is there", left.join(", ")),
            Ended::Done(Found::Refused { expected, found, .. }) => {
                format!("expected {expected}, found {found}")
            }
            Ended::Failed(error) => return Ok(Ended::Failed(error)),
            Ended::Stopped => return Ok(Ended::Stopped),
        };
        let cause = format!("it ended without an error, and {why}");
        Ok(Ended::Failed(StepError::failed(cause, "look at the target, then resume or destroy it")))
    }
}

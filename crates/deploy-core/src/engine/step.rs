//! One step: bounded in time, stopped when it is to stop, and not taken down by a panic.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;

use super::{Engine, Run};
use crate::deployer::{Found, StepCx, StepError};
use crate::plan::Step;
use crate::record::Record;

/// How long a look may take.
const LOOK: Duration = Duration::from_secs(60);

/// How the work on a step ended.
#[derive(Debug)]
pub(super) enum Ended<T> {
    Done(T),
    Failed(StepError),
    Stopped,
}

/// What is done with a step.
#[async_trait]
pub(super) trait Work: Sync {
    type Output: Send;
    async fn run(
        &self,
        engine: &Engine<'_>,
        cx: &StepCx<'_>,
        step: &Step,
    ) -> Result<Self::Output, StepError>;
    fn within(&self, step: &Step) -> Duration {
        step.within
    }
}

pub(super) struct Look;
pub(super) struct Apply;
pub(super) struct Undo;

#[async_trait]
impl Work for Look {
    type Output = Found;

    async fn run(
        &self,
        engine: &Engine<'_>,
        cx: &StepCx<'_>,
        step: &Step,
    ) -> Result<Found, StepError> {
        engine.deployer.look(cx, step).await
    }

    fn within(&self, _step: &Step) -> Duration {
        LOOK
    }
}

#[async_trait]
impl Work for Apply {
    type Output = ();

    async fn run(
        &self,
        engine: &Engine<'_>,
        cx: &StepCx<'_>,
        step: &Step,
    ) -> Result<(), StepError> {
        engine.deployer.apply(cx, step).await
    }
}

#[async_trait]
impl Work for Undo {
    type Output = ();

    async fn run(
        &self,
        engine: &Engine<'_>,
        cx: &StepCx<'_>,
        step: &Step,
    ) -> Result<(), StepError> {
        engine.deployer.undo(cx, step).await
    }
}

impl Engine<'_> {
    /// Works on a step. What it found out is put into the record, which is stored with its phase.
    pub(super) async fn work<W: Work>(
        &self,
        work: W,
        record: &mut Record,
        at: usize,
        run: &Run<'_>,
    ) -> Ended<W::Output> {
        let step = record.plan.steps()[at].clone();
        let place = (at + 1, record.plan.steps().len());
        let cx = StepCx::new(&record.id, record.facts.clone(), run.cancel, run.progress, place);
        let within = work.within(&step);
        let guarded = AssertUnwindSafe(work.run(self, &cx, &step)).catch_unwind();
        let ended = tokio::select! {
            // Whether it is to stop is looked at before it goes on.
            biased;
            () = run.cancel.cancelled() => return Ended::Stopped,
            ended = tokio::time::timeout(within, guarded) => ended,
        };
        let ended = match ended {
            Ok(Ok(Ok(output))) => Ended::Done(output),
            Ok(Ok(Err(error))) => Ended::Failed(error),
            Ok(Err(panic)) => Ended::Failed(StepError::Panicked(words(panic.as_ref()))),
            Err(_) => Ended::Failed(StepError::Late { seconds: within.as_secs(), last: cx.last() }),
        };
        let facts = cx.facts();
        drop(cx);
        record.facts = facts;
        ended
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| String::from("without words"))
}

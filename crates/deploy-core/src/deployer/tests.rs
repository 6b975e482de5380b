//! On which target a deployment is.

use async_trait::async_trait;

use super::*;
use crate::StepName;
use crate::engine::{Consent, Engine, EngineError, OnFailure, Run};
use crate::plan::Plan;
use crate::record::{About, Phase, Record, Status};
use crate::registry::{Memory, StateRegistry as _};

/// Whoever answers under the one address: it has nothing of a deployment that is elsewhere.
#[derive(Debug)]
struct Answers(&'static str);

#[async_trait]
impl Deployer for Answers {
    fn kind(&self) -> TargetKind {
        TargetKind(String::from("toy"))
    }

    async fn look(&self, cx: &StepCx<'_>, _step: &Step) -> Result<Found, StepError> {
        cx.stays_on("the toy", self.0)?;
        Ok(if self.0 == "first" { Found::Done } else { Found::Absent })
    }

    async fn apply(&self, cx: &StepCx<'_>, _step: &Step) -> Result<(), StepError> {
        cx.stays_on("the toy", self.0)
    }

    async fn undo(&self, cx: &StepCx<'_>, _step: &Step) -> Result<(), StepError> {
        cx.stays_on("the toy", self.0)
    }
}

#[test]
fn the_first_target_is_noted_and_another_one_is_not_reached() {
    let (id, cancel) = (DeploymentId::generate().unwrap(), CancellationToken::new());
    let cx = StepCx::new(&id, Facts::new(), &cancel, &Silent, (1, 1));
    cx.stays_on("the daemon", "AB:12").unwrap();
    cx.stays_on("the daemon", "AB:12").unwrap();
    let error = cx.stays_on("the daemon", "CD:34").unwrap_err();
    assert!(matches!(error, StepError::Unreachable { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("AB:12") && said.contains("CD:34"), "{said}");
    assert!(said.contains(id.as_str()), "{said}");
    // It is on record, so that the next process knows it.
    assert_eq!(cx.facts()[TARGET], "AB:12");
}

#[tokio::test]
async fn what_another_target_does_not_have_is_not_gone() {
    let (registry, cancel) = (Memory::default(), CancellationToken::new());
    let step = Step::new(StepName::new("one").unwrap(), "makes it", &()).unwrap();
    let id = DeploymentId::generate().unwrap();
    let run = Run { cancel: &cancel, progress: &Silent, on_failure: OnFailure::Keep };
    let (first, second) = (Answers("first"), Answers("second"));
    let plan = Plan::new(vec![step]).unwrap();
    let record = Record::new(id.clone(), first.kind(), About::default(), plan);
    let engine = Engine::new(&registry, &first);
    engine.record(record).await.unwrap();
    engine.bring_up(&id, &run).await.unwrap();

    let other = Engine::new(&registry, &second);
    let found = other.look(&id, &run).await.unwrap();
    assert!(matches!(found[0].1, Err(StepError::Unreachable { .. })), "{found:?}");
    let consent = Consent::given("alice", id.clone());
    let error = other.take_down(&id, &run, &consent).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Remains { cause: StepError::Unreachable { .. }, .. }),
        "{error:?}"
    );
    let kept = registry.load(&id).await.unwrap().unwrap();
    assert_eq!((kept.status(), kept.phases[0]), (Status::Removing, Phase::Undoing));
    assert_eq!(kept.facts[TARGET], "first");
}

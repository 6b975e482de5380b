//! What any deployer must keep to.

use tokio_util::sync::CancellationToken;

use crate::deployer::{Deployer, Found, Progress, Silent, StepCx};
use crate::engine::{Consent, Engine, EngineError, OnFailure, Run};
use crate::id::DeploymentId;
use crate::plan::Plan;
use crate::record::{About, Facts, Goal, Record, Status};
use crate::registry::{Memory, StateRegistry};

/// Tests a deployer by carrying out a plan of its own many times, each time as a new deployment.
///
/// # Panics
///
/// Where the contract is broken.
pub async fn deployer(deployer: &dyn Deployer, plan: impl Fn(&DeploymentId) -> Plan) {
    let made = || {
        let id = DeploymentId::generate().expect("randomness");
        let plan = plan(&id);
        Record::new(id, deployer.kind(), About::default(), plan)
    };
    twice_is_once(deployer, &made()).await;
    it_comes_up_and_goes_down(deployer, made()).await;
    for at in 0..made().plan.steps().len() {
        it_is_stopped_and_resumed(deployer, made(), at).await;
        it_is_stopped_and_taken_down(deployer, made(), at).await;
    }
}

async fn twice_is_once(deployer: &dyn Deployer, record: &Record) {
    let cancel = CancellationToken::new();
    let mut facts = Facts::new();
    let context = |facts| StepCx::new(&record.id, facts, &cancel, &Silent, (1, 1));
    for step in record.plan.steps() {
        let name = &step.name;
        let cx = context(facts);
        let before = deployer.look(&cx, step).await.expect("look");
        assert_eq!(before, Found::Absent, "{name} before it was done");
        for time in ["once", "twice"] {
            deployer.apply(&cx, step).await.unwrap_or_else(|e| panic!("{name} {time}: {e}"));
            let found = deployer.look(&cx, step).await.expect("look");
            assert_eq!(found, Found::Done, "{name} after it was done {time}");
        }
        facts = cx.facts();
    }
    for step in record.plan.steps().iter().rev() {
        let name = &step.name;
        let cx = context(facts.clone());
        for time in ["once", "twice"] {
            deployer.undo(&cx, step).await.unwrap_or_else(|e| panic!("{name} {time}: {e}"));
            let found = deployer.look(&cx, step).await.expect("look");
            assert_eq!(found, Found::Absent, "{name} after it was taken back {time}");
        }
    }
}

async fn it_comes_up_and_goes_down(deployer: &dyn Deployer, record: Record) {
    let (registry, cancel) = (Memory::default(), CancellationToken::new());
    let engine = Engine::new(&registry, deployer);
    let run = Run { cancel: &cancel, progress: &Silent, on_failure: OnFailure::TakeBack };
    let id = record.id.clone();
    engine.record(record).await.expect("record");
    for time in ["once", "twice"] {
        let up = engine.bring_up(&id, &run).await;
        let up = up.unwrap_or_else(|error| panic!("brought up {time}: {error}"));
        assert_eq!(up.status(), Status::Up, "brought up {time}");
    }
    remove(&engine, &id, &run).await;
}

/// Stops at a step, when its progress is told first.
struct StopAt<'a>(usize, &'a CancellationToken);

impl Progress for StopAt<'_> {
    fn say(&self, step: usize, _of: usize, _what: &str) {
        if step == self.0 + 1 {
            self.1.cancel();
        }
    }
}

async fn stopped(deployer: &dyn Deployer, registry: &Memory, record: Record, at: usize) {
    let cancel = CancellationToken::new();
    let stop = StopAt(at, &cancel);
    let run = Run { cancel: &cancel, progress: &stop, on_failure: OnFailure::TakeBack };
    let engine = Engine::new(registry, deployer);
    let id = record.id.clone();
    engine.record(record).await.expect("record");
    let ended = engine.bring_up(&id, &run).await;
    let was_stopped = matches!(ended, Err(EngineError::Stopped { .. }));
    assert!(was_stopped, "told to stop at step {}: {ended:?}", at + 1);
}

async fn it_is_stopped_and_resumed(deployer: &dyn Deployer, record: Record, at: usize) {
    let (registry, id) = (Memory::default(), record.id.clone());
    stopped(deployer, &registry, record, at).await;
    let cancel = CancellationToken::new();
    let run = Run { cancel: &cancel, progress: &Silent, on_failure: OnFailure::TakeBack };
    let engine = Engine::new(&registry, deployer);
    let up = engine.bring_up(&id, &run).await;
    let up = up.unwrap_or_else(|error| panic!("resumed at step {}: {error}", at + 1));
    assert_eq!(up.status(), Status::Up);
    remove(&engine, &id, &run).await;
}

async fn it_is_stopped_and_taken_down(deployer: &dyn Deployer, record: Record, at: usize) {
    let (registry, id) = (Memory::default(), record.id.clone());
    stopped(deployer, &registry, record, at).await;
    let cancel = CancellationToken::new();
    let run = Run { cancel: &cancel, progress: &Silent, on_failure: OnFailure::TakeBack };
    remove(&Engine::new(&registry, deployer), &id, &run).await;
    let kept = registry.load(&id).await.expect("load").expect("the record stays");
    assert_eq!((kept.goal, kept.status()), (Goal::Gone, Status::Gone));
}

async fn remove(engine: &Engine<'_>, id: &DeploymentId, run: &Run<'_>) {
    let consent = Consent::given("the contract", id.clone());
    for time in ["once", "twice"] {
        let gone = engine.take_down(id, run, &consent).await;
        let gone = gone.unwrap_or_else(|error| panic!("taken down {time}: {error}"));
        assert_eq!(gone.status(), Status::Gone, "taken down {time}");
    }
}

//! The engine over a deployer that does what each test says.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::contract;
use crate::deployer::{Found, Silent, StepCx};
use crate::plan::{Plan, Step};
use crate::record::{About, Status, TargetKind};
use crate::registry::{Claim, Memory};

mod change;

/// Keeps what is there as names, and fails where it is told to.
#[derive(Debug, Default)]
struct Toy {
    there: Mutex<BTreeSet<String>>,
    log: Mutex<Vec<String>>,
    wrong: &'static str,
}

impl Toy {
    fn wrong(wrong: &'static str) -> Self {
        Self { wrong, ..Self::default() }
    }

    fn note(&self, what: &str, step: &Step) -> bool {
        let call = format!("{what} {}", step.name);
        let wrong = call == self.wrong;
        self.log.lock().unwrap().push(call);
        wrong
    }

    fn undone(&self, step: &Step) -> bool {
        self.log.lock().unwrap().contains(&format!("undo {}", step.name))
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn there(&self) -> Vec<String> {
        self.there.lock().unwrap().iter().cloned().collect()
    }
}

#[async_trait]
impl Deployer for Toy {
    fn kind(&self) -> TargetKind {
        TargetKind(String::from("toy"))
    }

    async fn look(&self, _cx: &StepCx<'_>, step: &Step) -> Result<Found, StepError> {
        if format!("refuse {}", step.name) == self.wrong {
            let (expected, found) = (String::from("a free port"), String::from("nginx on 8000"));
            return Ok(Found::Refused { expected, found, next: String::from("stop nginx") });
        }
        let there = self.there.lock().unwrap().contains(step.name.as_str());
        if format!("blind {}", step.name) == self.wrong && !self.undone(step) {
            return Err(StepError::failed("what is there cannot be read", "look at it"));
        }
        if format!("away {}", step.name) == self.wrong {
            let (target, cause) = (String::from("host"), String::from("refused"));
            return Err(StepError::Unreachable { target, cause });
        }
        Ok(if there { Found::Done } else { Found::Absent })
    }

    async fn apply(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        let wrong = self.note("apply", step);
        // It may be there although it failed.
        if format!("pretend {}", step.name) != self.wrong {
            self.there.lock().unwrap().insert(step.name.to_string());
        }
        assert!(format!("panic {}", step.name) != self.wrong, "out of paper");
        if format!("hang {}", step.name) == self.wrong {
            cx.say("waiting for the server");
            std::future::pending::<()>().await;
        }
        if wrong { Err(StepError::failed("no more disk", "make room")) } else { Ok(()) }
    }

    async fn undo(&self, _cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        if self.note("undo", step) {
            let (target, cause) = (String::from("host"), String::from("refused"));
            return Err(StepError::Unreachable { target, cause });
        }
        if format!("keep {}", step.name) != self.wrong {
            self.there.lock().unwrap().remove(step.name.as_str());
        }
        Ok(())
    }
}

fn plan() -> Plan {
    let step = |name| {
        let within = std::time::Duration::from_millis(200);
        Step::new(StepName::new(name).unwrap(), name, &()).unwrap().within(within)
    };
    Plan::new(vec![step("a"), step("b"), step("c")]).unwrap()
}

struct Bed {
    toy: Toy,
    registry: Memory,
    id: DeploymentId,
    cancel: CancellationToken,
}

impl Bed {
    async fn of(toy: Toy) -> Self {
        let (registry, id) = (Memory::default(), DeploymentId::generate().unwrap());
        let record = Record::new(id.clone(), toy.kind(), About::default(), plan());
        Engine::new(&registry, &toy).record(record).await.unwrap();
        Self { toy, registry, id, cancel: CancellationToken::new() }
    }

    fn engine(&self) -> Engine<'_> {
        Engine::new(&self.registry, &self.toy)
    }

    fn run(&self, on_failure: OnFailure) -> Run<'_> {
        Run { cancel: &self.cancel, progress: &Silent, on_failure }
    }

    async fn up(&self) -> Result<Record, EngineError> {
        self.engine().bring_up(&self.id, &self.run(OnFailure::TakeBack)).await
    }

    async fn down(&self) -> Result<Record, EngineError> {
        let consent = Consent::given("alice", self.id.clone());
        self.engine().take_down(&self.id, &self.run(OnFailure::TakeBack), &consent).await
    }

    async fn stored(&self) -> Record {
        self.registry.load(&self.id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn the_toy_keeps_the_contract() {
    contract::deployer(&Toy::default(), |_| plan()).await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let memory = Memory::default();
    contract::registry(|| async { memory.clone() }).await;
}

#[tokio::test]
async fn d27_a_failure_takes_back_from_the_half_run_step_to_the_first() {
    let bed = Bed::of(Toy::wrong("apply c")).await;
    let failed = bed.up().await.unwrap_err();
    assert!(matches!(&failed, EngineError::Failed { left_as_it_is: false, .. }), "{failed}");
    assert_eq!(bed.toy.log(), ["apply a", "apply b", "apply c", "undo c", "undo b", "undo a"]);
    let stored = bed.stored().await;
    assert_eq!((stored.status(), bed.toy.there().len()), (Status::Undone, 0));
    let trouble = stored.trouble.unwrap();
    assert_eq!((trouble.step.as_str(), trouble.next.as_str()), ("c", "make room"));
}

#[tokio::test]
async fn what_is_to_be_kept_is_kept_and_resumed() {
    let bed = Bed::of(Toy::wrong("apply b")).await;
    let run = bed.run(OnFailure::Keep);
    let failed = bed.engine().bring_up(&bed.id, &run).await.unwrap_err();
    assert!(matches!(failed, EngineError::Failed { left_as_it_is: true, .. }), "{failed}");
    assert_eq!(bed.stored().await.phases, [Phase::Done, Phase::Begun, Phase::Waiting]);
    bed.toy.log();
    // It had worked all the same, as is seen by looking.
    assert_eq!(bed.up().await.unwrap().status(), Status::Up);
    assert_eq!(bed.toy.log(), ["apply c"]);
    assert_eq!(bed.stored().await.trouble, None);
}

#[tokio::test]
async fn d34_d38_d41_a_step_that_pretends_is_found_out() {
    let bed = Bed::of(Toy::wrong("pretend b")).await;
    let failed = bed.up().await.unwrap_err().to_string();
    assert!(failed.contains("ended without an error, and nothing of it is there"), "{failed}");
    assert_eq!(bed.stored().await.status(), Status::Undone);
}

#[tokio::test]
async fn what_is_in_the_way_is_said_with_what_was_expected() {
    let bed = Bed::of(Toy::wrong("refuse b")).await;
    let failed = bed.up().await.unwrap_err().to_string();
    assert!(failed.contains("expected a free port, found nginx on 8000"), "{failed}");
    assert_eq!(bed.toy.log(), ["apply a", "undo a"]);
}

#[tokio::test]
async fn a_panic_and_a_step_without_end_are_failures() {
    let bed = Bed::of(Toy::wrong("panic b")).await;
    let failed = bed.up().await.unwrap_err().to_string();
    assert!(failed.contains("out of paper"), "{failed}");
    assert_eq!(bed.toy.there().len(), 0);
    let bed = Bed::of(Toy::wrong("hang b")).await;
    let failed = bed.up().await.unwrap_err().to_string();
    assert!(failed.contains("last seen: waiting for the server"), "{failed}");
    assert_eq!(bed.toy.there().len(), 0);
}

#[tokio::test]
async fn d44_what_cannot_be_taken_back_stays_on_record() {
    let bed = Bed::of(Toy::wrong("undo b")).await;
    bed.up().await.unwrap();
    bed.toy.log();
    let left = bed.down().await.unwrap_err();
    assert!(matches!(&left, EngineError::Remains { after: None, .. }), "{left}");
    let stored = bed.stored().await;
    assert_eq!(stored.phases, [Phase::Done, Phase::Undoing, Phase::Waiting]);
    assert_eq!(stored.trouble.unwrap().cause, "host does not answer: refused");
    assert!(matches!(bed.up().await, Err(EngineError::Leaving(_))));
    let bed = Bed::of(Toy::wrong("keep a")).await;
    bed.up().await.unwrap();
    let left = bed.down().await.unwrap_err().to_string();
    assert!(left.contains("this is still there: all of it"), "{left}");
}

#[tokio::test]
async fn a_step_that_cannot_be_looked_at_is_taken_back_all_the_same() {
    // Nothing of it is on record, and what is there cannot be read until it is gone.
    let bed = Bed::of(Toy::wrong("blind c")).await;
    assert_eq!(bed.down().await.unwrap().status(), Status::Gone);
    assert_eq!(bed.toy.log(), ["undo c", "undo b", "undo a"]);
    // A host that does not answer is another matter: nothing was seen to be gone.
    let bed = Bed::of(Toy::wrong("away c")).await;
    let left = bed.down().await.unwrap_err();
    assert!(matches!(&left, EngineError::Remains { .. }), "{left}");
    assert_eq!(bed.toy.log(), [""; 0]);
    let record = bed.registry.load(&bed.id).await.unwrap().unwrap();
    assert_eq!(record.status(), Status::Removing);
}

#[tokio::test]
async fn what_was_taken_away_is_made_again() {
    let bed = Bed::of(Toy::default()).await;
    bed.up().await.unwrap();
    bed.toy.there.lock().unwrap().remove("b");
    bed.toy.log();
    assert_eq!(bed.up().await.unwrap().status(), Status::Up);
    assert_eq!(bed.toy.log(), ["apply b"]);
}

#[tokio::test]
async fn an_older_record_takes_down_what_it_does_not_know_of() {
    let bed = Bed::of(Toy::default()).await;
    let old = bed.stored().await;
    bed.up().await.unwrap();
    let found = bed.stored().await.generation;
    let restored = Record { generation: found.next(), ..old };
    bed.registry.store(found, &restored).await.unwrap();
    assert_eq!(bed.down().await.unwrap().status(), Status::Gone);
    assert_eq!(bed.toy.there().len(), 0);
}

#[tokio::test]
async fn two_at_once_and_the_wrong_word_are_refused() {
    let bed = Bed::of(Toy::default()).await;
    let claim: Claim = bed.registry.claim(&bed.id).await.unwrap();
    for refused in [bed.up().await, bed.down().await] {
        let claimed = matches!(refused, Err(EngineError::Registry(RegistryError::Claimed(_))));
        assert!(claimed, "{refused:?}");
    }
    drop(claim);
    let other = Consent::given("alice", DeploymentId::generate().unwrap());
    let run = bed.run(OnFailure::TakeBack);
    let refused = bed.engine().take_down(&bed.id, &run, &other).await;
    assert!(matches!(refused, Err(EngineError::OtherConsent { .. })), "{refused:?}");
    assert_eq!(bed.stored().await.goal, Goal::Up);
}

/// Stores no more than it has room for.
#[derive(Debug)]
struct Full {
    memory: Memory,
    room: Mutex<u32>,
}

#[async_trait]
impl StateRegistry for Full {
    async fn claim(&self, id: &DeploymentId) -> Result<Claim, RegistryError> {
        self.memory.claim(id).await
    }

    async fn load(&self, id: &DeploymentId) -> Result<Option<Record>, RegistryError> {
        self.memory.load(id).await
    }

    async fn store(&self, expected: crate::Generation, next: &Record) -> Result<(), RegistryError> {
        let left = self.room.lock().unwrap().checked_sub(1);
        let Some(left) = left else {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            let path = std::path::PathBuf::from(next.id.as_str());
            return Err(RegistryError::Io { what: "writing", path, source });
        };
        *self.room.lock().unwrap() = left;
        self.memory.store(expected, next).await
    }

    async fn list(&self) -> Result<Vec<DeploymentId>, RegistryError> {
        self.memory.list().await
    }
}

#[tokio::test]
async fn a_full_disk_stops_it_where_it_can_be_resumed_or_taken_down() {
    // One to record it, two for each step.
    for room in 1..7 {
        for resume in [true, false] {
            let bed = Bed::of(Toy::default()).await;
            let full = Full { memory: bed.registry.clone(), room: Mutex::new(room - 1) };
            let run = bed.run(OnFailure::TakeBack);
            let stopped = Engine::new(&full, &bed.toy).bring_up(&bed.id, &run).await;
            assert!(matches!(stopped, Err(EngineError::Registry(_))), "{room}: {stopped:?}");
            // What is there is on record as begun, at least.
            let touched =
                bed.stored().await.phases.iter().filter(|p| **p != Phase::Waiting).count();
            assert!(bed.toy.there().len() <= touched, "{room}");
            if resume {
                assert_eq!(bed.up().await.unwrap().status(), Status::Up);
            }
            assert_eq!(bed.down().await.unwrap().status(), Status::Gone);
            assert_eq!(bed.toy.there().len(), 0);
        }
    }
}

//! Rotations of a deployment that is keys and nothing more.

use std::sync::Arc;

use credstore::{CredentialStore, MemoryStore};
use tokio_util::sync::CancellationToken;

use super::super::{ServerStep, bed, users};
use super::*;
use crate::deployer::{Deployer, Found, Silent, StepCx};
use crate::engine::{Engine, EngineError, OnFailure, Run};
use crate::id::StepName;
use crate::plan::{Plan as Steps, Step};
use crate::record::{About, TargetKind};
use crate::registry::Memory;

const THIRTY: Rotation = Rotation { days: 30, keep_keys: true };

/// A platform without a server, which may be broken between two steps.
#[derive(Debug)]
struct Keys {
    vault: Vault,
    breaks: bool,
}

fn step(step: &Step) -> ServerStep {
    step.settings().unwrap()
}

#[async_trait]
impl Deployer for Keys {
    fn kind(&self) -> TargetKind {
        TargetKind(String::from("keys"))
    }

    async fn look(&self, cx: &StepCx<'_>, at: &Step) -> Result<Found, StepError> {
        step(at).look(cx, &self.vault).await
    }

    async fn apply(&self, cx: &StepCx<'_>, at: &Step) -> Result<(), StepError> {
        if self.breaks {
            return Err(StepError::failed("no more disk", "make room"));
        }
        step(at).apply(cx, &self.vault, &NoProgram).await
    }

    async fn undo(&self, cx: &StepCx<'_>, at: &Step) -> Result<(), StepError> {
        step(at).undo(cx, &self.vault).await
    }
}

struct NoProgram;

#[async_trait]
impl super::super::Program for NoProgram {
    async fn run(&self, _arguments: &[&str]) -> Result<crate::transport::Ended, StepError> {
        Err(StepError::failed("there is no program", "none"))
    }
}

struct Bed {
    store: Arc<MemoryStore>,
    deployer: Keys,
    registry: Memory,
    id: DeploymentId,
    api: Place,
}

impl Bed {
    /// Up, with API files as the other steps make them.
    async fn up() -> Self {
        let (store, vault) = bed::secrets();
        let (registry, id) = (Memory::default(), DeploymentId::generate().unwrap());
        let order = bed::order();
        let api = order.api_at.clone();
        let keys = ServerStep::Keys(Box::new(order));
        let plan = Steps::new(vec![keys.step(StepName::new("keys").unwrap()).unwrap()]).unwrap();
        let bed = Self { store, deployer: Keys { vault, breaks: false }, registry, id, api };
        let record = Record::new(bed.id.clone(), bed.deployer.kind(), About::default(), plan);
        Engine::new(&bed.registry, &bed.deployer).record(record).await.unwrap();
        bed.engine().bring_up(&bed.id, &bed.run()).await.unwrap();
        let config = bed.vault().config(&bed.id).await.unwrap();
        for kind in IdentityKind::ALL {
            let (pair, ends) = users::pair(&config, names::user(kind), 5).unwrap();
            let at = (bed.api.host(), bed.api.port());
            let file = ApiConfig::of(&config, names::user(kind), &pair.certificate, &pair.key, at)
                .unwrap();
            let name = names::api(kind);
            let put = bed.vault().put(&bed.id, name, Kind::ApiFile, Some(ends), file.render());
            put.await.unwrap();
        }
        bed
    }

    fn vault(&self) -> &Vault {
        &self.deployer.vault
    }

    fn engine(&self) -> Engine<'_> {
        Engine::new(&self.registry, &self.deployer)
    }

    fn run(&self) -> Run<'_> {
        static NEVER: std::sync::LazyLock<CancellationToken> =
            std::sync::LazyLock::new(CancellationToken::new);
        Run { cancel: &NEVER, progress: &Silent, on_failure: OnFailure::TakeBack }
    }

    async fn rotate(&self) -> Result<Staged, EngineError> {
        let change = THIRTY.of(self.vault(), &self.api);
        let done = self.engine().bring_up_after(&self.id, &self.run(), &change).await;
        done.map(|(_, staged)| staged)
    }

    async fn staged(&self) -> Option<Vec<Replaced>> {
        staged(self.vault(), &self.id).await.unwrap()
    }

    async fn kept(&self) -> Vec<String> {
        let held = material(self.vault(), &self.id).await.unwrap().held;
        let read = |one: &Held| certificates::summary(one.role, &one.pair.certificate).unwrap();
        held.iter().map(|one| read(one).sha256).collect()
    }
}

#[tokio::test]
async fn the_certificates_that_were_made_are_kept_then() {
    let bed = Bed::up().await;
    let before = bed.kept().await;
    let done = bed.rotate().await.unwrap();
    let old: Vec<&str> = done.replaced.iter().map(|one| one.old.as_str()).collect();
    let new: Vec<&str> = done.replaced.iter().filter_map(|one| one.new.as_deref()).collect();
    assert_eq!(old, before);
    assert_eq!(new, bed.kept().await);
    assert_eq!(bed.staged().await, None);
}

#[tokio::test]
async fn the_new_api_files_end_with_their_certificates() {
    let bed = Bed::up().await;
    let done = bed.rotate().await.unwrap();
    for (kind, replaced) in IdentityKind::ALL.into_iter().zip(&done.replaced[2..]) {
        let reference = Vault::reference(&bed.id, names::api(kind)).unwrap();
        let kept = bed.store.find(&reference).unwrap().unwrap();
        assert_eq!(kept.expires, Some(replaced.ends), "{kind}");
        assert!(replaced.ends > replaced.old_ends, "{replaced:?}");
    }
}

#[tokio::test]
async fn a_rotation_that_broke_off_is_told_and_ended_by_bringing_it_up() {
    let mut bed = Bed::up().await;
    let before = bed.kept().await;
    bed.deployer.breaks = true;
    let failed = bed.rotate().await.unwrap_err();
    assert!(matches!(failed, EngineError::Failed { left_as_it_is: true, .. }), "{failed}");
    assert_eq!(bed.kept().await, before);
    let told = bed.staged().await.unwrap();
    assert_eq!(told.iter().map(|one| one.old.clone()).collect::<Vec<_>>(), before);
    // Nobody puts another one over it.
    let refused = bed.rotate().await.unwrap_err().to_string();
    assert!(refused.contains("left as it was"), "{refused}");
    assert_eq!(bed.staged().await.as_ref(), Some(&told));
    bed.deployer.breaks = false;
    bed.engine().bring_up(&bed.id, &bed.run()).await.unwrap();
    let new: Vec<String> = told.into_iter().filter_map(|one| one.new).collect();
    assert_eq!(bed.kept().await, new);
    assert_eq!(bed.staged().await, None);
}

#[tokio::test]
async fn a_rotation_that_was_begun_and_not_ended_is_not_begun_again() {
    let bed = Bed::up().await;
    let record = bed.engine().bring_up(&bed.id, &bed.run()).await.unwrap();
    let change = THIRTY.of(bed.vault(), &bed.api);
    change.begin(&record).await.unwrap();
    let refused = change.begin(&record).await.unwrap_err();
    assert!(refused.to_string().contains("begun and is not ended"), "{refused}");
}

#[tokio::test]
async fn other_certificates_than_those_that_were_made_are_no_rotation() {
    let bed = Bed::up().await;
    let record = bed.engine().bring_up(&bed.id, &bed.run()).await.unwrap();
    let mut wanted = bed.rotate().await.unwrap();
    let change = THIRTY.of(bed.vault(), &bed.api);
    change.prove(&record, &wanted).await.unwrap();
    wanted.replaced[0].new = Some("ab".repeat(32));
    let unproved = change.prove(&record, &wanted).await.unwrap_err().to_string();
    assert!(unproved.contains("expected abab") && unproved.contains("found"), "{unproved}");
}

//! What any registry must keep to.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::id::{DeploymentId, StepName};
use crate::plan::{Plan, Step};
use crate::record::{About, Generation, Phase, Record, TargetKind};
use crate::registry::{RegistryError, StateRegistry};

/// A record of a deployment of two steps, for tests.
///
/// # Panics
///
/// Where the system gives no randomness.
pub fn record() -> Record {
    let step = |name: &str| {
        let name = StepName::new(name).expect("a name");
        Step::new(name, "does nothing", &()).expect("settings")
    };
    let plan = Plan::new(vec![step("one"), step("two")]).expect("a plan");
    let id = DeploymentId::generate().expect("randomness");
    let about = About { case: Some(String::from("IR-2026-041")), ..About::default() };
    Record::new(id, TargetKind(String::from("test")), about, plan)
}

/// Tests a registry. `open` opens the same one each time, as another process would.
///
/// # Panics
///
/// Where the contract is broken.
pub async fn registry<R, F>(open: impl Fn() -> F)
where
    R: StateRegistry,
    F: Future<Output = R>,
{
    let (one, two) = (open().await, open().await);
    what_is_stored_is_loaded(&one, &two).await;
    a_stale_generation_is_refused(&one, &two).await;
    of_many_at_once_one_is_stored(&one, &two).await;
    one_holds_a_claim(&one, &two).await;
}

async fn what_is_stored_is_loaded(one: &impl StateRegistry, two: &impl StateRegistry) {
    let mut first = record();
    assert_eq!(one.load(&first.id).await.expect("load"), None, "a record out of nothing");
    first.generation = Generation(1);
    first.facts.insert(String::from("port"), 8001.into());
    one.store(Generation(0), &first).await.expect("store");
    assert_eq!(
        two.load(&first.id).await.expect("load"),
        Some(first.clone()),
        "not what was stored"
    );
    first.generation = Generation(2);
    first.phases[0] = Phase::Begun;
    two.store(Generation(1), &first).await.expect("store");
    assert_eq!(one.load(&first.id).await.expect("load"), Some(first.clone()), "an old record");
    let mut second = record();
    second.generation = Generation(1);
    one.store(Generation(0), &second).await.expect("store");
    let mut both = [first.id, second.id];
    both.sort();
    let listed = two.list().await.expect("list");
    let found: Vec<_> = listed.into_iter().filter(|id| both.contains(id)).collect();
    assert_eq!(found, both, "the list lacks a record, or has no order");
}

async fn a_stale_generation_is_refused(one: &impl StateRegistry, two: &impl StateRegistry) {
    let mut kept = record();
    kept.generation = Generation(1);
    one.store(Generation(0), &kept).await.expect("store");
    for expected in [0, 2, 7] {
        let mut other = kept.clone();
        other.generation = Generation(expected + 1);
        other.facts.insert(String::from("lost"), true.into());
        let refused = two.store(Generation(expected), &other).await;
        let stale = matches!(refused, Err(RegistryError::Stale { found: Generation(1), .. }));
        assert!(stale, "stored from generation {expected}: {refused:?}");
        assert_eq!(one.load(&kept.id).await.expect("load"), Some(kept.clone()), "it was changed");
    }
}

async fn of_many_at_once_one_is_stored(one: &impl StateRegistry, two: &impl StateRegistry) {
    let base = record();
    let stored = AtomicUsize::new(0);
    let attempts = (0..16).map(|number: usize| {
        let registry: &dyn StateRegistry = if number.is_multiple_of(2) { one } else { two };
        let (mut next, stored) = (base.clone(), &stored);
        next.generation = Generation(1);
        next.facts.insert(String::from("by"), number.into());
        async move {
            match registry.store(Generation(0), &next).await {
                Ok(()) => stored.fetch_add(1, Ordering::Relaxed),
                Err(RegistryError::Stale { .. }) => 0,
                Err(other) => panic!("neither stored nor stale: {other}"),
            }
        }
    });
    futures_util::future::join_all(attempts).await;
    assert_eq!(stored.into_inner(), 1, "two at once were both stored");
}

async fn one_holds_a_claim(one: &impl StateRegistry, two: &impl StateRegistry) {
    let (id, other) = (record().id, record().id);
    let held = one.claim(&id).await.expect("claim");
    for registry in [one as &dyn StateRegistry, two] {
        let refused = registry.claim(&id).await;
        assert!(matches!(refused, Err(RegistryError::Claimed(_))), "two hold one: {refused:?}");
    }
    drop(two.claim(&other).await.expect("claim of another"));
    drop(held);
    drop(two.claim(&id).await.expect("claim after it was given back"));
}

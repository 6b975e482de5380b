//! Another daemon that answers is not the deployment's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use deploy_core::registry::Memory;
use deploy_core::{
    About, Consent, DeploymentId, Engine, EngineError, Grants, OnFailure, Phase, Record, Run,
    Silent, StateRegistry as _, Status,
};
use tokio_util::sync::CancellationToken;
use velociraptor_config::Profile;

use super::*;
use crate::deployment::DockerOrder;

fn order() -> DockerOrder {
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    DockerOrder {
        profile: &Profile::MINIMAL,
        grants: Grants::of(&Profile::MINIMAL),
        agents_at: "vr.example.org:8000".parse().unwrap(),
        agents_on: at(8000),
        gui_on: at(8889),
        api_on: at(8001),
        gui_user: String::from("admin"),
        labels: Vec::new(),
        binary: "/nowhere".into(),
        sha256: "ab".repeat(32),
        health: Duration::from_secs(1),
    }
}

#[test]
fn two_that_are_published_at_one_place_are_refused() {
    let taken = SocketAddr::from(([0, 0, 0, 0], 8889));
    let order = DockerOrder { agents_on: taken, ..order() };
    let said = order.plan(&DeploymentId::generate().unwrap()).unwrap_err().to_string();
    assert!(said.contains("the agents' port and the GUI"), "{said}");
}

#[tokio::test]
async fn another_daemon_is_not_asked_for_anything() {
    // Nothing is behind the socket: a request would fail in other words.
    let socket = tempfile::NamedTempFile::new().unwrap();
    let daemon = Daemon::known_as("CD:34", socket.path());
    let store = credstore::MemoryStore::new(credstore::Clock::of_the_machine());
    let deployer = DockerDeployer::new(daemon, Vault::new(Arc::new(store)));
    let (registry, cancel) = (Memory::default(), CancellationToken::new());
    let id = DeploymentId::generate().unwrap();
    let mut record =
        Record::new(id.clone(), deployer.kind(), About::default(), order().plan(&id).unwrap());
    record.phases.iter_mut().for_each(|phase| *phase = Phase::Done);
    record.facts.insert(String::from("target"), "AB:12".into());
    let engine = Engine::new(&registry, &deployer);
    engine.record(record).await.unwrap();
    let run = Run { cancel: &cancel, progress: &Silent, on_failure: OnFailure::Keep };

    let is_other = |error: &StepError| {
        let said = error.to_string();
        let named = said.contains("AB:12") && said.contains("CD:34");
        assert!(matches!(error, StepError::Unreachable { .. }) && named, "{error:?}");
    };
    for (_, found) in engine.look(&id, &run).await.unwrap() {
        is_other(&found.unwrap_err());
    }
    match engine.bring_up(&id, &run).await.unwrap_err() {
        EngineError::Failed { cause, .. } => is_other(&cause),
        other => panic!("{other:?}"),
    }
    let consent = Consent::given("alice", id.clone());
    match engine.take_down(&id, &run, &consent).await.unwrap_err() {
        EngineError::Remains { cause, .. } => is_other(&cause),
        other => panic!("{other:?}"),
    }
    assert_ne!(registry.load(&id).await.unwrap().unwrap().status(), Status::Gone);
}

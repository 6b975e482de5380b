//! Another host that answers is not the deployment's.

use deploy_core::evidence::Pipe;
use deploy_core::registry::Memory;
use deploy_core::transport::{Command, Ended, NewFile, Stat, TransportError};
use deploy_core::{
    About, Consent, DeploymentId, Engine, EngineError, OnFailure, Phase, Record, Run, Silent,
    StateRegistry as _, Status,
};
use secret::Secret;
use tokio_util::sync::CancellationToken;
use velociraptor_config::Profile;

use super::*;
use crate::deployment::LinuxOrder;

/// A host that has nothing but a machine id. Anything else that is done on it is a failure.
#[derive(Debug)]
struct Empty;

fn touched<T>(what: &str) -> Result<T, TransportError> {
    panic!("{what} on another host")
}

#[async_trait]
impl Transport for Empty {
    fn host(&self) -> &str {
        "another host"
    }

    async fn run(&self, command: &Command<'_>) -> Result<Ended, TransportError> {
        touched(command.program)
    }

    async fn pour(&self, command: &Command<'_>, _: &Pipe) -> Result<Ended, TransportError> {
        touched(command.program)
    }

    async fn put(&self, file: &NewFile<'_>) -> Result<(), TransportError> {
        touched(file.path)
    }

    async fn read(&self, path: &str, _: usize) -> Result<Option<Secret<Vec<u8>>>, TransportError> {
        assert_eq!(path, MACHINE.0);
        Ok(Some(Secret::new(b"0badcafe\n".to_vec())))
    }

    async fn sha256(&self, path: &str) -> Result<Option<String>, TransportError> {
        touched(path)
    }

    async fn stat(&self, path: &str) -> Result<Option<Stat>, TransportError> {
        touched(path)
    }

    async fn remove(&self, path: &str) -> Result<(), TransportError> {
        touched(path)
    }
}

#[tokio::test]
async fn another_host_is_asked_for_its_name_and_left_alone() {
    let store = credstore::MemoryStore::new(credstore::Clock::of_the_machine());
    let deployer = LinuxDeployer::new(Arc::new(Empty), Vault::new(Arc::new(store)));
    let (registry, cancel) = (Memory::default(), CancellationToken::new());
    let id = DeploymentId::generate().unwrap();
    let place = "vr.example.org:8000".parse().unwrap();
    let order = LinuxOrder::new(&Profile::MINIMAL, place, "/nowhere".into(), "ab".repeat(32));
    let plan = order.plan(&id).unwrap();
    let mut record = Record::new(id.clone(), deployer.kind(), About::default(), plan);
    record.phases.iter_mut().for_each(|phase| *phase = Phase::Done);
    record.facts.insert(String::from("target"), "feedbeef".into());
    let engine = Engine::new(&registry, &deployer);
    engine.record(record).await.unwrap();
    let run = Run { cancel: &cancel, progress: &Silent, on_failure: OnFailure::Keep };

    for (step, found) in engine.look(&id, &run).await.unwrap() {
        let error = found.unwrap_err();
        assert!(matches!(error, StepError::Unreachable { .. }), "{step}: {error:?}");
        let said = error.to_string();
        assert!(said.contains("feedbeef") && said.contains("0badcafe"), "{said}");
    }
    let error = engine.bring_up(&id, &run).await.unwrap_err();
    let far = |error: &EngineError| match error {
        EngineError::Failed { cause, .. } | EngineError::Remains { cause, .. } => {
            matches!(cause, StepError::Unreachable { .. })
        }
        _ => false,
    };
    assert!(far(&error), "{error:?}");
    let error = engine.take_down(&id, &run, &Consent::given("alice", id.clone())).await;
    let error = error.unwrap_err();
    assert!(far(&error), "{error:?}");
    assert_ne!(registry.load(&id).await.unwrap().unwrap().status(), Status::Gone);
}

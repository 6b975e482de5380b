//! A deployment with a registry and a store of secrets of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::ensure;
use credstore::{CredentialStore, MemoryStore};
use deploy_core::preflight::Check;
use deploy_core::server::{Place, Rotation, Vault};
use deploy_core::{
    About, Consent, Deployer, DeploymentId, Engine, EngineError, OnFailure, Progress, Record, Run,
    Silent, registry,
};
use deploy_linux::{LinuxDeployer, LinuxOrder, Local, Owner};
use tokio_util::sync::CancellationToken;
use velociraptor_config::{Bind, Listen, Profile};

use super::inside::Bed;
use crate::real::Ports;

pub(super) struct Site {
    deployer: LinuxDeployer,
    pub(super) store: Arc<MemoryStore>,
    pub(super) vault: Vault,
    registry: registry::Memory,
    pub(super) id: DeploymentId,
    cancel: CancellationToken,
}

fn store() -> (Arc<MemoryStore>, Vault) {
    let store = Arc::new(MemoryStore::new(credstore::Clock::of_the_machine()));
    let vault = Vault::new(Arc::clone(&store) as Arc<dyn CredentialStore>);
    (store, vault)
}

pub(super) fn deployer() -> LinuxDeployer {
    LinuxDeployer::new(Arc::new(Local), store().1)
}

/// A small server, all of whose ports are on loopback.
pub(super) fn order(bed: &Bed) -> anyhow::Result<LinuxOrder> {
    let Ports { frontend, gui, api, monitoring } = Ports::choose()?;
    let place = format!("localhost:{frontend}").parse()?;
    let (binary, sha256) = (bed.binary.clone(), bed.sha256.clone());
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let ports = Listen::on([frontend, gui, api, monitoring], here);
    let listen = Listen { frontend: Bind { address: here, port: frontend }, ..ports };
    let usual = LinuxOrder::new(&Profile::MINIMAL, place, binary, sha256);
    Ok(LinuxOrder { listen, health: Duration::from_secs(60), ..usual })
}

impl Site {
    pub(super) async fn planned(order: &LinuxOrder) -> anyhow::Result<Self> {
        let (store, vault) = store();
        let deployer = LinuxDeployer::new(Arc::new(Local), vault.clone());
        let (registry, id) = (registry::Memory::default(), DeploymentId::generate()?);
        let record = Record::new(id.clone(), deployer.kind(), About::default(), order.plan(&id)?);
        Engine::new(&registry, &deployer).record(record).await?;
        Ok(Self { deployer, store, vault, registry, id, cancel: CancellationToken::new() })
    }

    pub(super) fn owner(&self) -> Owner {
        Owner::new(self.id.clone())
    }

    fn run<'a>(&'a self, progress: &'a dyn Progress) -> Run<'a> {
        Run { cancel: &self.cancel, progress, on_failure: OnFailure::TakeBack }
    }

    pub(super) async fn up(&self, progress: &dyn Progress) -> Result<Record, EngineError> {
        Engine::new(&self.registry, &self.deployer).bring_up(&self.id, &self.run(progress)).await
    }

    pub(super) async fn rotate(&self, api: &Place) -> Result<Record, EngineError> {
        let change = Rotation { days: 30, keep_keys: false };
        let engine = Engine::new(&self.registry, &self.deployer);
        let run = self.run(&Silent);
        let rotated = engine.bring_up_after(&self.id, &run, &change.of(&self.vault, api)).await;
        rotated.map(|(record, _)| record)
    }

    pub(super) async fn down(&self) -> anyhow::Result<()> {
        let consent = Consent::given("the suite", self.id.clone());
        let engine = Engine::new(&self.registry, &self.deployer);
        engine.take_down(&self.id, &self.run(&Silent), &consent).await?;
        self.no_secrets().await
    }

    pub(super) async fn checks(&self, record: &Record) -> Vec<Check> {
        self.deployer.standing(record, &Profile::MINIMAL, &self.cancel).await
    }

    /// Takes it down once its evidence is in that file.
    pub(super) async fn down_copied(&self, file: &Path) -> Result<Record, EngineError> {
        let consent = Consent::given("the suite", self.id.clone());
        let engine = Engine::new(&self.registry, &self.deployer);
        let (run, source) = (self.run(&Silent), &self.deployer);
        let done = engine.take_down_copied(&self.id, &run, &consent, source, file).await;
        done.map(|(record, _)| record)
    }

    pub(super) async fn no_secrets(&self) -> anyhow::Result<()> {
        let secrets = self.vault.count(&self.id).await?;
        ensure!(secrets == 0, "{secrets} secrets are left");
        Ok(())
    }

    /// Why it does not come up. Comes up it does not: then it is taken down.
    pub(super) async fn refused(&self, progress: &dyn Progress) -> anyhow::Result<String> {
        match self.up(progress).await {
            Err(error) => {
                self.no_secrets().await?;
                Ok(error.to_string())
            }
            Ok(_) => {
                self.down().await?;
                anyhow::bail!("it came up")
            }
        }
    }
}

/// What was told, and when.
pub(super) struct Told(Instant, Mutex<Vec<String>>);

impl Told {
    pub(super) fn new() -> Self {
        Self(Instant::now(), Mutex::default())
    }

    pub(super) fn all(&self) -> String {
        self.1.lock().map(|said| said.join("\n")).unwrap_or_default()
    }
}

impl Progress for Told {
    fn say(&self, step: usize, of: usize, what: &str) {
        if let Ok(mut said) = self.1.lock() {
            said.push(format!("{:6.2} {step}/{of} {what}", self.0.elapsed().as_secs_f64()));
        }
    }
}

//! The deployments of a state folder: their records, their secrets, and how they are carried out.
//!
//! Records and secrets are of the account that runs Megaraptor. A deployment that is up is at once a
//! server that tools can ask, by its id.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use credstore::{AskPassphrase, CredentialStore, Expired, FileStore, open_text};
use deploy_core::registry::{Files, Read, RegistryError};
use deploy_core::server::{ServerOrder, Vault, names};
use deploy_core::transport::Transport;
use deploy_core::{
    Deployer, DeploymentId, Engine, EngineError, Record, StateRegistry as _, Status, StepError,
    TargetKind,
};
use deploy_docker::{Daemon, DockerDeployer, DockerHost};
use deploy_linux::LinuxDeployer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use velociraptor_api::config::Origin;
use velociraptor_api::{ApiConfig, IdentityKind, OrgId, Server};

use crate::credentials;
use crate::services::Target;
use crate::tool_error::{Code, ToolError};

mod checked;
mod further;
mod handbook;
mod kits;
mod live;
mod package;
mod running;
mod shown;
mod wish;
mod written;

pub use handbook::Handbook;
pub(crate) use kits::{KitWish, PlannedKit, only_near};
pub use live::Live;
pub use running::Ended;
pub(crate) use shown::order;
pub use shown::{Brief, StepShown, Whole};
pub(crate) use wish::ANY;
pub use wish::{On, Planned, Wish, digest as plan_digest};
pub use written::{keep, own_folder, taken};

/// The address of the Docker daemon, as Docker's own programs read it.
const DOCKER_HOST: &str = "DOCKER_HOST";

/// The deployments of one state folder.
#[derive(Clone, Debug)]
pub struct Deployments {
    home: PathBuf,
    store: Arc<FileStore>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// Why a deployment that is up cannot be asked, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which one; nothing where it is about all.
    pub id: Option<DeploymentId>,
    /// For a person.
    pub why: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

/// The platforms that this program knows.
enum Platform {
    Docker(Box<DockerDeployer>),
    Linux(LinuxDeployer),
}

/// A deployment of which there is a record, or the reason why it cannot be read.
#[derive(Debug)]
pub struct Listed {
    /// Which one.
    pub id: DeploymentId,
    /// What is on record.
    pub record: Result<Record, ToolError>,
}

impl Deployments {
    /// Those of this state folder. A passphrase of the store of secrets is asked of `person`.
    pub fn of(home: &Path, person: Option<Arc<dyn AskPassphrase>>) -> Self {
        Self {
            home: home.to_owned(),
            store: Arc::new(credentials::open(home, person)),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The secrets, as steps use them.
    pub fn vault(&self) -> Vault {
        Vault::new(Arc::clone(&self.store) as Arc<dyn CredentialStore>)
    }

    /// The secrets.
    pub fn store(&self) -> &FileStore {
        &self.store
    }

    fn registry(&self) -> Result<Files, ToolError> {
        Files::open(&self.home).map_err(|error| told_registry(&error))
    }

    /// All of which there is a record, gone ones too, the newest first.
    ///
    /// # Errors
    ///
    /// Where they cannot be listed. A record that cannot be read is in the list, with the reason.
    pub async fn list(&self) -> Result<Vec<Listed>, ToolError> {
        let registry = self.registry()?;
        let read = tokio::task::spawn_blocking(move || registry.read_all()).await;
        let read = read.map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
        let read = read.map_err(|error| told_registry(&error))?;
        let listed = |(id, record): Read| Listed {
            id,
            record: record.map_err(|error| told_registry(&error)),
        };
        let mut all: Vec<Listed> = read.into_iter().map(listed).collect();
        all.sort_by_key(|listed| {
            std::cmp::Reverse(listed.record.as_ref().ok().map(|record| record.made))
        });
        Ok(all)
    }

    /// The record of one.
    ///
    /// # Errors
    ///
    /// `not_found`, or why it cannot be read.
    pub async fn load(&self, id: &DeploymentId) -> Result<Record, ToolError> {
        let registry = self.registry()?;
        let record = registry.load(id).await.map_err(|error| told_registry(&error))?;
        record.ok_or_else(|| told_registry(&RegistryError::Missing(id.clone())))
    }

    /// Notes a deployment before anything of it is done.
    ///
    /// # Errors
    ///
    /// Where it cannot be noted.
    pub async fn note(&self, record: Record) -> Result<Record, ToolError> {
        let (registry, kind) = (self.registry()?, record.kind.clone());
        let deployer = self.deployer(&kind).await?;
        let engine = Engine::new(&registry, deployer.as_ref());
        engine.record(record).await.map_err(|error| told(&error))
    }

    /// What was decided about the server of a deployment.
    ///
    /// # Errors
    ///
    /// Where its plan has no server: it is of another program.
    pub fn order(&self, record: &Record) -> Result<ServerOrder, ToolError> {
        order(record).ok_or_else(|| {
            let why = format!("the plan of {} has no server that this program knows", record.id);
            ToolError::new(Code::Conflict, why).next("use the version that made the deployment")
        })
    }

    /// What knows the steps of a platform.
    async fn deployer(&self, kind: &TargetKind) -> Result<Box<dyn Deployer>, ToolError> {
        Ok(match self.platform(kind).await? {
            Platform::Docker(deployer) => deployer,
            Platform::Linux(deployer) => Box::new(deployer),
        })
    }

    async fn platform(&self, kind: &TargetKind) -> Result<Platform, ToolError> {
        if kind.0 == DockerDeployer::KIND {
            let deployer = DockerDeployer::new(daemon().await?, self.vault());
            return Ok(Platform::Docker(Box::new(deployer)));
        }
        if kind.0 == LinuxDeployer::KIND {
            return Ok(Platform::Linux(LinuxDeployer::new(this_host()?, self.vault())));
        }
        Err(ToolError::new(Code::Conflict, format!("this program cannot deploy on {kind}"))
            .next("use the version that made the deployment"))
    }

    /// The servers of the deployments that are up, to be asked by their ids, and why others that are
    /// up cannot be. Blocking; opens three secrets for each.
    pub fn targets(&self) -> (Vec<Target>, Vec<Fault>) {
        let (mut targets, mut faults) = (Vec::new(), Vec::new());
        if !self.home.join("deployments").exists() {
            return (targets, faults);
        }
        let mut records = match self
            .registry()
            .and_then(|registry| registry.read_all().map_err(|error| told_registry(&error)))
        {
            Ok(records) => records,
            Err(error) => return (targets, vec![Fault { id: None, why: error.to_string() }]),
        };
        // The oldest first, so that lists of them do not change their order with each new one.
        records.sort_by_key(|(_, record)| record.as_ref().ok().map(|record| record.made));
        for (id, record) in records {
            let target = match record {
                Ok(record) if record.status() != Status::Up => continue,
                Ok(record) => self.target(&record),
                Err(error) => Err(told_registry(&error)),
            };
            match target {
                Ok(target) => targets.push(target),
                Err(error) => {
                    let why = format!("{id} cannot be asked: {error}");
                    faults.push(Fault { id: Some(id), why });
                }
            }
        }
        (targets, faults)
    }

    /// The server of a deployment. Blocking.
    ///
    /// # Errors
    ///
    /// Where its API files cannot be opened.
    pub fn target(&self, record: &Record) -> Result<Target, ToolError> {
        let mut configs = Vec::new();
        for kind in IdentityKind::ALL {
            let reference = Vault::reference(&record.id, names::api(kind))
                .map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
            let text = open_text(self.store.as_ref(), &reference, Expired::Refused)
                .map_err(|error| credentials::told(&error))?;
            let config = ApiConfig::parse(&text, Origin::Memory("the store of secrets"))?;
            configs.push((Some(kind), config));
        }
        Ok(Target {
            server: Arc::new(Server::open(record.id.to_string(), configs)?),
            orgs: vec![OrgId::root()],
            gui: shown::gui(record),
        })
    }
}

/// This very host.
#[cfg(unix)]
fn this_host() -> Result<Arc<dyn Transport>, ToolError> {
    Ok(Arc::new(deploy_linux::Local))
}

/// This very host, which is no Linux.
#[cfg(not(unix))]
fn this_host() -> Result<Arc<dyn Transport>, ToolError> {
    Err(ToolError::new(Code::Conflict, "this machine is no Linux host")
        .next("run megaraptor on the host, or deploy on docker"))
}

/// The daemon that `DOCKER_HOST` names, else the usual one of this machine.
async fn daemon() -> Result<Daemon, ToolError> {
    let named = std::env::var(DOCKER_HOST).ok().filter(|address| !address.is_empty());
    let unfit = |error: deploy_docker::DaemonError| {
        let code = match error {
            deploy_docker::DaemonError::Address { .. } => Code::InvalidInput,
            deploy_docker::DaemonError::Down { .. } => Code::Unavailable,
            _ => Code::Conflict,
        };
        ToolError::new(code, error.to_string()).next(error.next())
    };
    let host =
        named.map_or_else(|| Ok(DockerHost::default()), |address| DockerHost::parse(&address));
    Daemon::connect(host.map_err(unfit)?).await.map_err(unfit)
}

fn told_registry(error: &RegistryError) -> ToolError {
    let told = |code| ToolError::new(code, error.to_string());
    match error {
        RegistryError::Claimed(id) => told(Code::Conflict)
            .retryable()
            .next(format!("megaraptor deployments show {id}, once the other process has ended")),
        RegistryError::Stale { id, .. } => told(Code::Conflict)
            .retryable()
            .next(format!("megaraptor deployments show {id} says how it stands now")),
        RegistryError::Missing(_) => told(Code::NotFound)
            .next("megaraptor deployments list, or list_deployments, shows them"),
        RegistryError::Io { path, .. } => told(Code::Internal)
            .next(format!("look at {}, its rights, and the room on its disk", path.display())),
        RegistryError::Corrupt { path, .. } => told(Code::Conflict).next(format!(
            "put {} back from a copy; nothing was changed, here or on the target",
            path.display()
        )),
        RegistryError::Newer { .. } => told(Code::Conflict)
            .next("use the megaraptor that wrote it, or a newer one (megaraptor --version)"),
        RegistryError::Exposed(_) => told(Code::Conflict)
            .next("look who changed its rights: what stands there is carried out"),
    }
}

/// What a caller is told of work on a deployment that failed.
pub fn told_step(error: &StepError) -> ToolError {
    ToolError::new(code_of(error), error.to_string()).next(error.next())
}

const fn code_of(error: &StepError) -> Code {
    match error {
        StepError::Unreachable { .. } => Code::Unavailable,
        StepError::Late { .. } => Code::Timeout,
        StepError::Panicked(_) => Code::Internal,
        StepError::Failed { .. } => Code::ServerFailed,
    }
}

/// What a caller is told of a deployment that is not where it was to be.
fn told(error: &EngineError) -> ToolError {
    let with = |code| ToolError::new(code, error.to_string());
    match error {
        EngineError::Registry(error) => told_registry(error),
        EngineError::OtherKind { .. } | EngineError::OtherConsent { .. } => with(Code::Internal),
        EngineError::Leaving(_) => with(Code::Conflict),
        EngineError::Unchanged { cause, .. } => told_step(cause),
        EngineError::Unproved { cause, .. } => with(Code::ServerFailed).next(cause.next()),
        EngineError::NotCopied { cause, .. } => with(told_step(cause).code).next(cause.next()),
        EngineError::Stopped { id, .. } => with(Code::Cancelled)
            .next(format!("megaraptor deployments resume {id}, or destroy {id}")),
        EngineError::Failed { id, cause, left_as_it_is, .. } => {
            let next = cause.next();
            with(code_of(cause)).next(if *left_as_it_is {
                format!("{next}; then megaraptor deployments resume {id}, or destroy {id}")
            } else {
                next.to_owned()
            })
        }
        EngineError::Unrecorded { cause, .. } => with(Code::ServerFailed).next(cause.next()),
        EngineError::Remains { id, cause, .. } => with(code_of(cause))
            .next(format!("{}; then megaraptor deployments destroy {id} again", cause.next())),
    }
}

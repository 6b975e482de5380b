//! The steps of a deployment on a systemd host.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use deploy_core::preflight::Check;
use deploy_core::server::{ServerStep, Vault, served};
use deploy_core::transport::{Transport, free_disk};
use deploy_core::{
    Deployer, Found, Plan, PlanError, Step, StepCx, StepError, StepName, TargetKind,
};
use serde::{Deserialize, Serialize};
use velociraptor_config::Profile;

use crate::agent::{ANSWER, AgentSpec};
use crate::beside::Beside;
use crate::configuration::ConfigurationSpec;
use crate::datastore::DatastoreSpec;
use crate::host::{HOST, HostSpec};
use crate::on::On;
use crate::owner::Owner;
use crate::program::ProgramSpec;
use crate::serving::Serving;
use crate::user::UserSpec;

/// One thing on a host, as a step makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinuxStep {
    /// A host that will do.
    Host(HostSpec),
    /// The user of a server.
    User(UserSpec),
    /// The verified binary.
    Program(ProgramSpec),
    /// The folder of a server's data.
    Datastore(DatastoreSpec),
    /// A server's configuration.
    Configuration(ConfigurationSpec),
    /// A step that is the same on every platform.
    Server {
        /// Which one.
        step: ServerStep,
        /// Where the server's program and data are.
        beside: Beside,
    },
    /// A server's unit that is well.
    Serving(Serving),
    /// The folder of an agent, with its configuration.
    AgentFiles(AgentSpec),
    /// An agent's unit, enrolled.
    Agent(AgentSpec),
    /// An agent's answer.
    AgentAnswer(AgentSpec),
}

impl LinuxStep {
    /// The step of a plan.
    ///
    /// # Errors
    ///
    /// Where `name` is no name of a step.
    pub fn step(&self, name: StepName) -> Result<Step, PlanError> {
        Step::new(name, self.to_string(), self)
    }
}

impl fmt::Display for LinuxStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(
                f,
                "looks whether the host will do: systemd, architecture, {} MiB of memory, {} MiB free under {}, ports {} free",
                host.memory >> 20,
                host.disk >> 20,
                host.data_under,
                host.listen.map(|at| at.port().to_string()).join(", ")
            ),
            Self::User(user) => {
                write!(f, "makes the user and group {}, who cannot log in", user.name)
            }
            Self::Program(program) => {
                let short = program.sha256.get(..12).unwrap_or(&program.sha256);
                write!(f, "puts the binary with SHA-256 {short}… at {}", program.path())
            }
            Self::Datastore(datastore) => {
                write!(
                    f,
                    "makes the folder {} for the data of {}",
                    datastore.data(),
                    datastore.user
                )
            }
            Self::Configuration(configuration) => {
                write!(f, "puts the server's configuration at {}", configuration.path())
            }
            Self::Server { step, .. } => write!(f, "{step}"),
            Self::Serving(serving) => write!(
                f,
                "starts {}, and waits until agents' port, GUI and API answer (at most {} s)",
                serving.unit,
                serving.within.as_secs()
            ),
            Self::AgentFiles(agent) => {
                write!(f, "puts the agent's configuration at {}", agent.configuration.path())
            }
            Self::Agent(agent) => write!(
                f,
                "starts {}, and waits until it has enrolled with the label {} (at most {} s)",
                agent.unit,
                agent.label,
                agent.within.as_secs()
            ),
            Self::AgentAnswer(_) => f.write_str("collects Generic.Client.Info from the agent"),
        }
    }
}

/// Deploys on one host.
#[derive(Clone, Debug)]
pub struct LinuxDeployer {
    host: Arc<dyn Transport>,
    vault: Vault,
}

impl LinuxDeployer {
    /// What the record of such a deployment says.
    pub const KIND: &'static str = "linux";

    /// A deployer on this host, with its secrets in this store.
    pub const fn new(host: Arc<dyn Transport>, vault: Vault) -> Self {
        Self { host, vault }
    }

    pub(crate) fn host(&self) -> &dyn Transport {
        self.host.as_ref()
    }

    pub(crate) const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// What tells the host from all others, where it says so.
    pub(crate) async fn machine(&self) -> Result<Option<String>, StepError> {
        let (path, most) = MACHINE;
        let read = self.host.read(path, most).await?;
        let id = read.map(|read| String::from_utf8_lossy(read.expose()).trim().to_owned());
        Ok(id.filter(|id| !id.is_empty()))
    }
}

impl LinuxDeployer {
    /// Whether the server of a plan has room.
    ///
    /// # Errors
    ///
    /// Where the host does not say, or the plan has no host.
    pub async fn room(&self, plan: &Plan, profile: &Profile) -> Result<Check, StepError> {
        let needed = profile.file.min_allowed_file_space_mb.saturating_mul(1 << 20);
        for step in plan.steps() {
            if let LinuxStep::Host(HostSpec { data_under, .. }) = read(step)? {
                let free = free_disk(self.host.as_ref(), &data_under).await?;
                return Ok(Check::room(&data_under, needed, Some(free)));
            }
        }
        Err(StepError::failed(
            "the plan has no host",
            "the record was edited: restore it from a copy",
        ))
    }
}

/// What systemd tells hosts apart by, and the most that is read of it.
const MACHINE: (&str, usize) = ("/etc/machine-id", 100);

impl LinuxDeployer {
    /// Another host has nothing of the deployment, which is not the same as that it is gone.
    async fn is_the_host(&self, cx: &StepCx<'_>) -> Result<(), StepError> {
        match self.machine().await? {
            Some(id) => cx.stays_on("the host with the machine id", &id),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Deployer for LinuxDeployer {
    fn kind(&self) -> TargetKind {
        TargetKind(Self::KIND.to_owned())
    }

    async fn look(&self, cx: &StepCx<'_>, step: &Step) -> Result<Found, StepError> {
        self.is_the_host(cx).await?;
        let owner = Owner::new(cx.id.clone());
        let (on, vault) = (On { host: self.host.as_ref(), owner: &owner }, &self.vault);
        match read(step)? {
            LinuxStep::Host(host) => host.look(on, cx).await,
            LinuxStep::User(user) => user.look(on, cx).await,
            LinuxStep::Program(program) => program.look(on).await,
            LinuxStep::Datastore(datastore) => datastore.look(on, cx).await,
            LinuxStep::Configuration(configuration) => {
                let found = match configuration.look(on).await? {
                    Found::Done => {
                        let wanted = vault.config(cx.id).await?.render();
                        configuration.look_at(on, &wanted).await?
                    }
                    other => other,
                };
                if found != Found::Done {
                    // Whoever put another one there may have started the server with it.
                    served::forget(cx);
                }
                Ok(found)
            }
            LinuxStep::Server { step, .. } => step.look(cx, vault).await,
            LinuxStep::Serving(serving) => serving.look(on, cx, vault).await,
            LinuxStep::AgentFiles(agent) => agent.look_at_files(on, cx, vault).await,
            LinuxStep::Agent(agent) => agent.look(on, cx, vault).await,
            LinuxStep::AgentAnswer(agent) => agent.look_at_answer(cx, vault).await,
        }
    }

    async fn apply(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        self.is_the_host(cx).await?;
        let owner = Owner::new(cx.id.clone());
        let (on, vault) = (On { host: self.host.as_ref(), owner: &owner }, &self.vault);
        match read(step)? {
            LinuxStep::Host(host) => host.make(on, cx).await,
            LinuxStep::User(user) => user.make(on, cx).await,
            LinuxStep::Program(program) => program.make(on).await,
            LinuxStep::Datastore(datastore) => datastore.make(on).await,
            LinuxStep::Configuration(configuration) => {
                served::forget(cx);
                configuration.make(on, &vault.config(cx.id).await?.render()).await
            }
            LinuxStep::Server { step, beside } => step.apply(cx, vault, &beside.on(on)).await,
            LinuxStep::Serving(serving) => serving.make(on, cx, vault).await,
            LinuxStep::AgentFiles(agent) => agent.make_files(on, cx, vault).await,
            LinuxStep::Agent(agent) => agent.make(on, cx, vault).await,
            LinuxStep::AgentAnswer(agent) => agent.ask(cx, vault).await,
        }
    }

    async fn undo(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        self.is_the_host(cx).await?;
        let owner = Owner::new(cx.id.clone());
        let (on, vault) = (On { host: self.host.as_ref(), owner: &owner }, &self.vault);
        match read(step)? {
            LinuxStep::Host(_) => {
                cx.forget(HOST);
                Ok(())
            }
            LinuxStep::User(user) => user.remove(on, cx).await,
            LinuxStep::Program(program) => program.folder.remove(on).await,
            LinuxStep::Datastore(datastore) => datastore.remove(on, cx).await,
            LinuxStep::Configuration(configuration) => configuration.remove(on).await,
            LinuxStep::Server { step, .. } => step.undo(cx, vault).await,
            LinuxStep::Serving(serving) => serving.remove(on, cx).await,
            LinuxStep::AgentFiles(agent) => agent.configuration.remove(on).await,
            LinuxStep::Agent(agent) => agent.remove(on, cx).await,
            LinuxStep::AgentAnswer(_) => {
                cx.forget(ANSWER);
                Ok(())
            }
        }
    }
}

fn read(step: &Step) -> Result<LinuxStep, StepError> {
    step.settings().map_err(|error| {
        StepError::failed(error.to_string(), "the record was edited: restore it from a copy")
    })
}

#[cfg(test)]
mod tests;

//! The steps of a deployment on a daemon.

use std::fmt;

use async_trait::async_trait;
use deploy_core::server::{DATASTORE, ServerStep, Vault};
use deploy_core::{Deployer, Found, PlanError, Step, StepCx, StepError, StepName, TargetKind};
use serde::{Deserialize, Serialize};

use crate::container::ContainerSpec;
use crate::daemon::Daemon;
use crate::image::ImageSpec;
use crate::inside::Inside;
use crate::network::NetworkSpec;
use crate::owner::Owner;
use crate::serving::Serving;
use crate::volume::VolumeSpec;

/// One object of a daemon, as a step makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DockerStep {
    /// An image.
    Image(ImageSpec),
    /// A network.
    Network(NetworkSpec),
    /// A volume.
    Volume(VolumeSpec),
    /// A container that runs.
    Container(ContainerSpec),
    /// The volume of a server's data.
    Datastore(VolumeSpec),
    /// The volume of a server's configuration, with the configuration in it.
    Configuration(Inside),
    /// A step that is the same on every platform.
    Server {
        /// Which one.
        step: ServerStep,
        /// Where the server's program and data are.
        inside: Inside,
    },
    /// A server's container that is well.
    Serving(Serving),
}

impl DockerStep {
    /// The step of a plan.
    ///
    /// # Errors
    ///
    /// Where `name` is no name of a step.
    pub fn step(&self, name: StepName) -> Result<Step, PlanError> {
        Step::new(name, self.to_string(), self)
    }
}

impl fmt::Display for DockerStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => {
                let short = image.sha256.get(..12).unwrap_or(&image.sha256);
                write!(f, "makes the image {} of the binary with SHA-256 {short}…", image.tag)
            }
            Self::Network(network) if network.isolated => {
                write!(
                    f,
                    "makes the network {}, from which nothing outside is reached",
                    network.name
                )
            }
            Self::Network(network) => write!(f, "makes the network {}", network.name),
            Self::Volume(volume) | Self::Datastore(volume) => {
                write!(f, "makes the volume {}", volume.name)
            }
            Self::Container(container) => write!(f, "starts {container}"),
            Self::Configuration(inside) => {
                write!(f, "makes the volume {} with the server's configuration", inside.config)
            }
            Self::Server { step, .. } => write!(f, "{step}"),
            Self::Serving(serving) => write!(
                f,
                "starts {}, and waits until agents' port, GUI and API answer (at most {} s)",
                serving.container,
                serving.within.as_secs()
            ),
        }
    }
}

/// Deploys on one daemon.
#[derive(Clone, Debug)]
pub struct DockerDeployer {
    daemon: Daemon,
    vault: Vault,
}

impl DockerDeployer {
    /// What the record of such a deployment says.
    pub const KIND: &'static str = "docker";

    /// A deployer on this daemon, with its secrets in this store.
    pub const fn new(daemon: Daemon, vault: Vault) -> Self {
        Self { daemon, vault }
    }

    pub(crate) const fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    pub(crate) const fn vault(&self) -> &Vault {
        &self.vault
    }
}

impl DockerDeployer {
    /// Another daemon has nothing of the deployment, which is not the same as that it is gone.
    fn is_the_daemon(&self, cx: &StepCx<'_>) -> Result<(), StepError> {
        match self.daemon.facts().id.as_str() {
            "" => Ok(()),
            id => cx.stays_on("the Docker daemon", id),
        }
    }
}

#[async_trait]
impl Deployer for DockerDeployer {
    fn kind(&self) -> TargetKind {
        TargetKind(Self::KIND.to_owned())
    }

    async fn look(&self, cx: &StepCx<'_>, step: &Step) -> Result<Found, StepError> {
        self.is_the_daemon(cx)?;
        let (daemon, owner) = (&self.daemon, Owner::new(cx.id.clone()));
        match read(step)? {
            DockerStep::Image(image) => image.look(daemon, &owner).await,
            DockerStep::Network(network) => network.look(daemon, &owner).await,
            DockerStep::Volume(volume) => volume.look(daemon, &owner).await,
            DockerStep::Container(container) => container.look(daemon, &owner).await,
            DockerStep::Datastore(volume) => {
                let found = volume.look(daemon, &owner).await?;
                if let Some(lot) = volume.lot(daemon).await? {
                    cx.note(DATASTORE, lot);
                }
                Ok(found)
            }
            DockerStep::Configuration(inside) => inside.look(daemon, &owner, cx, &self.vault).await,
            DockerStep::Server { step, .. } => step.look(cx, &self.vault).await,
            DockerStep::Serving(serving) => serving.look(daemon, &owner, cx, &self.vault).await,
        }
    }

    async fn apply(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        self.is_the_daemon(cx)?;
        let (daemon, owner) = (&self.daemon, Owner::new(cx.id.clone()));
        match read(step)? {
            DockerStep::Image(image) => image.make(daemon, &owner, cx).await,
            DockerStep::Network(network) => network.make(daemon, &owner).await,
            DockerStep::Volume(volume) | DockerStep::Datastore(volume) => {
                volume.make(daemon, &owner).await
            }
            DockerStep::Container(container) => container.make(daemon, &owner).await,
            DockerStep::Configuration(inside) => inside.make(daemon, &owner, cx, &self.vault).await,
            DockerStep::Server { step, inside } => {
                step.apply(cx, &self.vault, &inside.program(daemon, &owner)).await
            }
            DockerStep::Serving(serving) => serving.make(daemon, &owner, cx, &self.vault).await,
        }
    }

    async fn undo(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        self.is_the_daemon(cx)?;
        let (daemon, owner) = (&self.daemon, Owner::new(cx.id.clone()));
        match read(step)? {
            DockerStep::Image(image) => image.remove(daemon, &owner).await,
            DockerStep::Network(network) => network.remove(daemon, &owner).await,
            DockerStep::Volume(volume) => volume.remove(daemon, &owner).await,
            DockerStep::Container(container) => container.remove(daemon, &owner).await,
            DockerStep::Datastore(volume) => {
                cx.forget(DATASTORE);
                volume.remove(daemon, &owner).await
            }
            DockerStep::Configuration(inside) => inside.remove(daemon, &owner).await,
            DockerStep::Server { step, inside } => {
                inside.tidy(daemon, &owner).await?;
                step.undo(cx, &self.vault).await
            }
            DockerStep::Serving(serving) => serving.remove(daemon, &owner, cx).await,
        }
    }
}

fn read(step: &Step) -> Result<DockerStep, StepError> {
    step.settings().map_err(|error| {
        StepError::failed(error.to_string(), "the record was edited: restore it from a copy")
    })
}

#[cfg(test)]
mod tests;

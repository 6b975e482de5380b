//! The steps of a deployment on a daemon.

use std::fmt;

use async_trait::async_trait;
use deploy_core::{Deployer, Found, PlanError, Step, StepCx, StepError, StepName, TargetKind};
use serde::{Deserialize, Serialize};

use crate::container::ContainerSpec;
use crate::daemon::Daemon;
use crate::image::ImageSpec;
use crate::network::NetworkSpec;
use crate::owner::Owner;
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
            Self::Volume(volume) => write!(f, "makes the volume {}", volume.name),
            Self::Container(container) => {
                write!(f, "starts the container {}", container.name)?;
                for port in &container.published {
                    write!(f, ", {} on {}", port.inside, port.outside)?;
                }
                Ok(())
            }
        }
    }
}

/// Deploys on one daemon.
#[derive(Clone, Debug)]
pub struct DockerDeployer {
    daemon: Daemon,
}

impl DockerDeployer {
    /// What the record of such a deployment says.
    pub const KIND: &'static str = "docker";

    /// A deployer on this daemon.
    pub const fn new(daemon: Daemon) -> Self {
        Self { daemon }
    }
}

#[async_trait]
impl Deployer for DockerDeployer {
    fn kind(&self) -> TargetKind {
        TargetKind(Self::KIND.to_owned())
    }

    async fn look(&self, cx: &StepCx<'_>, step: &Step) -> Result<Found, StepError> {
        let (daemon, owner) = (&self.daemon, Owner::new(cx.id.clone()));
        match read(step)? {
            DockerStep::Image(image) => image.look(daemon, &owner).await,
            DockerStep::Network(network) => network.look(daemon, &owner).await,
            DockerStep::Volume(volume) => volume.look(daemon, &owner).await,
            DockerStep::Container(container) => container.look(daemon, &owner).await,
        }
    }

    async fn apply(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        let (daemon, owner) = (&self.daemon, Owner::new(cx.id.clone()));
        match read(step)? {
            DockerStep::Image(image) => image.make(daemon, &owner, cx).await,
            DockerStep::Network(network) => network.make(daemon, &owner).await,
            DockerStep::Volume(volume) => volume.make(daemon, &owner).await,
            DockerStep::Container(container) => container.make(daemon, &owner).await,
        }
    }

    async fn undo(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        let (daemon, owner) = (&self.daemon, Owner::new(cx.id.clone()));
        match read(step)? {
            DockerStep::Image(image) => image.remove(daemon, &owner).await,
            DockerStep::Network(network) => network.remove(daemon, &owner).await,
            DockerStep::Volume(volume) => volume.remove(daemon, &owner).await,
            DockerStep::Container(container) => container.remove(daemon, &owner).await,
        }
    }
}

fn read(step: &Step) -> Result<DockerStep, StepError> {
    step.settings().map_err(|error| {
        StepError::failed(error.to_string(), "the record was edited: restore it from a copy")
    })
}

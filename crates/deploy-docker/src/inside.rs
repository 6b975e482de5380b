//! Where a server's program, configuration and data are inside of containers.

use async_trait::async_trait;
use deploy_core::evidence::Pipe;
use deploy_core::server::{Program, Vault, served};
use deploy_core::transport::Ended;
use deploy_core::{Found, StepCx, StepError};
use secret::Secret;
use serde::{Deserialize, Serialize};

use crate::container;
use crate::daemon::Daemon;
use crate::errand::Errand;
use crate::owner::Owner;
use crate::volume::VolumeSpec;

/// The folder of the data.
pub(crate) const DATA: &str = "/datastore";

/// The folder of the configuration.
pub(crate) const CONFIG: &str = "/etc/velociraptor";

/// What the name of the server's container ends with.
pub(crate) const SERVER: &str = "server";

/// The name of its file.
const FILE: &str = "server.config.yaml";

/// The user that the server runs as.
pub(crate) const USER: u32 = 1000;

/// An image and two volumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// The image with the program.
    pub image: String,
    /// The volume of the data.
    pub data: String,
    /// The volume of the configuration.
    pub config: String,
}

/// Names of errands: one that a killed program left is found by its name.
const ERRANDS: [&str; 3] = ["config", "program", "evidence"];

impl Inside {
    /// Global arguments of the program.
    pub(crate) fn arguments() -> Vec<String> {
        ["--nobanner", "--config"].map(String::from).into_iter().chain([path()]).collect()
    }

    fn volume(&self) -> VolumeSpec {
        VolumeSpec { name: self.config.clone() }
    }

    fn errand<'a>(&self, daemon: &'a Daemon, owner: &'a Owner) -> Errand<'a> {
        Errand::new(daemon, owner, ERRANDS[0], &self.image).with(&self.config, CONFIG)
    }

    /// Sends all of the data on, as one tar.
    pub(crate) async fn pour(
        &self,
        daemon: &Daemon,
        owner: &Owner,
        into: &Pipe,
    ) -> Result<(), StepError> {
        let errand = Errand::new(daemon, owner, ERRANDS[2], &self.image);
        errand.seeing(&self.data, DATA).pour(DATA, into).await
    }

    /// The configuration's volume, and whether the file in it is the one of the store of secrets.
    pub(crate) async fn look(
        &self,
        daemon: &Daemon,
        owner: &Owner,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<Found, StepError> {
        match self.volume().look(daemon, owner).await? {
            Found::Done => {}
            other => {
                served::forget(cx);
                return Ok(other);
            }
        }
        let wanted = vault.config(cx.id).await?.render();
        let left = match self.errand(daemon, owner).get(&path()).await? {
            Some(found) if found.expose() == wanted.expose().as_bytes() => return Ok(Found::Done),
            Some(_) => format!("volume {} with another configuration", self.config),
            None => format!("volume {} without a configuration", self.config),
        };
        // Whoever put another one there may have started the server with it.
        served::forget(cx);
        Ok(Found::Half { left: vec![left] })
    }

    /// The text of the configuration that is in place; nothing where there is none.
    pub(crate) async fn file(
        &self,
        daemon: &Daemon,
        owner: &Owner,
    ) -> Result<Option<Secret<String>>, StepError> {
        match self.volume().look(daemon, owner).await? {
            Found::Done => {}
            _ => return Ok(None),
        }
        let Some(bytes) = self.errand(daemon, owner).get(&path()).await? else { return Ok(None) };
        let text = String::from_utf8(bytes.expose().clone()).map_err(|_| {
            StepError::failed("the configuration in place is no text", "resume the deployment")
        })?;
        Ok(Some(Secret::new(text)))
    }

    pub(crate) async fn make(
        &self,
        daemon: &Daemon,
        owner: &Owner,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<(), StepError> {
        served::forget(cx);
        let config = vault.config(cx.id).await?.render();
        self.volume().make(daemon, owner).await?;
        self.errand(daemon, owner).put(CONFIG, FILE, config.expose().as_bytes(), USER).await
    }

    pub(crate) async fn remove(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        self.tidy(daemon, owner).await?;
        self.volume().remove(daemon, owner).await
    }

    /// Removes errands that a killed program left.
    pub(crate) async fn tidy(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        for what in ERRANDS {
            Errand::new(daemon, owner, what, &self.image).remove().await?;
        }
        Ok(())
    }

    pub(crate) const fn program<'a>(&'a self, daemon: &'a Daemon, owner: &'a Owner) -> Inner<'a> {
        Inner { inside: self, daemon, owner }
    }
}

fn path() -> String {
    format!("{CONFIG}/{FILE}")
}

/// The program as an errand.
pub(crate) struct Inner<'a> {
    inside: &'a Inside,
    daemon: &'a Daemon,
    owner: &'a Owner,
}

#[async_trait]
impl Program for Inner<'_> {
    async fn alone(&self) -> Result<(), StepError> {
        let name = self.owner.name(SERVER);
        container::remove(&name, self.daemon, self.owner).await
    }

    async fn run(&self, arguments: &[&str]) -> Result<Ended, StepError> {
        let inside = self.inside;
        let all = Inside::arguments();
        let all: Vec<&str> =
            all.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        Errand::new(self.daemon, self.owner, ERRANDS[1], &inside.image)
            .with(&inside.config, CONFIG)
            .with(&inside.data, DATA)
            .run(&all)
            .await
    }
}

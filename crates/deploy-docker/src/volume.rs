//! Volumes.

use bollard::models::{Volume, VolumeCreateRequest};
use bollard::query_parameters::RemoveVolumeOptions;
use deploy_core::server::draw_lot;
use deploy_core::{Found, StepError};
use serde::{Deserialize, Serialize};

use crate::daemon::{Daemon, present};
use crate::owner::Owner;

/// The label with what was drawn by lot when a volume was made.
const LOT: &str = "io.megaraptor.lot";

/// A volume of a deployment's own. Its content goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSpec {
    /// Its name.
    pub name: String,
}

impl VolumeSpec {
    /// How it stands.
    ///
    /// # Errors
    ///
    /// Where the daemon does not say.
    pub async fn look(&self, daemon: &Daemon, owner: &Owner) -> Result<Found, StepError> {
        Ok(match self.inspect(daemon).await? {
            None => Found::Absent,
            Some(volume) if owner.owns(Some(&volume.labels)) => Found::Done,
            Some(_) => owner.foreign("volume", &self.name),
        })
    }

    /// Makes it.
    ///
    /// # Errors
    ///
    /// What the daemon says.
    pub async fn make(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        let mut labels = owner.labels();
        labels.insert(LOT.to_owned(), draw_lot()?);
        let request = VolumeCreateRequest {
            name: Some(self.name.clone()),
            labels: Some(labels),
            ..VolumeCreateRequest::default()
        };
        let doing = format!("making the volume {}", self.name);
        daemon.docker.create_volume(request).await.map(drop).map_err(daemon.failed(&doing))
    }

    /// What tells this volume from another of its name, made before or after it. Nothing where there
    /// is none.
    ///
    /// # Errors
    ///
    /// Where the daemon does not say.
    pub async fn lot(&self, daemon: &Daemon) -> Result<Option<String>, StepError> {
        let found = self.inspect(daemon).await?;
        Ok(found.map(|mut volume| volume.labels.remove(LOT).unwrap_or_default()))
    }

    /// Removes it, with all that is in it, where it is ours.
    ///
    /// # Errors
    ///
    /// What the daemon says, as where a container still uses it.
    pub async fn remove(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        match self.inspect(daemon).await? {
            Some(volume) if owner.owns(Some(&volume.labels)) => {}
            _ => return Ok(()),
        }
        let doing = format!("removing the volume {}", self.name);
        let removed = daemon.docker.remove_volume(&self.name, None::<RemoveVolumeOptions>).await;
        present(removed).map(drop).map_err(daemon.failed(&doing))
    }

    async fn inspect(&self, daemon: &Daemon) -> Result<Option<Volume>, StepError> {
        let doing = format!("looking at the volume {}", self.name);
        let found = daemon.docker.inspect_volume(&self.name).await;
        present(found).map_err(daemon.failed(&doing))
    }
}

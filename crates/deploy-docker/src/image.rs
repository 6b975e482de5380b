//! Images, made here from a verified binary: no registry is needed.

use std::path::PathBuf;

use bollard::models::ImageInspect;
use bollard::query_parameters::{ImportImageOptions, RemoveImageOptionsBuilder};
use deploy_core::{Found, StepCx, StepError};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use crate::daemon::{Daemon, present};
use crate::owner::Owner;

pub(crate) mod archive;
mod rootfs;

pub use rootfs::RootFsError;

/// The label that names the SHA-256 of the binary.
const PACKAGE: &str = "io.megaraptor.package";

/// An image with one program in it, and what that program needs to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// Repository and tag.
    pub tag: String,
    /// The verified binary.
    pub binary: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// The user and group that the program runs as.
    pub user: u32,
    /// Folders that belong to that user, for volumes: a new volume takes over owner and mode.
    pub folders: Vec<String>,
}

impl ImageSpec {
    /// How it stands.
    ///
    /// # Errors
    ///
    /// Where the daemon does not say.
    pub async fn look(&self, daemon: &Daemon, owner: &Owner) -> Result<Found, StepError> {
        let Some(image) = self.inspect(daemon).await? else { return Ok(Found::Absent) };
        let labels = image.config.and_then(|config| config.labels);
        if !owner.owns(labels.as_ref()) {
            return Ok(owner.foreign("image", &self.tag));
        }
        // The labels are part of what the image's id is a hash of, and only `make` writes them.
        if labels.and_then(|mut labels| labels.remove(PACKAGE)).as_ref() == Some(&self.sha256) {
            Ok(Found::Done)
        } else {
            Ok(Found::Half { left: vec![format!("image {} of another binary", self.tag)] })
        }
    }

    /// Makes it and hands it to the daemon.
    ///
    /// # Errors
    ///
    /// Where the binary is not the one that was verified, or cannot run in an image of its own.
    pub async fn make(
        &self,
        daemon: &Daemon,
        owner: &Owner,
        cx: &StepCx<'_>,
    ) -> Result<(), StepError> {
        let mut labels = owner.labels();
        labels.insert(PACKAGE.to_owned(), self.sha256.clone());
        let (spec, architecture) = (self.clone(), daemon.facts().architecture.clone());
        cx.say("packing the image");
        let packed = tokio::task::spawn_blocking(move || {
            archive::pack(&spec, &architecture, labels.into_iter().collect())
        });
        let packed = packed.await.map_err(|error| StepError::Panicked(error.to_string()))?;
        let packed = packed.map_err(|error| {
            StepError::failed(error.to_string(), "name another binary, or another daemon")
        })?;
        cx.say("handing the image to the daemon");
        let body = bollard::body_try_stream(packed.stream());
        let loaded = daemon.docker.import_image(ImportImageOptions::default(), body, None);
        let doing = format!("loading the image {}", self.tag);
        loaded.try_for_each(|_| async { Ok(()) }).await.map_err(daemon.failed(&doing))
    }

    /// Removes it where it is ours.
    ///
    /// # Errors
    ///
    /// What the daemon says, as where a container still uses it.
    pub async fn remove(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        let Some(image) = self.inspect(daemon).await? else { return Ok(()) };
        if !owner.owns(image.config.and_then(|config| config.labels).as_ref()) {
            return Ok(());
        }
        let doing = format!("removing the image {}", self.tag);
        let options = RemoveImageOptionsBuilder::default().build();
        let removed = daemon.docker.remove_image(&self.tag, Some(options), None).await;
        present(removed).map(drop).map_err(daemon.failed(&doing))
    }

    async fn inspect(&self, daemon: &Daemon) -> Result<Option<ImageInspect>, StepError> {
        let doing = format!("looking at the image {}", self.tag);
        let found = daemon.docker.inspect_image(&self.tag).await;
        present(found).map_err(daemon.failed(&doing))
    }
}

/// Labels in an order, so that the same image is the same bytes.
type Labels = std::collections::BTreeMap<String, String>;

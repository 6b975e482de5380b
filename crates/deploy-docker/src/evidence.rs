//! Where the evidence on a daemon is.

use std::path::Path;

use async_trait::async_trait;
use deploy_core::evidence::{Evidence, Pipe};
use deploy_core::server::DATASTORE;
use deploy_core::{Found, Record, Step, StepError};

use crate::deployer::{DockerDeployer, DockerStep};
use crate::owner::Owner;
use crate::volume::VolumeSpec;

#[async_trait]
impl Evidence for DockerDeployer {
    async fn rest(&self, record: &Record) -> Result<(), StepError> {
        self.is_the_daemon_of(record)?;
        let owner = Owner::new(record.id.clone());
        for step in record.plan.steps() {
            if let DockerStep::Serving(serving) = settings(step)? {
                serving.container.stop(self.daemon(), &owner).await?;
            }
        }
        Ok(())
    }

    async fn wake(&self, record: &Record) -> Result<(), StepError> {
        self.is_the_daemon_of(record)?;
        let owner = Owner::new(record.id.clone());
        for step in record.plan.steps() {
            if let DockerStep::Serving(serving) = settings(step)? {
                serving.container.start(self.daemon(), &owner).await?;
            }
        }
        Ok(())
    }

    fn holds(&self, record: &Record, file: &Path) -> bool {
        let name = Owner::new(record.id.clone()).name("");
        file.starts_with(&self.daemon().facts().root)
            && file.components().any(|part| part.as_os_str().to_string_lossy().starts_with(&name))
    }

    async fn pour(&self, record: &Record, into: &Pipe) -> Result<(), StepError> {
        self.is_the_daemon_of(record)?;
        let owner = Owner::new(record.id.clone());
        for step in record.plan.steps() {
            let DockerStep::Configuration(inside) = settings(step)? else { continue };
            // A volume that is not there would be made by being looked into.
            let volume = VolumeSpec { name: inside.data.clone() };
            if volume.look(self.daemon(), &owner).await? != Found::Done {
                let cause = format!("there is no volume {} of {}", inside.data, record.id);
                let next =
                    "look whether the data are elsewhere; without them there is nothing to copy";
                return Err(StepError::failed(cause, next));
            }
            let (made, found) = (record.facts.get(DATASTORE), volume.lot(self.daemon()).await?);
            if made.and_then(|lot| lot.as_str()).is_some_and(|lot| Some(lot) != found.as_deref()) {
                let cause = format!(
                    "the volume {} is not the one that {} was made with: it was made anew since",
                    inside.data, record.id
                );
                let next =
                    "resume the deployment, which looks at it; what was in the old one is not here";
                return Err(StepError::failed(cause, next));
            }
            return inside.pour(self.daemon(), &owner, into).await;
        }
        let cause = format!("the plan of {} has no datastore", record.id);
        Err(StepError::failed(cause, "use the version that made the deployment"))
    }
}

impl DockerDeployer {
    /// What another daemon has is not this deployment's evidence.
    fn is_the_daemon_of(&self, record: &Record) -> Result<(), StepError> {
        let here = self.daemon().facts().id.as_str();
        match record.target() {
            Some(known) if !here.is_empty() && known != here => Err(StepError::Unreachable {
                target: format!("the Docker daemon {known}, where {} is", record.id),
                cause: format!("it is another one that answers here: {here}"),
            }),
            _ => Ok(()),
        }
    }
}

fn settings(step: &Step) -> Result<DockerStep, StepError> {
    step.settings().map_err(|error| {
        StepError::failed(error.to_string(), "the record was edited: restore it from a copy")
    })
}

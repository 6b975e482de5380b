//! Where the evidence on a host is.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use deploy_core::evidence::{Evidence, Pipe};
use deploy_core::transport::Command;
use deploy_core::{Found, Record, StepError};

use crate::datastore::DatastoreSpec;
use crate::deployer::{LinuxDeployer, LinuxStep};
use crate::on::On;
use crate::owner::Owner;

/// How long one pass over the data may take.
const PASS: Duration = Duration::from_secs(24 * 3600);

#[async_trait]
impl Evidence for LinuxDeployer {
    async fn rest(&self, record: &Record) -> Result<(), StepError> {
        self.is_the_host_of(record).await?;
        let owner = Owner::new(record.id.clone());
        let on = On { host: self.host(), owner: &owner };
        for step in record.plan.steps() {
            if let LinuxStep::Serving(serving) = settings(step)? {
                match serving.unit.look(on).await? {
                    Found::Done | Found::Half { .. } => {
                        on.say("systemctl", &["stop", "--", &serving.unit.name]).await?;
                    }
                    // What is not ours does not write to our data: they are another user's.
                    Found::Absent | Found::Refused { .. } => {}
                }
            }
        }
        Ok(())
    }

    async fn wake(&self, record: &Record) -> Result<(), StepError> {
        self.is_the_host_of(record).await?;
        let owner = Owner::new(record.id.clone());
        let on = On { host: self.host(), owner: &owner };
        for step in record.plan.steps() {
            if let LinuxStep::Serving(serving) = settings(step)? {
                match serving.unit.look(on).await? {
                    Found::Done | Found::Half { .. } => {
                        on.say("systemctl", &["start", "--", &serving.unit.name]).await?;
                    }
                    Found::Absent | Found::Refused { .. } => {
                        let cause = format!("there is no unit {} to be started", serving.unit.name);
                        let next = "resume the deployment, which makes it anew";
                        return Err(StepError::failed(cause, next));
                    }
                }
            }
        }
        Ok(())
    }

    fn holds(&self, record: &Record, file: &Path) -> bool {
        let name = Owner::new(record.id.clone()).name("");
        // Every folder of it is named after it; whatever is in one goes with it.
        file.components().any(|part| part.as_os_str().to_string_lossy().starts_with(&name))
    }

    async fn pour(&self, record: &Record, into: &Pipe) -> Result<(), StepError> {
        self.is_the_host_of(record).await?;
        let owner = Owner::new(record.id.clone());
        let on = On { host: self.host(), owner: &owner };
        let data = data(record)?;
        match data.folder.look(on).await? {
            Found::Done | Found::Half { .. } => {}
            Found::Absent | Found::Refused { .. } => {
                let cause = format!("there is no folder {} of {}", data.folder.path, record.id);
                let next =
                    "look whether the data are elsewhere; without them there is nothing to copy";
                return Err(StepError::failed(cause, next));
            }
        }
        // The same order each time, so that two passes can be compared.
        let arguments = [
            "--create",
            "--file=-",
            "--format=gnu",
            "--sort=name",
            "--numeric-owner",
            "--directory",
            &data.folder.path,
            "--",
            "data",
        ];
        let ended = self.host().pour(&Command::new("tar", &arguments).within(PASS), into).await?;
        if ended.code == 0 {
            return Ok(());
        }
        let cause = format!("tar ended with {}: {}", ended.code, ended.why());
        Err(StepError::failed(cause, "mend what it names, then copy it again"))
    }
}

impl LinuxDeployer {
    /// What another host has is not this deployment's evidence.
    async fn is_the_host_of(&self, record: &Record) -> Result<(), StepError> {
        match (self.machine().await?, record.target()) {
            (Some(here), Some(known)) if here != known => Err(StepError::Unreachable {
                target: format!("the host with the machine id {known}, where {} is", record.id),
                cause: format!("it is another one that answers here: {here}"),
            }),
            _ => Ok(()),
        }
    }
}

fn settings(step: &deploy_core::Step) -> Result<LinuxStep, StepError> {
    step.settings().map_err(|error| {
        StepError::failed(error.to_string(), "the record was edited: restore it from a copy")
    })
}

fn data(record: &Record) -> Result<DatastoreSpec, StepError> {
    for step in record.plan.steps() {
        if let LinuxStep::Datastore(data) = settings(step)? {
            return Ok(data);
        }
    }
    let cause = format!("the plan of {} has no datastore", record.id);
    Err(StepError::failed(cause, "use the version that made the deployment"))
}

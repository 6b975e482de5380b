//! How a deployment is found when one looks there.

use deploy_core::preflight::{Check, Verdict};
use deploy_core::{DeploymentId, Engine, Found, OnFailure, Phase, Record, Run, Silent, Status};
use deploy_docker::DockerDeployer;
use deploy_linux::LinuxDeployer;
use schemars::JsonSchema;
use serde::Serialize;
use velociraptor_config::{ConfigError, Profile};

use super::{Deployments, daemon, this_host, told, told_step};
use crate::context::ToolCx;
use crate::tool_error::ToolError;

/// A step as it was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Live {
    /// Its name.
    pub name: String,
    /// done, absent, half, in the way, or not known
    pub found: String,
    /// What is on record: waiting, begun, done or undoing
    pub recorded: &'static str,
}

impl Live {
    /// Whether it is as the record has it.
    pub fn is_as_recorded(&self) -> bool {
        match self.recorded {
            "done" => self.found == "done",
            "waiting" => self.found == "absent",
            _ => false,
        }
    }
}

impl Deployments {
    /// Looks at each step of a deployment, and gives the record as it was meanwhile. Changes nothing
    /// of it: on a daemon a container of a moment's life reads the configuration.
    ///
    /// # Errors
    ///
    /// `conflict` where another process is at work on it; where its platform does not answer.
    pub async fn look(
        &self,
        id: &DeploymentId,
        cx: &ToolCx<'_>,
    ) -> Result<(Record, Vec<Live>), ToolError> {
        let registry = self.registry()?;
        // The platform of a deployment never changes; all else is read again under the claim.
        let deployer = self.deployer(&self.load(id).await?.kind).await?;
        let engine = Engine::new(&registry, deployer.as_ref());
        let run = Run { cancel: &cx.cancel, progress: &Silent, on_failure: OnFailure::Keep };
        let looked = engine.look_at(id, &run).await.map_err(|error| told(&error))?;
        let (record, found) = looked;
        let live = found.into_iter().zip(&record.phases).map(|((name, found), phase)| Live {
            name: name.to_string(),
            found: match found {
                Ok(Found::Done) => String::from("done"),
                Ok(Found::Absent) => String::from("absent"),
                Ok(Found::Half { left }) => format!("half: {}", left.join(", ")),
                Ok(Found::Refused { found, .. }) => format!("in the way: {found}"),
                Err(error) => format!("not known: {error}"),
            },
            recorded: match phase {
                Phase::Waiting => "waiting",
                Phase::Begun => "begun",
                Phase::Done => "done",
                Phase::Undoing => "undoing",
            },
        });
        let live = live.collect();
        Ok((record, live))
    }

    /// Whether the server of a deployment has room for its data: its own health does not say. Nothing
    /// for one that is not up.
    pub async fn room(&self, record: &Record) -> Option<Check> {
        if record.status() != Status::Up {
            return None;
        }
        Some(self.room_of(record).await.unwrap_or_else(|error| {
            let what = "free disk at the server's data";
            let check = Check::new(what, "enough", error.message, Verdict::NotLooked);
            check.next(error.next_step.unwrap_or_default())
        }))
    }

    async fn room_of(&self, record: &Record) -> Result<Check, ToolError> {
        let profile = record.about.profile.parse();
        let profile: &'static Profile =
            profile.map_err(|error: ConfigError| ToolError::invalid(error.to_string()))?;
        if record.kind.0 == LinuxDeployer::KIND {
            let deployer = LinuxDeployer::new(this_host()?, self.vault());
            let room = deployer.room(&record.plan, profile).await;
            return room.map_err(|error| told_step(&error));
        }
        Ok(DockerDeployer::new(daemon().await?, self.vault()).room(profile))
    }
}

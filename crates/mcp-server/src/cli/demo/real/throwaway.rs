//! A server and an agent as child processes, with all that they write in one folder.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use deploy_core::server::{Alive, Probes, ServerStep, Vault, names};
use deploy_core::{Deployer, DeploymentId, Found, Step, StepCx, StepError, TargetKind};
use packages::Package;
use serde::{Deserialize, Serialize};

use super::agent;
use super::children::{Children, Role, Standing, log_end};
use super::folder;
use super::program::{Beside, arguments, binary, server_config};

/// A step of the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Does {
    /// A step that is the same on every platform.
    Server(ServerStep),
    /// The folder of it all.
    Folder,
    /// The verified binary, copied into the folder.
    Binary,
    /// The server's configuration.
    Configuration,
    /// The server's process.
    Serving {
        /// Where it is probed.
        probes: Probes,
        /// How long it may take.
        within: Duration,
    },
    /// The agent's process.
    Agent,
}

impl fmt::Display for Does {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(step) => return write!(f, "{step}"),
            Self::Folder => "makes the folder",
            Self::Binary => "copies the binary into the folder",
            Self::Configuration => "writes the server's configuration",
            Self::Serving { .. } => "starts the server, and waits until it answers",
            Self::Agent => "starts the agent, and waits until the server knows it",
        })
    }
}

/// Deploys as children of this process.
#[derive(Debug)]
pub(super) struct ThrowAway {
    pub(super) vault: Vault,
    pub(super) package: Package,
    pub(super) children: Children,
}

impl ThrowAway {
    /// What the record of such a deployment says.
    pub(super) const KIND: &'static str = "throw-away";

    pub(super) fn new(vault: Vault, package: Package) -> Self {
        Self { vault, package, children: Children::default() }
    }

    async fn look_configuration(&self, cx: &StepCx<'_>) -> Result<Found, StepError> {
        let path = server_config(&folder::of(cx.id));
        let found = match fs::read(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Absent),
            Err(error) => return Err(folder::failed("reading", &path, &error)),
        };
        let kept = self.vault.has(cx.id, names::CONFIG).await?;
        if kept && found == self.vault.config(cx.id).await?.render().expose().as_bytes() {
            return Ok(Found::Done);
        }
        Ok(Found::Half { left: vec![String::from("another configuration")] })
    }

    fn look_binary(&self, id: &DeploymentId) -> Found {
        // Its hash was compared while it was copied, into a folder that nobody else writes to.
        match fs::metadata(binary(&folder::of(id))) {
            Ok(found) if found.len() == self.package.size() => Found::Done,
            Ok(_) => Found::Half { left: vec![String::from("another binary")] },
            Err(_) => Found::Absent,
        }
    }

    async fn place_binary(&self, id: &DeploymentId) -> Result<(), StepError> {
        let (package, target) = (self.package.clone(), binary(&folder::of(id)));
        let placed = tokio::task::spawn_blocking(move || package.place(&target)).await;
        let placed = placed.map_err(|error| StepError::Panicked(error.to_string()))?;
        placed.map_err(|error| StepError::failed(error.to_string(), "mend what it names"))
    }

    async fn look_server(&self, cx: &StepCx<'_>, probes: &Probes) -> Result<Found, StepError> {
        match self.children.standing(cx.id, Role::Server).await {
            Standing::Never => return Ok(Found::Absent),
            Standing::Ended(why) => {
                return Ok(Found::Half { left: vec![format!("the server ({why})")] });
            }
            Standing::Runs => {}
        }
        let signs = probes.look(cx, &self.vault).await?;
        let ill: Vec<String> =
            signs.iter().filter(|sign| !sign.well).map(ToString::to_string).collect();
        Ok(if ill.is_empty() {
            Found::Done
        } else {
            Found::Half { left: vec![format!("the server (not well: {})", ill.join("; "))] }
        })
    }
}

#[async_trait]
impl Deployer for ThrowAway {
    fn kind(&self) -> TargetKind {
        TargetKind(Self::KIND.to_owned())
    }

    async fn look(&self, cx: &StepCx<'_>, step: &Step) -> Result<Found, StepError> {
        match read(step)? {
            Does::Server(step) => step.look(cx, &self.vault).await,
            Does::Folder => folder::look(cx, &folder::of(cx.id)),
            Does::Binary => Ok(self.look_binary(cx.id)),
            Does::Configuration => self.look_configuration(cx).await,
            Does::Serving { probes, .. } => self.look_server(cx, &probes).await,
            Does::Agent => agent::look(cx, &self.vault, &self.children).await,
        }
    }

    async fn apply(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        let folder = folder::of(cx.id);
        match read(step)? {
            Does::Server(step) => step.apply(cx, &self.vault, &Beside(&folder)).await,
            Does::Folder => folder::make(cx, &folder),
            Does::Binary => self.place_binary(cx.id).await,
            Does::Configuration => {
                let config = self.vault.config(cx.id).await?.render();
                folder::write(&server_config(&folder), config.expose().as_bytes())
            }
            Does::Serving { probes, within } => {
                let more = ["-v", "frontend", "--disable-panic-guard"];
                let all = arguments(&server_config(&folder), &more);
                let program = binary(&folder);
                self.children.start(cx.id, Role::Server, &program, &all, &folder).await?;
                let alive = Running { children: &self.children, id: cx.id, folder };
                probes.wait(cx, &self.vault, within, &alive).await
            }
            Does::Agent => agent::make(cx, &self.vault, &self.children, &folder).await,
        }
    }

    async fn undo(&self, cx: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        let folder = folder::of(cx.id);
        match read(step)? {
            Does::Server(step) => step.undo(cx, &self.vault).await,
            Does::Folder => folder::remove(cx, &folder).await,
            Does::Binary => remove(&binary(&folder)),
            Does::Configuration => remove(&server_config(&folder)),
            Does::Serving { .. } => self.children.end(cx.id, Role::Server).await,
            Does::Agent => self.children.end(cx.id, Role::Agent).await,
        }
    }
}

fn remove(path: &std::path::Path) -> Result<(), StepError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(folder::failed("removing", path, &error))
        }
        _ => Ok(()),
    }
}

fn read(step: &Step) -> Result<Does, StepError> {
    step.settings().map_err(|error| StepError::failed(error.to_string(), "report this"))
}

struct Running<'a> {
    children: &'a Children,
    id: &'a DeploymentId,
    folder: PathBuf,
}

#[async_trait]
impl Alive for Running<'_> {
    async fn ended(&self) -> Result<Option<String>, StepError> {
        Ok(match self.children.standing(self.id, Role::Server).await {
            Standing::Runs => None,
            Standing::Never => Some(String::from("it was ended")),
            Standing::Ended(why) => Some(why),
        })
    }

    async fn log(&self) -> String {
        log_end(&Role::Server.log(&self.folder))
    }
}

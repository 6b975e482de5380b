//! Containers that serve.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, HostConfig, HostConfigLogConfig, ImageInspect,
    Mount, MountType, PortBinding, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder,
};
use deploy_core::{Found, Processors, StepError};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::daemon::{Daemon, present};
use crate::owner::Owner;

mod aspects;

pub(crate) use aspects::{ASPECTS, Aspect, EXPOSURE};

/// Seconds that a server has to end by itself: what it holds in memory is written then.
const GRACE: i32 = 30;

/// How often a server that ends is started again. After that it stays down, so that whoever looks
/// sees a crash and not a container that is always just starting.
const RETRIES: i64 = 5;

/// After so many ends by itself nobody waits any longer for it to serve.
const ENOUGH: i64 = 2;

/// Lines of a log that are shown when a server does not serve.
const LINES: &str = "6";

/// A container, with nothing that it does not need: no capabilities, no writable root, its own user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Arguments of the program.
    pub arguments: Vec<String>,
    /// The network that it is on.
    pub network: String,
    /// Volumes by the folder that they are mounted at.
    pub volumes: Vec<MountedVolume>,
    /// Ports that are reached from outside.
    pub published: Vec<Published>,
    /// What it may use of the machine.
    pub limits: Limits,
}

/// A volume in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountedVolume {
    /// Its name.
    pub volume: String,
    /// Where it is mounted.
    pub at: String,
    /// It is not written to from inside.
    pub read_only: bool,
}

/// A port of a container that is reached from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Inside.
    pub inside: u16,
    /// Outside: the address of the daemon's machine, and the port there.
    pub outside: SocketAddr,
}

/// What a container may use of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory; it has no swap beside.
    pub memory: u64,
    /// Processors, in thousandths.
    pub millicpus: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Files that one process may have open: each agent that is connected is one.
    pub open_files: u64,
}

impl ContainerSpec {
    /// How it stands: done is running, with the limits and ports that are wanted, as read back.
    ///
    /// # Errors
    ///
    /// Where the daemon does not say.
    pub async fn look(&self, daemon: &Daemon, owner: &Owner) -> Result<Found, StepError> {
        let Some(found) = self.inspect(daemon).await? else { return Ok(Found::Absent) };
        let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
        if !owner.owns(labels) {
            return Ok(owner.foreign("container", &self.name));
        }
        let user = self.user(daemon).await?;
        let left = self.differs(daemon, &found, user.as_deref());
        Ok(if left.is_empty() { Found::Done } else { Found::Half { left } })
    }

    /// Makes it and starts it. One that is there is made anew where it is not as wanted.
    ///
    /// # Errors
    ///
    /// What the daemon says, as where a port is taken.
    pub async fn make(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        match self.look(daemon, owner).await? {
            Found::Done => return Ok(()),
            Found::Half { .. } => self.remove(daemon, owner).await?,
            Found::Absent | Found::Refused { .. } => {}
        }
        let options = CreateContainerOptionsBuilder::default().name(&self.name).build();
        let created = daemon.docker.create_container(Some(options), self.body(owner)).await;
        created.map_err(daemon.failed(&format!("making the container {}", self.name)))?;
        let started = daemon.docker.start_container(&self.name, None).await;
        started.map_err(daemon.failed(&format!("starting the container {}", self.name)))
    }

    /// Why it will not serve: it ended, or ends again and again. Nothing where it runs.
    ///
    /// # Errors
    ///
    /// Where the daemon does not say.
    pub async fn ended(&self, daemon: &Daemon) -> Result<Option<String>, StepError> {
        let Some(found) = self.inspect(daemon).await? else {
            return Ok(Some(format!("the container {} is gone", self.name)));
        };
        let state = found.state.unwrap_or_default();
        let code = state.exit_code.unwrap_or_default();
        let why = match state.oom_killed {
            Some(true) => format!(
                ", out of memory: it may use {} MiB, and a larger profile gives it more",
                self.limits.memory >> 20
            ),
            _ => String::new(),
        };
        let restarts = found.restart_count.unwrap_or_default();
        let running = state.running == Some(true) && state.restarting != Some(true);
        Ok(if restarts >= ENOUGH {
            Some(format!("it ended {restarts} times by itself, at last with exit code {code}{why}"))
        } else if !running && state.restarting != Some(true) {
            Some(format!("it ended with exit code {code}{why}"))
        } else {
            None
        })
    }

    /// The last lines of its output, without control characters.
    pub async fn log(&self, daemon: &Daemon) -> String {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(LINES).build();
        let mut lines = Vec::new();
        let mut log = daemon.docker.logs(&self.name, Some(options));
        while let Some(part) = log.next().await {
            match part {
                Ok(line) => lines.push(line.to_string().trim_end().escape_default().to_string()),
                Err(error) => return format!("the log cannot be read: {error}"),
            }
        }
        if lines.is_empty() { String::from("it is empty") } else { lines.join(" / ") }
    }

    /// Stops it in order, where it is ours and runs.
    ///
    /// # Errors
    ///
    /// What the daemon says.
    pub async fn stop(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        let Some(found) = self.inspect(daemon).await? else { return Ok(()) };
        if !owner.owns(found.config.and_then(|config| config.labels).as_ref()) {
            return Ok(());
        }
        let doing = format!("stopping the container {}", self.name);
        let options = StopContainerOptionsBuilder::default().t(GRACE).build();
        present(daemon.docker.stop_container(&self.name, Some(options)).await)
            .map(drop)
            .map_err(daemon.failed(&doing))
    }

    /// Starts it as it is, where it is ours.
    ///
    /// # Errors
    ///
    /// That it is not there, or what the daemon says.
    pub async fn start(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        let found = self.inspect(daemon).await?;
        let labels = found.and_then(|found| found.config).and_then(|config| config.labels);
        if !owner.owns(labels.as_ref()) {
            let cause = format!("there is no container {} to be started", self.name);
            return Err(StepError::failed(cause, "resume the deployment, which makes it anew"));
        }
        let doing = format!("starting the container {}", self.name);
        let options = None::<StartContainerOptions>;
        daemon.docker.start_container(&self.name, options).await.map_err(daemon.failed(&doing))
    }

    /// Stops it in order and removes it, where it is ours. Its volumes stay.
    ///
    /// # Errors
    ///
    /// What the daemon says.
    pub async fn remove(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        remove(&self.name, daemon, owner).await
    }

    /// What is otherwise than wanted, for a person.
    fn differs(
        &self,
        daemon: &Daemon,
        found: &ContainerInspectResponse,
        user: Option<&str>,
    ) -> Vec<String> {
        let mut left = Vec::new();
        let state = found.state.as_ref();
        if state.and_then(|state| state.running) != Some(true) {
            let code = state.and_then(|state| state.exit_code).unwrap_or_default();
            let killed = state.and_then(|state| state.oom_killed) == Some(true);
            let why = if killed { ", out of memory" } else { "" };
            left.push(format!("container {} (not running, exit code {code}{why})", self.name));
        }
        let restarts = found.restart_count.unwrap_or_default();
        if restarts >= RETRIES {
            left.push(format!("container {} (ended {restarts} times by itself)", self.name));
        }
        let aspects = self.aspects(found, user, daemon.facts().limits_swap);
        for Aspect { what, wanted, found } in aspects.into_iter().filter(|it| !it.fits()) {
            left.push(format!("container {} ({what}: {found}; wanted {wanted})", self.name));
        }
        left
    }

    fn body(&self, owner: &Owner) -> ContainerCreateBody {
        ContainerCreateBody {
            image: Some(self.image.clone()),
            cmd: Some(self.arguments.clone()),
            labels: Some(owner.labels()),
            exposed_ports: Some(self.published.iter().map(|port| inside(port.inside)).collect()),
            stop_timeout: Some(GRACE.into()),
            host_config: Some(self.host()),
            ..ContainerCreateBody::default()
        }
    }

    pub(crate) fn host(&self) -> HostConfig {
        let bindings = self.published.iter().map(|port| {
            let binding = PortBinding {
                host_ip: Some(port.outside.ip().to_string()),
                host_port: Some(port.outside.port().to_string()),
            };
            (inside(port.inside), Some(vec![binding]))
        });
        let mounts = self.volumes.iter().map(MountedVolume::mount);
        let memory = i64::try_from(self.limits.memory).ok();
        HostConfig {
            network_mode: Some(self.network.clone()),
            port_bindings: Some(bindings.collect()),
            mounts: Some(mounts.collect()),
            memory,
            memory_swap: memory,
            nano_cpus: i64::try_from(self.limits.millicpus * 1_000_000).ok(),
            pids_limit: i64::try_from(self.limits.processes).ok(),
            ulimits: Some(vec![ResourcesUlimits {
                name: Some(String::from("nofile")),
                soft: i64::try_from(self.limits.open_files).ok(),
                hard: i64::try_from(self.limits.open_files).ok(),
            }]),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::ON_FAILURE),
                maximum_retry_count: Some(RETRIES),
            }),
            log_config: Some(HostConfigLogConfig {
                typ: Some(String::from("json-file")),
                config: Some(options(&[("max-size", "10m"), ("max-file", "3")])),
            }),
            ..confined()
        }
    }

    /// The user that its image says; nothing where there is no image.
    pub(crate) async fn user(&self, daemon: &Daemon) -> Result<Option<String>, StepError> {
        let doing = format!("looking at the image {}", self.image);
        let image = present(daemon.docker.inspect_image(&self.image).await);
        let image = image.map_err(daemon.failed(&doing))?;
        let user = |image: ImageInspect| image.config.and_then(|config| config.user);
        Ok(image.map(|image| user(image).unwrap_or_default()))
    }

    pub(crate) async fn inspect(
        &self,
        daemon: &Daemon,
    ) -> Result<Option<ContainerInspectResponse>, StepError> {
        inspect(&self.name, daemon).await
    }
}

async fn inspect(
    name: &str,
    daemon: &Daemon,
) -> Result<Option<ContainerInspectResponse>, StepError> {
    let doing = format!("looking at the container {name}");
    let found = present(daemon.docker.inspect_container(name, None).await);
    let found = found.map_err(daemon.failed(&doing))?;
    // By name: an id that begins so would be taken, too.
    let name = format!("/{name}");
    Ok(found.filter(|container| container.name.as_deref() == Some(name.as_str())))
}

/// Stops a container in order and removes it, where it is ours. Its volumes stay.
pub(crate) async fn remove(name: &str, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
    let Some(found) = inspect(name, daemon).await? else { return Ok(()) };
    if !owner.owns(found.config.and_then(|config| config.labels).as_ref()) {
        return Ok(());
    }
    let doing = format!("removing the container {name}");
    let options = StopContainerOptionsBuilder::default().t(GRACE).build();
    present(daemon.docker.stop_container(name, Some(options)).await)
        .map_err(daemon.failed(&doing))?;
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    let removed = daemon.docker.remove_container(name, Some(options)).await;
    present(removed).map(drop).map_err(daemon.failed(&doing))
}

impl fmt::Display for ContainerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the container {}", self.name)?;
        for port in &self.published {
            write!(f, ", {} on {}", port.inside, port.outside)?;
        }
        let Limits { memory, millicpus, .. } = self.limits;
        write!(f, ", memory {} MiB, processors {}", memory >> 20, Processors(millicpus))
    }
}

impl MountedVolume {
    pub(crate) fn mount(&self) -> Mount {
        Mount {
            typ: Some(MountType::VOLUME),
            source: Some(self.volume.clone()),
            target: Some(self.at.clone()),
            read_only: Some(self.read_only),
            ..Mount::default()
        }
    }
}

/// What no container of ours may do.
pub(crate) fn confined() -> HostConfig {
    HostConfig {
        readonly_rootfs: Some(true),
        cap_drop: Some(vec![String::from("ALL")]),
        security_opt: Some(vec![String::from("no-new-privileges")]),
        // Without it the server starts, and says that it cannot write there.
        tmpfs: Some(options(&[("/tmp", "size=64m,mode=1777")])),
        ..HostConfig::default()
    }
}

fn inside(port: u16) -> String {
    format!("{port}/tcp")
}

fn options(all: &[(&str, &str)]) -> HashMap<String, String> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

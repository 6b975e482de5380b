//! Errands: containers that do one thing to a volume and are removed.

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder,
    DownloadFromContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    UploadToContainerOptionsBuilder, WaitContainerOptions,
};
use deploy_core::StepError;
use deploy_core::evidence::Pipe;
use deploy_core::transport::Ended;
use futures_util::{StreamExt, TryStreamExt};
use secret::Secret;

use crate::container::{MountedVolume, confined};
use crate::daemon::{Daemon, present};
use crate::image::archive;
use crate::owner::Owner;

/// Most that an errand may say: a key and two certificates are far less.
const MOST: usize = 1024 * 1024;

/// A container without a network that works on a volume. Its output is not kept by the daemon.
#[derive(Clone, Debug)]
pub struct Errand<'a> {
    daemon: &'a Daemon,
    owner: &'a Owner,
    name: String,
    image: String,
    volumes: Vec<MountedVolume>,
}

impl<'a> Errand<'a> {
    /// An errand of a deployment, in an image of its own. `what` makes its name.
    pub fn new(daemon: &'a Daemon, owner: &'a Owner, what: &str, image: &str) -> Self {
        let name = owner.name(&format!("errand-{what}"));
        Self { daemon, owner, name, image: image.to_owned(), volumes: Vec::new() }
    }

    /// Gives it a volume.
    #[must_use]
    pub fn with(mut self, volume: &str, at: &str) -> Self {
        let (volume, at) = (volume.to_owned(), at.to_owned());
        self.volumes.push(MountedVolume { volume, at, read_only: false });
        self
    }

    /// Gives it a volume that it only reads.
    #[must_use]
    pub fn seeing(mut self, volume: &str, at: &str) -> Self {
        let (volume, at) = (volume.to_owned(), at.to_owned());
        self.volumes.push(MountedVolume { volume, at, read_only: true });
        self
    }

    /// Sends a folder of a volume on, as one tar, in the order of its names.
    ///
    /// # Errors
    ///
    /// What the daemon says, or that nobody takes it any longer.
    pub async fn pour(&self, folder: &str, into: &Pipe) -> Result<(), StepError> {
        self.create(&[]).await?;
        let poured = self.poured(folder, into).await;
        self.remove().await?;
        poured
    }

    async fn poured(&self, folder: &str, into: &Pipe) -> Result<(), StepError> {
        let options = DownloadFromContainerOptionsBuilder::default().path(folder).build();
        let mut parts = self.daemon.docker.download_from_container(&self.name, Some(options));
        while let Some(part) = parts.next().await {
            let part = part.map_err(self.daemon.failed(&format!("reading {folder}")))?;
            into.send(part.to_vec()).await?;
        }
        Ok(())
    }

    /// Puts a file into a volume, for its owner only.
    ///
    /// # Errors
    ///
    /// What the daemon says.
    pub async fn put(
        &self,
        folder: &str,
        name: &str,
        bytes: &[u8],
        user: u32,
    ) -> Result<(), StepError> {
        let packed = archive::single(name, bytes, 0o600, user).map_err(|error| {
            StepError::failed(format!("packing {name}: {error}"), "report this")
        })?;
        self.create(&[]).await?;
        let options = UploadToContainerOptionsBuilder::default().path(folder).build();
        let body = bollard::body_full(packed.into());
        let put = self.daemon.docker.upload_to_container(&self.name, Some(options), body).await;
        let put = put.map_err(self.daemon.failed(&format!("writing {folder}/{name}")));
        self.remove().await?;
        put
    }

    /// Reads a file of a volume; nothing where there is none.
    ///
    /// # Errors
    ///
    /// What the daemon says.
    pub async fn get(&self, path: &str) -> Result<Option<Secret<Vec<u8>>>, StepError> {
        self.create(&[]).await?;
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let download = self.daemon.docker.download_from_container(&self.name, Some(options));
        let got = download.try_fold(Vec::new(), |mut all, part| async move {
            all.extend_from_slice(&part);
            Ok(all)
        });
        let got = present(got.await).map_err(self.daemon.failed(&format!("reading {path}")));
        self.remove().await?;
        let Some(packed) = got? else { return Ok(None) };
        let file = archive::first(&packed).map_err(|error| {
            StepError::failed(format!("reading {path}: {error}"), "look at the volume")
        })?;
        Ok(file.map(Secret::new))
    }

    /// Runs the program of the image, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// What the daemon says. That the program failed is in its answer.
    pub async fn run(&self, arguments: &[&str]) -> Result<Ended, StepError> {
        self.create(arguments).await?;
        let ended = self.started().await;
        self.remove().await?;
        ended
    }

    async fn started(&self) -> Result<Ended, StepError> {
        let doing = format!("running {}", self.name);
        let docker = &self.daemon.docker;
        let options =
            AttachContainerOptionsBuilder::default().stdout(true).stderr(true).stream(true).build();
        let attached = docker.attach_container(&self.name, Some(options)).await;
        let mut output = attached.map_err(self.daemon.failed(&doing))?.output;
        let started = docker.start_container(&self.name, None).await;
        started.map_err(self.daemon.failed(&doing))?;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(part) = output.next().await {
            match part.map_err(self.daemon.failed(&doing))? {
                LogOutput::StdErr { message } => err.extend_from_slice(&message),
                LogOutput::StdOut { message } => out.extend_from_slice(&message),
                LogOutput::StdIn { .. } | LogOutput::Console { .. } => {}
            }
            if out.len() + err.len() > MOST {
                let cause = format!("{doing}: it wrote more than {MOST} bytes");
                return Err(StepError::failed(cause, "look at the image"));
            }
        }
        let waited = docker.wait_container(&self.name, None::<WaitContainerOptions>).next().await;
        let code = match waited {
            Some(Ok(ended)) => ended.status_code,
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => code,
            Some(Err(error)) => return Err(self.daemon.failed(&doing)(error)),
            None => {
                let cause = format!("{doing}: the daemon did not say how it ended");
                return Err(StepError::failed(cause, "resume it"));
            }
        };
        Ok(Ended { code, out: Secret::new(out), err: String::from_utf8_lossy(&err).into_owned() })
    }

    async fn create(&self, arguments: &[&str]) -> Result<(), StepError> {
        // What a killed program left.
        self.remove().await?;
        let body = ContainerCreateBody {
            image: Some(self.image.clone()),
            cmd: Some(arguments.iter().map(|argument| (*argument).to_owned()).collect()),
            labels: Some(self.owner.labels()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            host_config: Some(HostConfig {
                network_mode: Some(String::from("none")),
                mounts: Some(self.volumes.iter().map(MountedVolume::mount).collect()),
                log_config: Some(HostConfigLogConfig {
                    typ: Some(String::from("none")),
                    config: None,
                }),
                ..confined()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&self.name).build();
        let created = self.daemon.docker.create_container(Some(options), body).await;
        let doing = format!("making the container {}", self.name);
        created.map(drop).map_err(self.daemon.failed(&doing))
    }

    /// Removes what is left of the errand, where it is ours.
    ///
    /// # Errors
    ///
    /// What the daemon says.
    pub async fn remove(&self) -> Result<(), StepError> {
        let doing = format!("removing the container {}", self.name);
        let docker = &self.daemon.docker;
        let found = present(docker.inspect_container(&self.name, None).await);
        let found = found.map_err(self.daemon.failed(&doing))?;
        let labels = found.and_then(|found| found.config).and_then(|config| config.labels);
        if !self.owner.owns(labels.as_ref()) {
            return Ok(());
        }
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        let removed = docker.remove_container(&self.name, Some(options)).await;
        present(removed).map(drop).map_err(self.daemon.failed(&doing))
    }
}

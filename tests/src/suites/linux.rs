//! Deployments on a real systemd host: a container that systemd leads, made for the suite. Whatever
//! is deployed, is deployed from inside of it, so that the transport of one's own host is tried too;
//! this program runs there once more.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::real::find_binary;
use crate::suite::{Cases, Halt, Running, Suite};
use crate::wait;

pub mod image;
mod inside;
mod listing;
mod refused;
mod server;
mod site;
mod standing;

pub(super) const SUITE: Suite = Suite {
    name: "linux",
    about: "a systemd host in a container: a server and an agent from nothing to an answered collection, and to nothing again",
    run,
};

/// Says that this program runs inside of the container, and where it leaves its verdicts.
const INSIDE: &str = "MEGARAPTOR_LINUX_SUITE_VERDICTS";

/// Where things are inside.
const SUITES: &str = "/bed/suites";
const BINARY: &str = "/bed/velociraptor";
const VERDICTS: &str = "/run/verdicts.json";

/// All that runs inside.
const WHOLE: Duration = Duration::from_secs(1200);

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(async move {
        match env::var_os(INSIDE) {
            Some(verdicts) => inside::suite(cases, Path::new(&verdicts)).await,
            None => suite(cases).await,
        }
    })
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let binary = find_binary()?;
    let image = image::find().await?;
    let program: PathBuf = env::current_exe()?;
    let mounts = [(program.as_path(), SUITES), (binary.as_path(), BINARY)];
    let container = Container::start(&image, "linuxhost", "none", &mounts).await?;
    let verdicts = container.verdicts().await;
    container.remove().await?;
    for verdict in verdicts? {
        let name = verdict["name"].as_str().context("a verdict without a name")?.to_owned();
        match (verdict["failed"].as_str(), verdict["skipped"].as_str()) {
            (Some(why), _) => drop(cases.record(name, Err(anyhow!("{why}")))),
            (None, Some(why)) => cases.skip(name, why),
            (None, None) => drop(cases.record(name, Ok(()))),
        }
    }
    Ok(())
}

/// A container that systemd leads.
#[derive(Debug)]
pub struct Container(String);

impl Container {
    /// Starts one of this name, on this network, with files of this machine to be read.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(
        image: &str,
        name: &str,
        network: &str,
        mounts: &[(&Path, &str)],
    ) -> anyhow::Result<Self> {
        let (network, name) = (format!("--network={network}"), format!("--hostname={name}"));
        let mut arguments = vec![
            "run",
            "--detach",
            &network,
            &name,
            "--cap-add=SYS_ADMIN",
            "--cgroupns=private",
            "--stop-signal=SIGRTMIN+3",
            "--tmpfs=/run",
            "--tmpfs=/run/lock",
            "--tmpfs=/tmp:exec",
            "--tmpfs=/small:size=64m",
            "--tty",
        ];
        let mounts = mounts
            .iter()
            .map(|(from, to)| Ok(format!("{}:{to}:ro", from.canonicalize()?.display())))
            .collect::<anyhow::Result<Vec<_>>>()?;
        for mount in &mounts {
            arguments.extend(["--volume", mount]);
        }
        arguments.push(image);
        let id = docker(&arguments).await?.trim().to_owned();
        let container = Self(id);
        let booted = wait::until("systemd to have started", Duration::from_secs(60), || async {
            let ended = container.exec(&["systemctl", "is-system-running"]).await?;
            let state = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
            // One of the image's own units may fail in a container.
            if matches!(state.as_str(), "running" | "degraded") { Ok(()) } else { bail!(state) }
        });
        match booted.await {
            Ok(()) => Ok(container),
            Err(error) => {
                container.remove().await?;
                Err(error)
            }
        }
    }

    /// Runs a program in it, and waits until it has ended.
    ///
    /// # Errors
    /// Docker does not start.
    pub async fn exec(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        self.command(arguments).output().await.context("running docker exec")
    }

    /// A program to be run in it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("exec").arg(&self.0).args(arguments).kill_on_drop(true);
        command
    }

    /// Runs the suites inside, and what they found.
    async fn verdicts(&self) -> anyhow::Result<Vec<Value>> {
        let told = format!("{INSIDE}={VERDICTS}");
        let binary = format!("VELOCIRAPTOR_BINARY={BINARY}");
        let arguments = ["env", &told, &binary, SUITES, "linux"];
        let ended = tokio::time::timeout(WHOLE, self.exec(&arguments)).await;
        let ended =
            ended.with_context(|| format!("what runs inside did not end in {WHOLE:?}"))??;
        let read = self.exec(&["cat", VERDICTS]).await?;
        serde_json::from_slice(&read.stdout).with_context(|| {
            let (out, err) = (&ended.stdout, &ended.stderr);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            format!("no verdicts; inside it said: {} {}", text(out), text(err))
        })
    }

    /// Removes it.
    ///
    /// # Errors
    /// Docker refuses.
    pub async fn remove(self) -> anyhow::Result<()> {
        docker(&["rm", "--force", "--volumes", &self.0]).await.map(drop)
    }
}

impl Drop for Container {
    /// Where the suite was interrupted.
    fn drop(&mut self) {
        let removed = std::process::Command::new("docker")
            .args(["rm", "--force", "--volumes", &self.0])
            .output();
        drop(removed);
    }
}

pub(super) async fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let ended = Command::new("docker").args(arguments).output().await.context("running docker")?;
    let err = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "docker {}: {err}", arguments.join(" "));
    Ok(String::from_utf8(ended.stdout)?)
}

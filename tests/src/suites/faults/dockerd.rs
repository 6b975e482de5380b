//! A daemon of the suite's own, on a disk of its own: it can be stopped, and its disk can fill.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait;

const LIMIT: Duration = Duration::from_secs(60);

/// Networks of this daemon are apart from those of the machine's own.
const NETWORKS: &str = "base=10.213.0.0/16,size=24";

/// Its bridge's address. It has to have a bridge: without one, it removes that of the machine's own
/// daemon.
const BRIDGE: &str = "10.214.0.1/24";

/// Dropping it ends it, and unmounts its disk.
pub(super) struct Dockerd {
    child: Option<Child>,
    folder: TempDir,
    mounted: bool,
    bridge: Option<String>,
}

impl Dockerd {
    /// Starts one on a disk of so many MiB, in memory.
    pub(super) async fn start(mib: u64) -> anyhow::Result<Self> {
        // The paths of its sockets are to be short.
        let folder = tempfile::Builder::new().prefix("mrd-").tempdir_in("/tmp")?;
        let mut this = Self { child: None, folder, mounted: false, bridge: None };
        std::fs::create_dir(this.root())?;
        let size = format!("size={mib}m");
        mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], &this.root())?;
        this.mounted = true;
        let bridge = format!("mrd-{}", std::process::id());
        ip(&["link", "add", &bridge, "type", "bridge"])?;
        this.bridge = Some(bridge.clone());
        ip(&["address", "add", BRIDGE, "dev", &bridge])?;
        ip(&["link", "set", &bridge, "up"])?;
        this.again().await?;
        Ok(this)
    }

    /// Starts it again on what it has.
    pub(super) async fn again(&mut self) -> anyhow::Result<()> {
        let path = |name: &str| self.folder.path().join(name);
        let log = File::options().create(true).append(true).open(path("log"))?;
        let child = Command::new("dockerd")
            .arg("--data-root")
            .arg(self.root())
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .args(["--host", &self.host(), "--iptables=false"])
            .args(["--bridge", self.bridge.as_deref().unwrap_or_default()])
            .args(["--storage-driver=vfs", "--default-address-pool", NETWORKS])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting dockerd")?;
        self.child = Some(child);
        let ready = wait::until("the daemon to answer", LIMIT, || async {
            self.docker(&["version"]).map(drop)
        });
        ready.await.with_context(|| std::fs::read_to_string(path("log")).unwrap_or_default())
    }

    /// Asks it to end, and waits: its containers end with it.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process")?;
        kill_process(id, Signal::TERM)?;
        let status = child.wait()?;
        ensure!(status.success(), "dockerd ended with {status}");
        Ok(())
    }

    /// Leaves so many MiB free on its disk.
    pub(super) fn leave(&self, mib: u64) -> anyhow::Result<()> {
        let seen = rustix::fs::statvfs(self.root())?;
        let used = (seen.f_blocks - seen.f_bfree) * seen.f_frsize;
        let size = format!("remount,size={}", used + (mib << 20));
        mount(&["-o", &size], &self.root())
    }

    /// Gives its disk so many MiB.
    pub(super) fn grow(&self, mib: u64) -> anyhow::Result<()> {
        mount(&["-o", &format!("remount,size={mib}m")], &self.root())
    }

    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// What the command `docker` says of it.
    pub(super) fn docker(&self, arguments: &[&str]) -> anyhow::Result<String> {
        said(Command::new("docker").args(["--host", &self.host()]).args(arguments))
    }

    /// All that it has.
    pub(super) fn all(&self) -> anyhow::Result<Vec<String>> {
        let mut all = Vec::new();
        for arguments in [
            &["container", "ls", "--all", "--quiet"][..],
            &["volume", "ls", "--quiet"],
            &["image", "ls", "--quiet"],
            &["network", "ls", "--quiet", "--filter", "type=custom"],
        ] {
            let listed = self.docker(arguments)?;
            all.extend(listed.lines().map(|line| format!("{} {line}", arguments[0])));
        }
        Ok(all)
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        // What a case that failed left: the bridges of its networks outlive the daemon.
        if self.child.is_some() {
            drop(self.docker(&["network", "prune", "--force"]));
        }
        if let Err(error) = self.stop() {
            drop(writeln!(std::io::stderr(), "the suite's own dockerd: {error:#}"));
        }
        if self.mounted {
            // What a container had mounted can be there a moment longer.
            drop(said(Command::new("umount").arg("--recursive").arg("--lazy").arg(self.root())));
        }
        if let Some(bridge) = &self.bridge {
            drop(ip(&["link", "delete", bridge]));
        }
    }
}

fn mount(options: &[&str], at: &Path) -> anyhow::Result<()> {
    said(Command::new("mount").args(options).arg(at)).map(drop)
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    said(Command::new("ip").args(arguments)).map(drop)
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let ended = command.output().with_context(|| format!("{command:?}"))?;
    if !ended.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&ended.stderr).trim());
    }
    Ok(String::from_utf8(ended.stdout)?)
}

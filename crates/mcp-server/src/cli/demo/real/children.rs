//! Processes that the demo started, ended with it and none but them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use deploy_core::{DeploymentId, StepError};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Seconds that a process has to end by itself. Velociraptor ends within some three.
const GRACE: Duration = Duration::from_secs(10);

/// Lines of a log that are shown of a process that ended.
const LINES: usize = 6;

/// Which process of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Server,
    Agent,
}

impl Role {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Agent => "agent",
        }
    }

    /// The file of its output.
    pub(super) fn log(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.log", self.name()))
    }
}

/// How a process stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was never started, or was ended by us.
    Never,
    Runs,
    /// It ended by itself, or somebody else ended it.
    Ended(String),
}

/// The processes. What is still running when this is dropped is killed.
#[derive(Debug, Default)]
pub(super) struct Children(Mutex<BTreeMap<(DeploymentId, Role), Child>>);

impl Children {
    /// Starts a process where it does not run yet, with its output in a file of `folder`.
    pub(super) async fn start(
        &self,
        id: &DeploymentId,
        role: Role,
        program: &Path,
        arguments: &[String],
        folder: &Path,
    ) -> Result<(), StepError> {
        let mut children = self.0.lock().await;
        if let Some(child) = children.get_mut(&(id.clone(), role))
            && matches!(standing(child), Standing::Runs)
        {
            return Ok(());
        }
        let failed = |error: std::io::Error| {
            let what = format!("the {} does not start: {error}", role.name());
            StepError::failed(what, "look whether the binary runs by itself: velociraptor version")
        };
        let log = File::options().create(true).append(true).open(role.log(folder));
        let log = log.map_err(failed)?;
        let mut command = command(program, folder);
        command.args(arguments).stdout(log.try_clone().map_err(failed)?).stderr(log);
        let child = command.spawn().map_err(failed)?;
        children.insert((id.clone(), role), child);
        Ok(())
    }

    pub(super) async fn standing(&self, id: &DeploymentId, role: Role) -> Standing {
        let mut children = self.0.lock().await;
        children.get_mut(&(id.clone(), role)).map_or(Standing::Never, standing)
    }

    /// Asks a process to end, and kills it where it does not. When this returns it is gone.
    pub(super) async fn end(&self, id: &DeploymentId, role: Role) -> Result<(), StepError> {
        let (mut children, key) = (self.0.lock().await, (id.clone(), role));
        let Some(child) = children.get_mut(&key) else { return Ok(()) };
        let failed = |error: std::io::Error| {
            let what = format!("the {} cannot be ended: {error}", role.name());
            StepError::failed(what, "look for the process by its folder, and end it by hand")
        };
        ask_to_end(child).map_err(failed)?;
        match timeout(GRACE, child.wait()).await {
            Ok(ended) => drop(ended.map_err(failed)?),
            Err(_) => child.kill().await.map_err(failed)?,
        }
        children.remove(&key);
        Ok(())
    }

    /// The id of a process that runs.
    pub(super) async fn process_id(&self, id: &DeploymentId, role: Role) -> Option<u32> {
        self.0.lock().await.get(&(id.clone(), role)).and_then(Child::id)
    }
}

/// A command that keeps to the folder. Ctrl-C on a terminal is not for it but for us, so that things
/// end in order.
pub(super) fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("TMPDIR", folder.join("tmp"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command
}

/// The last lines of a process's output, without control characters.
pub(super) fn log_end(path: &Path) -> String {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let mut lines: Vec<_> = text.lines().rev().take(LINES).collect();
            lines.reverse();
            let shown: Vec<_> =
                lines.iter().map(|line| line.trim_end().escape_default().to_string()).collect();
            if shown.is_empty() { String::from("it is empty") } else { shown.join(" / ") }
        }
        Err(error) => format!("it cannot be read: {error}"),
    }
}

fn standing(child: &mut Child) -> Standing {
    match child.try_wait() {
        Ok(None) => Standing::Runs,
        Ok(Some(status)) => Standing::Ended(format!("it ended with {status}")),
        Err(error) => Standing::Ended(format!("it cannot be looked at: {error}")),
    }
}

/// Its id is known for as long as nobody waited for it: no other process has it meanwhile.
#[cfg(unix)]
fn ask_to_end(child: &Child) -> std::io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    match id.map(|id| kill_process(id, Signal::TERM)) {
        // It has ended already.
        None | Some(Ok(()) | Err(rustix::io::Errno::SRCH)) => Ok(()),
        Some(Err(error)) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn ask_to_end(child: &mut Child) -> std::io::Result<()> {
    child.start_kill()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    async fn shell(children: &Children, script: &str, folder: &Path) -> DeploymentId {
        let id = DeploymentId::generate().unwrap();
        std::fs::create_dir_all(folder.join("tmp")).unwrap();
        let arguments = ["-c", script].map(String::from);
        let shell = Path::new("/bin/sh");
        children.start(&id, Role::Server, shell, &arguments, folder).await.unwrap();
        id
    }

    async fn until(folder: &Path, word: &str) {
        let end = Instant::now() + LIMIT;
        while !log_end(&Role::Server.log(folder)).contains(word) {
            assert!(Instant::now() < end, "{word} was never said");
            tokio::task::yield_now().await;
        }
    }

    fn is_there(process: u32) -> bool {
        let id = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
        rustix::process::test_kill_process(id).is_ok()
    }

    #[tokio::test]
    async fn a_process_is_asked_first() {
        let (folder, children) = (tempfile::tempdir().unwrap(), Children::default());
        let script = "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
        let id = shell(&children, script, folder.path()).await;
        until(folder.path(), "ready").await;
        let process = children.process_id(&id, Role::Server).await.unwrap();
        children.end(&id, Role::Server).await.unwrap();
        assert!(log_end(&Role::Server.log(folder.path())).contains("asked"));
        assert_eq!(children.standing(&id, Role::Server).await, Standing::Never);
        assert!(!is_there(process));
        children.end(&id, Role::Server).await.expect("ended twice");
    }

    #[tokio::test]
    async fn one_that_does_not_listen_is_killed() {
        let (folder, children) = (tempfile::tempdir().unwrap(), Children::default());
        let script = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
        let id = shell(&children, script, folder.path()).await;
        until(folder.path(), "ready").await;
        let process = children.process_id(&id, Role::Server).await.unwrap();
        children.end(&id, Role::Server).await.unwrap();
        assert!(!is_there(process));
    }

    #[tokio::test]
    async fn one_that_was_killed_from_outside_is_seen() {
        let (folder, children) = (tempfile::tempdir().unwrap(), Children::default());
        let id = shell(&children, "echo ready; exec sleep 600", folder.path()).await;
        until(folder.path(), "ready").await;
        let process = children.process_id(&id, Role::Server).await.unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        let end = Instant::now() + LIMIT;
        let why = loop {
            match children.standing(&id, Role::Server).await {
                Standing::Ended(why) => break why,
                other => assert!(Instant::now() < end, "{other:?}"),
            }
            tokio::task::yield_now().await;
        };
        assert!(why.contains("signal: 9"), "{why}");
        children.end(&id, Role::Server).await.expect("it is gone already");
        assert_eq!(children.standing(&id, Role::Server).await, Standing::Never);
    }
}

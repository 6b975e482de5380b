//! A child process whose output goes to a file, and which ends with its owner.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Velociraptor ends within some three seconds of being asked.
const GRACE: Duration = Duration::from_secs(15);

/// A running program. Dropping it asks it to end, and kills it when it does not.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs appended to `log`.
    ///
    /// # Errors
    /// The log cannot be opened, or the program cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening the log of {name}"))?;
        let errors = output.try_clone().context("sharing the log")?;
        let child = command
            // A build with the race detector reports into the log and carries on.
            .env("GORACE", "exitcode=0")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_path_buf() })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// # Errors
    /// The process has ended; the message holds the end of its log.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().with_context(|| format!("looking at {}", self.name))? {
            None => Ok(()),
            Some(status) => {
                bail!("{} ended with {status}; its log ends:\n{}", self.name, self.log_end())
            }
        }
    }

    /// The last lines of the log, for an error message.
    pub fn log_end(&self) -> String {
        match fs::read(&self.log) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let lines: Vec<_> = text.lines().collect();
                lines[lines.len().saturating_sub(15)..].join("\n")
            }
            Err(error) => format!("(not readable: {error})"),
        }
    }

    /// # Errors
    /// The log cannot be read.
    pub fn log_text(&self) -> anyhow::Result<String> {
        let bytes =
            fs::read(&self.log).with_context(|| format!("reading the log of {}", self.name))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Asks the process to end and waits for it.
    ///
    /// # Errors
    /// It did not end in time and had to be killed.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        ask_to_end(&mut self.child).with_context(|| format!("asking {} to end", self.name))?;
        let end = Instant::now() + GRACE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.kill()?;
        bail!("{} did not end within {GRACE:?} and was killed", self.name)
    }

    /// Ends the process as a crash would.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().with_context(|| format!("killing {}", self.name))?;
        self.child.wait().with_context(|| format!("waiting for {}", self.name))?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.stop().is_err() {
            // It was killed, or is gone: there is nothing more to do, and nobody to tell.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

#[cfg(unix)]
fn ask_to_end(child: &mut Child) -> anyhow::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
    Ok(kill_process(id, Signal::TERM)?)
}

#[cfg(not(unix))]
fn ask_to_end(child: &mut Child) -> anyhow::Result<()> {
    Ok(child.kill()?)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_process_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "trap 'echo asked; exit 0' TERM; echo ready; while :; do read -t 1 x; done";
        let mut process =
            Process::start("a shell", Command::new("bash").args(["-c", script]), &log).unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while !process.log_text().unwrap().contains("ready") {
            process.check_running().unwrap();
            assert!(Instant::now() < end, "never ready: {}", process.log_end());
            thread::yield_now();
        }
        drop(process);
        assert!(fs::read_to_string(&log).unwrap().contains("asked"));
    }

    #[test]
    fn a_process_that_ended_tells_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut process =
            Process::start("a shell", Command::new("sh").args(["-c", "echo why; exit 3"]), &log)
                .unwrap();
        process.child.wait().unwrap();
        let text = process.check_running().unwrap_err().to_string();
        assert!(text.contains("exit status: 3") && text.contains("why"), "{text}");
    }
}

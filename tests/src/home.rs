//! The product over a state folder of its own: what somebody has who deploys for the first time.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::mcp::find_megaraptor;
use crate::real::{Ports, find_binary};
use crate::suite::Halt;

/// The program ends by itself long before.
const LIMIT: Duration = Duration::from_secs(240);

/// A state folder, and ports for one server.
#[derive(Debug)]
pub struct Home {
    pub folder: TempDir,
    pub ports: Ports,
    /// Velociraptor's.
    pub binary: PathBuf,
    megaraptor: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Home {
    /// # Errors
    /// [`Halt::Skip`] where one of the two programs is not here.
    pub fn new() -> Result<Self, Halt> {
        let (binary, megaraptor) = (find_binary()?, find_megaraptor()?);
        let (folder, ports) = (tempfile::tempdir()?, Ports::choose()?);
        Ok(Self { folder, ports, binary, megaraptor, environment: Vec::new() })
    }

    /// Sets a variable for the program.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The arguments that deploy in a container, on the ports of this home.
    pub fn deploy_docker(&self, profile: &str, more: &[&str]) -> Vec<String> {
        let Ports { frontend, gui, api, .. } = self.ports;
        let mut all: Vec<String> =
            ["deploy", "docker", "--profile", profile].map(String::from).to_vec();
        for (option, value) in [
            ("--binary", self.binary.display().to_string()),
            ("--agents-at", format!("localhost:{frontend}")),
            ("--gui-on", format!("127.0.0.1:{gui}")),
            ("--api-on", format!("127.0.0.1:{api}")),
        ] {
            if !more.contains(&option) {
                all.extend([option.to_owned(), value]);
            }
        }
        all.extend(more.iter().map(ToString::to_string));
        all
    }

    /// Deploys in a container; the deployment's id.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn deployed(&self, profile: &str) -> anyhow::Result<String> {
        let up = self.json(&self.deploy_docker(profile, &[])).await?;
        ensure!(up["deployment"]["status"] == "up", "{up}");
        Ok(up["deployment"]["id"].as_str().context("no id")?.to_owned())
    }

    /// # Errors
    /// It is not gone then.
    pub async fn destroy(&self, id: &str) -> anyhow::Result<()> {
        let gone = self.json(&["deployments", "destroy", id, "--discard-evidence"]).await?;
        ensure!(gone["status"] == "gone", "{gone}");
        Ok(())
    }

    /// The program with what a policy would ask a person for allowed.
    pub fn command<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.megaraptor);
        command
            .env("MEGARAPTOR_HOME", self.folder.path())
            .env_remove("VELOCIRAPTOR_CONFIG_PATH")
            .env_remove("VELOCIRAPTOR_API_URL")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .args(["-o", "json", "--policy", "deploy=allow", "--policy", "destroy=allow"])
            .args(arguments.iter().map(AsRef::as_ref))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs the program to its end: its code, and the data that it answers or fails with.
    ///
    /// # Errors
    /// It does not end, or says something else than data.
    pub async fn run<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<(i32, Value)> {
        let done = tokio::time::timeout(LIMIT, self.command(arguments).output()).await;
        let done = done.context("megaraptor did not end")?.context("running megaraptor")?;
        let said = if done.stdout.is_empty() { &done.stderr } else { &done.stdout };
        Ok((done.status.code().unwrap_or(-1), data(&String::from_utf8_lossy(said))?))
    }

    /// Like [`Home::run`], for what has to end well.
    ///
    /// # Errors
    /// It does not.
    pub async fn json<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<Value> {
        let (code, data) = self.run(arguments).await?;
        ensure!(code == 0, "exit code {code}: {data}");
        Ok(data)
    }

    /// Like [`Home::run`], for what has to fail: the error, as somebody reads it.
    ///
    /// # Errors
    /// It does not fail, or not with an error that says what to do next.
    pub async fn refused<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<Refused> {
        let (code, data) = self.run(arguments).await?;
        Refused::of(code, &data)
    }

    /// Runs the program, and `then` once it has said a line that begins so; what it ended with.
    ///
    /// # Errors
    /// It never said that.
    pub async fn when_said<S: AsRef<str>, F: Future<Output = anyhow::Result<()>>>(
        &self,
        arguments: &[S],
        line: &str,
        then: impl FnOnce() -> F,
    ) -> anyhow::Result<(i32, Value)> {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut out = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(child.stderr.take().context("no errors")?).lines();
        let (mut said, mut then) = (Vec::new(), Some(then));
        let whole = async {
            while let Some(told) = lines.next_line().await? {
                if told.trim_start().starts_with(line)
                    && let Some(then) = then.take()
                {
                    then().await?;
                }
                said.push(told);
            }
            let mut text = String::new();
            out.read_to_string(&mut text).await?;
            anyhow::Ok((child.wait().await?.code().unwrap_or(-1), text))
        };
        let (code, text) = tokio::time::timeout(LIMIT, whole).await.context("it did not end")??;
        let said = said.join("\n");
        if then.is_some() {
            bail!("it ended with {code} and never said {line:?}: {said}");
        }
        Ok((code, data(if text.is_empty() { &said } else { &text })?))
    }
}

/// An error that somebody was given.
#[derive(Debug)]
pub struct Refused {
    pub code: String,
    pub message: String,
    pub next: String,
}

impl Refused {
    /// # Errors
    /// It is none, or does not say what to do next.
    pub fn of(exit: i32, data: &Value) -> anyhow::Result<Self> {
        ensure!(exit != 0, "it did not fail: {data}");
        let text = |key: &str| {
            data["error"][key].as_str().map(str::to_owned).with_context(|| format!("{key}: {data}"))
        };
        Ok(Self { code: text("code")?, message: text("message")?, next: text("next_step")? })
    }

    /// # Errors
    /// It says something else.
    pub fn says(&self, code: &str, message: &[&str], next: &str) -> anyhow::Result<()> {
        ensure!(self.code == code, "{self:?}");
        for part in message {
            ensure!(self.message.contains(part), "not {part:?}: {self:?}");
        }
        ensure!(self.next.contains(next), "not {next:?}: {self:?}");
        Ok(())
    }
}

/// Progress stands before an error.
fn data(said: &str) -> anyhow::Result<Value> {
    let at = said.find('{').map_or("", |at| &said[at..]);
    serde_json::from_str(at).with_context(|| said.to_owned())
}

//! Units of systemd: started, read back, removed.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use deploy_core::server::Alive;
use deploy_core::transport::{Content, NewFile, Rights};
use deploy_core::{Found, Processors, StepError};
use secret::Secret;
use serde::{Deserialize, Serialize};
use systemd_units::{Confinement, Unit};

use crate::on::On;
use crate::owner::Owner;

/// Where units of an administrator are.
const FOLDER: &str = "/etc/systemd/system";

/// After so many ends by itself nobody waits any longer for it to serve.
const ENOUGH: u64 = 2;

/// Lines of a journal that are shown when something does not work.
const LINES: &str = "6";

/// What is read back of a unit.
const SHOWN: &str = "LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,UnitFileState,FragmentPath,Description,NeedDaemonReload,MemoryMax,LimitNOFILE";

/// A service that is started with the host and again when it fails, within bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitSpec {
    /// Its name, with `.service`.
    pub name: String,
    /// What it is, for a person: `the server`.
    pub about: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// What it may do.
    pub confinement: Confinement,
}

/// What `systemctl show` says.
struct State(BTreeMap<String, String>);

impl State {
    fn is(&self, key: &str, value: &str) -> bool {
        self.get(key) == value
    }

    fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    fn restarts(&self) -> u64 {
        self.get("NRestarts").parse().unwrap_or_default()
    }
}

impl UnitSpec {
    /// Its file.
    pub fn path(&self) -> String {
        format!("{FOLDER}/{}", self.name)
    }

    /// Its text, from the plan alone.
    fn text(&self, owner: &Owner) -> Result<String, StepError> {
        let Self { name: _, about, command, confinement } = self;
        let text = Unit { marker: &owner.marker(), about, command, confinement }.text();
        text.map_err(|error| {
            let next = "the record was edited: restore it from a copy";
            StepError::failed(error.to_string(), next)
        })
    }

    /// How it stands: done is running, with the limits that are wanted, as read back.
    pub(crate) async fn look(&self, on: On<'_>) -> Result<Found, StepError> {
        let (path, name) = (self.path(), &self.name);
        let state = self.state(on).await?;
        let foreign = || on.owner.foreign("unit", name, &format!("systemctl cat {name}"));
        let Some(text) = on.text(&path).await? else {
            // It may be known still although its file is gone, or come from elsewhere.
            return Ok(if state.is("LoadState", "not-found") {
                Found::Absent
            } else if on.owner.owns(state.get("Description")) {
                Found::Half { left: vec![format!("unit {name} (without its file)")] }
            } else {
                foreign()
            });
        };
        if !on.owner.owns(&text) {
            return Ok(foreign());
        }
        let left = self.differs(on, &text, &state)?;
        Ok(if left.is_empty() { Found::Done } else { Found::Half { left } })
    }

    /// Makes it and starts it. One that is not as wanted is made anew.
    pub(crate) async fn make(&self, on: On<'_>) -> Result<(), StepError> {
        if self.look(on).await? == Found::Done {
            return Ok(());
        }
        let text = Secret::new(self.text(on.owner)?.into_bytes());
        let (path, content) = (self.path(), Content::Bytes(&text));
        on.host.put(&NewFile { path: &path, content, rights: Rights::root(0o644) }).await?;
        on.say("systemctl", &["daemon-reload"]).await?;
        on.say("systemctl", &["enable", "--", &self.name]).await?;
        self.restart(on).await
    }

    /// Starts it, or starts it again.
    pub(crate) async fn restart(&self, on: On<'_>) -> Result<(), StepError> {
        // It may have used up its attempts. That there is nothing to reset is no failure.
        on.ask("systemctl", &["reset-failed", "--", &self.name]).await?;
        let ended = on.ask("systemctl", &["restart", "--", &self.name]).await?;
        if ended.code == 0 {
            return Ok(());
        }
        let log = self.log(on).await;
        Err(StepError::failed(
            format!("{} does not start: {}; its journal ends: {log}", self.name, ended.why()),
            "mend what the journal names, then resume or destroy it",
        ))
    }

    /// Stops it in order and removes it, where it is ours.
    pub(crate) async fn remove(&self, on: On<'_>) -> Result<(), StepError> {
        let name = self.name.as_str();
        match self.look(on).await? {
            Found::Absent | Found::Refused { .. } => return Ok(()),
            Found::Done | Found::Half { .. } => {}
        }
        on.say("systemctl", &["stop", "--", name]).await?;
        if on.host.stat(&self.path()).await?.is_some() {
            on.say("systemctl", &["disable", "--", name]).await?;
            on.host.remove(&self.path()).await?;
        }
        on.say("systemctl", &["daemon-reload"]).await?;
        // That it had not failed is no failure.
        on.ask("systemctl", &["reset-failed", "--", name]).await.map(drop)
    }

    async fn state(&self, on: On<'_>) -> Result<State, StepError> {
        state(&self.name, on).await
    }

    /// What is otherwise than wanted, for a person.
    fn differs(&self, on: On<'_>, text: &str, state: &State) -> Result<Vec<String>, StepError> {
        let (name, mut left) = (&self.name, Vec::new());
        if text != self.text(on.owner)? || state.is("NeedDaemonReload", "yes") {
            left.push(format!("unit {name} (another content)"));
        }
        if !state.is("ActiveState", "active") {
            let (active, result) = (state.get("ActiveState"), state.get("Result"));
            left.push(format!("unit {name} (not running: {active}, {result})"));
        }
        if !state.is("UnitFileState", "enabled") {
            left.push(format!("unit {name} (not started with the host)"));
        }
        for (key, wanted) in self.confinement.limits() {
            if !state.is(key, &wanted) {
                left.push(format!("unit {name} ({key} is {}, not {wanted})", state.get(key)));
            }
        }
        Ok(left)
    }

    /// Why it will not work: it ended, or ends again and again. Nothing where it runs.
    pub(crate) async fn ended(&self, on: On<'_>) -> Result<Option<String>, StepError> {
        let state = self.state(on).await?;
        let why = format!("{}, exit code {}", state.get("Result"), state.get("ExecMainStatus"));
        let restarts = state.restarts();
        Ok(if state.is("LoadState", "not-found") {
            Some(format!("the unit {} is gone", self.name))
        } else if restarts >= ENOUGH {
            // How it ended is forgotten while it is started again; its journal knows.
            Some(format!("{} ended {restarts} times by itself", self.name))
        } else if matches!(state.get("ActiveState"), "failed" | "inactive") {
            Some(format!("{} ended with {why}", self.name))
        } else {
            None
        })
    }

    /// The last lines of its journal, without control characters: its own, and where it wrote none,
    /// what systemd says of it.
    pub(crate) async fn log(&self, on: On<'_>) -> String {
        let (own, about) = (format!("_SYSTEMD_UNIT={}", self.name), format!("UNIT={}", self.name));
        let mut lines = Vec::new();
        for whose in [own, about] {
            let arguments = ["--no-pager", "--output", "cat", "--lines", LINES, "--", &whose];
            let ended = match on.ask("journalctl", &arguments).await {
                Ok(ended) if ended.code == 0 => ended,
                Ok(ended) => return format!("the journal cannot be read: {}", ended.why()),
                Err(error) => return format!("the journal cannot be read: {error}"),
            };
            let text = ended.text();
            lines.extend(text.lines().map(|line| line.trim_end().escape_default().to_string()));
            if !lines.is_empty() {
                return lines.join(" / ");
            }
        }
        String::from("it is empty")
    }
}

/// The name of a unit of a deployment.
pub(crate) fn named(owner: &Owner, what: &str) -> String {
    format!("{}.service", owner.name(what))
}

async fn state(name: &str, on: On<'_>) -> Result<State, StepError> {
    let said = on.say("systemctl", &["show", "--property", SHOWN, "--", name]).await?;
    let pairs = said.lines().filter_map(|line| line.split_once('='));
    Ok(State(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()))
}

/// Stops a unit in order, where it is ours. It stays as it is otherwise.
pub(crate) async fn stop(name: &str, on: On<'_>) -> Result<(), StepError> {
    if !on.owner.owns(state(name, on).await?.get("Description")) {
        return Ok(());
    }
    on.say("systemctl", &["stop", "--", name]).await.map(drop)
}

impl fmt::Display for UnitSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as the unit {}", self.about, self.name)?;
        if let Confinement::Server { memory, millicpus, .. } = &self.confinement {
            let processors = Processors(*millicpus);
            write!(f, ", memory {} MiB, processors {processors}", memory >> 20)?;
        }
        Ok(())
    }
}

/// A unit that is waited for.
pub(crate) struct Running<'a> {
    pub(crate) unit: &'a UnitSpec,
    pub(crate) on: On<'a>,
}

#[async_trait]
impl Alive for Running<'_> {
    async fn ended(&self) -> Result<Option<String>, StepError> {
        self.unit.ended(self.on).await
    }

    async fn log(&self) -> String {
        self.unit.log(self.on).await
    }
}

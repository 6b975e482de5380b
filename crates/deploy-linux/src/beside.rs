//! The server's program beside its data.

use std::time::Duration;

use async_trait::async_trait;
use deploy_core::StepError;
use deploy_core::server::Program;
use deploy_core::transport::{Command, Ended};
use secret::Secret;
use serde::{Deserialize, Serialize};
use systemd_units::BUSY;

use crate::datastore::DatastoreSpec;
use crate::on::{MOST, On};
use crate::{unit, user};

/// What the name of the server's unit ends with.
pub(crate) const SERVER: &str = "server";

/// How long an errand may take: the first one makes indexes.
const WITHIN: Duration = Duration::from_secs(120);

/// A program, its configuration and its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Where the program is.
    pub program: String,
    /// Where its configuration is.
    pub config: String,
    /// Its data.
    pub datastore: DatastoreSpec,
}

impl Beside {
    /// The program with these arguments, once nobody else works on the data. The lock is the
    /// process's own: it is free again when that ends, however it ends.
    pub fn command(&self, arguments: &[&str]) -> Vec<String> {
        let (busy, lock) = (BUSY.to_string(), self.datastore.lock());
        [
            "/usr/bin/flock",
            "--nonblock",
            "--no-fork",
            "--conflict-exit-code",
            &busy,
            &lock,
            &self.program,
            "--nobanner",
            "--config",
            &self.config,
        ]
        .iter()
        .chain(arguments)
        .map(|argument| (*argument).to_owned())
        .collect()
    }

    pub(crate) fn on<'a>(&'a self, on: On<'a>) -> Inner<'a> {
        let output = format!("{}/.megaraptor-output", self.datastore.data());
        Inner { beside: self, on, output }
    }
}

/// The program on a host, as the service's user.
pub(crate) struct Inner<'a> {
    beside: &'a Beside,
    on: On<'a>,
    output: String,
}

#[async_trait]
impl Program for Inner<'_> {
    async fn alone(&self) -> Result<(), StepError> {
        unit::stop(&unit::named(self.on.owner, SERVER), self.on).await
    }

    /// A file of the service's own: it cannot open a pipe again that the administrator made.
    fn output(&self) -> &str {
        &self.output
    }

    async fn run(&self, arguments: &[&str]) -> Result<Ended, StepError> {
        let (beside, host) = (self.beside, self.on.host);
        let account = user::existing(self.on, &beside.datastore.user).await?;
        let (uid, gid) = (account.uid.to_string(), account.gid.to_string());
        let command = beside.command(arguments);
        let as_user = ["--reuid", &uid, "--regid", &gid, "--clear-groups", "--no-new-privs", "--"];
        let all: Vec<&str> =
            as_user.into_iter().chain(command.iter().map(String::as_str)).collect();
        // What a killed program left.
        host.remove(&self.output).await?;
        let ended = host.run(&Command::new("setpriv", &all).within(WITHIN)).await;
        let written = host.read(&self.output, MOST).await;
        host.remove(&self.output).await?;
        let mut ended = ended?;
        if ended.code == i64::from(BUSY) {
            let data = beside.datastore.data();
            return Err(StepError::failed(
                format!("somebody else works on {data}: {} is locked", beside.datastore.lock()),
                "end what uses it (fuser shows it), then resume",
            ));
        }
        if let Some(written) = written? {
            ended.out = Secret::new(written.expose().clone());
        }
        Ok(ended)
    }
}

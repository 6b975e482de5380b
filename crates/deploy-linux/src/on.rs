//! One deployment on one host, as steps work on it.

use std::time::Duration;

use deploy_core::StepError;
use deploy_core::transport::{Command, Ended, Transport};

use crate::owner::Owner;

/// More than any file that is read back has.
pub(crate) const MOST: usize = 1024 * 1024;

/// How long the host's own programs may take: stopping a server takes up to its grace.
const WITHIN: Duration = Duration::from_secs(90);

/// The host, and whose things are looked for.
#[derive(Clone, Copy)]
pub(crate) struct On<'a> {
    pub(crate) host: &'a dyn Transport,
    pub(crate) owner: &'a Owner,
}

impl On<'_> {
    /// Runs a program of the host.
    pub(crate) async fn ask(&self, program: &str, arguments: &[&str]) -> Result<Ended, StepError> {
        Ok(self.host.run(&Command::new(program, arguments).within(WITHIN)).await?)
    }

    /// Runs a program of the host that has to end well, and gives what it said.
    pub(crate) async fn say(&self, program: &str, arguments: &[&str]) -> Result<String, StepError> {
        let ended = self.ask(program, arguments).await?;
        if ended.code == 0 {
            return Ok(ended.text());
        }
        let what = arguments.join(" ");
        let cause = format!("{program} {what} ended with {}: {}", ended.code, ended.why());
        Err(StepError::failed(cause, "mend what it names, then resume or destroy it"))
    }

    /// A file as a text; nothing where there is none.
    pub(crate) async fn text(&self, path: &str) -> Result<Option<String>, StepError> {
        let read = self.host.read(path, MOST).await?;
        Ok(read.map(|bytes| String::from_utf8_lossy(bytes.expose()).into_owned()))
    }
}

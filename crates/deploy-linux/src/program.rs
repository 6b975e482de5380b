//! The verified binary.

use std::path::PathBuf;

use deploy_core::transport::{Content, FileKind, NewFile, Rights};
use deploy_core::{Found, StepError};
use serde::{Deserialize, Serialize};

use crate::folder::FolderSpec;
use crate::on::On;

/// Nobody's number, by which a program is tried that needs no rights.
const NOBODY: &str = "65534";

/// A binary in a folder of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramSpec {
    /// The folder.
    pub folder: FolderSpec,
    /// The verified binary on this machine.
    pub binary: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

impl ProgramSpec {
    /// Where it is on the host.
    pub fn path(&self) -> String {
        format!("{}/velociraptor", self.folder.path)
    }

    pub(crate) async fn look(&self, on: On<'_>) -> Result<Found, StepError> {
        match self.folder.look(on).await? {
            Found::Done => {}
            other => return Ok(other),
        }
        let path = self.path();
        let left = match on.host.stat(&path).await? {
            None => format!("folder {} without the program", self.folder.path),
            Some(stat) if (stat.kind, stat.rights) != (FileKind::File, Rights::root(0o755)) => {
                format!("file {path} ({})", stat.rights)
            }
            Some(_) => match on.host.sha256(&path).await? {
                Some(found) if found == self.sha256 => return Ok(Found::Done),
                found => format!("file {path} with the SHA-256 {}", found.unwrap_or_default()),
            },
        };
        Ok(Found::Half { left: vec![left] })
    }

    pub(crate) async fn make(&self, on: On<'_>) -> Result<(), StepError> {
        if self.look(on).await? != Found::Done {
            self.folder.make(on).await?;
            let content = Content::File { path: &self.binary, sha256: &self.sha256 };
            let (path, rights) = (self.path(), Rights::root(0o755));
            on.host.put(&NewFile { path: &path, content, rights }).await?;
        }
        self.try_it(on).await
    }

    /// That it is there does not say that it runs: its libraries may be missing, or the disk is
    /// mounted so that nothing runs from it.
    async fn try_it(&self, on: On<'_>) -> Result<(), StepError> {
        let path = self.path();
        let arguments = [
            "--reuid",
            NOBODY,
            "--regid",
            NOBODY,
            "--clear-groups",
            "--no-new-privs",
            "--",
            &path,
            "--nobanner",
            "version",
        ];
        let ended = on.ask("setpriv", &arguments).await?;
        if ended.code == 0 {
            return Ok(());
        }
        let host = on.host.host();
        let cause =
            format!("{path} does not run on {host}: it ended with {}: {}", ended.code, ended.why());
        Err(StepError::failed(cause, "take the binary that is made for this system"))
    }
}

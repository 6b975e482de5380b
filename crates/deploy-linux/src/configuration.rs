//! The files that say how a server or an agent is to work.

use deploy_core::transport::{Content, FileKind, NewFile, Rights};
use deploy_core::{Found, StepError};
use secret::Secret;
use serde::{Deserialize, Serialize};

use crate::folder::FolderSpec;
use crate::on::On;
use crate::user;

/// A folder with one file that only its owner reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationSpec {
    /// The folder.
    pub folder: FolderSpec,
    /// The name of the file.
    pub file: String,
    /// Whose the file is; the administrator's where nobody is named.
    pub user: Option<String>,
}

impl ConfigurationSpec {
    /// Where the file is.
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder.path, self.file)
    }

    /// How the folder stands.
    pub(crate) async fn look(&self, on: On<'_>) -> Result<Found, StepError> {
        self.folder.look(on).await
    }

    /// How the file stands, in a folder that is done.
    pub(crate) async fn look_at(
        &self,
        on: On<'_>,
        wanted: &Secret<String>,
    ) -> Result<Found, StepError> {
        let (path, rights) = (self.path(), self.rights(on).await?);
        let left = match on.host.stat(&path).await? {
            None => format!("folder {} without {}", self.folder.path, self.file),
            Some(stat) if stat.kind != FileKind::File || Some(stat.rights) != rights => {
                format!("file {path} ({})", stat.rights)
            }
            Some(_) => {
                let found = on.host.read(&path, crate::on::MOST).await?;
                if found.is_some_and(|found| found.expose() == wanted.expose().as_bytes()) {
                    return Ok(Found::Done);
                }
                format!("file {path} with another content")
            }
        };
        Ok(Found::Half { left: vec![left] })
    }

    pub(crate) async fn make(&self, on: On<'_>, wanted: &Secret<String>) -> Result<(), StepError> {
        self.folder.make(on).await?;
        let Some(rights) = self.rights(on).await? else {
            let cause = format!("the user who is to read {} is not there", self.path());
            return Err(StepError::failed(cause, "resume, and the user is made anew"));
        };
        let bytes = Secret::new(wanted.expose().clone().into_bytes());
        let (path, content) = (self.path(), Content::Bytes(&bytes));
        Ok(on.host.put(&NewFile { path: &path, content, rights }).await?)
    }

    pub(crate) async fn remove(&self, on: On<'_>) -> Result<(), StepError> {
        self.folder.remove(on).await
    }

    async fn rights(&self, on: On<'_>) -> Result<Option<Rights>, StepError> {
        let Some(user) = &self.user else { return Ok(Some(Rights::root(0o600))) };
        let account = user::account(on, user).await?;
        Ok(account.map(|account| Rights { uid: account.uid, gid: account.gid, mode: 0o600 }))
    }
}

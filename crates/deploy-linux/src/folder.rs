//! Folders that say to whom they belong.

use deploy_core::transport::{Content, FileKind, NewFile, Rights};
use deploy_core::{Found, StepError};
use secret::Secret;
use serde::{Deserialize, Serialize};

use crate::on::On;
use crate::user;

/// The file that says to whom a folder belongs. It is the administrator's, so that no service can
/// change it.
const MARKER: &str = ".megaraptor";

/// A folder of a deployment's own. What is in it goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderSpec {
    /// Where.
    pub path: String,
    /// Who may look into it.
    pub open_to: OpenTo,
}

/// Who may look into a folder of the administrator's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenTo {
    /// Everybody.
    All,
    /// The group of this user.
    GroupOf(String),
    /// Nobody else.
    Nobody,
}

/// Whose something is.
enum Whose {
    Nobodys,
    Ours(Rights),
    Others,
}

impl FolderSpec {
    pub(crate) async fn look(&self, on: On<'_>) -> Result<Found, StepError> {
        let path = &self.path;
        Ok(match whose(on, path).await? {
            Whose::Nobodys => match whose(on, &self.part()).await? {
                Whose::Ours(_) => Found::Half { left: vec![format!("folder {}", self.part())] },
                Whose::Nobodys | Whose::Others => Found::Absent,
            },
            Whose::Others => on.owner.foreign("folder", path, &format!("ls -la {path}")),
            Whose::Ours(rights) if self.rights(on).await? == Some(rights) => Found::Done,
            Whose::Ours(rights) => Found::Half { left: vec![format!("folder {path} ({rights})")] },
        })
    }

    /// Makes it beside its place, and renames it once it says to whom it belongs.
    pub(crate) async fn make(&self, on: On<'_>) -> Result<(), StepError> {
        let (path, part) = (self.path.as_str(), self.part());
        let Some(rights) = self.rights(on).await? else {
            let cause = format!("the user whose group may look into {path} is not there");
            return Err(StepError::failed(cause, "resume, and the user is made anew"));
        };
        let at = match whose(on, path).await? {
            Whose::Ours(_) => path,
            Whose::Nobodys | Whose::Others => {
                self.clear(on).await?;
                on.say("mkdir", &["-m", "0700", "--", &part]).await?;
                let marker = Secret::new(format!("{}\n", on.owner.marker()).into_bytes());
                let path = format!("{part}/{MARKER}");
                let content = Content::Bytes(&marker);
                let file = NewFile { path: &path, content, rights: Rights::root(0o644) };
                on.host.put(&file).await?;
                part.as_str()
            }
        };
        on.say("chown", &["--", &format!("{}:{}", rights.uid, rights.gid), at]).await?;
        on.say("chmod", &["--", &format!("{:04o}", rights.mode), at]).await?;
        if at != path {
            // What has come there meanwhile is not replaced: it is seen when this is looked at.
            on.say("mv", &["-n", "-T", "--", at, path]).await?;
        }
        Ok(())
    }

    pub(crate) async fn remove(&self, on: On<'_>) -> Result<(), StepError> {
        self.clear(on).await?;
        if let Whose::Ours(_) = whose(on, &self.path).await? {
            on.host.remove(&self.path).await?;
        }
        Ok(())
    }

    /// Removes what a killed program left beside its place, where it is ours or empty.
    async fn clear(&self, on: On<'_>) -> Result<(), StepError> {
        let part = self.part();
        match whose(on, &part).await? {
            Whose::Ours(_) => on.host.remove(&part).await?,
            Whose::Others => drop(on.ask("rmdir", &["--", &part]).await?),
            Whose::Nobodys => {}
        }
        Ok(())
    }

    /// What it is called until it is whole.
    fn part(&self) -> String {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        format!("{}/.{name}.part", parent(&self.path))
    }

    /// The rights that it is to have; nothing where its user is not there.
    async fn rights(&self, on: On<'_>) -> Result<Option<Rights>, StepError> {
        Ok(match &self.open_to {
            OpenTo::All => Some(Rights::root(0o755)),
            OpenTo::Nobody => Some(Rights::root(0o700)),
            OpenTo::GroupOf(user) => {
                let account = user::account(on, user).await?;
                account.map(|account| Rights { gid: account.gid, ..Rights::root(0o750) })
            }
        })
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(parent, _)| if parent.is_empty() { "/" } else { parent })
}

async fn whose(on: On<'_>, path: &str) -> Result<Whose, StepError> {
    let Some(stat) = on.host.stat(path).await? else { return Ok(Whose::Nobodys) };
    if stat.kind != FileKind::Folder {
        return Ok(Whose::Others);
    }
    let marker = on.text(&format!("{path}/{MARKER}")).await?;
    let ours = marker.is_some_and(|marker| on.owner.owns(&marker));
    Ok(if ours { Whose::Ours(stat.rights) } else { Whose::Others })
}

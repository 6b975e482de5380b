//! Where a server's data are.

use deploy_core::server::{DATASTORE, draw_lot};
use deploy_core::transport::{Content, FileKind, NewFile, Rights};
use deploy_core::{Found, StepCx, StepError};
use secret::Secret;
use serde::{Deserialize, Serialize};

use crate::folder::FolderSpec;
use crate::on::On;
use crate::user::{self, Account};

/// A folder with the data in it, which are the service's, and beside them a lock and a lot, which are
/// not in its hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatastoreSpec {
    /// The folder.
    pub folder: FolderSpec,
    /// Whose the data are.
    pub user: String,
}

impl DatastoreSpec {
    /// The folder of the data.
    pub fn data(&self) -> String {
        format!("{}/data", self.folder.path)
    }

    /// The file that whoever works on the data has locked: one at a time.
    pub fn lock(&self) -> String {
        format!("{}/lock", self.folder.path)
    }

    /// The file that tells these data from others at the same place, made before or after them.
    fn lot(&self) -> String {
        format!("{}/lot", self.folder.path)
    }

    pub(crate) async fn look(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<Found, StepError> {
        match self.folder.look(on).await? {
            Found::Done => {}
            other => return Ok(other),
        }
        let mut left = Vec::new();
        let account = user::account(on, &self.user).await?;
        for (path, kind, mode) in
            [(self.data(), FileKind::Folder, 0o700), (self.lock(), FileKind::File, 0o600)]
        {
            let wanted = account.as_ref().map(|it| (kind, rights(it, mode)));
            let found = on.host.stat(&path).await?.map(|stat| (stat.kind, stat.rights));
            if found.is_none() || found != wanted {
                left.push(format!("folder {} ({path} is not as wanted)", self.folder.path));
            }
        }
        match on.text(&self.lot()).await? {
            Some(lot) if left.is_empty() => {
                cx.note(DATASTORE, lot.trim());
                return Ok(Found::Done);
            }
            Some(_) => {}
            None => {
                left.push(format!("folder {} with data of nobody knows when", self.folder.path))
            }
        }
        Ok(Found::Half { left })
    }

    pub(crate) async fn make(&self, on: On<'_>) -> Result<(), StepError> {
        self.folder.make(on).await?;
        let account = user::existing(on, &self.user).await?;
        let (data, lock, lot) = (self.data(), self.lock(), self.lot());
        if on.host.stat(&data).await?.is_none() {
            on.host.remove(&lot).await?;
            on.say("mkdir", &["-m", "0700", "--", &data]).await?;
        }
        on.say("chown", &["--", &format!("{}:{}", account.uid, account.gid), &data]).await?;
        on.say("chmod", &["--", "0700", &data]).await?;
        // One that is there stays: who holds it would hold another one afterwards.
        if on.host.stat(&lock).await?.is_none() {
            put(on, &lock, Vec::new(), rights(&account, 0o600)).await?;
        }
        if on.host.stat(&lot).await?.is_none() {
            let drawn = format!("{}\n", draw_lot()?);
            put(on, &lot, drawn.into_bytes(), Rights::root(0o644)).await?;
        }
        Ok(())
    }

    pub(crate) async fn remove(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<(), StepError> {
        cx.forget(DATASTORE);
        self.folder.remove(on).await
    }
}

const fn rights(account: &Account, mode: u32) -> Rights {
    Rights { uid: account.uid, gid: account.gid, mode }
}

async fn put(on: On<'_>, path: &str, bytes: Vec<u8>, rights: Rights) -> Result<(), StepError> {
    let bytes = Secret::new(bytes);
    Ok(on.host.put(&NewFile { path, content: Content::Bytes(&bytes), rights }).await?)
}

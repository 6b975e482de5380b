//! Records as files: one for each deployment, in a folder of its owner's.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::form::{self, FormError};
use super::{Claim, RegistryError, StateRegistry};
use crate::id::DeploymentId;
use crate::record::{Generation, Record};

/// The folder `deployments` of a state folder.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
}

/// An id of which there is a file, and the record in it or the reason why it cannot be read.
pub type Read = (DeploymentId, Result<Record, RegistryError>);

impl Files {
    /// Opens the folder, which is made where it is missing. It is for its owner only.
    ///
    /// # Errors
    ///
    /// Where it cannot be made, or is open to others: what stands there is carried out.
    pub fn open(home: &Path) -> Result<Self, RegistryError> {
        let folder = home.join("deployments");
        owner_only::make_folder(&folder)?;
        Ok(Self { folder })
    }

    /// All records, each or the reason why it cannot be read, in the order of their ids. Blocking.
    ///
    /// # Errors
    ///
    /// Where they cannot be listed.
    pub fn read_all(&self) -> Result<Vec<Read>, RegistryError> {
        let mut all = Vec::new();
        for id in self.list_now()? {
            match self.load_now(&id) {
                Ok(Some(record)) => all.push((id, Ok(record))),
                // Removed since it was listed.
                Ok(None) => {}
                Err(error) => all.push((id, Err(error))),
            }
        }
        Ok(all)
    }

    fn path(&self, id: &DeploymentId, suffix: &str) -> PathBuf {
        self.folder.join(format!("{id}.{suffix}"))
    }

    fn open_lock(&self, id: &DeploymentId, suffix: &str) -> Result<(File, PathBuf), RegistryError> {
        let path = self.path(id, suffix);
        Ok((owner_only::open_or_create(&path)?, path))
    }

    fn claim_now(&self, id: &DeploymentId) -> Result<Claim, RegistryError> {
        let (file, path) = self.open_lock(id, "claim")?;
        match file.try_lock() {
            Ok(()) => Ok(Claim::holding(file)),
            Err(TryLockError::WouldBlock) => Err(RegistryError::Claimed(id.clone())),
            Err(TryLockError::Error(error)) => Err(io("locking", &path)(error)),
        }
    }

    fn load_now(&self, id: &DeploymentId) -> Result<Option<Record>, RegistryError> {
        let path = self.path(id, "json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("reading", &path)(error)),
        };
        let record = form::read(&bytes).map_err(|error| match error {
            FormError::Corrupt(why) => RegistryError::Corrupt { path: path.clone(), why },
            FormError::Newer(found) => {
                RegistryError::Newer { path: path.clone(), found, known: form::VERSION }
            }
        })?;
        if record.id != *id {
            let why = format!("it is the record of {}", record.id);
            return Err(RegistryError::Corrupt { path, why });
        }
        Ok(Some(record))
    }

    /// The lock is between the look and the write, so that of two at once one is stale.
    fn store_now(&self, expected: Generation, next: &Record) -> Result<(), RegistryError> {
        let (lock, lock_path) = self.open_lock(&next.id, "lock")?;
        lock.lock().map_err(io("locking", &lock_path))?;
        let found = self.load_now(&next.id)?.map(|record| record.generation).unwrap_or_default();
        if found != expected {
            return Err(RegistryError::Stale { id: next.id.clone(), expected, found });
        }
        let path = self.path(&next.id, "json");
        let bytes = form::write(next).map_err(|error| io("writing", &path)(error.into()))?;
        Ok(owner_only::replace(&path, &bytes)?)
    }

    fn list_now(&self) -> Result<Vec<DeploymentId>, RegistryError> {
        let listing = || io("listing", &self.folder);
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(listing())? {
            let name = entry.map_err(listing())?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            ids.extend(id);
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Files are read and written off the executor.
    async fn off<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let files = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.unwrap_or_else(|error| Err(io("using", &self.folder)(io::Error::other(error))))
    }
}

#[async_trait]
impl StateRegistry for Files {
    async fn claim(&self, id: &DeploymentId) -> Result<Claim, RegistryError> {
        let id = id.clone();
        self.off(move |files| files.claim_now(&id)).await
    }

    async fn load(&self, id: &DeploymentId) -> Result<Option<Record>, RegistryError> {
        let id = id.clone();
        self.off(move |files| files.load_now(&id)).await
    }

    async fn store(&self, expected: Generation, next: &Record) -> Result<(), RegistryError> {
        let next = next.clone();
        self.off(move |files| files.store_now(expected, &next)).await
    }

    async fn list(&self) -> Result<Vec<DeploymentId>, RegistryError> {
        self.off(Self::list_now).await
    }
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RegistryError {
    let path = path.to_owned();
    move |source| RegistryError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    #[tokio::test]
    async fn files_keep_the_contract() {
        let home = tempfile::tempdir().unwrap();
        let open = || async { Files::open(home.path()).unwrap() };
        contract::registry(open).await;
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_said_and_stays() {
        let home = tempfile::tempdir().unwrap();
        let files = Files::open(home.path()).unwrap();
        let record = contract::record();
        files.store(Generation(0), &record).await.unwrap();
        let path = files.path(&record.id, "json");
        let whole = fs::read_to_string(&path).unwrap();
        let other = contract::record().id.to_string();
        for (text, wanted) in [
            (String::new(), "is no record"),
            (whole[..whole.len() / 2].to_owned(), "is no record"),
            (whole.replace("\"version\": 1", "\"version\": 0"), "is no record"),
            (whole.replace("\"version\": 1", "\"version\": 7"), "has version 7"),
            (whole.replacen("\"waiting\"", "\"half\"", 1), "is no record"),
            (whole.replacen("\"waiting\"", "\"waiting\",\"waiting\"", 1), "phases are on record"),
            (whole.replace(record.id.as_str(), &other), "it is the record of"),
        ] {
            fs::write(&path, &text).unwrap();
            let loaded = files.load(&record.id).await.unwrap_err().to_string();
            assert!(loaded.contains(wanted) && loaded.contains(record.id.as_str()), "{loaded}");
            files.store(Generation(1), &record).await.unwrap_err();
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "it was overwritten");
            assert_eq!(files.list().await.unwrap(), std::slice::from_ref(&record.id));
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn d30_records_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let files = Files::open(home.path()).unwrap();
        let record = contract::record();
        let _claim = files.claim(&record.id).await.unwrap();
        files.store(Generation(0), &record).await.unwrap();
        for entry in fs::read_dir(&files.folder).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600);
        }
        fs::set_permissions(&files.folder, fs::Permissions::from_mode(0o755)).unwrap();
        let refused = Files::open(home.path()).unwrap_err();
        assert!(matches!(refused, RegistryError::Exposed(_)), "{refused}");
        assert!(refused.to_string().contains("its mode is 755; chmod 700 it"), "{refused}");
    }
}

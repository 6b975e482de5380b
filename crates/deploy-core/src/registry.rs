//! Where records are kept.

use std::fmt;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;

use crate::id::DeploymentId;
use crate::record::{Generation, Record};

mod files;
mod form;
mod memory;

pub use files::{Files, Read};
pub use memory::Memory;

/// Keeps records. [`contract::registry`](crate::contract::registry) tests what is said here.
#[async_trait]
pub trait StateRegistry: fmt::Debug + Send + Sync {
    /// Takes a deployment for this program alone, until the claim is dropped or the program ends.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Claimed`] where somebody else has it: this waits for nobody.
    async fn claim(&self, id: &DeploymentId) -> Result<Claim, RegistryError>;

    /// Reads a record; nothing where there is none.
    ///
    /// # Errors
    ///
    /// Where there is something that cannot be read. That is never taken for nothing.
    async fn load(&self, id: &DeploymentId) -> Result<Option<Record>, RegistryError>;

    /// Stores `next`, wholly or not at all, so that it is there after a power cut. `expected` is the
    /// generation that is stored now, zero for a new record; that of `next` comes after it.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Stale`] where another generation is stored: nothing was changed then.
    async fn store(&self, expected: Generation, next: &Record) -> Result<(), RegistryError>;

    /// All ids, in order.
    ///
    /// # Errors
    ///
    /// Where they cannot be listed.
    async fn list(&self) -> Result<Vec<DeploymentId>, RegistryError>;
}

/// A deployment is held by this program for as long as this lives.
pub struct Claim(#[expect(dead_code, reason = "held, not used")] Box<dyn Send + Sync>);

impl Claim {
    /// A claim that ends when `held` is dropped.
    pub fn holding(held: impl Send + Sync + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claim")
    }
}

/// Why a record cannot be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Another program is at work on the deployment.
    #[error("another process is at work on {0}; wait until it has ended, or stop it")]
    Claimed(DeploymentId),
    /// Somebody else stored the record meanwhile.
    #[error("{id} was changed by somebody else: generation {found} is stored, {expected} was expected; look at it again", found = found.0, expected = expected.0)]
    Stale {
        /// Which one.
        id: DeploymentId,
        /// What the change was made from.
        expected: Generation,
        /// What is stored.
        found: Generation,
    },
    /// There is no such record.
    #[error("there is no deployment {0}; the list of deployments shows those that there are")]
    Missing(DeploymentId),
    /// A file holds something else than a record.
    #[error("{} is no record that can be read: {why}; restore it, or move it away and look by hand for what it deployed", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file was written by a newer version.
    #[error("{} has version {found}, and this program knows up to {known}: use the newer program", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// Others can reach the folder or a file in it: what stands there is carried out.
    #[error(transparent)]
    Exposed(owner_only::Error),
    /// The file system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What was found.
        source: io::Error,
    },
}

impl From<owner_only::Error> for RegistryError {
    fn from(error: owner_only::Error) -> Self {
        match error {
            owner_only::Error::Io { what, path, source } => Self::Io { what, path, source },
            exposed => Self::Exposed(exposed),
        }
    }
}

//! What every deployment of a Velociraptor server has, on whatever platform.
//!
//! [`ServerStep`]s make keys and configuration, the administrator of the API, the other users, and
//! prove in the end that a query is answered. A deployer puts its own steps between them: where the
//! program comes from, where the data are, how it is started. Of those steps, the one that makes
//! the datastore notes the fact [`DATASTORE`], and the one that starts the server waits with
//! [`Probes::wait`].
//!
//! Secrets are in a [`Vault`], in the deployment's own group. Plans and records have references.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::deployer::{Found, StepCx, StepError};
use crate::id::StepName;
use crate::plan::{PlanError, Step};
use crate::transport::Ended;

mod answer;
mod asked;
#[cfg(test)]
mod bed;
mod certificates;
mod further;
mod health;
mod https;
mod keys;
mod lot;
mod mint;
mod order;
mod rotation;
pub mod served;
mod users;
mod vault;

pub use certificates::{Certificate, certificates};
pub use further::{FurtherFile, FurtherUser};
pub use health::{Alive, HEALTH_TIMEOUT, Probes, Sign, reached};
pub use lot::draw_lot;
pub use order::{Place, ServerOrder};
pub use rotation::{Replaced, Rotating, Rotation, Staged, staged};
pub use vault::{Vault, names};

/// The name that a server has to prove to its agents.
pub use pki::SERVER as SERVER_NAME;

/// The fact that tells one datastore from another at the same place, as the time when it was made.
/// What was made inside of a datastore is gone with it, and is made anew.
pub const DATASTORE: &str = "datastore";

/// The fact with the version that the server itself says that it has.
pub const VERSION: &str = "version";

/// The fact with the time when a query was last answered.
pub const ANSWERED: &str = "answered";

/// A step that is the same on every platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerStep {
    /// Makes the CA, keys, certificates, nonces, a password and the server's configuration.
    Keys(Box<ServerOrder>),
    /// Makes the administrator of the API, beside the data and before the server first starts: one
    /// that is made beside a running server stays unknown to it for minutes.
    Administrator {
        /// Where the API is reached.
        api: Place,
    },
    /// Makes the other users of the API, through the API.
    Users {
        /// Where the API is reached.
        api: Place,
        /// Days that their certificates hold.
        days: u16,
    },
    /// Asks a question as each user.
    Answer,
}

impl ServerStep {
    /// The step of a plan.
    ///
    /// # Errors
    ///
    /// Where `name` is no name of a step.
    pub fn step(&self, name: StepName) -> Result<Step, PlanError> {
        Step::new(name, self.to_string(), self)
    }

    /// Looks how it stands.
    ///
    /// # Errors
    ///
    /// Where the store of secrets or the server does not say.
    pub async fn look(&self, cx: &StepCx<'_>, vault: &Vault) -> Result<Found, StepError> {
        match self {
            Self::Keys(_) => keys::look(cx, vault).await,
            Self::Administrator { .. } => mint::look(cx, vault).await,
            Self::Users { .. } => users::look(cx, vault).await,
            Self::Answer => answer::look(cx, vault).await,
        }
    }

    /// Does it. `program` is the server's program beside its data.
    ///
    /// # Errors
    ///
    /// What went wrong, and what a person can do.
    pub async fn apply(
        &self,
        cx: &StepCx<'_>,
        vault: &Vault,
        program: &dyn Program,
    ) -> Result<(), StepError> {
        match self {
            Self::Keys(order) => keys::make(cx, vault, order).await,
            Self::Administrator { api } => mint::make(cx, vault, program, api).await,
            Self::Users { api, days } => users::make(cx, vault, api, *days).await,
            Self::Answer => answer::ask(cx, vault).await,
        }
    }

    /// Takes it back. Users go with the datastore that they are in.
    ///
    /// # Errors
    ///
    /// Where the store of secrets cannot be written.
    pub async fn undo(&self, cx: &StepCx<'_>, vault: &Vault) -> Result<(), StepError> {
        match self {
            // Keys go last, so whatever else is in the group goes with them.
            Self::Keys(_) => {
                vault.remove_all(cx.id).await?;
                cx.forget(keys::CA);
                Ok(())
            }
            Self::Administrator { .. } => mint::forget(cx, vault).await,
            Self::Users { .. } => users::forget(cx, vault).await,
            Self::Answer => {
                cx.forget(ANSWERED);
                Ok(())
            }
        }
    }
}

impl fmt::Display for ServerStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys(_) => {
                "makes a CA, keys, certificates and the server's configuration, and keeps them in the store of secrets"
            }
            Self::Administrator { .. } => {
                "makes the administrator of the API, before the server first starts"
            }
            Self::Users { .. } => "makes the users of the API who read and who investigate",
            Self::Answer => "asks a question as each user of the API",
        })
    }
}

/// The server's program, run once beside its data and its configuration.
#[async_trait]
pub trait Program: Send + Sync {
    /// The file to name where it is to write something that is wanted here. What is in it afterwards
    /// is the output that [`run`](Self::run) gives.
    fn output(&self) -> &str {
        "/dev/stdout"
    }

    /// Sees to it that no server of the deployment works on the data; its own step starts it again.
    /// What is made beside one that runs stays unknown to it for minutes. Where none of ours can run
    /// yet there is nothing to do.
    async fn alone(&self) -> Result<(), StepError> {
        Ok(())
    }

    /// Runs it with these arguments behind its global ones, and waits until it has ended.
    async fn run(&self, arguments: &[&str]) -> Result<Ended, StepError>;
}

//! The secrets of a deployment.

use std::sync::Arc;

use credstore::{
    CredentialRef, CredentialStore, Expired, Group, Kind, Name, NewCredential, PageRequest,
    StoreError,
};
use jiff::Timestamp;
use secret::Secret;
use tokio_util::sync::CancellationToken;
use velociraptor_api::config::Origin;
use velociraptor_api::{ApiConfig, Call, IdentityKind, Limits, OrgId, Server};
use velociraptor_config::ServerConfig;

use super::asked::who_am_i;
use crate::deployer::StepError;
use crate::digest::sha256;
use crate::id::DeploymentId;

/// Most secrets that a deployment has.
const MOST: usize = 1000;

/// Names of secrets in a deployment's group.
pub mod names {
    use velociraptor_api::IdentityKind;

    /// The server's configuration, with all its keys.
    pub const CONFIG: &str = "server-config";

    /// The password of the first user of the GUI.
    pub const GUI_PASSWORD: &str = "gui-password";

    /// The API file of a user.
    pub const fn api(kind: IdentityKind) -> &'static str {
        match kind {
            IdentityKind::Reader => "api-reader",
            IdentityKind::Investigator => "api-investigator",
            IdentityKind::Administrator => "api-administrator",
        }
    }

    /// The name of that user on the server.
    pub const fn user(kind: IdentityKind) -> &'static str {
        match kind {
            IdentityKind::Reader => "megaraptor-reader",
            IdentityKind::Investigator => "megaraptor-investigator",
            IdentityKind::Administrator => "megaraptor-administrator",
        }
    }
}

/// The store of secrets, as steps use it: each call is made where blocking is allowed.
#[derive(Clone)]
pub struct Vault(Arc<dyn CredentialStore>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Steps keep their secrets in this store.
    pub fn new(store: Arc<dyn CredentialStore>) -> Self {
        Self(store)
    }

    /// The reference to a secret of a deployment.
    ///
    /// # Errors
    ///
    /// Where `name` is none; ids of deployments are names of groups.
    pub fn reference(id: &DeploymentId, name: &str) -> Result<CredentialRef, StepError> {
        let wrong = |error: credstore::BadName| StepError::failed(error.to_string(), "report this");
        let group: Group = id.as_str().parse().map_err(wrong)?;
        let name: Name = name.parse().map_err(wrong)?;
        Ok(CredentialRef::new(group, name))
    }

    /// Whether there is such a secret. It is not opened.
    ///
    /// # Errors
    ///
    /// Where the store does not say.
    pub async fn has(&self, id: &DeploymentId, name: &str) -> Result<bool, StepError> {
        let reference = Self::reference(id, name)?;
        self.with(move |store| Ok(store.find(&reference)?.is_some())).await
    }

    /// How many secrets a deployment has.
    ///
    /// # Errors
    ///
    /// Where the store does not say.
    pub async fn count(&self, id: &DeploymentId) -> Result<usize, StepError> {
        let group = Self::reference(id, names::CONFIG)?.group().clone();
        self.with(move |store| Ok(store.list(Some(&group), &PageRequest::first(MOST))?.total)).await
    }

    /// Keeps a text. What has the name is replaced at once: whenever this is ended, the old or the
    /// new one is there, whole.
    pub(super) async fn put(
        &self,
        id: &DeploymentId,
        name: &str,
        kind: Kind,
        expires: Option<Timestamp>,
        text: Secret<String>,
    ) -> Result<(), StepError> {
        let credential = Self::reference(id, name)?;
        self.with(move |store| {
            let value = Secret::new(text.expose().clone().into_bytes());
            store.replace(NewCredential { credential, kind, expires }, &value).map(drop)
        })
        .await
    }

    /// Opens a text, also one whose use has ended: a deployment is taken down with it.
    ///
    /// # Errors
    ///
    /// Where there is none, or the store is locked.
    pub async fn open(&self, id: &DeploymentId, name: &str) -> Result<Secret<String>, StepError> {
        let reference = Self::reference(id, name)?;
        self.with(move |store| credstore::open_text(store, &reference, Expired::Allowed)).await
    }

    /// Removes a secret, where there is one.
    pub(super) async fn remove(&self, id: &DeploymentId, name: &str) -> Result<(), StepError> {
        let reference = Self::reference(id, name)?;
        self.with(move |store| match store.remove(&reference) {
            Ok(_) | Err(StoreError::Unknown { .. }) => Ok(()),
            Err(error) => Err(error),
        })
        .await
    }

    /// Removes all secrets of a deployment.
    pub(super) async fn remove_all(&self, id: &DeploymentId) -> Result<(), StepError> {
        let group = Self::reference(id, names::CONFIG)?.group().clone();
        self.with(move |store| store.remove_group(&group).map(drop)).await
    }

    /// The server's configuration.
    ///
    /// # Errors
    ///
    /// Where it is not kept, or is none.
    pub async fn config(&self, id: &DeploymentId) -> Result<ServerConfig, StepError> {
        let text = self.open(id, names::CONFIG).await?;
        ServerConfig::parse(&text).map_err(|error| {
            StepError::failed(error.to_string(), "restore the store of secrets from a copy")
        })
    }

    /// The SHA-256 of the server's configuration, in hexadecimal.
    ///
    /// # Errors
    ///
    /// As of [`Vault::config`].
    pub async fn config_digest(&self, id: &DeploymentId) -> Result<String, StepError> {
        Ok(sha256(self.config(id).await?.render().expose()))
    }

    /// The API file of a user.
    ///
    /// # Errors
    ///
    /// Where it is not kept, or is none.
    pub async fn api(&self, id: &DeploymentId, kind: IdentityKind) -> Result<ApiConfig, StepError> {
        let text = self.open(id, names::api(kind)).await?;
        ApiConfig::parse(&text, Origin::Memory("an API file of the store of secrets")).map_err(
            |error| {
                StepError::failed(error.to_string(), "restore the store of secrets from a copy")
            },
        )
    }

    /// The deployed server, under the users of these kinds. Nothing is dialled.
    ///
    /// # Errors
    ///
    /// As of [`Vault::api`].
    pub async fn server(
        &self,
        id: &DeploymentId,
        kinds: &[IdentityKind],
    ) -> Result<Server, StepError> {
        let mut configs = Vec::new();
        for kind in kinds {
            configs.push((Some(*kind), self.api(id, *kind).await?));
        }
        Server::open(id.to_string(), configs)
            .map_err(|error| StepError::failed(error.to_string(), "report this"))
    }

    /// Asks under an API file that is not kept yet, and looks that the answer is to that name.
    pub(super) async fn answers(
        &self,
        id: &DeploymentId,
        file: &Secret<String>,
        name: &str,
    ) -> Result<(), StepError> {
        let failed = |cause: String| StepError::failed(cause, "look at the server's log");
        let config = ApiConfig::parse(file, Origin::Memory("the new API file"))
            .map_err(|error| failed(error.to_string()))?;
        let server = Server::open(id.to_string(), [(None, config)])
            .map_err(|error| failed(error.to_string()))?;
        let (root, never) = (OrgId::root(), CancellationToken::new());
        let call = Call { org: &root, limits: Limits::READ, cancel: &never };
        who_am_i(&server, 0, name, &call, true).await.map(drop).map_err(failed)
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn CredentialStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StepError> {
        let store = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(store.as_ref())).await;
        let done = done.map_err(|error| StepError::Panicked(error.to_string()))?;
        done.map_err(|error| {
            StepError::failed(error.to_string(), "megaraptor credential list shows what is kept")
        })
    }
}

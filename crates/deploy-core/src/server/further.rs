//! Further users of the API, for people and programs beside Megaraptor.

use credstore::{CredentialRef, Kind};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use velociraptor_api::{IdentityKind, OrgId, Session};
use velociraptor_config::ApiConfig;

use super::{Place, Vault, users};
use crate::deployer::StepError;
use crate::id::DeploymentId;

/// A further user of the API.
#[derive(Clone, Debug)]
pub struct FurtherUser {
    /// The name, on the server and in the certificate.
    pub name: String,
    /// What it may do.
    pub kind: IdentityKind,
    /// Days that its certificate holds.
    pub days: u16,
}

/// Where its API file is kept, and until when it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FurtherFile {
    /// The reference.
    pub credential: CredentialRef,
    /// The end of the certificate.
    pub ends: Timestamp,
}

/// What the names of their secrets begin with, beside the names that rotation uses.
const SECRET: &str = "user-";

impl FurtherUser {
    /// The name of the secret with the API file of a user.
    pub fn secret(name: &str) -> String {
        format!("{SECRET}{name}")
    }

    /// Whose API file a secret is, if it is one of theirs.
    pub fn of_secret(secret: &str) -> Option<&str> {
        secret.strip_prefix(SECRET)
    }

    /// Makes the user on the server and a certificate for it, keeps its API file, and proves that a
    /// query is answered to it under its name.
    ///
    /// # Errors
    ///
    /// Where the name is taken, in the store or on the server; where the server does not answer.
    pub async fn make(
        &self,
        vault: &Vault,
        id: &DeploymentId,
        api: &Place,
    ) -> Result<FurtherFile, StepError> {
        let secret = Self::secret(&self.name);
        let taken = || {
            StepError::failed(
                format!("{id} has an API file of {} already", self.name),
                "choose another name; a file is not overwritten",
            )
        };
        let credential = Vault::reference(id, &secret)?;
        if vault.has(id, &secret).await? {
            return Err(taken());
        }
        let config = vault.config(id).await?;
        let (for_pair, name, days) = (config.clone(), self.name.clone(), self.days);
        let pair = tokio::task::spawn_blocking(move || users::pair(&for_pair, &name, days)).await;
        let pair = pair.map_err(|error| StepError::Panicked(error.to_string()))?;
        let (pair, ends) =
            pair.map_err(|error| StepError::failed(error, "choose another name, or other days"))?;
        let server = vault.server(id, &[IdentityKind::Administrator]).await?;
        let (root, never) = (OrgId::root(), CancellationToken::new());
        let session = Session::new(&server, &root, &never);
        let there = velociraptor_api::users::find(&session, &self.name).await.map_err(|fault| {
            StepError::failed(fault.to_string(), "look whether the server is well")
        })?;
        if let Some(user) = there {
            return Err(StepError::failed(
                format!("the server has a user {} already", user.name),
                "choose another name: a certificate for it would be that user's",
            ));
        }
        velociraptor_api::users::create(&session, &self.name, self.kind).await.map_err(
            |fault| {
                StepError::failed(
                    fault.to_string(),
                    "look at the server's users, or choose another name",
                )
            },
        )?;
        let at = (api.host(), api.port());
        let file = ApiConfig::of(&config, &self.name, &pair.certificate, &pair.key, at)
            .map_err(|error| StepError::failed(error.to_string(), "report this"))?;
        vault.answers(id, &file.render(), &self.name).await?;
        vault.put(id, &secret, Kind::ApiFile, Some(ends), file.render()).await?;
        Ok(FurtherFile { credential, ends })
    }
}

//! New certificates under the same CA, while agents and clients of the API keep talking.
//!
//! A rotation is a change of what is wanted. [`stage`] makes the new configuration and the new API
//! files and keeps them beside those in use; nothing is changed by that. Bringing the deployment up
//! then does the rest: the step that makes keys puts the new ones in the place of the old ones, which
//! are kept, and each later step finds that it is no longer as wanted. So a rotation that was killed
//! is resumed as any deployment is.

use credstore::Kind;
use jiff::Timestamp;
use pki::{Authority, Held, Keys, Note, Pair, Pinned, Plan, Role, Rotated, Validity};
use secret::Secret;
use velociraptor_api::IdentityKind;
use velociraptor_config::{ApiConfig, ServerConfig, ServerKeys};

use super::{Place, Vault, names};
use crate::deployer::StepError;
use crate::id::DeploymentId;

/// What a rotation is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Days that the new certificates hold.
    pub days: u16,
    /// The keys stay, and only the certificates are new.
    pub keep_keys: bool,
}

/// A certificate that is to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// What it is for, in words.
    pub what: String,
    /// The SHA-256 of the one in use.
    pub old: String,
    /// Until when that holds.
    pub old_ends: Timestamp,
    /// Until when the new one will.
    pub ends: Timestamp,
}

/// A rotation that was looked at, or staged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Each certificate that is replaced.
    pub replaced: Vec<Replaced>,
    /// What is to be known beforehand.
    pub notes: Vec<String>,
}

/// All that is held of a deployment.
struct Material {
    config: ServerConfig,
    /// The API files in the order of [`IdentityKind::ALL`].
    files: Vec<ApiConfig>,
    held: Vec<Held>,
}

impl Rotation {
    /// Looks what would come of it. Makes and changes nothing.
    ///
    /// # Errors
    ///
    /// Where the certificates in use are not of the CA, or the new ones would outlive it.
    pub async fn look(&self, vault: &Vault, id: &DeploymentId) -> Result<Staged, StepError> {
        let (this, material) = (*self, material(vault, id).await?);
        off(move || {
            let authority = authority(&material.config)?;
            Ok(told(&this.plan(&authority, material.held)?))
        })
        .await
    }

    /// Makes the new configuration and API files and keeps them beside those in use. The deployment
    /// is to be brought up then.
    ///
    /// # Errors
    ///
    /// As of [`Rotation::look`]; nothing is changed then.
    pub async fn stage(
        &self,
        vault: &Vault,
        id: &DeploymentId,
        api: &Place,
    ) -> Result<Staged, StepError> {
        let (this, material) = (*self, material(vault, id).await?);
        let at = (api.host().clone(), api.port());
        let (staged, config, files) = off(move || {
            let authority = authority(&material.config)?;
            let plan = this.plan(&authority, material.held)?;
            let staged = told(&plan);
            let rotated = plan.carry_out().map_err(|error| failed(&error))?;
            let config = with(&material.config, &rotated)?;
            let new = rotated.iter().filter(|one| one.role == Role::Api);
            let files = material.files.iter().zip(new).map(|(file, one)| {
                let Pair { certificate, key } = &one.new;
                ApiConfig::of(&config, file.user(), certificate, key, (&at.0, at.1))
                    .map_err(|error| failed(&error))
            });
            let files = files.collect::<Result<Vec<_>, _>>()?;
            Ok((staged, config, files))
        })
        .await?;
        for (kind, file) in IdentityKind::ALL.into_iter().zip(files) {
            vault.put(id, &next(names::api(kind)), Kind::ApiFile, None, file.render()).await?;
        }
        // Last: where it is, all is.
        vault.put(id, &next(names::CONFIG), Kind::ServerConfig, None, config.render()).await?;
        Ok(staged)
    }

    fn plan<'a>(&self, authority: &'a Authority, held: Vec<Held>) -> Result<Plan<'a>, StepError> {
        let validity = Validity::days(Timestamp::now(), self.days)
            .map_err(|error| StepError::failed(error.to_string(), "give other days"))?;
        let keys = if self.keep_keys { Keys::Keep } else { Keys::New };
        Plan::new(authority, &Pinned::default(), held, keys, validity).map_err(|error| {
            StepError::failed(error.to_string(), "mend what it names; nothing was changed")
        })
    }
}

/// Whether a rotation was staged and not finished.
pub(super) async fn is_staged(vault: &Vault, id: &DeploymentId) -> Result<bool, StepError> {
    vault.has(id, &next(names::CONFIG)).await
}

/// Puts what was staged in the place of what is in use, which is kept. Doing it twice, or after it
/// was killed in the middle, is doing it once.
pub(super) async fn promote(vault: &Vault, id: &DeploymentId) -> Result<(), StepError> {
    let new = vault.open(id, &next(names::CONFIG)).await?;
    if vault.has(id, names::CONFIG).await? {
        let old = vault.open(id, names::CONFIG).await?;
        if old.expose() != new.expose() {
            keep(vault, id, old).await?;
        }
    }
    vault.put(id, names::CONFIG, Kind::ServerConfig, None, new).await?;
    for kind in IdentityKind::ALL {
        let (name, staged) = (names::api(kind), next(names::api(kind)));
        if vault.has(id, &staged).await? {
            let file = vault.open(id, &staged).await?;
            vault.put(id, name, Kind::ApiFile, None, file).await?;
            vault.remove(id, &staged).await?;
        }
    }
    vault.remove(id, &next(names::CONFIG)).await
}

/// Keeps a configuration that was in use: what was sealed for its key opens with that key only.
async fn keep(vault: &Vault, id: &DeploymentId, old: Secret<String>) -> Result<(), StepError> {
    let mut number = 1;
    loop {
        let name = format!("{}-{number}", names::CONFIG);
        if !vault.has(id, &name).await? {
            return vault.put(id, &name, Kind::ServerConfig, None, old).await;
        }
        if vault.open(id, &name).await?.expose() == old.expose() {
            return Ok(());
        }
        number += 1;
    }
}

fn next(name: &str) -> String {
    format!("{name}-next")
}

async fn material(vault: &Vault, id: &DeploymentId) -> Result<Material, StepError> {
    let config = vault.config(id).await?;
    let mut files = Vec::new();
    let keys = config.keys();
    let mut held = vec![
        Held {
            role: Role::Frontend,
            pair: Pair { certificate: keys.frontend_certificate, key: keys.frontend_key },
        },
        Held {
            role: Role::Gateway,
            pair: Pair { certificate: keys.gateway_certificate, key: keys.gateway_key },
        },
    ];
    for kind in IdentityKind::ALL {
        let text = vault.open(id, names::api(kind)).await?;
        let file = ApiConfig::parse(&text).map_err(|error| failed(&error))?;
        let (certificate, key) = file.pair();
        held.push(Held { role: Role::Api, pair: Pair { certificate, key } });
        files.push(file);
    }
    Ok(Material { config, files, held })
}

fn authority(config: &ServerConfig) -> Result<Authority, StepError> {
    let keys = config.keys();
    let key = keys.ca_key.ok_or_else(|| {
        StepError::failed(
            "the server's configuration has no key of its CA",
            "put the key back into it: without it nothing can be renewed",
        )
    })?;
    Authority::load(&keys.ca_certificate, &key, Timestamp::now()).map_err(|error| failed(&error))
}

fn with(config: &ServerConfig, rotated: &[Rotated]) -> Result<ServerConfig, StepError> {
    let mut keys: ServerKeys = config.keys();
    for one in rotated {
        let Pair { certificate, key } = one.new.clone();
        match one.role {
            Role::Frontend => (keys.frontend_certificate, keys.frontend_key) = (certificate, key),
            Role::Gateway => (keys.gateway_certificate, keys.gateway_key) = (certificate, key),
            _ => {}
        }
    }
    config.with_keys(&keys).map_err(|error| failed(&error))
}

fn told(plan: &Plan<'_>) -> Staged {
    let replaced = plan.planned().iter().map(|planned| Replaced {
        what: match planned.role {
            Role::Api => format!("{} ({})", planned.role.words(), planned.old.common_name),
            role => role.words().to_owned(),
        },
        old: planned.old.sha256.clone(),
        old_ends: planned.old.not_after,
        ends: planned.not_after,
    });
    // A configuration of ours has its nonces in it, and the server is started anew by what follows.
    let known = |note: &Note| !matches!(note, Note::NoncesExplicit | Note::Restart);
    let notes = plan.notes().into_iter().filter(known).map(|note| note.to_string());
    Staged { replaced: replaced.collect(), notes: notes.collect() }
}

fn failed(error: &dyn std::fmt::Display) -> StepError {
    StepError::failed(error.to_string(), "nothing was changed; mend what it names")
}

async fn off<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StepError> + Send + 'static,
) -> Result<T, StepError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StepError::Panicked(error.to_string()))?
}

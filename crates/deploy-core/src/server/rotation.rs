//! New certificates under the same CA, while agents and clients of the API keep talking.
//!
//! A rotation is a [`Change`] of what is wanted. It begins with the new configuration and the new API
//! files, which are made and kept beside those in use; nothing is changed by that. Bringing the
//! deployment up does the rest: the step that makes keys puts the new ones in the place of the old
//! ones, which are kept, and each later step finds that it is no longer as wanted. So a rotation that
//! was killed is resumed as any deployment is.

use async_trait::async_trait;
use credstore::Kind;
use jiff::Timestamp;
use pki::{Authority, Held, Keys, Note, Pair, Pinned, Plan, Role, Rotated, Validity};
use secret::Secret;
use velociraptor_api::IdentityKind;
use velociraptor_config::{ApiConfig, ServerConfig, ServerKeys};

use super::certificates::{self, end_of, names_of};
use super::{Place, Vault, names};
use crate::deployer::StepError;
use crate::engine::Change;
use crate::id::DeploymentId;
use crate::record::{Record, Status};

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
    /// The SHA-256 of the new one, once it is made.
    pub new: Option<String>,
    /// Until when the new one will hold.
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

    /// The change of a deployment whose API is reached there. The engine carries it out.
    pub const fn of<'a>(self, vault: &'a Vault, api: &'a Place) -> Rotating<'a> {
        Rotating { rotation: self, vault, api }
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

/// A rotation of one deployment.
#[derive(Clone, Copy, Debug)]
pub struct Rotating<'a> {
    rotation: Rotation,
    vault: &'a Vault,
    api: &'a Place,
}

#[async_trait]
impl Change for Rotating<'_> {
    type Wanted = Staged;

    /// Makes the new configuration and API files and keeps them beside those in use.
    async fn begin(&self, record: &Record) -> Result<Staged, StepError> {
        let (id, vault) = (&record.id, self.vault);
        let resume = "resume the deployment, then rotate it";
        if record.status() != Status::Up {
            let found = record.status().as_str();
            return Err(StepError::failed(
                format!("expected one that is up, found {found}"),
                resume,
            ));
        }
        if is_staged(vault, id).await? {
            let cause = "an earlier rotation was begun and is not ended";
            return Err(StepError::failed(cause, resume));
        }
        let (rotation, material) = (self.rotation, material(vault, id).await?);
        let at = (self.api.host().clone(), self.api.port());
        let (staged, config, files) = off(move || {
            let authority = authority(&material.config)?;
            let plan = rotation.plan(&authority, material.held)?;
            let mut staged = told(&plan);
            let rotated = plan.carry_out().map_err(|error| failed(&error))?;
            for (replaced, one) in staged.replaced.iter_mut().zip(&rotated) {
                let new = certificates::summary(one.role, &one.new.certificate);
                replaced.new = Some(new.map_err(|error| failed(&error))?.sha256);
            }
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
            let ends = Some(end_of(&file).map_err(|error| failed(&error))?);
            let name = next(names::api(kind));
            vault.put(id, &name, Kind::ApiFile, ends, file.render()).await?;
        }
        // Last: where it is, all is.
        vault.put(id, &next(names::CONFIG), Kind::ServerConfig, None, config.render()).await?;
        Ok(staged)
    }

    /// Compares the certificates that are kept with those that were staged. That the server answers
    /// with them was seen when it was waited for.
    async fn prove(&self, record: &Record, wanted: &Staged) -> Result<(), StepError> {
        let held = material(self.vault, &record.id).await?.held;
        let mut other = Vec::new();
        for (replaced, one) in wanted.replaced.iter().zip(&held) {
            let found = certificates::summary(one.role, &one.pair.certificate);
            let found = found.map_err(|error| failed(&error))?.sha256;
            if replaced.new.as_ref() != Some(&found) {
                let expected = replaced.new.as_deref().unwrap_or("none");
                other.push(format!("{}: expected {expected}, found {found}", replaced.what));
            }
        }
        if other.is_empty() && held.len() == wanted.replaced.len() {
            return Ok(());
        }
        Err(StepError::failed(
            format!("the certificates that are kept are not the new ones: {}", other.join("; ")),
            "megaraptor deployments validate shows which are in use; rotate it again",
        ))
    }
}

/// Whether a rotation was staged and not finished.
pub(super) async fn is_staged(vault: &Vault, id: &DeploymentId) -> Result<bool, StepError> {
    vault.has(id, &next(names::CONFIG)).await
}

/// What is still to be replaced of a rotation that was staged and not finished; nothing where there
/// is none. Bringing the deployment up ends it.
///
/// # Errors
///
/// Where the store of secrets cannot be opened, or what is in it is none.
pub async fn staged(vault: &Vault, id: &DeploymentId) -> Result<Option<Vec<Replaced>>, StepError> {
    if !is_staged(vault, id).await? {
        return Ok(None);
    }
    let parse = |text: &Secret<String>| ServerConfig::parse(text).map_err(|error| failed(&error));
    let (old, new) = (vault.config(id).await?.keys(), {
        let text = vault.open(id, &next(names::CONFIG)).await?;
        parse(&text)?.keys()
    });
    let mut pairs = vec![
        (Role::Frontend, old.frontend_certificate, new.frontend_certificate),
        (Role::Gateway, old.gateway_certificate, new.gateway_certificate),
    ];
    for kind in IdentityKind::ALL {
        let (name, staged) = (names::api(kind), next(names::api(kind)));
        // Without one of them it was put in place already, or is made anew.
        if vault.has(id, name).await? && vault.has(id, &staged).await? {
            let file = |text: &Secret<String>| {
                ApiConfig::parse(text).map(|file| file.pair().0).map_err(|error| failed(&error))
            };
            let (old, new) = (vault.open(id, name).await?, vault.open(id, &staged).await?);
            pairs.push((Role::Api, file(&old)?, file(&new)?));
        }
    }
    let mut replaced = Vec::new();
    for (role, old, new) in pairs {
        let read = |pem| certificates::summary(role, pem).map_err(|error| failed(&error));
        let (old, new) = (read(&old)?, read(&new)?);
        if old.sha256 != new.sha256 {
            replaced.push(Replaced {
                what: names_of(role, &old),
                old: old.sha256,
                old_ends: old.not_after,
                new: Some(new.sha256),
                ends: new.not_after,
            });
        }
    }
    Ok(Some(replaced))
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
            let text = vault.open(id, &staged).await?;
            let file = ApiConfig::parse(&text).map_err(|error| failed(&error))?;
            let ends = Some(end_of(&file).map_err(|error| failed(&error))?);
            vault.put(id, name, Kind::ApiFile, ends, text).await?;
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
        what: names_of(planned.role, &planned.old),
        old: planned.old.sha256.clone(),
        old_ends: planned.old.not_after,
        new: None,
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

#[cfg(test)]
mod tests;

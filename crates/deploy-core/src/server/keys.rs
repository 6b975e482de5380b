//! Keys, certificates, nonces, a password, and the configuration that has them.

use credstore::Kind;
use jiff::Timestamp;
use pki::{AUTHORITY_DAYS, Order, Pinned, Validity, make_all};
use secret::Secret;
use velociraptor_config::{Administrator, ServerKeys};

use super::{ServerOrder, Vault, names, rotation};
use crate::deployer::{Found, StepCx, StepError};
use crate::digest::sha256;

/// The fact with the SHA-256 of the deployment's CA.
pub(super) const CA: &str = "ca";

pub(super) async fn look(cx: &StepCx<'_>, vault: &Vault) -> Result<Found, StepError> {
    if rotation::is_staged(vault, cx.id).await? {
        return Ok(Found::Half { left: vec![String::from("a rotation that has begun")] });
    }
    // The configuration is put last: where it is, all is.
    if vault.has(cx.id, names::CONFIG).await? {
        let found = ca(vault, cx).await?;
        if cx.has_fact(CA) && cx.fact::<String>(CA)? != found {
            return Ok(lost(cx, "one of another CA"));
        }
        cx.note(CA, found);
        return Ok(Found::Done);
    }
    if cx.has_fact(CA) {
        return Ok(lost(cx, "none"));
    }
    Ok(match vault.count(cx.id).await? {
        0 => Found::Absent,
        left => Found::Half { left: vec![format!("{left} secrets in the store")] },
    })
}

/// The SHA-256 of the CA's certificate, as it stands in the configuration.
async fn ca(vault: &Vault, cx: &StepCx<'_>) -> Result<String, StepError> {
    Ok(sha256(vault.config(cx.id).await?.keys().ca_certificate))
}

/// A new CA would cut off every agent, so none is made where there was one.
fn lost(cx: &StepCx<'_>, found: &str) -> Found {
    Found::Refused {
        expected: format!("the configuration of {} in the store of secrets, with its CA", cx.id),
        found: found.to_owned(),
        next: String::from(
            "restore the store of secrets from a copy; a new CA would cut off every agent",
        ),
    }
}

pub(super) async fn make(
    cx: &StepCx<'_>,
    vault: &Vault,
    order: &ServerOrder,
) -> Result<(), StepError> {
    if rotation::is_staged(vault, cx.id).await? {
        cx.say("putting the new certificates in the place of the old ones");
        return rotation::promote(vault, cx.id).await;
    }
    if vault.has(cx.id, names::CONFIG).await? {
        return Ok(());
    }
    cx.say("making keys and certificates");
    let order = order.clone();
    let made = tokio::task::spawn_blocking(move || made(&order)).await;
    let made = made.map_err(|error| StepError::Panicked(error.to_string()))?;
    let (config, password) = made.map_err(|error| {
        StepError::failed(error, "mend what it names, or plan the deployment anew")
    })?;
    vault.put(cx.id, names::GUI_PASSWORD, Kind::Password, None, password).await?;
    vault.put(cx.id, names::CONFIG, Kind::ServerConfig, None, config).await?;
    cx.note(CA, ca(vault, cx).await?);
    Ok(())
}

/// The configuration's text and the password. Keeps all cores busy for some tenths of a second.
fn made(order: &ServerOrder) -> Result<(Secret<String>, Secret<String>), String> {
    let now = Timestamp::now();
    let days = order.days().map_err(|error| error.to_string())?;
    let validity = |days| Validity::days(now, days).map_err(|error| error.to_string());
    let material = make_all(&Order {
        pinned: Pinned::default(),
        users: Vec::new(),
        gui: Vec::new(),
        authority: validity(AUTHORITY_DAYS)?,
        validity: validity(days)?,
    })
    .map_err(|error| error.to_string())?;
    let keys = ServerKeys {
        ca_certificate: material.authority.certificate().to_owned(),
        ca_key: Some(material.authority.key().clone()),
        frontend_certificate: material.frontend.certificate,
        frontend_key: material.frontend.key,
        gateway_certificate: material.gateway.certificate,
        gateway_key: material.gateway.key,
    };
    let (administrator, password) =
        Administrator::with_random_password(&order.gui_user).map_err(|error| error.to_string())?;
    let config = order.config(keys, administrator)?;
    Ok((config.render(), password))
}

#[cfg(test)]
mod tests;

//! With which configuration a server was started: it reads it, and its users, when it starts.

use super::Vault;
use crate::deployer::{StepCx, StepError};

/// The fact with the SHA-256 of the configuration that the server was started with.
const SERVED: &str = "served_configuration";

/// Whether the server that was started last was started with the configuration that is kept now, and
/// nothing that it reads when it starts was changed since.
///
/// # Errors
///
/// Where the configuration is not kept, or is none.
pub async fn is_current(cx: &StepCx<'_>, vault: &Vault) -> Result<bool, StepError> {
    if !cx.has_fact(SERVED) {
        return Ok(false);
    }
    Ok(cx.fact::<String>(SERVED)? == vault.config_digest(cx.id).await?)
}

/// Notes that the server was started with the configuration that is kept now, and is well.
///
/// # Errors
///
/// As of [`is_current`].
pub async fn note(cx: &StepCx<'_>, vault: &Vault) -> Result<(), StepError> {
    cx.note(SERVED, vault.config_digest(cx.id).await?);
    Ok(())
}

/// Notes that the server is to be started anew, because it is gone, or because something that it
/// reads when it starts is made anew. Whoever finds that on looking notes it then: what a look finds
/// out is on record before the step is touched, so a kill does not lose it.
pub fn forget(cx: &StepCx<'_>) {
    cx.forget(SERVED);
}

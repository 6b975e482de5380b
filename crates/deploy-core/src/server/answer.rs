//! The proof: a query is answered to each user of the API, under the wanted name.

use jiff::Timestamp;
use velociraptor_api::{Call, IdentityKind, Limits, OrgId};

use super::asked::who_am_i;
use super::{ANSWERED, VERSION, Vault, names};
use crate::deployer::{Found, StepCx, StepError};

/// Nothing is left behind by a question: what there is of this step is that it was answered.
pub(super) async fn look(cx: &StepCx<'_>, vault: &Vault) -> Result<Found, StepError> {
    if !cx.has_fact(ANSWERED) {
        return Ok(Found::Absent);
    }
    Ok(match ask(cx, vault).await {
        Ok(()) => Found::Done,
        Err(error) => Found::Half { left: vec![format!("an answer of earlier; now: {error}")] },
    })
}

pub(super) async fn ask(cx: &StepCx<'_>, vault: &Vault) -> Result<(), StepError> {
    let version = asked(cx, vault).await?;
    // What was known is not forgotten for a server that does not say it.
    if !version.is_empty() {
        cx.note(VERSION, version);
    }
    cx.note(ANSWERED, Timestamp::now().to_string());
    Ok(())
}

/// Asks as each user, and returns the version that the server says that it has.
async fn asked(cx: &StepCx<'_>, vault: &Vault) -> Result<String, StepError> {
    let server = vault.server(cx.id, &IdentityKind::ALL).await?;
    let root = OrgId::root();
    let call = Call { org: &root, limits: Limits::READ, cancel: cx.cancel };
    let mut version = String::new();
    for (place, kind) in IdentityKind::ALL.into_iter().enumerate() {
        let wanted = names::user(kind);
        cx.say(&format!("asking as {wanted}"));
        let row = who_am_i(&server, place, wanted, &call, true).await;
        let row =
            row.map_err(|cause| StepError::failed(cause, "look at the server's log, then resume"))?;
        let said = row.get("Version").and_then(|version| version.as_str());
        version = said.unwrap_or_default().to_owned();
    }
    Ok(version)
}

//! The users of the API who read and who investigate: certificates from our own CA, rights through
//! the API.

use credstore::Kind;
use jiff::Timestamp;
use pki::{Authority, Pair, Pinned, Profile, UserName, Validity};
use tokio::task::spawn_blocking;
use velociraptor_api::{IdentityKind, OrgId, Session};
use velociraptor_config::{ApiConfig, ServerConfig};

use super::{DATASTORE, Place, Vault, names};
use crate::deployer::{Found, StepCx, StepError};

const KINDS: [IdentityKind; 2] = [IdentityKind::Reader, IdentityKind::Investigator];

/// The fact that names the datastore in which the users were made.
const MADE_IN: &str = "users_in";

pub(super) async fn look(cx: &StepCx<'_>, vault: &Vault) -> Result<Found, StepError> {
    let mut left = Vec::new();
    for kind in KINDS {
        if vault.has(cx.id, names::api(kind)).await? {
            left.push(format!("the API file {}", names::api(kind)));
        }
    }
    Ok(match left.len() {
        0 => Found::Absent,
        2 if cx.has_fact(MADE_IN) && cx.same(MADE_IN, DATASTORE) => Found::Done,
        _ => Found::Half { left },
    })
}

pub(super) async fn make(
    cx: &StepCx<'_>,
    vault: &Vault,
    api: &Place,
    days: u16,
) -> Result<(), StepError> {
    if look(cx, vault).await? == Found::Done {
        return Ok(());
    }
    let config = vault.config(cx.id).await?;
    let making = KINDS.map(|kind| {
        let config = config.clone();
        spawn_blocking(move || pair(&config, names::user(kind), days))
    });
    let server = vault.server(cx.id, &[IdentityKind::Administrator]).await?;
    let root = OrgId::root();
    for (kind, pair) in KINDS.into_iter().zip(making) {
        let name = names::user(kind);
        cx.say(&format!("making the user {name}"));
        let session = Session::new(&server, &root, cx.cancel);
        velociraptor_api::users::create(&session, name, kind).await.map_err(|fault| {
            StepError::failed(fault.to_string(), "look at the server's users, then resume")
        })?;
        let pair = pair.await.map_err(|error| StepError::Panicked(error.to_string()))?;
        let (pair, ends) = pair.map_err(|error| StepError::failed(error, "report this"))?;
        let at = (api.host(), api.port());
        let file = ApiConfig::of(&config, name, &pair.certificate, &pair.key, at)
            .map_err(|error| StepError::failed(error.to_string(), "report this"))?;
        vault.put(cx.id, names::api(kind), Kind::ApiFile, Some(ends), file.render()).await?;
    }
    let datastore: String = cx.fact(DATASTORE)?;
    cx.note(MADE_IN, datastore);
    Ok(())
}

/// A certificate for a user, and when it ends. Takes a core for a tenth of a second.
pub(super) fn pair(
    config: &ServerConfig,
    name: &str,
    days: u16,
) -> Result<(Pair, Timestamp), String> {
    let (keys, now) = (config.keys(), Timestamp::now());
    let key = keys.ca_key.ok_or("the server's configuration has no key of its CA")?;
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let authority =
        Authority::load(&keys.ca_certificate, &key, now).map_err(|error| words(&error))?;
    let user = UserName::parse(name, &Pinned::default()).map_err(|error| words(&error))?;
    let validity = Validity::days(now, days).map_err(|error| words(&error))?;
    let pair = authority.issue(&Profile::api(&user), validity).map_err(|error| words(&error))?;
    Ok((pair, validity.not_after()))
}

pub(super) async fn forget(cx: &StepCx<'_>, vault: &Vault) -> Result<(), StepError> {
    cx.forget(MADE_IN);
    for kind in KINDS {
        vault.remove(cx.id, names::api(kind)).await?;
    }
    Ok(())
}

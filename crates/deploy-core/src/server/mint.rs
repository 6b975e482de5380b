//! The administrator of the API, made by the server's own program beside its data.

use credstore::Kind;
use secret::Secret;
use velociraptor_api::IdentityKind;
use velociraptor_config::ApiConfig;

use super::certificates::end_of;
use super::{DATASTORE, Place, Program, Vault, names, served};
use crate::deployer::{Found, StepCx, StepError};

const KIND: IdentityKind = IdentityKind::Administrator;

/// The fact that names the datastore in which the user was made.
const MADE_IN: &str = "administrator_in";

pub(super) async fn look(cx: &StepCx<'_>, vault: &Vault) -> Result<Found, StepError> {
    if !vault.has(cx.id, names::api(KIND)).await? {
        served::forget(cx);
        return Ok(Found::Absent);
    }
    Ok(if cx.has_fact(MADE_IN) && cx.same(MADE_IN, DATASTORE) {
        Found::Done
    } else {
        served::forget(cx);
        Found::Half { left: vec![String::from("the API file of a user of another datastore")] }
    })
}

pub(super) async fn make(
    cx: &StepCx<'_>,
    vault: &Vault,
    program: &dyn Program,
    api: &Place,
) -> Result<(), StepError> {
    if look(cx, vault).await? == Found::Done {
        return Ok(());
    }
    served::forget(cx);
    program.alone().await?;
    let (name, role) = (names::user(KIND), KIND.roles());
    let arguments = ["config", "api_client", "--name", name, "--role", role, program.output()];
    let ended = program.run(&arguments).await?;
    let err = ended.why();
    let failed = |cause: String| StepError::failed(cause, "mend what it names, then resume");
    if ended.code != 0 {
        return Err(failed(format!("making the user {name} ended with {}: {err}", ended.code)));
    }
    let file = yaml_of(ended.out.expose())
        .ok_or_else(|| failed(format!("making the user {name} printed no API file: {err}")))?;
    let file = ApiConfig::parse(&file).map_err(|error| failed(error.to_string()))?;
    if file.user() != name {
        return Err(failed(format!("the API file is of {:?}, not of {name}", file.user())));
    }
    // The file names the port that the server binds, which may be published as another.
    let file = file.at((api.host(), api.port())).map_err(|error| failed(error.to_string()))?;
    let ends = end_of(&file).map_err(failed)?;
    vault.put(cx.id, names::api(KIND), Kind::ApiFile, Some(ends), file.render()).await?;
    let datastore: String = cx.fact(DATASTORE)?;
    cx.note(MADE_IN, datastore);
    Ok(())
}

pub(super) async fn forget(cx: &StepCx<'_>, vault: &Vault) -> Result<(), StepError> {
    cx.forget(MADE_IN);
    vault.remove(cx.id, names::api(KIND)).await
}

/// The file without the lines for people that the program prints around it.
fn yaml_of(out: &[u8]) -> Option<Secret<String>> {
    let text = std::str::from_utf8(out).ok()?;
    let is_yaml = |line: &&str| line.starts_with(' ') || line.is_empty() || has_key(line);
    let lines: String = text
        .lines()
        .skip_while(|line| !has_key(line))
        .take_while(is_yaml)
        .flat_map(|line| [line, "\n"])
        .collect();
    (!lines.trim().is_empty()).then(|| Secret::new(lines))
}

/// `key: …` at the beginning of a line.
fn has_key(line: &str) -> bool {
    line.split_once(':').is_some_and(|(key, _)| {
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

#[cfg(test)]
mod tests;

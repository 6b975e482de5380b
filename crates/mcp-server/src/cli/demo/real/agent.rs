//! The agent: a process, and a client that the server knows.

use std::path::Path;
use std::time::Duration;

use deploy_core::server::Vault;
use deploy_core::{Found, StepCx, StepError};
use velociraptor_api::clients::{ClientSearch, search};
use velociraptor_api::{IdentityKind, OrgId, Session};
use velociraptor_config::{ClientConfig, ClientPaths};

use super::children::{Children, Role, Standing, log_end};
use super::folder;
use super::program::{arguments, binary, client_config};

/// The pause between two looks whether the server knows it.
const PAUSE: Duration = Duration::from_millis(200);

/// The fact with its id.
const CLIENT: &str = "client";

pub(super) async fn look(
    cx: &StepCx<'_>,
    vault: &Vault,
    children: &Children,
) -> Result<Found, StepError> {
    match children.standing(cx.id, Role::Agent).await {
        Standing::Never => return Ok(Found::Absent),
        Standing::Ended(why) => {
            return Ok(Found::Half { left: vec![format!("the agent ({why})")] });
        }
        Standing::Runs => {}
    }
    Ok(match known(cx, vault).await {
        Ok(Some(client)) => {
            cx.note(CLIENT, client);
            Found::Done
        }
        Ok(None) => {
            Found::Half { left: vec![String::from("the agent (the server does not know it)")] }
        }
        Err(why) => Found::Half { left: vec![format!("the agent (not asked: {why})")] },
    })
}

pub(super) async fn make(
    cx: &StepCx<'_>,
    vault: &Vault,
    children: &Children,
    folder: &Path,
) -> Result<(), StepError> {
    let inside = |name: &str| folder.join(name).display().to_string();
    let config = ClientConfig::of(&vault.config(cx.id).await?).with_paths(&ClientPaths {
        writeback: inside("writeback.yaml"),
        tempdir: inside("tmp"),
        buffer: inside("buffer"),
    });
    let file = client_config(folder);
    folder::write(&file, config.render().expose().as_bytes())?;
    let all = arguments(&file, &["-v", "client"]);
    children.start(cx.id, Role::Agent, &binary(folder), &all, folder).await?;
    loop {
        if let Standing::Ended(why) = children.standing(cx.id, Role::Agent).await {
            let log = log_end(&Role::Agent.log(folder));
            let what = format!("the agent: {why}; its log ends: {log}");
            return Err(StepError::failed(what, "mend what the log names"));
        }
        match known(cx, vault).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => cx.say("waiting until the server knows the agent"),
            Err(why) => cx.say(&format!("waiting until the server knows the agent: {why}")),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The id of the client, once it is described by name: its first interrogation is over.
async fn known(cx: &StepCx<'_>, vault: &Vault) -> Result<Option<String>, StepError> {
    let server = vault.server(cx.id, &[IdentityKind::Reader]).await?;
    let root = OrgId::root();
    let session = Session::new(&server, &root, cx.cancel);
    let page = search(&session, &ClientSearch::default()).await;
    let page = page.map_err(|fault| {
        StepError::failed(fault.to_string(), "look at the server's log, then try again")
    })?;
    let known = page.clients.iter().find(|client| !client.hostname.is_empty());
    Ok(known.map(|client| client.client_id.to_string()))
}

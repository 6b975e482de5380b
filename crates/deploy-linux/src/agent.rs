//! An agent on the server's own host.

use std::time::Duration;

use deploy_core::server::Vault;
use deploy_core::transport::HostFacts;
use deploy_core::{DeploymentId, Found, StepCx, StepError};
use secret::Secret;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use velociraptor_api::clients::{Client, by_ids};
use velociraptor_api::{ClientId, IdentityKind, OrgId, Session};
use velociraptor_config::{ClientConfig, ClientPaths};

use crate::configuration::ConfigurationSpec;
use crate::host::HOST;
use crate::on::On;
use crate::unit::UnitSpec;

mod proof;

pub use proof::ANSWER;

/// The fact with the agent's client id.
pub const CLIENT: &str = "agent";

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// After how long an agent that the server has no name of is asked for it. The server asks a new client
/// once, and on a busy host that one time was seen to be lost; an answer comes within seconds.
const ASK_AFTER: Duration = Duration::from_secs(30);

/// The pause before that is tried again where it could not be asked.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The folder of an agent with all that it keeps, and its unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSpec {
    /// Its configuration, in its folder.
    pub configuration: ConfigurationSpec,
    /// Its unit.
    pub unit: UnitSpec,
    /// The label that it gets when it enrols.
    pub label: String,
    /// How long it may take to enrol, and then to answer.
    pub within: Duration,
}

impl AgentSpec {
    fn kept(&self) -> ClientPaths {
        let folder = &self.configuration.folder.path;
        ClientPaths {
            writeback: format!("{folder}/writeback.yaml"),
            tempdir: format!("{folder}/tmp"),
            buffer: format!("{folder}/buffer.bin"),
        }
    }

    /// Always from the live deployment's own CA and nonce.
    pub(crate) async fn config(
        &self,
        id: &DeploymentId,
        vault: &Vault,
    ) -> Result<Secret<String>, StepError> {
        let server = vault.config(id).await?;
        Ok(ClientConfig::of(&server).with_paths(&self.kept()).render())
    }

    /// How its folder and its configuration stand.
    pub(crate) async fn look_at_files(
        &self,
        on: On<'_>,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<Found, StepError> {
        match self.configuration.look(on).await? {
            Found::Done => {}
            other => return Ok(other),
        }
        let tempdir = self.kept().tempdir;
        if on.host.stat(&tempdir).await?.is_none() {
            return Ok(Found::Half { left: vec![format!("no folder {tempdir}")] });
        }
        self.configuration.look_at(on, &self.config(cx.id, vault).await?).await
    }

    pub(crate) async fn make_files(
        &self,
        on: On<'_>,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<(), StepError> {
        self.configuration.make(on, &self.config(cx.id, vault).await?).await?;
        on.say("mkdir", &["-p", "-m", "0700", "--", &self.kept().tempdir]).await.map(drop)
    }

    /// Done is running, and known to the server by this host's name and the deployment's label.
    pub(crate) async fn look(
        &self,
        on: On<'_>,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<Found, StepError> {
        match self.unit.look(on).await? {
            Found::Done => {}
            other => return Ok(other),
        }
        Ok(match self.enrolled(on, cx, vault).await? {
            Ok(_) => Found::Done,
            Err(why) => Found::Half { left: vec![format!("unit {} ({why})", self.unit.name)] },
        })
    }

    pub(crate) async fn make(
        &self,
        on: On<'_>,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<(), StepError> {
        match self.unit.look(on).await? {
            // It may sleep after it lost its server: it asks at once when it is started again.
            Found::Done if self.enrolled(on, cx, vault).await?.is_err() => {
                self.unit.restart(on).await?;
            }
            _ => self.unit.make(on).await?,
        }
        let begun = Instant::now();
        let mut ask_at = ASK_AFTER;
        loop {
            let seen = match self.enrolled(on, cx, vault).await? {
                Ok(client) => {
                    cx.note(CLIENT, client.client_id.as_str());
                    return Ok(());
                }
                Err(seen) => seen,
            };
            let gone = begun.elapsed();
            let why = match self.unit.ended(on).await? {
                Some(why) => why,
                None if gone >= self.within => {
                    format!("the agent did not enrol within {} s", self.within.as_secs())
                }
                None => {
                    cx.say(&format!("waiting for the agent, {} s: {seen}", gone.as_secs()));
                    if gone >= ask_at {
                        let asked = self.ask_name(on, cx, vault).await?;
                        ask_at = gone + if asked { ASK_AFTER } else { ASK_AGAIN };
                    }
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let log = self.unit.log(on).await;
            return Err(StepError::failed(
                format!("{why}; last seen: {seen}; its journal ends: {log}"),
                "mend what the journal names, then resume or destroy it",
            ));
        }
    }

    pub(crate) async fn remove(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<(), StepError> {
        cx.forget(CLIENT);
        self.unit.remove(on).await
    }

    /// The agent as the server knows it, or what is missing. It is found by the id that it drew
    /// itself: the server may know an older agent of the same host.
    async fn enrolled(
        &self,
        on: On<'_>,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<Result<Client, String>, StepError> {
        let host: HostFacts = cx.fact(HOST)?;
        self.known(on, cx.id, &host.name, cx.cancel, vault).await
    }

    /// The same outside of a step, on a host of this name.
    pub(crate) async fn known(
        &self,
        on: On<'_>,
        deployment: &DeploymentId,
        host: &str,
        cancel: &CancellationToken,
        vault: &Vault,
    ) -> Result<Result<Client, String>, StepError> {
        let Some(id) = self.id(on).await? else {
            return Ok(Err(String::from("it has no identity yet")));
        };
        let server = vault.server(deployment, &IdentityKind::ALL).await?;
        let root = OrgId::root();
        let session = Session::new(&server, &root, cancel);
        let client = match by_ids(&session, std::slice::from_ref(&id)).await {
            Ok(mut found) => found.pop(),
            Err(fault) => return Ok(Err(fault.to_string())),
        };
        let Some(client) = client else {
            return Ok(Err(format!("the server does not know {id}")));
        };
        let named = client.hostname.eq_ignore_ascii_case(host);
        let label = client.labels.iter().any(|label| label.eq_ignore_ascii_case(&self.label));
        Ok(match (named, label) {
            (true, true) => Ok(client),
            (false, _) => {
                Err(format!("the server calls {id} {:?}, expected {:?}", client.hostname, host))
            }
            (true, false) => Err(format!("{id} has not the label {}", self.label)),
        })
    }

    /// The id that the agent drew. The file has its key too.
    async fn id(&self, on: On<'_>) -> Result<Option<ClientId>, StepError> {
        let Some(file) = on.host.read(&self.kept().writeback, crate::on::MOST).await? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(file.expose()).unwrap_or_default();
        let id = text.lines().find_map(|line| line.strip_prefix("client_id:"));
        Ok(id.and_then(|id| ClientId::parse(id.trim().trim_matches('"')).ok()))
    }
}

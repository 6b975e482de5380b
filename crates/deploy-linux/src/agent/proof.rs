//! The proof that an agent works: it answers a collection.

use deploy_core::server::Vault;
use deploy_core::{Found, StepCx, StepError};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use velociraptor_api::clients::by_ids;
use velociraptor_api::collections::{Collection, Target, check, start};
use velociraptor_api::flows::{self, Flow, FlowState};
use velociraptor_api::{ClientId, Fault, FlowId, IdentityKind, OrgId, Server, Session};

use super::{AgentSpec, CLIENT};
use crate::on::On;

/// The fact with the collection that was answered, and by whom.
pub const ANSWER: &str = "agent_answer";

/// What is collected: what every agent has.
const ARTIFACT: &str = "Generic.Client.Info";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
    client: ClientId,
    flow: FlowId,
    rows: u64,
}

impl AgentSpec {
    pub(crate) async fn look_at_answer(
        &self,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<Found, StepError> {
        if !cx.has_fact(ANSWER) {
            return Ok(Found::Absent);
        }
        let answer: Answer = cx.fact(ANSWER)?;
        let half = |why: String| {
            Ok(Found::Half { left: vec![format!("an answer of {}: {why}", answer.client)] })
        };
        let client: ClientId = cx.fact(CLIENT)?;
        if client != answer.client {
            return half(format!("the agent is {client} now"));
        }
        let server = vault.server(cx.id, &IdentityKind::ALL).await?;
        let root = OrgId::root();
        let session = Session::new(&server, &root, cx.cancel);
        match flows::flow(&session, &client, &answer.flow).await {
            Ok(flow) if well(&flow) => Ok(Found::Done),
            Ok(flow) => half(told(&flow)),
            Err(fault) => half(fault.to_string()),
        }
    }

    pub(crate) async fn ask(&self, cx: &StepCx<'_>, vault: &Vault) -> Result<(), StepError> {
        let client: ClientId = cx.fact(CLIENT)?;
        let server = vault.server(cx.id, &IdentityKind::ALL).await?;
        let flow = self.collected(cx, &server, &client).await.map_err(failed)?;
        if !well(&flow) {
            let cause = format!("{client} did not answer {ARTIFACT}: {}", told(&flow));
            return Err(StepError::failed(cause, "look at the flow's log, then resume"));
        }
        let answer = Answer { client, flow: flow.flow_id, rows: flow.rows };
        cx.note_all(ANSWER, &answer)
    }

    /// Asks an agent that the server knows without a name for it: the server takes the name from what
    /// is collected. Whether it was asked.
    pub(super) async fn ask_name(
        &self,
        on: On<'_>,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<bool, StepError> {
        let Some(id) = self.id(on).await? else { return Ok(false) };
        let server = vault.server(cx.id, &IdentityKind::ALL).await?;
        let root = OrgId::root();
        let session = Session::new(&server, &root, cx.cancel);
        let asked = async {
            let known = by_ids(&session, std::slice::from_ref(&id)).await?;
            if !known.iter().any(|client| client.hostname.is_empty()) {
                return Ok(false);
            }
            begin(&session, &id).await?;
            Ok::<_, Fault>(true)
        };
        match asked.await {
            Ok(true) => {
                cx.say(&format!("the server has no name of {id}: {ARTIFACT} is collected again"));
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(fault) => {
                cx.say(&format!("{id} could not be asked for its name: {fault}"));
                Ok(false)
            }
        }
    }

    async fn collected(
        &self,
        cx: &StepCx<'_>,
        server: &Server,
        client: &ClientId,
    ) -> Result<Flow, Fault> {
        let root = OrgId::root();
        let session = Session::new(server, &root, cx.cancel);
        let id = begin(&session, client).await?;
        let waited = flows::wait(&session, client, &id, self.within, |flow| {
            cx.say(&format!("waiting for {ARTIFACT} of {client}: {}", flow.state));
        });
        Ok(waited.await?.flow)
    }
}

/// Starts the collection.
async fn begin(session: &Session<'_>, client: &ClientId) -> Result<FlowId, Fault> {
    let artifacts = IndexMap::from([(ARTIFACT.to_owned(), IndexMap::new())]);
    let wanted = Collection { artifacts, ..Collection::default() };
    let checked = check(session, &wanted, Target::Clients).await?;
    Ok(start(session, client, &checked).await?.status.flow.flow_id)
}

/// It ended well, and with something.
fn well(flow: &Flow) -> bool {
    flow.state == FlowState::Finished && flow.rows > 0
}

fn told(flow: &Flow) -> String {
    let why = flow.status.as_deref().unwrap_or_default();
    format!("flow {} is {} with {} rows {why}", flow.flow_id, flow.state, flow.rows)
}

fn failed(fault: Fault) -> StepError {
    StepError::failed(fault.to_string(), "look at the server's and the agent's log, then resume")
}

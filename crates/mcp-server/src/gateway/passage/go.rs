//! What a tool may do once its call is open, and where it says what it started.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use guard::asked::Asked;
use guard::grant::Grants;
use guard::ledger::{Starting, Work as Started};
use guard::permit::Authority;
use guard::record::RecordError;
use jiff::Timestamp;
use velociraptor_api::{ClientId, FlowId, HuntId};

use super::super::Guardian;
use crate::off::{PATIENCE, off};
use crate::services::Services;
use crate::tool::Effect;
use crate::tool_error::{Code, ToolError};

/// Lets a tool do what it said. What it starts is noted here.
pub struct Go {
    authority: Authority,
    on_grant: Option<Box<OnGrant>>,
    starting: Option<Arc<Starting>>,
    unsure: AtomicBool,
}

/// The grant that a call runs on.
struct OnGrant {
    grants: Grants,
    id: String,
    /// Bytes that were taken off it before.
    reserved: u64,
}

/// Lets a tool end what was begun, whatever the policy says and whether it is on record or not.
pub struct Halt {
    /// What is configured, for a task that outlives the call.
    pub(crate) services: Arc<Services>,
    pub(crate) guardian: Arc<Guardian>,
    /// Why the call itself is not on record.
    pub(crate) unrecorded: Option<String>,
}

impl Go {
    /// Notes in the ledger that something is about to be started, where anything is.
    pub(super) async fn begin(
        guardian: &Guardian,
        asked: &Asked,
        needed: Effect,
        authority: Authority,
    ) -> Result<Self, ToolError> {
        let starting = if needed == Effect::Read {
            None
        } else {
            let (ledger, asked) = (guardian.ledger.clone(), asked.clone());
            let begun = off(PATIENCE, move || ledger.starting(&asked)).await;
            let begun = begun.map_err(|why| not_in_ledger(&why))?;
            Some(Arc::new(begun.map_err(|error| not_in_ledger(&error))?))
        };
        let on_grant = match &authority {
            Authority::Grant { id, .. } => Some(Box::new(OnGrant {
                grants: guardian.grants.clone(),
                id: id.clone(),
                reserved: asked.bounds.bytes.unwrap_or(0),
            })),
            _ => None,
        };
        Ok(Self { authority, on_grant, starting, unsure: AtomicBool::new(false) })
    }

    /// On whose word it is done.
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Notes a flow that was started, so that an emergency stop finds it.
    pub async fn started_flow(&self, client: &ClientId, flow: &FlowId) {
        self.started_flow_until(client, flow, None).await;
    }

    /// The same of a flow that may wait for its client until then: it is taken back afterwards.
    pub async fn started_flow_until(
        &self,
        client: &ClientId,
        flow: &FlowId,
        until: Option<Timestamp>,
    ) {
        self.started(Started::Flow { client: client.clone(), flow: flow.clone() }, until).await;
    }

    /// Notes a hunt that was made or started, so that an emergency stop finds it.
    pub async fn started_hunt(&self, hunt: &HuntId) {
        self.started(Started::Hunt { hunt: hunt.clone() }, None).await;
    }

    /// Says that something may have been started whose id is not known: the ledger keeps it as such.
    pub fn unsure(&self) {
        self.unsure.store(true, Ordering::Relaxed);
    }

    /// Says what was brought in, once nothing more will come: where it runs on a grant the rest of
    /// what was taken off is given back.
    pub async fn brought_in(&self, bytes: u64) {
        let Some(OnGrant { grants, id, reserved }) = self.on_grant.as_deref() else { return };
        let (grants, id, reserved) = (grants.clone(), id.clone(), *reserved);
        let given_back = off(PATIENCE, move || grants.settle(&id, reserved, bytes)).await;
        let given_back = given_back.and_then(|done| done.map_err(|error| error.to_string()));
        if let Err(error) = given_back {
            // The grant lasts for less, which harms nobody.
            tracing::warn!(%error, "what was not used is not given back to its grant");
        }
    }

    async fn started(&self, work: Started, until: Option<Timestamp>) {
        let Some(starting) = self.starting.clone() else { return };
        if let Err(error) = noted(move || starting.waiting(work, until)).await {
            // The ledger keeps it as a start whose outcome is not known.
            self.unsure();
            tracing::error!(%error, "what was started is not in the ledger by its id");
        }
    }

    /// Says that nothing else came of it. Where that is not known the ledger keeps it open.
    pub(crate) async fn settle(self, failed: Option<Code>) {
        let known = !matches!(
            failed,
            Some(
                Code::Timeout
                    | Code::Cancelled
                    | Code::Unavailable
                    | Code::ServerFailed
                    | Code::Internal
            )
        );
        let known = known && !self.unsure.into_inner();
        if let Some(starting) = self.starting.filter(|_| known)
            && let Err(error) = noted(move || starting.settled()).await
        {
            tracing::error!(%error, "the ledger keeps a start that has ended");
        }
    }
}

/// Writes into the ledger, on a thread that may wait for its lock.
async fn noted(
    write: impl FnOnce() -> Result<(), RecordError> + Send + 'static,
) -> Result<(), String> {
    off(PATIENCE, write).await?.map_err(|error| error.to_string())
}

fn not_in_ledger(error: &dyn std::fmt::Display) -> ToolError {
    ToolError::new(
        Code::NotRecorded,
        format!("nothing was started, since the ledger cannot be written: {error}"),
    )
    .next("without it an emergency stop would not find what was started")
}

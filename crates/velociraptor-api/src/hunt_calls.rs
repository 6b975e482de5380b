//! The calls for hunts that VQL has no equal for.
//!
//! They act on the root org, whatever org is meant, so in another they are refused here, before
//! anything is sent. None is ever repeated. The server reports success for hunts that do not
//! exist: whoever calls reads back.

use crate::error::{QueryError, QueryErrorKind};
use crate::generated::{Hunt, HuntEstimateRequest, HuntMutation, HuntStats, hunt};
use crate::identity::Identity;
use crate::ids::HuntId;
use crate::permission::Permission;
use crate::server::{Call, Server};

impl Server {
    /// Creates a hunt, and says who did. A hunt in state RUNNING needs START_HUNT, any other
    /// COLLECT_CLIENT, both also what its artifacts require. Of the call's limits only the time
    /// counts.
    ///
    /// # Errors
    ///
    /// [`QueryErrorKind::RootOrgOnly`] outside the root org; what the server refuses; after a
    /// time limit or a broken connection the hunt may exist.
    ///
    /// # Cancel safety
    ///
    /// Cancelling stops the waiting, not the hunt.
    pub async fn create_hunt(
        &self,
        hunt: Hunt,
        call: &Call<'_>,
    ) -> Result<(HuntId, &Identity), QueryError> {
        const NAME: &str = "create_hunt";
        let need = needed(hunt.state());
        let identity = self.root_caller(NAME, "creating a hunt", need, call).await?;
        let mut client = identity.connection().client();
        let answer = identity
            .connection()
            .answer(call.org, call.limits.time, call.cancel, client.create_hunt(hunt))
            .await
            .map_err(|kind| self.refused(identity, NAME, kind, call))?;
        let id = HuntId::parse(&answer.flow_id).map_err(|error| {
            let detail = format!("no hunt came of it: {error}");
            self.error(Some(identity), NAME, QueryErrorKind::Protocol { detail })
        })?;
        Ok((id, identity))
    }

    /// Changes a hunt's state, description, expiry or tags, and says who did. To RUNNING needs
    /// START_HUNT, to DELETED DELETE_RESULTS, anything else COLLECT_CLIENT. An unknown hunt is no
    /// error to the server.
    ///
    /// # Errors
    ///
    /// As [`Server::create_hunt`].
    ///
    /// # Cancel safety
    ///
    /// Cancelling stops the waiting, not the change.
    pub async fn modify_hunt(
        &self,
        mutation: HuntMutation,
        call: &Call<'_>,
    ) -> Result<&Identity, QueryError> {
        const NAME: &str = "modify_hunt";
        let need = needed(mutation.state());
        let identity = self.root_caller(NAME, "changing a hunt", need, call).await?;
        let mut client = identity.connection().client();
        identity
            .connection()
            .answer(call.org, call.limits.time, call.cancel, client.modify_hunt(mutation))
            .await
            .map_err(|kind| self.refused(identity, NAME, kind, call))?;
        Ok(identity)
    }

    /// Counts the clients that a hunt would reach: `total_clients_scheduled` of the answer. It
    /// changes nothing and needs READ_RESULTS.
    ///
    /// # Errors
    ///
    /// As [`Server::create_hunt`].
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    pub async fn estimate_hunt(
        &self,
        request: HuntEstimateRequest,
        call: &Call<'_>,
    ) -> Result<HuntStats, QueryError> {
        const NAME: &str = "estimate_hunt";
        let need = Permission::ReadResults;
        let identity = self.root_caller(NAME, "estimating a hunt", need, call).await?;
        let mut client = identity.connection().client();
        identity
            .connection()
            .answer(call.org, call.limits.time, call.cancel, client.estimate_hunt(request))
            .await
            .map_err(|kind| self.refused(identity, NAME, kind, call))
    }

    /// The identity for a call that acts on the root org.
    async fn root_caller(
        &self,
        name: &'static str,
        action: &'static str,
        need: Permission,
        call: &Call<'_>,
    ) -> Result<&Identity, QueryError> {
        if !call.org.is_root() {
            let kind = QueryErrorKind::RootOrgOnly { action, org: call.org.to_string() };
            return Err(self.error(None, name, kind));
        }
        self.identity_for(call.org, &[need], call.cancel).await
    }
}

/// The permission that the server asks for where a hunt is to have this state.
const fn needed(state: hunt::State) -> Permission {
    match state {
        hunt::State::Running => Permission::StartHunt,
        hunt::State::Deleted => Permission::DeleteResults,
        _ => Permission::CollectClient,
    }
}

//! The call for hunts that VQL has no equal for: a condition of a system and excluded labels.
//!
//! It acts on the root org, whatever org is meant, so in another it is refused here, before
//! anything is sent. It is never repeated.

use crate::error::{QueryError, QueryErrorKind};
use crate::generated::{Hunt, hunt};
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
        _ => Permission::CollectClient,
    }
}

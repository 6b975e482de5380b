//! The choice among the identities of a server: the weakest that may.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Call, Server};
use crate::error::{QueryError, QueryErrorKind};
use crate::identity::{Identity, Profile};
use crate::ids::OrgId;
use crate::limits::Limits;
use crate::permission::Permission;
use crate::queries::WHO_AM_I;

/// The probe reads one record, which takes milliseconds.
const PROBE: Limits = Limits::READ.rows(1).time(Duration::from_secs(10));

impl Server {
    /// The weakest identity that holds `needs` in the org. One about which the server cannot be
    /// asked is passed over ([`Identity::fault`] tells why), and a stronger one is used.
    ///
    /// # Errors
    ///
    /// [`QueryErrorKind::NoIdentity`] naming what the strongest one lacks, or, where the server
    /// could be asked about none, why not.
    pub async fn identity_for(
        &self,
        org: &OrgId,
        needs: &[Permission],
        cancel: &CancellationToken,
    ) -> Result<&Identity, QueryError> {
        let mut lacking = None;
        let mut unasked = Vec::new();
        let mut first_fault = None;
        for identity in self.identities() {
            let error = match self.profile(identity, org, cancel).await {
                Ok(profile) if profile.permissions.holds(needs) => return Ok(identity),
                Ok(profile) => {
                    let missing = profile.permissions.lacking(needs);
                    lacking = Some(missing.into_iter().copied().collect::<Vec<_>>());
                    continue;
                }
                Err(error) => error,
            };
            // Nobody answers there: asking under another name would only take as long again.
            if matches!(*error.kind, QueryErrorKind::Cancelled | QueryErrorKind::Unreachable { .. })
                && self.same_address()
            {
                return Err(error);
            }
            unasked.push(format!("{} ({})", identity.user(), error.kind));
            first_fault.get_or_insert(error);
        }
        match (lacking, first_fault) {
            (None, Some(fault)) => Err(fault),
            (lacking, _) => {
                let lacking = lacking.unwrap_or_else(|| needs.to_vec());
                let kind = QueryErrorKind::NoIdentity { lacking, unasked };
                Err(self.error(None, "choose an identity", kind))
            }
        }
    }

    /// What the server says of an identity's user in an org. Remembered for five minutes; that
    /// it could not be asked, for half a minute. Many calls at once ask it once.
    ///
    /// # Errors
    ///
    /// Connection, authority and org faults.
    pub async fn profile(
        &self,
        identity: &Identity,
        org: &OrgId,
        cancel: &CancellationToken,
    ) -> Result<Arc<Profile>, QueryError> {
        let fail = |kind| self.error(Some(identity), WHO_AM_I.name, kind);
        if let Some(probe) = identity.remembered(org) {
            return probe.map_err(fail);
        }
        let _turn = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(fail(QueryErrorKind::Cancelled)),
            turn = identity.asking().lock() => turn,
        };
        if let Some(probe) = identity.remembered(org) {
            return probe.map_err(fail);
        }
        let call = Call { org, limits: PROBE, cancel };
        let probe = match self.run_as(identity, &WHO_AM_I.query(), &call, true).await {
            Ok(rows) => {
                rows.rows.first().and_then(Profile::from_row).map(Arc::new).ok_or_else(|| {
                    QueryErrorKind::Protocol {
                        detail: String::from("the user's record could not be read"),
                    }
                })
            }
            Err(error) => Err(*error.kind),
        };
        if probe != Err(QueryErrorKind::Cancelled) {
            identity.remember(org, &probe);
        }
        probe.map_err(fail)
    }

    fn same_address(&self) -> bool {
        let address = |identity: &Identity| identity.connection().config().address.clone();
        let first = self.identities().first().map(address);
        self.identities().iter().all(|identity| Some(address(identity)) == first)
    }
}

//! One server: its identities, and the calls that are made under them.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vql_builder::Query;

use crate::catalogue::CatalogueQuery;
use crate::config::ApiConfig;
use crate::connection::Connection;
use crate::error::{QueryError, QueryErrorKind};
use crate::identity::{Identity, IdentityKind};
use crate::ids::OrgId;
use crate::limits::{Cut, Limits};
use crate::stream::QueryStream;

mod choice;
mod gather;

pub use gather::Rows;

/// Most queries that run on one server at a time: the server has no quota of its own, and one
/// heavy client can make it slow for everybody.
const CONCURRENT: usize = 32;

/// Most of them that may be long: those that wait for something leave room for those that do not.
const CONCURRENT_LONG: usize = 24;

/// A query that may take longer than this is long.
const LONG: Duration = Duration::from_secs(60);

/// A server under up to three identities. Share it by `Arc`; there is no global.
#[derive(Debug)]
pub struct Server {
    name: String,
    identities: Vec<Identity>,
    slots: Semaphore,
    long_slots: Semaphore,
}

/// How a query is to be run.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// In which org.
    pub org: &'a OrgId,
    /// Within which bounds.
    pub limits: Limits,
    /// Until when: cancelling it stops the query on the server too.
    pub cancel: &'a CancellationToken,
}

impl Server {
    /// Prepares the channels of a server. Nothing is dialled; call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`QueryError`] where the TLS stack refuses a configuration.
    pub fn open(
        name: impl Into<String>,
        configs: impl IntoIterator<Item = (Option<IdentityKind>, ApiConfig)>,
    ) -> Result<Self, QueryError> {
        let name = name.into();
        let mut identities = Vec::new();
        for (declared, config) in configs {
            let user = config.user().to_owned();
            let connection = Connection::open(config).map_err(|kind| QueryError {
                server: name.clone(),
                identity: Some(user),
                query: "connect",
                kind: Box::new(kind),
            })?;
            identities.push(Identity::new(declared, connection));
        }
        identities.sort_by_key(Identity::declared);
        let (slots, long_slots) = (Semaphore::new(CONCURRENT), Semaphore::new(CONCURRENT_LONG));
        Ok(Self { name, identities, slots, long_slots })
    }

    /// A name under which nobody can be asked: it stands for this machine where a server's name is
    /// expected.
    pub fn nobody(name: impl Into<String>) -> Self {
        let (slots, long_slots) = (Semaphore::new(CONCURRENT), Semaphore::new(CONCURRENT_LONG));
        Self { name: name.into(), identities: Vec::new(), slots, long_slots }
    }

    /// The server's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identities, weakest first.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// Runs a query of the catalogue under the weakest identity that may. A failure that the
    /// server tells in its log is an error. A read is tried once more where the connection broke;
    /// a mutation never.
    ///
    /// # Errors
    ///
    /// Whatever kept the rows from being what was asked for. A read that was cut is none
    /// ([`Rows::cut`] tells); a mutation that ran into its time limit is, and may have acted.
    ///
    /// # Cancel safety
    ///
    /// Cancelling a mutation does not undo it.
    pub async fn fetch(
        &self,
        entry: &CatalogueQuery,
        query: &Query,
        call: &Call<'_>,
    ) -> Result<Rows, QueryError> {
        let identity = self.identity_for(call.org, entry.needs, call.cancel).await?;
        let mut rows = self.run_as(identity, query, call, !entry.mutates).await?;
        let fail = |kind| Err(self.error(Some(identity), entry.name, kind));
        if !rows.failures.is_empty() {
            return fail(rows.failures.swap_remove(0));
        }
        if entry.mutates && rows.cut == Some(Cut::Time) {
            return fail(QueryErrorKind::Timeout { seconds: call.limits.server_seconds() });
        }
        Ok(rows)
    }

    /// Runs any query under the given identity and gathers its rows within the bounds. `repeat`
    /// says that the query only reads, so that it may be run again: once more where the
    /// connection broke, and with fewer rows per message where a message was too large. All tries
    /// together have the one time limit; waiting for a free slot is not counted in it.
    ///
    /// # Errors
    ///
    /// Transport, authority and org faults; failures in the log are in [`Rows::failures`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the query on the server.
    pub async fn run_as(
        &self,
        identity: &Identity,
        query: &Query,
        call: &Call<'_>,
        repeat: bool,
    ) -> Result<Rows, QueryError> {
        let fail = |kind| self.error(Some(identity), query.name(), kind);
        let _slots = self.slots(call).await.map_err(fail)?;
        let begun = Instant::now();
        let mut limits = call.limits;
        let mut tried = false;
        loop {
            let kind = match gather::gather(identity, query, call, &limits).await {
                Ok(rows) => {
                    if rows.failures.iter().any(disproves_probe) {
                        identity.forget(call.org);
                    }
                    return Ok(rows);
                }
                Err(kind) => kind,
            };
            let smaller = matches!(kind, QueryErrorKind::TooLarge { .. }) && limits.batch_rows > 1;
            let again = kind.is_transient() && !tried;
            limits.time = call.limits.time.saturating_sub(begun.elapsed());
            if !repeat || !(smaller || again) || limits.time.is_zero() {
                return Err(self.refused(identity, query.name(), kind, call));
            }
            if smaller {
                limits = limits.batch_rows(limits.batch_rows / 10);
            } else {
                tried = true;
            }
        }
    }

    /// Waits for its turn.
    pub(crate) async fn slots(
        &self,
        call: &Call<'_>,
    ) -> Result<(Option<SemaphorePermit<'_>>, SemaphorePermit<'_>), QueryErrorKind> {
        let turn = async {
            // The order matters: a long query does not hold a slot while it waits for its own.
            let long = match call.limits.time > LONG {
                true => Some(self.long_slots.acquire().await?),
                false => None,
            };
            Ok((long, self.slots.acquire().await?))
        };
        let turn: Result<_, tokio::sync::AcquireError> = tokio::select! {
            biased;
            () = call.cancel.cancelled() => return Err(QueryErrorKind::Cancelled),
            turn = turn => turn,
        };
        turn.map_err(|_| QueryErrorKind::Cancelled)
    }

    /// Starts a query under the given identity and hands its batches over as they come, within
    /// the bounds of the call. The concurrency cap does not count it, and nothing is repeated.
    ///
    /// # Errors
    ///
    /// As [`Connection::start`].
    pub async fn stream_as(
        &self,
        identity: &Identity,
        query: &Query,
        call: &Call<'_>,
    ) -> Result<QueryStream, QueryError> {
        identity
            .connection()
            .start(call.org, query, &call.limits, call.cancel)
            .await
            .map_err(|kind| self.error(Some(identity), query.name(), kind))
    }

    /// Puts this server's name on the refusal of a call, and forgets what was probed of the
    /// identity where the refusal shows that it no longer holds.
    pub(crate) fn refused(
        &self,
        identity: &Identity,
        name: &'static str,
        kind: QueryErrorKind,
        call: &Call<'_>,
    ) -> QueryError {
        if disproves_probe(&kind) {
            identity.forget(call.org);
        }
        self.error(Some(identity), name, kind)
    }

    /// Puts this server's name on an error.
    pub(crate) fn error(
        &self,
        identity: Option<&Identity>,
        query: &'static str,
        kind: QueryErrorKind,
    ) -> QueryError {
        let identity = identity.map(|identity| identity.user().to_owned());
        QueryError { server: self.name.clone(), identity, query, kind: Box::new(kind) }
    }
}

/// Whether a failure shows that what was probed of the identity no longer holds.
const fn disproves_probe(kind: &QueryErrorKind) -> bool {
    matches!(kind, QueryErrorKind::Denied { .. } | QueryErrorKind::UnknownUser { .. })
}

//! One server: its identities, and the choice among them.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use vql_builder::Query;

use crate::catalogue::CatalogueQuery;
use crate::config::ApiConfig;
use crate::connection::Connection;
use crate::error::{QueryError, QueryErrorKind};
use crate::identity::{Identity, IdentityKind, Profile};
use crate::ids::OrgId;
use crate::limits::{Cut, Limits};
use crate::permission::Permission;
use crate::queries::WHO_AM_I;
use crate::stream::{QueryStream, Row};

/// Most queries that run on one server at a time: the server has no quota of its own, and one
/// heavy client can make it slow for everybody.
const CONCURRENT: usize = 32;

/// A server under up to three identities. Share it by `Arc`; there is no global.
#[derive(Debug)]
pub struct Server {
    name: String,
    identities: Vec<Identity>,
    slots: Semaphore,
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

/// The rows of a query that ran to its end or to a limit.
#[derive(Debug)]
pub struct Rows {
    /// The columns, in order of first appearance (they may differ between batches).
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
    /// What the server remarked.
    pub warnings: Vec<String>,
    /// What failed although rows may have come: the rows are not the whole truth.
    pub failures: Vec<QueryErrorKind>,
    /// The bound that ended the query early.
    pub cut: Option<Cut>,
    /// The user that asked.
    pub identity: String,
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
        Ok(Self { name, identities, slots: Semaphore::new(CONCURRENT) })
    }

    /// The server's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identities, weakest first.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// The weakest identity that holds `needs` in the org.
    ///
    /// # Errors
    ///
    /// [`QueryErrorKind::NoIdentity`] naming what the strongest one lacks, or why none could be
    /// asked.
    pub async fn identity_for(
        &self,
        org: &OrgId,
        needs: &[Permission],
        cancel: &CancellationToken,
    ) -> Result<&Identity, QueryError> {
        let mut lacking = needs.to_vec();
        let mut failed = None;
        for identity in &self.identities {
            match self.profile(identity, org, cancel).await {
                Ok(profile) if profile.permissions.holds(needs) => return Ok(identity),
                Ok(profile) => {
                    lacking = profile.permissions.lacking(needs).into_iter().copied().collect();
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| {
            self.error(None, "choose an identity", QueryErrorKind::NoIdentity { lacking })
        }))
    }

    /// What the server says of an identity's user in an org. Remembered for five minutes.
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
        if let Some(profile) = identity.remembered(org) {
            return Ok(profile);
        }
        let call = Call { org, limits: Limits::READ.rows(1), cancel };
        let rows = self.run_as(identity, &WHO_AM_I.query(), &call, false).await?;
        let profile = rows.rows.first().and_then(Profile::from_row).ok_or_else(|| {
            let detail = String::from("the user's record could not be read");
            self.error(Some(identity), WHO_AM_I.name, QueryErrorKind::Protocol { detail })
        })?;
        let profile = Arc::new(profile);
        identity.remember(org, &profile);
        Ok(profile)
    }

    /// Runs a query of the catalogue under the weakest identity that may. A failure that the
    /// server tells in its log is an error. A read is tried once more where the connection broke;
    /// a mutation never.
    ///
    /// # Errors
    ///
    /// Whatever kept the rows from being what was asked for.
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
        if rows.failures.is_empty() {
            return Ok(rows);
        }
        Err(self.error(Some(identity), entry.name, rows.failures.swap_remove(0)))
    }

    /// Runs any query under the given identity and gathers its rows within the bounds.
    /// `repeat` allows one more try where the connection broke before a row came.
    ///
    /// # Errors
    ///
    /// Transport, authority and org faults; failures in the log are in [`Rows::failures`].
    pub async fn run_as(
        &self,
        identity: &Identity,
        query: &Query,
        call: &Call<'_>,
        repeat: bool,
    ) -> Result<Rows, QueryError> {
        let fail = |kind| self.error(Some(identity), query.name(), kind);
        let _slot = tokio::select! {
            biased;
            () = call.cancel.cancelled() => return Err(fail(QueryErrorKind::Cancelled)),
            slot = self.slots.acquire() => {
                slot.map_err(|_| fail(QueryErrorKind::Cancelled))?
            }
        };
        let mut limits = call.limits;
        let mut tries = 0;
        loop {
            match gather(identity, query, call, &limits).await {
                Ok(rows) => return Ok(rows),
                // A batch of large rows: the same with fewer rows a message, for reads only.
                Err(QueryErrorKind::TooLarge { .. }) if repeat && limits.batch_rows > 1 => {
                    limits = limits.batch_rows((limits.batch_rows / 10).max(1));
                }
                Err(kind) if repeat && tries == 0 && kind.is_transient() => tries += 1,
                Err(kind) => {
                    if matches!(kind, QueryErrorKind::Denied { .. }) {
                        identity.forget(call.org);
                    }
                    return Err(fail(kind));
                }
            }
        }
    }

    /// Starts a query under the given identity and hands its batches over as they come. The
    /// concurrency cap does not count it.
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

/// Reads a stream to its end or to the first bound.
async fn gather(
    identity: &Identity,
    query: &Query,
    call: &Call<'_>,
    limits: &Limits,
) -> Result<Rows, QueryErrorKind> {
    let mut stream = identity.connection().start(call.org, query, limits, call.cancel).await?;
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut bytes = 0_u64;
    let mut cut = None;
    'batches: while let Some(batch) = stream.next().await? {
        for column in &batch.columns {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        for raw in batch.raw_rows()? {
            let size = raw.get().len() as u64;
            if rows.len() as u64 >= limits.rows {
                cut = Some(Cut::Rows);
                break 'batches;
            }
            if bytes + size > limits.bytes {
                cut = Some(Cut::Bytes);
                break 'batches;
            }
            bytes += size;
            rows.push(
                serde_json::from_str(raw.get())
                    .map_err(|error| QueryErrorKind::Protocol { detail: error.to_string() })?,
            );
        }
    }
    if stream.timed_out() {
        cut = cut.or(Some(Cut::Time));
    }
    let (failures, warnings) = stream.into_log();
    Ok(Rows { columns, rows, warnings, failures, cut, identity: identity.user().to_owned() })
}

//! One piece of work on one org of one server: what the typed facade is called with.

use std::sync::Mutex;

use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use vql_builder::Query;

use crate::catalogue::CatalogueQuery;
use crate::error::{QueryError, QueryErrorKind};
use crate::fault::Fault;
use crate::identity::Identity;
use crate::ids::OrgId;
use crate::limits::{Cut, Limits};
use crate::permission::Permission;
use crate::server::{Call, Rows, Server};

/// The server, the org and the caller's patience, and a note of what was used on the way.
///
/// Every function of the facade takes one. Make one for each call that you serve: the identities
/// and warnings that it gathers are those of that call.
#[derive(Debug)]
pub struct Session<'a> {
    server: &'a Server,
    org: &'a OrgId,
    cancel: &'a CancellationToken,
    trail: Mutex<Trail>,
}

#[derive(Debug, Default)]
struct Trail {
    identities: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Session<'a> {
    /// Begins a piece of work. Cancelling the token stops what it waits for, on the server too;
    /// it does not undo what was done.
    pub fn new(server: &'a Server, org: &'a OrgId, cancel: &'a CancellationToken) -> Self {
        Self { server, org, cancel, trail: Mutex::default() }
    }

    /// The server.
    pub const fn server(&self) -> &'a Server {
        self.server
    }

    /// The org.
    pub const fn org(&self) -> &'a OrgId {
        self.org
    }

    /// The token that ends the work.
    pub const fn cancel(&self) -> &'a CancellationToken {
        self.cancel
    }

    /// The users that asked so far, in the order of their first use.
    pub fn identities(&self) -> Vec<String> {
        self.trail.lock().map(|trail| trail.identities.clone()).unwrap_or_default()
    }

    /// What the server remarked so far, and what a caller of the facade should know beside the
    /// typed answer; each once.
    pub fn warnings(&self) -> Vec<String> {
        self.trail.lock().map(|trail| trail.warnings.clone()).unwrap_or_default()
    }

    /// Adds a remark.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        if let Ok(mut trail) = self.trail.lock()
            && !trail.warnings.contains(&text)
        {
            trail.warnings.push(text);
        }
    }

    /// Notes that an identity asked.
    pub(crate) fn used(&self, identity: &Identity) {
        if let Ok(mut trail) = self.trail.lock()
            && !trail.identities.iter().any(|user| user == identity.user())
        {
            trail.identities.push(identity.user().to_owned());
        }
    }

    /// The call that this session stands for, within the given bounds.
    pub(crate) const fn call(&self, limits: Limits) -> Call<'a> {
        Call { org: self.org, limits, cancel: self.cancel }
    }

    /// Runs a query of the catalogue under the weakest identity that may, and reads its rows.
    pub(crate) async fn rows<T: DeserializeOwned>(
        &self,
        entry: &CatalogueQuery,
        query: Query,
    ) -> Result<Vec<T>, QueryError> {
        self.rows_with(entry, query, &[], WHOLE).await
    }

    /// Like [`Session::rows`], where the entry itself cannot know all that it needs.
    pub(crate) async fn rows_with<T: DeserializeOwned>(
        &self,
        entry: &CatalogueQuery,
        query: Query,
        further: &[Permission],
        limits: Limits,
    ) -> Result<Vec<T>, QueryError> {
        let (identity, mut rows) = self.raw(entry, &query, further, limits).await?;
        let fail = |kind| self.server.error(Some(identity), entry.name, kind);
        if !rows.failures.is_empty() {
            return Err(fail(rows.failures.swap_remove(0)));
        }
        match rows.cut {
            None => {}
            Some(Cut::Time) => {
                return Err(fail(QueryErrorKind::Timeout { seconds: limits.time.as_secs() }));
            }
            Some(Cut::Rows | Cut::Bytes) => {
                let detail = format!(
                    "the answer is larger than {} rows or {} MiB; narrow what is asked for",
                    limits.rows,
                    limits.bytes >> 20
                );
                return Err(fail(QueryErrorKind::Failed { detail }));
            }
        }
        let read = |row| serde_json::from_value(serde_json::Value::Object(row));
        rows.rows
            .into_iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(|error| fail(QueryErrorKind::Protocol { detail: error.to_string() }))
    }

    /// Proves that some identity holds these permissions, before anything is sent.
    pub(crate) async fn permitted(&self, needs: &[Permission]) -> Result<(), Fault> {
        match self.server.identity_for(self.org, needs, self.cancel).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match *error.kind {
                QueryErrorKind::NoIdentity { lacking, unasked } if unasked.is_empty() => {
                    Fault::NotPermitted { lacking, needs: needs.to_vec() }
                }
                _ => error.into(),
            }),
        }
    }

    /// The rows as they came, failures and cuts included, and the identity that asked.
    pub(crate) async fn raw(
        &self,
        entry: &CatalogueQuery,
        query: &Query,
        further: &[Permission],
        limits: Limits,
    ) -> Result<(&'a Identity, Rows), QueryError> {
        let mut needs = entry.needs.to_vec();
        needs.extend_from_slice(further);
        let identity = self.server.identity_for(self.org, &needs, self.cancel).await?;
        let call = self.call(limits);
        let rows = self.server.run_as(identity, query, &call, !entry.mutates).await?;
        self.used(identity);
        for warning in &rows.warnings {
            self.warn(warning.as_str());
        }
        Ok((identity, rows))
    }
}

/// Bounds for an answer that is only useful whole.
const WHOLE: Limits = Limits::READ.rows(1_000_000).batch_rows(1000);

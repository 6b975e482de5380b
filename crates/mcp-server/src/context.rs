//! What a running tool may reach.

use std::sync::Arc;
use std::time::Duration;

use guard::spool::{Kept, Owner, Spool};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Identity, Limits, OrgId, Permission, Server, Session};

use crate::services::Services;
use crate::tool::Detail;
use crate::tool_error::{Code, ToolError};

/// The world of one tool call: the server and the org that it acts on, its cancellation, its
/// progress. There is no global.
#[derive(Clone)]
pub struct ToolCx<'a> {
    /// Everything that is configured.
    pub services: &'a Services,
    /// The server that the call is about.
    pub server: Arc<Server>,
    /// The org that the call is about.
    pub org: OrgId,
    /// The caller's queries that can be run again; none outside a call of a tool.
    pub queries: Option<Queries<'a>>,
    /// How much the answer is to carry.
    pub detail: Detail,
    /// Cancelled when the caller no longer wants the answer.
    pub cancel: CancellationToken,
    /// Where progress is told.
    pub progress: &'a (dyn Progress + 'a),
}

/// The queries of one caller that can be run again.
#[derive(Clone)]
pub struct Queries<'a> {
    spool: &'a Spool,
    subject: String,
}

impl<'a> Queries<'a> {
    /// Those of this caller.
    pub const fn of(spool: &'a Spool, subject: String) -> Self {
        Self { spool, subject }
    }
}

impl ToolCx<'_> {
    fn owner(&self, subject: &str) -> Owner {
        let (server, org) = (self.server.name().to_owned(), self.org.to_string());
        Owner { subject: subject.to_owned(), server, org }
    }

    /// Keeps a query for its caller, on this server and in this org.
    ///
    /// # Errors
    ///
    /// Why it cannot be kept.
    pub fn keep(&self, text: &str, env: &Map<String, Value>) -> Result<String, ToolError> {
        let Some(queries) = &self.queries else { return Err(no_queries()) };
        Ok(queries.spool.keep(&self.owner(&queries.subject), text, env)?)
    }

    /// The query that was kept under an id.
    ///
    /// # Errors
    ///
    /// Where there is none, its time is over, or it is of another caller, server or org.
    pub fn kept(&self, id: &str) -> Result<Kept, ToolError> {
        let Some(queries) = &self.queries else { return Err(no_queries()) };
        Ok(queries.spool.find(id, &self.owner(&queries.subject))?)
    }
}

fn no_queries() -> ToolError {
    ToolError::new(Code::Internal, "queries are kept for calls of tools only")
}

/// Where a long call tells how far it is.
pub trait Progress: Send + Sync {
    /// `done` of `total` (of an unknown total where `None`), in words. Never blocks.
    fn report(&self, done: u64, total: Option<u64>, message: &str);
}

/// Progress that nobody asked for.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _done: u64, _total: Option<u64>, _message: &str) {}
}

impl<'a> ToolCx<'a> {
    /// The world of a call with these arguments: `server` and `org` are taken out of them.
    ///
    /// # Errors
    ///
    /// [`ToolError`] where they name nothing that is configured.
    pub fn of(
        services: &'a Services,
        arguments: &mut Map<String, Value>,
        cancel: CancellationToken,
        progress: &'a dyn Progress,
    ) -> Result<Self, ToolError> {
        let (target, org) = services.target(arguments)?;
        Ok(Self {
            services,
            server: Arc::clone(&target.server),
            org,
            queries: None,
            detail: Detail::default(),
            cancel,
            progress,
        })
    }
}

impl<'a> ToolCx<'a> {
    /// The world of a call that asks no server.
    pub fn here(
        services: &'a Services,
        cancel: CancellationToken,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            services,
            server: Arc::clone(services.here()),
            org: OrgId::root(),
            queries: None,
            detail: Detail::default(),
            cancel,
            progress,
        }
    }
}

impl ToolCx<'_> {
    /// One piece of work for the typed facade; it notes who asked and what was remarked.
    pub fn session(&self) -> Session<'_> {
        Session::new(&self.server, &self.org, &self.cancel)
    }

    /// A page of the server's own web interface, such as `/host/C.1234`, where its address is
    /// configured.
    pub fn link(&self, page: &str) -> Option<String> {
        let targets = self.services.targets();
        let target = targets.iter().find(|t| Arc::ptr_eq(&t.server, &self.server))?;
        let gui = target.gui.as_deref()?.trim_end_matches('/');
        Some(format!("{gui}/app/index.html?org_id={}#{page}", self.org))
    }

    /// A call within the usual bounds of a read.
    pub fn call(&self) -> Call<'_> {
        Call { org: &self.org, limits: Limits::READ, cancel: &self.cancel }
    }

    /// A call within other bounds of time.
    pub fn call_within(&self, time: Duration) -> Call<'_> {
        Call { limits: Limits::READ.time(time), ..self.call() }
    }

    /// The weakest identity that holds the permissions here.
    ///
    /// # Errors
    ///
    /// [`ToolError`] saying what is lacking, or why no identity could be asked.
    pub async fn identity(&self, needs: &[Permission]) -> Result<&Identity, ToolError> {
        Ok(self.server.identity_for(&self.org, needs, &self.cancel).await?)
    }
}

//! The API client on a real server: failures by type, bounds that stop the server, files, faults.

mod corpus;
mod faults;
mod files;
mod hunts;
mod streams;
mod values;

use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Identity, IdentityKind, Limits, OrgId, QueryErrorKind, Rows, Server};
use vql_builder::{Query, RawVql};

use crate::real::{RealAgent, RealServer, Role};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "api",
    about: "the API client: failures by type, bounds that stop the server, files, faults",
    run,
};

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let mut server = RealServer::start().await?;
    let api = server.open(&Role::ALL)?;
    {
        let agent = RealAgent::enrol(&server, "root").await?;
        corpus::run(cases, &server, agent.client_id()).await;
        files::run(cases, &server, &api, agent.client_id()).await;
        hunts::run(cases, &server, &api).await;
    }
    values::run(cases, &server, &api).await;
    streams::run(cases, &server, &api).await;
    faults::run(cases, &mut server, &api).await;
    Ok(())
}

/// The identity of a role.
fn identity(api: &Server, kind: IdentityKind) -> anyhow::Result<&Identity> {
    let found = api.identities().iter().find(|identity| identity.declared() == Some(kind));
    found.with_context(|| format!("no {kind}"))
}

/// Runs a read as the administrator.
async fn read(api: &Server, vql: &str, limits: Limits) -> anyhow::Result<Rows> {
    Ok(attempt(api, vql, limits).await??)
}

/// Like [`read`], with the failure of the call apart from a failure to make it.
async fn attempt(
    api: &Server,
    vql: &str,
    limits: Limits,
) -> anyhow::Result<Result<Rows, QueryErrorKind>> {
    let identity = identity(api, IdentityKind::Administrator)?;
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits, cancel: &cancel };
    let query = Query::raw("api_suite", RawVql::from_caller(vql));
    let rows = api.run_as(identity, &query, &call, true).await;
    Ok(rows.map_err(|error| *error.kind))
}

/// Bounds with a time limit in seconds.
const fn seconds(seconds: u64) -> Limits {
    Limits::READ.time(Duration::from_secs(seconds))
}

//! Bounds and cancellation, as the server sees them.

use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Cut, IdentityKind, Limits, OrgId, QueryErrorKind, Server};
use vql_builder::Query;

use super::{identity, read, seconds};
use crate::real::{RealServer, Role};
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, server: &RealServer, api: &Server) {
    if !cases.case("streams: the server takes an event artifact", define(server)).await {
        return;
    }
    cases.case("streams: the row limit stops the server", row_limit(server, api)).await;
    cases.case("streams: an event query ends at its time limit", event(api)).await;
    cases.case("streams: a sleeping query ends at its time limit", sleeping(api)).await;
    cases.case("streams: cancelling reaches the server", cancelling(server, api)).await;
    cases.case("streams: dropping reaches the server", dropping(server, api)).await;
    cases.case("streams: of 300 calls at once none is lost", many(server)).await;
}

async fn row_limit(server: &RealServer, api: &Server) -> anyhow::Result<()> {
    let vql = "SELECT * FROM Artifact.Custom.Harness.Clock()";
    let (reading, seen) = tokio::join!(
        read(api, vql, seconds(60).rows(2)),
        server.wait_running("HarnessCancel", true)
    );
    seen?;
    let rows = reading?;
    ensure!(rows.rows.len() == 2 && rows.cut == Some(Cut::Rows), "{rows:?}");
    server.wait_running("HarnessCancel", false).await?;

    let vql = "SELECT _value AS N FROM range(end=100000000000)";
    let rows = read(api, vql, seconds(60).rows(1234)).await?;
    ensure!(rows.rows.len() == 1234 && rows.cut == Some(Cut::Rows), "{:?}", rows.cut);
    Ok(())
}

async fn event(api: &Server) -> anyhow::Result<()> {
    let rows = read(api, "SELECT * FROM clock(period=1)", seconds(3)).await?;
    ensure!((1..=3).contains(&rows.rows.len()), "{} rows", rows.rows.len());
    ensure!(rows.cut == Some(Cut::Time) && rows.failures.is_empty(), "{:?}", rows.failures);
    ensure!(rows.warnings.is_empty(), "{:?}", rows.warnings);
    Ok(())
}

async fn sleeping(api: &Server) -> anyhow::Result<()> {
    let rows = read(api, "SELECT sleep(time=30) AS A FROM scope()", seconds(1)).await?;
    ensure!(rows.cut == Some(Cut::Time), "{rows:?}");
    Ok(())
}

/// The server lists its running queries, but of those that the API started only the ones within
/// an artifact: so what is to be seen running stands in one.
const ARTIFACT: &str = "name: Custom.Harness.Clock
sources:
- query: |
    SELECT *, 1 AS HarnessCancel FROM clock(period=1)
";

static CLOCK: Query = Query::constant("clock", "SELECT * FROM Artifact.Custom.Harness.Clock()");

async fn define(server: &RealServer) -> anyhow::Result<()> {
    let vql =
        "LET A <= artifact_set(definition=HarnessArtifact) SELECT A.name AS Name FROM scope()";
    let env = [("HarnessArtifact", ARTIFACT)];
    server.query(Role::Administrator, "root", vql, &env).await?;
    Ok(())
}

async fn cancelling(server: &RealServer, api: &Server) -> anyhow::Result<()> {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: seconds(60), cancel: &cancel };
    let administrator = identity(api, IdentityKind::Administrator)?;
    let asking = api.run_as(administrator, &CLOCK, &call, true);
    let cancelling = async {
        server.wait_running("HarnessCancel", true).await?;
        cancel.cancel();
        anyhow::Ok(())
    };
    let (asked, cancelled) = tokio::join!(asking, cancelling);
    cancelled?;
    let error = asked.err().context("an event query ended by itself")?;
    ensure!(*error.kind == QueryErrorKind::Cancelled, "{error:?}");
    server.wait_running("HarnessCancel", false).await
}

async fn dropping(server: &RealServer, api: &Server) -> anyhow::Result<()> {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: seconds(60), cancel: &cancel };
    let administrator = identity(api, IdentityKind::Administrator)?;
    let mut stream = api.stream_as(administrator, &CLOCK, &call).await?;
    ensure!(stream.next().await?.is_some());
    server.wait_running("HarnessCancel", true).await?;
    drop(stream);
    server.wait_running("HarnessCancel", false).await
}

async fn many(server: &RealServer) -> anyhow::Result<()> {
    let api = Arc::new(server.open(&[Role::Administrator])?);
    let calls: Vec<_> = (0..300)
        .map(|n| {
            let api = Arc::clone(&api);
            let vql = format!("SELECT {n} AS N FROM scope()");
            tokio::spawn(async move { read(&api, &vql, Limits::READ).await })
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        let rows = call.await??;
        ensure!(rows.rows.len() == 1 && rows.rows[0]["N"] == n, "{n}: {rows:?}");
    }
    Ok(())
}

//! A server that dies and comes back, and users that come and go.

use anyhow::{Context, ensure};
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, IdentityKind, Limits, OrgId, Permission, QueryErrorKind, Server};
use vql_builder::Query;

use super::{attempt, identity, read, seconds};
use crate::real::{RealServer, Role};
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, server: &mut RealServer, api: &Server) {
    cases.case("faults: an unknown org is named", unknown_org(api)).await;
    cases.case("faults: a user that is deleted is passed over", deleted(server, api)).await;
    cases.case("faults: killed in mid-query, and back", killed(server, api)).await;
    cases.case("faults: stopped in good order, and back", stopped(server, api)).await;
}

async fn unknown_org(api: &Server) -> anyhow::Result<()> {
    let (org, cancel) = (OrgId::parse("O999")?, CancellationToken::new());
    let needs = [Permission::AnyQuery];
    let error = api.identity_for(&org, &needs, &cancel).await.err().context("it exists")?;
    ensure!(
        matches!(&*error.kind, QueryErrorKind::UnknownOrg { org } if org.as_deref() == Some("O999")),
        "{error:?}"
    );
    Ok(())
}

async fn deleted(server: &RealServer, api: &Server) -> anyhow::Result<()> {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let needs = [Permission::AnyQuery];
    ensure!(api.identity_for(&org, &needs, &cancel).await?.user() == Role::Reader.user());

    let vql = "LET D <= user_delete(user=HarnessUser, orgs='root', really_do_it=TRUE) \
               SELECT D FROM scope()";
    let env = [("HarnessUser", Role::Reader.user())];
    server.query(Role::Administrator, "root", vql, &env).await?;
    let reader = identity(api, IdentityKind::Reader)?;
    let query = Query::constant("probe", "SELECT 1 AS A FROM scope()");
    let error = api.run_as(reader, &query, &call, true).await.err().context("it may still ask")?;
    ensure!(
        matches!(*error.kind, QueryErrorKind::UnknownUser { .. } | QueryErrorKind::Denied { .. }),
        "{error:?}"
    );
    // What was known of the reader is forgotten, so the next choice passes it over.
    let chosen = api.identity_for(&org, &needs, &cancel).await?;
    ensure!(chosen.user() == Role::Investigator.user(), "{}", chosen.user());
    ensure!(reader.fault(&org).is_some(), "the fault is not remembered");

    let vql =
        "LET U <= user_create(user=HarnessUser, roles=('reader', 'api')) SELECT U FROM scope()";
    server.query(Role::Administrator, "root", vql, &env).await?;
    Ok(())
}

static CLOCK: Query = Query::constant("clock", "SELECT * FROM clock(period=1)");

async fn killed(server: &mut RealServer, api: &Server) -> anyhow::Result<()> {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: seconds(60), cancel: &cancel };
    let administrator = identity(api, IdentityKind::Administrator)?;
    let mut stream = api.stream_as(administrator, &CLOCK, &call).await?;
    ensure!(stream.next().await?.is_some());
    server.kill()?;
    // Rows may still be under way; what counts is that the end is an error and no end.
    let error = loop {
        match stream.next().await {
            Ok(Some(_)) => {}
            Ok(None) => anyhow::bail!("a broken stream passed for a whole one"),
            Err(kind) => break kind,
        }
    };
    ensure!(matches!(error, QueryErrorKind::Unreachable { .. }), "{error:?}");
    let error = attempt(api, "SELECT 1 AS A FROM scope()", Limits::READ).await?;
    let error = error.err().context("a dead server answered")?;
    ensure!(matches!(error, QueryErrorKind::Unreachable { .. }), "{error:?}");

    server.start_again().await?;
    let rows = read(api, "SELECT 1 AS A FROM scope()", Limits::READ).await?;
    ensure!(rows.rows.len() == 1, "{rows:?}");
    Ok(())
}

async fn stopped(server: &mut RealServer, api: &Server) -> anyhow::Result<()> {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: seconds(60), cancel: &cancel };
    let administrator = identity(api, IdentityKind::Administrator)?;
    let mut stream = api.stream_as(administrator, &CLOCK, &call).await?;
    ensure!(stream.next().await?.is_some());
    server.restart().await?;
    let error = loop {
        match stream.next().await {
            Ok(Some(_)) => {}
            Ok(None) => anyhow::bail!("a broken stream passed for a whole one"),
            Err(kind) => break kind,
        }
    };
    ensure!(matches!(error, QueryErrorKind::Unreachable { .. }), "{error:?}");
    // The channel still believes in the old connection: a read gets over that by itself.
    let rows = read(api, "SELECT 1 AS A FROM scope()", Limits::READ).await?;
    ensure!(rows.rows.len() == 1, "{rows:?}");
    Ok(())
}

//! The unary call for hunts.

use anyhow::{Context, ensure};
use tokio_util::sync::CancellationToken;
use velociraptor_api::generated::{ArtifactCollectorArgs, Hunt, hunt};
use velociraptor_api::{Call, Limits, OrgId, QueryErrorKind, Server};

use crate::real::{RealServer, Role};
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, server: &RealServer, api: &Server) {
    cases.case("hunts: created paused, and read back", life(server, api)).await;
    cases
        .case("hunts: refused outside the root org and for an unknown artifact", refused(api))
        .await;
}

fn of(artifact: &str) -> Hunt {
    Hunt {
        hunt_description: String::from("harness"),
        state: hunt::State::Paused.into(),
        start_request: Some(ArtifactCollectorArgs {
            artifacts: vec![artifact.to_owned()],
            ..ArtifactCollectorArgs::default()
        }),
        ..Hunt::default()
    }
}

async fn life(server: &RealServer, api: &Server) -> anyhow::Result<()> {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let (id, identity) = api.create_hunt(of("Generic.Client.Info"), &call).await?;
    ensure!(identity.user() == Role::Investigator.user(), "by {}", identity.user());
    let state = async || {
        let vql = "SELECT state, hunt_description FROM hunts(hunt_id=HarnessHunt)";
        let env = [("HarnessHunt", id.as_str())];
        let rows = server.query(Role::Reader, "root", vql, &env).await?;
        let row = rows.rows.into_iter().next().context("no such hunt")?;
        anyhow::Ok(format!("{} {}", row["state"], row["hunt_description"]))
    };
    ensure!(state().await? == r#""PAUSED" "harness""#, "{}", state().await?);
    Ok(())
}

async fn refused(api: &Server) -> anyhow::Result<()> {
    let (root, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &root, limits: Limits::READ, cancel: &cancel };
    let error = api.create_hunt(of("No.Such"), &call).await.err().context("a hunt came of it")?;
    ensure!(matches!(*error.kind, QueryErrorKind::NotFound { .. }), "{error:?}");

    let org = OrgId::parse("O123")?;
    let call = Call { org: &org, ..call };
    let error = api.create_hunt(of("Generic.Client.Info"), &call).await;
    let error = error.err().context("a hunt came of it")?;
    ensure!(matches!(*error.kind, QueryErrorKind::RootOrgOnly { .. }), "{error:?}");
    Ok(())
}

//! Files of the server's file store.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio_util::sync::CancellationToken;
use velociraptor_api::{
    Call, FetchedFile, FileError, IdentityKind, Limits, OrgId, QueryErrorKind, Server,
};

use crate::real::{RealServer, Role};
use crate::suite::Cases;
use crate::wait;

/// An artifact that uploads more than two pieces under a name that needs care.
const ARTIFACT: &str = "name: Custom.Harness.Upload
sources:
- query: |
    LET Big <= format(format='%02500000d', args=7)
    SELECT upload(accessor='data', file=Big, name=\"it's a; {file} \u{fc}.txt\") AS Upload
    FROM scope()
";

pub(super) async fn run(cases: &mut Cases, server: &RealServer, api: &Server, client: &str) {
    cases
        .case("files: an upload is fetched as the server knows it", whole(server, api, client))
        .await;
    cases.case("files: what must not or cannot be read is refused", refused(api)).await;
}

async fn fetch(
    api: &Server,
    components: &[String],
    org: &str,
    limits: Limits,
) -> anyhow::Result<(Result<FetchedFile, FileError>, Vec<u8>)> {
    let (org, cancel) = (OrgId::parse(org)?, CancellationToken::new());
    let call = Call { org: &org, limits, cancel: &cancel };
    let mut file = Vec::new();
    let fetched = api.fetch_file(components, &call, &mut file, |_| ()).await;
    Ok((fetched, file))
}

async fn whole(server: &RealServer, api: &Server, client: &str) -> anyhow::Result<()> {
    let administrator = Role::Administrator;
    let vql =
        "LET A <= artifact_set(definition=HarnessArtifact) SELECT A.name AS Name FROM scope()";
    server.query(administrator, "root", vql, &[("HarnessArtifact", ARTIFACT)]).await?;
    let vql = "LET R <= collect_client(client_id=HarnessClient, \
               artifacts='Custom.Harness.Upload') SELECT R.flow_id AS FlowId FROM scope()";
    let env = [("HarnessClient", client)];
    let rows = server.query(administrator, "root", vql, &env).await?;
    let flow = rows.rows[0]["FlowId"].as_str().context("no flow")?.to_owned();

    let env = [("HarnessClient", client), ("HarnessFlow", flow.as_str())];
    let vql = "SELECT Upload, Upload.Components AS Components, file_size AS Size \
               FROM uploads(client_id=HarnessClient, flow_id=HarnessFlow)";
    let row = wait::until("the upload", Duration::from_secs(60), || async {
        let rows = server.query(administrator, "root", vql, &env).await?;
        rows.rows.into_iter().next().context("no upload yet")
    })
    .await?;
    let components: Vec<String> = row["Components"]
        .as_array()
        .with_context(|| format!("no components: {row:?}"))?
        .iter()
        .filter_map(|part| part.as_str().map(str::to_owned))
        .collect();

    let (fetched, file) = fetch(api, &components, "root", Limits::READ).await?;
    let fetched = fetched?;
    ensure!(fetched.identity == Role::Reader.user(), "{fetched:?}");
    ensure!(file.len() == 2_500_000 && file.ends_with(b"0007"), "{} bytes", file.len());
    // The agent hashed the file too, while it sent it.
    let vql = "SELECT Upload.sha256 AS Sha256 FROM source(client_id=HarnessClient, \
               flow_id=HarnessFlow, artifact='Custom.Harness.Upload')";
    let sent = server.query(administrator, "root", vql, &env).await?.rows;
    let known = sent.first().and_then(|row| row["Sha256"].as_str());
    ensure!(
        fetched.bytes == 2_500_000 && known == Some(fetched.sha256.as_str()),
        "{fetched:?} against {known:?}"
    );

    let (cut, _) = fetch(api, &components, "root", Limits::READ.bytes(1_000_000)).await?;
    ensure!(matches!(cut, Err(FileError::TooLarge { limit: 1_000_000 })), "{cut:?}");
    Ok(())
}

async fn refused(api: &Server) -> anyhow::Result<()> {
    for (components, org, wanted) in [
        (&["downloads", "no", "such.zip"][..], "root", "not found"),
        (&["users", "x"], "root", "denied"),
        (&["..", "..", "etc", "hostname"], "root", "not found"),
        (&["downloads", "x"], "O999", "no org"),
    ] {
        let components: Vec<_> = components.iter().map(|part| (*part).to_owned()).collect();
        let (fetched, _) = fetch(api, &components, org, Limits::READ).await?;
        let error = match fetched {
            Err(FileError::Query(error)) => error,
            other => bail!("{components:?}: {other:?}"),
        };
        let found = match &*error.kind {
            QueryErrorKind::NotFound { .. } => "not found",
            QueryErrorKind::Denied { .. } => "denied",
            QueryErrorKind::UnknownOrg { .. } => "no org",
            _ => "another",
        };
        let told = error.to_string();
        ensure!(found == wanted && !told.contains("/tmp"), "{components:?}: {told}");
    }
    let reader = super::identity(api, IdentityKind::Reader)?;
    ensure!(reader.fault(&OrgId::root()).is_none(), "a refused file says nothing of the identity");
    Ok(())
}

//! What is judged a read is run by an administrator, and nothing has changed.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Limits, OrgId, QueryErrorKind};
use vql_builder::effects::{NoArtifacts, analyse};
use vql_builder::{Query, RawVql};

use crate::real::{Files, RealAgent, RealServer, Role, ServerState};
use crate::suite::Cases;
use crate::wait;

const READS: &str = include_str!("../../../../crates/vql-builder/tests/corpus/reads.vql");

/// What stands in the corpus for things that the server makes up.
const PLACEHOLDERS: [&str; 3] = ["C.4f5e52adf0a337a9", "F.ABCDEF", "H.ABCDEF"];

pub(super) async fn run(
    cases: &mut Cases,
    server: &RealServer,
    mut agent: RealAgent,
) -> anyhow::Result<()> {
    let flow = a_flow(server, agent.client_id()).await?;
    let hunt = a_hunt(server).await?;
    let client = agent.client_id().to_owned();
    // From here on nobody but us talks to the server.
    agent.stop()?;
    let real = [client.as_str(), flow.as_str(), hunt.as_str()];
    cases
        .case_within(Duration::from_secs(300), "reads change nothing", unchanged(server, real))
        .await;
    cases.case("a change would have been seen", seen(server, &client)).await;
    Ok(())
}

async fn unchanged(server: &RealServer, real: [&str; 3]) -> anyhow::Result<()> {
    let queries = queries(real);
    ensure!(queries.len() > 100, "only {} queries", queries.len());
    // The first run fills caches and makes folders; what it changes would be seen in the state.
    let state = ServerState::of(server).await?;
    let before = Files::settled(server).await?;
    let (mut answered, mut wrong) = (0, Vec::new());
    let mut seen = before.clone();
    for (title, text) in &queries {
        let report = analyse(text, &NoArtifacts);
        ensure!(report.is_read(), "{title}: {}", report.reasons());
        match attempt(server, title, text).await {
            Ok(rows) => answered += usize::from(rows > 0),
            Err(error) => wrong.push(format!("{title}: {text}: {error:#}")),
        }
        let now = Files::of(server)?;
        let differs = seen.difference(&now);
        if !differs.is_empty() {
            wrong.push(format!("{title}: {text}: changed {differs:?}"));
            seen = now;
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    // An answer without rows proves little.
    ensure!(answered > queries.len() * 3 / 4, "{answered} of {} had rows", queries.len());
    let mut differs = state.difference(&ServerState::of(server).await?);
    differs.extend(before.difference(&Files::settled(server).await?));
    ensure!(differs.is_empty(), "in the end: {}", differs.join("\n"));
    Ok(())
}

/// The proof that the eyes are open: a label is seen in the state and in the files.
async fn seen(server: &RealServer, client: &str) -> anyhow::Result<()> {
    let state = ServerState::of(server).await?;
    let before = Files::settled(server).await?;
    let vql = "SELECT label(client_id=HarnessClient, labels='seen', op='set') AS A FROM scope()";
    server.query(Role::Administrator, "root", vql, &[("HarnessClient", client)]).await?;
    wait::until("the label to be on disk", Duration::from_secs(20), || async {
        let differs = before.difference(&Files::of(server)?);
        ensure!(!differs.is_empty(), "no file has changed");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    ensure!(state != ServerState::of(server).await?, "the state is the same");
    Ok(())
}

/// Titles and texts of the corpus, about what this server has.
fn queries(real: [&str; 3]) -> Vec<(String, String)> {
    let parts = READS.split("\n---- ").skip(1).filter_map(|part| part.split_once('\n'));
    let about = |text: &str| {
        PLACEHOLDERS
            .iter()
            .zip(real)
            .fold(text.to_owned(), |text, (name, real)| text.replace(name, real))
    };
    parts.map(|(title, text)| (title.to_owned(), about(text))).collect()
}

/// Runs a read and returns how many rows it gave. What does not exist may not be found; any
/// other failure means that the corpus is no VQL that anybody would write.
async fn attempt(server: &RealServer, title: &str, text: &str) -> anyhow::Result<usize> {
    let api = server.open(&[Role::Administrator])?;
    let identity = api.identities().first().context("no identity")?;
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let query = Query::raw("effects_suite", RawVql::from_caller(text));
    let rows = api.run_as(identity, &query, &call, false).await;
    let rows = rows?;
    for failure in &rows.failures {
        match failure {
            QueryErrorKind::NotFound { .. } | QueryErrorKind::Failed { .. } => {}
            QueryErrorKind::UnknownSymbol { .. } if title.starts_with("dangerous words") => {}
            other => bail!("{other:?}"),
        }
    }
    Ok(rows.rows.len())
}

async fn a_flow(server: &RealServer, client: &str) -> anyhow::Result<String> {
    let vql = "SELECT collect_client(client_id=HarnessClient, artifacts='Generic.Client.Info').flow_id AS F \
               FROM scope()";
    let env = [("HarnessClient", client)];
    let rows = server.query(Role::Administrator, "root", vql, &env).await?.rows;
    let flow = rows.first().and_then(|row| row["F"].as_str()).context("no flow")?.to_owned();
    let vql = "SELECT state FROM flows(client_id=HarnessClient, flow_id=HarnessFlow)";
    wait::until("the flow to end", Duration::from_secs(60), || async {
        let env = [("HarnessClient", client), ("HarnessFlow", flow.as_str())];
        let rows = server.query(Role::Administrator, "root", vql, &env).await?.rows;
        ensure!(rows.first().is_some_and(|row| row["state"] == "FINISHED"), "{rows:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    Ok(flow)
}

/// A hunt that nobody takes part in.
async fn a_hunt(server: &RealServer) -> anyhow::Result<String> {
    let vql = "SELECT hunt(description='effects', artifacts='Generic.Client.Info', pause=TRUE).HuntId AS H \
               FROM scope()";
    let rows = server.query(Role::Administrator, "root", vql, &[]).await?.rows;
    Ok(rows.first().and_then(|row| row["H"].as_str()).context("no hunt")?.to_owned())
}

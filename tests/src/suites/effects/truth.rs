//! What is judged a read is run by an administrator, and nothing has changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Limits, OrgId, QueryErrorKind};
use vql_builder::effects::{NoArtifacts, analyse};
use vql_builder::{Query, RawVql};

use crate::real::{RealAgent, RealServer, Role};
use crate::suite::Cases;
use crate::wait;

const READS: &str = include_str!("../../../../crates/vql-builder/tests/corpus/reads.vql");

/// What the server writes by itself, whether or not anybody asks: its own log of events and
/// tasks, its statistics, when each client was heard of last, and the index of flows, which it
/// makes anew from the flows every few minutes.
const HOUSEKEEPING: &[&str] = &[
    "/flow_index.json",
    "/journal",
    "/ping.db",
    "/server_artifact_logs",
    "/Server.Internal",
    "/Server.Monitor.Health",
];

/// What stands in the corpus for things that the server makes up.
const PLACEHOLDERS: [&str; 3] = ["C.4f5e52adf0a337a9", "F.ABCDEF", "H.ABCDEF"];

/// Everything that a tool of Megaraptor could change, by the server's own account.
const STATE: &[&str] = &[
    "SELECT client_id, labels, client_metadata(client_id=client_id) AS M FROM clients() ORDER BY client_id",
    "SELECT client_id, { SELECT session_id, state, total_collected_rows FROM flows(client_id=client_id) } AS F \
     FROM chain(a={ SELECT client_id FROM clients() }, b={ SELECT 'server' AS client_id FROM scope() })",
    "SELECT hunt_id, state, hunt_description, stats.total_clients_scheduled AS N FROM hunts()",
    "SELECT name, raw, metadata FROM artifact_definitions() ORDER BY name",
    "SELECT name, roles, _policy FROM gui_users() ORDER BY name",
    "SELECT get_client_monitoring() AS C, get_server_monitoring() AS S FROM scope()",
    "SELECT name, url, hash, serve_locally FROM inventory() ORDER BY name",
    "SELECT notebook_id, name, modified_time FROM notebooks(all=TRUE)",
    "SELECT server_metadata() AS M FROM scope()",
    "SELECT OrgId, Name FROM orgs()",
    "SELECT * FROM secrets()",
];

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
    let state = state(server).await?;
    let before = settled(server).await?;
    let (mut answered, mut wrong) = (0, Vec::new());
    let mut seen = before.clone();
    for (title, text) in &queries {
        let report = analyse(text, &NoArtifacts);
        ensure!(report.is_read(), "{title}: {}", report.reasons());
        match attempt(server, title, text).await {
            Ok(rows) => answered += usize::from(rows > 0),
            Err(error) => wrong.push(format!("{title}: {text}: {error:#}")),
        }
        let now = files(server)?;
        let differs = difference(&seen, &now);
        if !differs.is_empty() {
            wrong.push(format!("{title}: {text}: changed {differs:?}"));
            seen = now;
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    // An answer without rows proves little.
    ensure!(answered > queries.len() * 3 / 4, "{answered} of {} had rows", queries.len());
    let after = self::state(server).await?;
    for (query, (before, after)) in STATE.iter().zip(state.iter().zip(&after)) {
        ensure!(before == after, "{query}\nbefore {before:?}\nafter {after:?}");
    }
    let differs = difference(&before, &settled(server).await?);
    ensure!(differs.is_empty(), "in the end: {differs:?}");
    Ok(())
}

/// The proof that the eyes are open: a label is seen in the state and in the files.
async fn seen(server: &RealServer, client: &str) -> anyhow::Result<()> {
    let state = state(server).await?;
    let before = settled(server).await?;
    let vql = "SELECT label(client_id=HarnessClient, labels='seen', op='set') AS A FROM scope()";
    server.query(Role::Administrator, "root", vql, &[("HarnessClient", client)]).await?;
    wait::until("the label to be on disk", Duration::from_secs(20), || async {
        let differs = difference(&before, &files(server)?);
        ensure!(!differs.is_empty(), "no file has changed");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    ensure!(state != self::state(server).await?, "the state is the same");
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

async fn state(server: &RealServer) -> anyhow::Result<Vec<Vec<Value>>> {
    let mut state: Vec<Vec<Value>> = Vec::new();
    for query in STATE {
        let rows = server.query(Role::Administrator, "root", query, &[]).await?.rows;
        state.push(rows.into_iter().map(Value::Object).collect());
    }
    ensure!(state[0].len() == 1 && state[2].len() == 1 && state[3].len() > 400, "too little state");
    Ok(state)
}

/// Sizes and times of the files of the datastore.
type Files = BTreeMap<PathBuf, (u64, SystemTime)>;

fn files(server: &RealServer) -> anyhow::Result<Files> {
    let store = server.datastore();
    let mut found = Files::new();
    list(&store, &store, &mut found)?;
    ensure!(found.len() > 20, "only {} files in {}", found.len(), store.display());
    Ok(found)
}

fn list(root: &Path, folder: &Path, found: &mut Files) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = format!("/{}", path.strip_prefix(root)?.display());
        if HOUSEKEEPING.iter().any(|own| name.contains(own)) {
            continue;
        }
        // What goes while we look was a temporary file, or will be missed in the comparison.
        let Ok(about) = fs::symlink_metadata(&path) else { continue };
        if about.is_dir() {
            list(root, &path, found)?;
        } else {
            found.insert(path, (about.len(), about.modified()?));
        }
    }
    Ok(())
}

/// The files when the server has stopped writing what it was asked for before.
async fn settled(server: &RealServer) -> anyhow::Result<Files> {
    let mut last = files(server)?;
    let mut since = tokio::time::Instant::now();
    wait::until("the datastore to come to rest", Duration::from_secs(90), || {
        let now = files(server);
        let outcome = now.and_then(|now| {
            let differs = difference(&last, &now);
            if !differs.is_empty() {
                (last, since) = (now, tokio::time::Instant::now());
            }
            // The records of clients are written every 15 seconds.
            ensure!(since.elapsed() > Duration::from_secs(18), "just changed: {differs:?}");
            Ok(())
        });
        std::future::ready(outcome)
    })
    .await?;
    Ok(last)
}

fn difference(before: &Files, after: &Files) -> Vec<String> {
    let mut differs = Vec::new();
    for (path, about) in before {
        match after.get(path) {
            None => differs.push(format!("{} is gone", path.display())),
            Some(now) if now != about => differs.push(format!("{} is another", path.display())),
            Some(_) => {}
        }
    }
    let new = after.keys().filter(|path| !before.contains_key(*path));
    differs.extend(new.map(|path| format!("{} is new", path.display())));
    differs
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

//! Clients that are away, and clients of the same name: records without an agent.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use velociraptor_api::clients::{self, Purpose};
use velociraptor_api::collections::{self, Target};
use velociraptor_api::flows::{self, FlowState, WaitEnd};
use velociraptor_api::hunts::{self, HuntChange, HuntState};
use velociraptor_api::quarantine::{self, Action, Options, Sent};
use velociraptor_api::{ClientId, Fault};

use super::Bench;
use super::collections::collection;
use crate::real::{RealServer, Role, VendorQuery};
use crate::suite::Cases;

/// Seen yesterday.
const RECENT: &str = "C.aaaaaaaaaaaaaaaa";
/// Seen a hundred days ago, under the same name.
const OLD: &str = "C.bbbbbbbbbbbbbbbb";

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    let made = cases.case("offline: records without an agent", records(bench.server)).await;
    if !made {
        return;
    }
    cases.case("offline: a read takes the recent namesake, a change asks", namesakes(bench)).await;
    cases.case("offline: a collection waits, and the wait ends at once", collect(bench)).await;
    cases.case("offline: quarantine is refused, or queued with an expiry", queue(bench)).await;
}

async fn records(server: &RealServer) -> anyhow::Result<()> {
    let vql = "SELECT client_create(client_id=SuiteRecent, os='linux', hostname='TWIN-01',
           first_seen_at=now() - 8640000, last_seen_at=now() - 86400).client_id AS A,
       client_create(client_id=SuiteOld, os='linux', hostname='twin-01',
           first_seen_at=now() - 9640000, last_seen_at=now() - 8640000).client_id AS B
FROM scope()";
    let env = [("SuiteRecent", RECENT), ("SuiteOld", OLD)];
    let query = VendorQuery { role: Role::Administrator, org: "root", vql, env: &env };
    let rows = server.vendor_query(query).await?;
    ensure!(rows.len() == 1 && rows[0]["A"] == RECENT && rows[0]["B"] == OLD, "{rows:?}");
    Ok(())
}

async fn namesakes(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let found = clients::resolve(&session, "Twin-01", Purpose::Read).await?;
    ensure!(found.id.as_str() == RECENT && found.passed_over.len() == 1, "{found:?}");
    ensure!(session.warnings().iter().any(|warning| warning.contains("passed over")));
    match clients::resolve(&session, "Twin-01", Purpose::Change).await {
        Err(Fault::AmbiguousClient { candidates, .. }) => {
            ensure!(candidates.len() == 2 && candidates[0].client_id.as_str() == RECENT);
        }
        other => bail!("{other:?}"),
    }
    Ok(())
}

async fn collect(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), ClientId::parse(RECENT)?);
    let wanted = collection("Generic.Client.Info", &[]);
    let good = collections::check(&session, &wanted, Target::Clients).await?;
    let started = collections::start(&session, &id, &good).await?;
    ensure!(!started.online, "{started:?}");
    let flow = started.status.flow.flow_id;
    let begin = Instant::now();
    let waited = flows::wait(&session, &id, &flow, Duration::from_secs(60), |_| {}).await?;
    ensure!(waited.end == WaitEnd::Offline, "{waited:?}");
    ensure!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let done = flows::cancel(&session, &id, &flow).await?;
    ensure!(done.cancelled && done.flow.state == FlowState::Error, "{done:?}");
    Ok(())
}

async fn queue(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), ClientId::parse(OLD)?);
    match quarantine::plan(&session, &id, Action::Isolate, &Options::default()).await {
        Err(Fault::Offline { last_seen: Some(_), .. }) => {}
        other => bail!("{other:?}"),
    }
    let options =
        Options { wait_for_client: Some(Duration::from_secs(3600)), ..Options::default() };
    let plan = quarantine::plan(&session, &id, Action::Isolate, &options).await?;
    let Sent::Queued { hunt, expires: Some(_) } = quarantine::send(&session, &plan).await? else {
        bail!("it was not queued");
    };
    let made = hunts::status(&session, &hunt).await?.hunt;
    ensure!(made.state == HuntState::Running, "{made:?}");
    let reach = hunts::estimate(&session, &made.scope).await?;
    ensure!(reach.clients == 1 && reach.online == 0, "{reach:?}");
    hunts::modify(&session, &hunt, &HuntChange::Stop).await?;
    Ok(())
}

//! Clients that are away, and clients of the same name: records without an agent.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{bail, ensure};
use serde_json::json;
use velociraptor_api::clients::{self, Purpose};
use velociraptor_api::collections::{self, Target};
use velociraptor_api::flows::{self, FlowState, WaitEnd};
use velociraptor_api::hunts::{self, HuntChange, HuntState};
use velociraptor_api::quarantine::{self, Action, Options, Sent};
use velociraptor_api::{ClientId, Fault, FlowId, HuntId};

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
    cases.case("offline: a collection waits, and the call does not", collect(bench)).await;
    cases.case("offline: quarantine is refused, or queued once with an expiry", queue(bench)).await;
    cases.case("offline: a release takes back an isolation that waits", take_back(bench)).await;
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

/// Longer than the case may take.
const PATIENCE: Duration = Duration::from_secs(600);

async fn collect(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), ClientId::parse(RECENT)?);
    let wanted = collection("Generic.Client.Info", &[]);
    let good = collections::check(&session, &wanted, Target::Clients).await?;
    let started = collections::start(&session, &id, &good).await?;
    ensure!(!started.online, "{started:?}");
    let flow = started.status.flow.flow_id;

    // Beside it a wait for somebody who is there and busy, which ends when it is told to.
    let (agent, done) = (bench.agent_id()?, Cell::new(false));
    let busy = collection("Linux.Sys.BashShell", &[("Command", json!("sleep 600"))]);
    let busy = collections::check(&session, &busy, Target::Clients).await?;
    let busy = collections::start(&session, &agent, &busy).await?.status.flow.flow_id;
    let before = looks(bench.server, &flow)?;
    let waiting = async {
        let waited = flows::wait(&session, &agent, &busy, PATIENCE, |_| {}).await?;
        ensure!(done.get(), "the wait for the busy client ended first: {waited:?}");
        anyhow::Ok(())
    };
    let asking = async {
        let waited = flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
        done.set(true);
        flows::cancel(&session, &agent, &busy).await?;
        anyhow::Ok(waited)
    };
    let (waited, ended) = tokio::join!(asking, waiting);
    let waited = waited?;
    ended?;
    ensure!(waited.end == WaitEnd::Offline, "{waited:?}");
    // A wait that goes on looks again.
    let looked = looks(bench.server, &flow)? - before;
    ensure!(looked == 1, "it looked {looked} times");
    let done = flows::cancel(&session, &id, &flow).await?;
    ensure!(done.cancelled && done.flow.state == FlowState::Cancelled, "{done:?}");
    Ok(())
}

/// How many queries about a flow the server has written into its log.
fn looks(server: &RealServer, flow: &FlowId) -> anyhow::Result<usize> {
    let log = server.log_text()?;
    let calls = log.lines().filter(|line| line.contains("Query API call "));
    Ok(calls.filter(|line| line.contains(flow.as_str())).count())
}

async fn queue(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), ClientId::parse(OLD)?);
    match quarantine::plan(&session, &id, Action::Isolate, &Options::default()).await {
        Err(Fault::Offline { last_seen: Some(_), .. }) => {}
        other => bail!("{other:?}"),
    }
    let options =
        Options { wait_for_client: Some(Duration::from_secs(3600)), ..Options::default() };
    let (hunt, expires, existing) = queued(bench, &id, Action::Isolate, &options).await?;
    ensure!(!existing && expires.is_some());
    let made = hunts::status(&session, &hunt).await?.hunt;
    ensure!(made.state == HuntState::Running, "{made:?}");
    let reach = hunts::reach(&session, &made.scope).await?;
    ensure!(reach.len() == 1 && !reach[0].is_online(), "{reach:?}");
    let (again, _, existing) = queued(bench, &id, Action::Isolate, &options).await?;
    ensure!(existing && again == hunt, "a second hunt {again} was made beside {hunt}");
    Ok(())
}

/// An order that must wait: its hunt, until when, and whether it waited already.
async fn queued(
    bench: &Bench<'_>,
    id: &ClientId,
    action: Action,
    options: &Options,
) -> anyhow::Result<(HuntId, Option<jiff::Timestamp>, bool)> {
    let session = bench.session();
    let plan = quarantine::plan(&session, id, action, options).await?;
    match quarantine::send(&session, &plan).await?.sent {
        Sent::Queued { hunt, expires, existing } => Ok((hunt, expires, existing)),
        other => bail!("it was not queued: {other:?}"),
    }
}

async fn take_back(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), ClientId::parse(OLD)?);
    let waiting = quarantine::waiting(&session, &id).await?;
    let [isolation] = waiting.as_slice() else { bail!("{waiting:?}") };
    let plan = quarantine::plan(&session, &id, Action::Release, &Options::default()).await?;
    let order = quarantine::send(&session, &plan).await?;
    ensure!(order.taken_back.hunts == [isolation.hunt.clone()], "{order:?}");
    ensure!(matches!(order.sent, Sent::Nothing), "{order:?}");
    let stopped = hunts::status(&session, &isolation.hunt).await?.hunt;
    ensure!(stopped.state == HuntState::Stopped, "{stopped:?}");
    ensure!(quarantine::waiting(&session, &id).await?.is_empty());
    let reach = hunts::reach(&session, &stopped.scope).await?;
    ensure!(reach.is_empty(), "the client still carries the order's label: {reach:?}");
    // With nothing to take back an offline client is refused as ever.
    match quarantine::plan(&session, &id, Action::Release, &Options::default()).await {
        Err(Fault::Offline { .. }) => {}
        other => bail!("{other:?}"),
    }
    // An order replaces the opposite one.
    let options =
        Options { wait_for_client: Some(Duration::from_secs(3600)), ..Options::default() };
    queued(bench, &id, Action::Isolate, &options).await?;
    let (release, ..) = queued(bench, &id, Action::Release, &options).await?;
    let waiting = quarantine::waiting(&session, &id).await?;
    ensure!(waiting.len() == 1 && waiting[0].hunt == release, "{waiting:?}");
    hunts::modify(&session, &release, &HuntChange::Stop).await?;
    Ok(())
}

//! Hunts: estimated, created, changed, judged.

use std::time::Duration;

use anyhow::{bail, ensure};
use jiff::Timestamp;
use serde_json::json;
use velociraptor_api::collections::{self, Checked, Collection, CollectionLimits, Target};
use velociraptor_api::flows::{self, Bound};
use velociraptor_api::hunt_results::{self, Coverage};
use velociraptor_api::hunts::{
    self, HuntChange, HuntPlan, HuntScope, HuntSearch, HuntState, HuntStatus,
};
use velociraptor_api::labels::{self, LabelChange, LabelUse};
use velociraptor_api::results::RowQuery;
use velociraptor_api::{ClientId, Fault, HuntId, Os};
use vql_builder::PureExpr;

use super::collections::collection;
use super::flow_results::ARTIFACT;
use super::{Bench, FLEET};
use crate::suite::Cases;
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(90);

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    cases
        .case("labels: set, read back, removed; nothing for unknown clients", labelled(bench))
        .await;
    cases.case("hunts: the reach follows the scope", reach(bench)).await;
    cases.case("hunts: paused, started, stopped, archived, described", life(bench)).await;
    cases.case("hunts: excluded labels with a system are kept", excluded(bench)).await;
    cases.case("hunts: limits arrive by both ways of creating", limits(bench)).await;
    cases.case("hunts: a list of clients stays exact", listed(bench)).await;
    cases.case("hunts: the parts sum to the scope", coverage(bench)).await;
    cases.case("hunts: what a limit ended is cut, as of a flow", cut(bench)).await;
    cases.case("hunts: newest first, by state, every page once", list(bench)).await;
    cases.case("hunts: what makes no sense is refused", refused(bench)).await;
    cases.case("labels: running hunts and monitoring that go by them", uses(bench)).await;
}

fn rule(os: Option<Os>, include: &[&str], exclude: &[&str]) -> HuntScope {
    let owned = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    HuntScope::Rule { os, include_labels: owned(include), exclude_labels: owned(exclude) }
}

async fn checked(bench: &Bench<'_>, rows: u64) -> anyhow::Result<Checked> {
    let wanted = collection(ARTIFACT, &[("Count", json!(rows))]);
    Ok(collections::check(&bench.session(), &wanted, Target::Clients).await?)
}

async fn plan(bench: &Bench<'_>, description: &str, scope: HuntScope) -> anyhow::Result<HuntPlan> {
    Ok(HuntPlan {
        collection: checked(bench, 5).await?,
        description: description.to_owned(),
        tags: Vec::new(),
        scope,
        expires: None,
        start: false,
    })
}

fn fleet(bench: &Bench<'_>) -> anyhow::Result<Vec<ClientId>> {
    Ok(bench.fleet.client_ids().iter().map(|id| ClientId::parse(id)).collect::<Result<_, _>>()?)
}

async fn label(bench: &Bench<'_>, ids: &[ClientId], label: &str) -> anyhow::Result<()> {
    let change = LabelChange { add: vec![label.to_owned()], remove: Vec::new() };
    labels::change(&bench.session(), ids, &change).await?;
    Ok(())
}

async fn labelled(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let ids = fleet(bench)?;
    let change = LabelChange { add: vec!["Suite A".into(), "b'; --".into()], remove: Vec::new() };
    let done = labels::change(&session, &ids[..2], &change).await?;
    ensure!(
        done.len() == 2 && done.iter().all(|d| d.before.is_empty() && d.labels.len() == 2),
        "{done:?}"
    );
    let change = LabelChange { add: Vec::new(), remove: vec!["suite a".into(), "b'; --".into()] };
    let done = labels::change(&session, &ids[..2], &change).await?;
    ensure!(done.iter().all(|d| d.before.len() == 2 && d.labels.is_empty()), "{done:?}");
    let stranger = ClientId::parse("C.0000000000000000")?;
    let change = LabelChange { add: vec!["ghost".into()], remove: Vec::new() };
    match labels::change(&session, &[ids[0].clone(), stranger], &change).await {
        Err(Fault::UnknownClient { .. }) => {}
        other => bail!("{other:?}"),
    }
    let search = velociraptor_api::clients::ClientSearch {
        term: "label:ghost".into(),
        ..Default::default()
    };
    let ghosts = velociraptor_api::clients::search(&session, &search).await?;
    ensure!(ghosts.total == 0, "{ghosts:?}");
    Ok(())
}

async fn reach(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let ids = fleet(bench)?;
    label(bench, &ids[..2], "suite-reach").await?;
    let all = FLEET as u64 + 1;
    for (scope, expected) in [
        (rule(None, &[], &[]), all),
        (rule(Some(Os::Linux), &[], &["SUITE-reach"]), all - 2),
        (rule(None, &["suite-reach", "nobody"], &[]), 2),
        (rule(Some(Os::Windows), &[], &[]), 0),
        (HuntScope::Clients(ids[..3].to_vec()), 3),
    ] {
        let found = hunts::reach(&session, &scope).await?;
        let online = found.iter().filter(|client| client.is_online()).count() as u64;
        let count = found.len() as u64;
        ensure!(count == expected && online == expected, "{scope:?}: {found:?}");
    }
    Ok(())
}

/// Waits until the judgement of a hunt is as wanted.
async fn judged(
    bench: &Bench<'_>,
    id: &HuntId,
    what: &str,
    is_so: impl Fn(&Coverage) -> bool,
) -> anyhow::Result<Coverage> {
    wait::until(what, PATIENCE, || async {
        let seen = hunt_results::coverage(&bench.session(), id, None).await?;
        ensure!(seen.parts.total() == seen.scope, "{seen:?}");
        ensure!(is_so(&seen), "{:?} of {}", seen.parts, seen.scope);
        Ok::<_, anyhow::Error>(seen)
    })
    .await
}

async fn life(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let plan = plan(bench, "a 'life'", rule(None, &[], &[])).await?;
    let made = hunts::create(&session, &plan).await?;
    let id = made.hunt.hunt_id.clone();
    ensure!(made.hunt.state == HuntState::Paused, "{made:?}");
    ensure!(made.request.specs[0].parameters["Count"] == "5", "{made:?}");
    ensure!(made.hunt.tables.len() == 2, "{made:?}");
    let coverage = hunt_results::coverage(&session, &id, None).await?;
    let all = FLEET as u64 + 1;
    ensure!(coverage.parts.never_scheduled == all && coverage.scope == all, "{coverage:?}");

    let is = async |change: HuntChange, state: HuntState| -> anyhow::Result<HuntStatus> {
        let seen = hunts::modify(&session, &id, &change).await?;
        ensure!(seen.hunt.state == state, "{change:?}: {seen:?}");
        Ok(seen)
    };
    is(HuntChange::Start, HuntState::Running).await?;
    judged(bench, &id, "all clients to answer", |c| c.parts.hit == all).await?;
    let tables = hunt_results::tables(&session, &made.hunt).await?;
    ensure!(tables[0].rows == all * 5 && tables[1].rows == all * 3, "{tables:?}");
    is(HuntChange::Pause, HuntState::Stopped).await?;
    is(HuntChange::Start, HuntState::Running).await?;
    let text = "described \"anew\"";
    let seen = is(HuntChange::Describe(text.into()), HuntState::Running).await?;
    ensure!(seen.hunt.description == text);
    let expires = Timestamp::from_second(Timestamp::now().as_second() + 7200)?;
    let seen = is(HuntChange::Expire(expires), HuntState::Running).await?;
    ensure!(seen.hunt.expires == Some(expires), "{seen:?}");
    is(HuntChange::Stop, HuntState::Stopped).await?;
    ensure!(hunts::running_flows(&session, &id).await?.is_empty());
    is(HuntChange::Archive, HuntState::Archived).await?;
    rows(bench, &id).await
}

/// Rows of all clients, in pages.
async fn rows(bench: &Bench<'_>, id: &HuntId) -> anyhow::Result<()> {
    let session = bench.session();
    let hunt = hunts::status(&session, id).await?.hunt;
    let table = format!("{ARTIFACT}/Numbers");
    ensure!(hunt_results::choose(&hunt, Some(&table))? == table);
    ensure!(hunt_results::choose(&hunt, None).is_err());
    for (filter, expected) in [(None, 5), (Some(PureExpr::parse("N >= 3")?), 2)] {
        let mut seen = Vec::new();
        let mut from = 0;
        loop {
            let query = RowQuery { filter: filter.clone(), from, count: 4, ..RowQuery::default() };
            let page = hunt_results::rows(&session, id, &table, &query).await?;
            let key = |row: &velociraptor_api::Row| {
                (row["ClientId"].as_str().map(str::to_owned), row["N"].as_u64())
            };
            seen.extend(page.rows.iter().map(|row| key(&row.row)));
            match page.next() {
                Some(next) => from = next,
                None => break,
            }
        }
        let total = seen.len();
        seen.sort();
        seen.dedup();
        ensure!(seen.len() == total && total == (FLEET + 1) * expected, "{total}");
    }
    Ok(())
}

/// A hunt is made by a query, and by a call where a system stands with excluded labels.
async fn limits(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let wanted = Collection {
        limits: CollectionLimits {
            timeout: Some(Duration::from_secs(77)),
            max_rows: Some(1000),
            max_bytes: Some(5_000_000),
            cpu_percent: Some(50),
        },
        ..collection(ARTIFACT, &[])
    };
    let checked = collections::check(&session, &wanted, Target::Clients).await?;
    for scope in [rule(Some(Os::Linux), &[], &[]), rule(Some(Os::Linux), &[], &["suite-limits"])] {
        let plan =
            HuntPlan { collection: checked.clone(), ..plan(bench, "limits", scope.clone()).await? };
        let request = hunts::create(&session, &plan).await?.request;
        ensure!(request.cpu_limit == 50.0 && request.timeout == 77, "{scope:?}: {request:?}");
        ensure!(request.max_rows == 1000, "{scope:?}: {request:?}");
        ensure!(request.max_upload_bytes == 5_000_000, "{scope:?}: {request:?}");
    }
    Ok(())
}

async fn excluded(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let ids = fleet(bench)?;
    label(bench, &ids[..1], "suite-excluded").await?;
    let scope = rule(Some(Os::Linux), &[], &["suite-excluded"]);
    let plan = HuntPlan { start: true, ..plan(bench, "excluded", scope.clone()).await? };
    let made = hunts::create(&session, &plan).await?;
    ensure!(made.hunt.scope == scope && made.hunt.state == HuntState::Running, "{made:?}");
    let all = FLEET as u64;
    let id = &made.hunt.hunt_id;
    let seen = judged(bench, id, "all but one to answer", |c| c.parts.hit == all).await?;
    ensure!(seen.excluded == 1 && seen.scope == all, "{seen:?}");
    ensure!(!seen.hosts.iter().any(|host| host.client_id == ids[0]), "{seen:?}");
    hunts::modify(&session, id, &HuntChange::Stop).await?;
    // What the server cannot express is refused, never dropped.
    let both = HuntPlan { scope: rule(Some(Os::Linux), &["a"], &[]), ..plan };
    match hunts::create(&session, &both).await {
        Err(Fault::Refused { .. }) => Ok(()),
        other => bail!("{other:?}"),
    }
}

async fn listed(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let ids = fleet(bench)?;
    let scope = HuntScope::Clients(ids[..2].to_vec());
    let plan = plan(bench, "listed", scope).await?;
    let made = hunts::create(&session, &plan).await?;
    let id = &made.hunt.hunt_id;
    ensure!(
        matches!(&made.hunt.scope, HuntScope::Clients(listed) if listed.len() == 2),
        "{made:?}"
    );
    let coverage = hunt_results::coverage(&session, id, None).await?;
    ensure!(coverage.scope == 2 && coverage.parts.never_scheduled == 2, "{coverage:?}");
    hunts::modify(&session, id, &HuntChange::Start).await?;
    let seen = judged(bench, id, "the listed to answer", |c| c.parts.hit == 2).await?;
    let mut who: Vec<_> = seen.hosts.iter().map(|host| host.client_id.clone()).collect();
    who.sort();
    let mut expected = ids[..2].to_vec();
    expected.sort();
    ensure!(who == expected, "{seen:?}");
    hunts::modify(&session, id, &HuntChange::Stop).await?;
    Ok(())
}

async fn coverage(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    // An artifact for another system applies to nobody here.
    let wanted = collection("Windows.System.Services", &[]);
    let collection = collections::check(&session, &wanted, Target::Clients).await?;
    let ids = fleet(bench)?;
    let scope = HuntScope::Clients(ids[..2].to_vec());
    let plan = HuntPlan { collection, start: true, ..plan(bench, "another system", scope).await? };
    let made = hunts::create(&session, &plan).await?;
    let id = &made.hunt.hunt_id;
    judged(bench, id, "nobody to be concerned", |c| c.parts.not_applicable == 2).await?;
    hunts::modify(&session, id, &HuntChange::Stop).await?;
    Ok(())
}

/// The artifact has two queries: the one that reaches the limit takes the other with it.
async fn cut(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let wanted = Collection {
        limits: CollectionLimits { max_rows: Some(2), ..CollectionLimits::default() },
        ..collection(ARTIFACT, &[("Count", json!(500))])
    };
    let collection = collections::check(&session, &wanted, Target::Clients).await?;
    let ids = fleet(bench)?;
    let scope = HuntScope::Clients(ids[..2].to_vec());
    let plan = HuntPlan { collection, start: true, ..plan(bench, "cut", scope).await? };
    let made = hunts::create(&session, &plan).await?;
    let id = &made.hunt.hunt_id;
    let seen = judged(bench, id, "both to be cut", |c| c.parts.cut == 2).await?;
    for host in &seen.hosts {
        let reason = host.reason.as_deref().unwrap_or_default();
        ensure!(reason.contains("exceeded limit 2"), "{host:?}");
        let Some(flow) = &host.flow_id else { bail!("{host:?}") };
        let status = flows::status(&session, &host.client_id, flow).await?;
        ensure!(status.bound() == Some(Bound::Rows), "{status:?}");
    }
    hunts::modify(&session, id, &HuntChange::Stop).await?;
    Ok(())
}

async fn list(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let mut seen = Vec::new();
    let mut from = 0;
    let total = loop {
        let wanted = HuntSearch { from, count: 2, ..HuntSearch::default() };
        let page = hunts::list(&session, &wanted).await?;
        seen.extend(page.hunts);
        match page.next {
            Some(next) => from = next,
            None => break page.total,
        }
    };
    ensure!(seen.len() as u64 == total && total >= 4, "{} of {total}", seen.len());
    ensure!(seen.is_sorted_by_key(|hunt| std::cmp::Reverse(hunt.created)));
    let wanted = HuntSearch { states: vec![HuntState::Archived], ..HuntSearch::default() };
    let archived = hunts::list(&session, &wanted).await?;
    ensure!(archived.total == 1, "{archived:?}");
    let wanted = HuntSearch { text: "LISTED".into(), ..HuntSearch::default() };
    ensure!(hunts::list(&session, &wanted).await?.total == 1);
    let wanted = HuntSearch { text: "(".into(), ..HuntSearch::default() };
    ensure!(hunts::list(&session, &wanted).await?.total == 0);
    Ok(())
}

async fn refused(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let stranger = HuntId::parse("H.NOSUCHHUNT")?;
    for change in [HuntChange::Start, HuntChange::Stop, HuntChange::Archive] {
        match hunts::modify(&session, &stranger, &change).await {
            Err(Fault::UnknownHunt { .. }) => {}
            other => bail!("{change:?}: {other:?}"),
        }
    }
    match hunt_results::coverage(&session, &stranger, None).await {
        Err(Fault::UnknownHunt { .. }) => {}
        other => bail!("{other:?}"),
    }
    let past = Some(Timestamp::from_second(1_000_000_000)?);
    let plan = HuntPlan { expires: past, ..plan(bench, "past", rule(None, &[], &[])).await? };
    match hunts::create(&session, &plan).await {
        Err(Fault::BadInput { .. }) => Ok(()),
        other => bail!("{other:?}"),
    }
}

async fn uses(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let scope = rule(None, &["suite-used"], &["suite-not"]);
    let plan = HuntPlan { start: true, ..plan(bench, "used", scope).await? };
    let id = hunts::create(&session, &plan).await?.hunt.hunt_id;
    let labels = ["Suite-Used", "suite-not", "quarantine"].map(String::from);
    let uses = labels::uses(&session, &labels).await?;
    let includes =
        |found: &LabelUse| matches!(found, LabelUse::HuntIncludes { hunt, .. } if *hunt == id);
    let excludes =
        |found: &LabelUse| matches!(found, LabelUse::HuntExcludes { hunt, .. } if *hunt == id);
    ensure!(uses.iter().any(includes) && uses.iter().any(excludes), "{uses:?}");
    // A new server watches clients with the label Quarantine.
    ensure!(uses.iter().any(|found| matches!(found, LabelUse::Monitoring { .. })), "{uses:?}");
    hunts::modify(&session, &id, &HuntChange::Stop).await?;
    Ok(())
}

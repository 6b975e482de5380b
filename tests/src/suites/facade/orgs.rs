//! A second org: what is asked of one never acts on the other.

use anyhow::{bail, ensure};
use velociraptor_api::clients::{self, ClientSearch};
use velociraptor_api::collections::{self, Target};
use velociraptor_api::hunts::{self, HuntChange, HuntPlan, HuntScope, HuntSearch, HuntState};
use velociraptor_api::{ClientId, Fault, OrgId, Os, QueryErrorKind, Session, server_info};

use super::Bench;
use super::collections::collection;
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    let org = match bench.server.create_org("facade").await {
        Ok(org) => org,
        Err(error) => {
            cases.record("orgs: a second one", Err(error));
            return;
        }
    };
    cases.case("orgs: a second one has its own clients and hunts", separate(bench, &org)).await;
}

async fn separate(bench: &Bench<'_>, org: &str) -> anyhow::Result<()> {
    let org = OrgId::parse(org)?;
    let session = Session::new(&bench.api, &org, &bench.cancel);
    let orgs = server_info::orgs(&bench.session()).await?;
    ensure!(orgs.iter().any(|known| known.id == org), "{orgs:?}");
    let there = clients::search(&session, &ClientSearch::default()).await?;
    ensure!(there.total == 0, "{there:?}");
    let agent = ClientId::parse(bench.agent.client_id())?;
    match clients::info(&session, &agent).await {
        Err(Fault::UnknownClient { .. }) => {}
        other => bail!("{other:?}"),
    }
    let before = hunts::list(&bench.session(), &HuntSearch::default()).await?.total;
    let wanted = collection("Generic.Client.Info", &[]);
    let collection = collections::check(&session, &wanted, Target::Clients).await?;
    let rule = |os, exclude: &[&str]| HuntScope::Rule {
        os,
        include_labels: Vec::new(),
        exclude_labels: exclude.iter().map(|label| (*label).to_owned()).collect(),
    };
    let plan = HuntPlan {
        collection,
        description: String::from("elsewhere"),
        tags: Vec::new(),
        scope: rule(None, &["x"]),
        expires: None,
        start: true,
    };
    let made = hunts::create(&session, &plan).await?.hunt;
    ensure!(made.state == HuntState::Running);
    for (change, state) in [
        (HuntChange::Pause, HuntState::Stopped),
        (HuntChange::Start, HuntState::Running),
        (HuntChange::Archive, HuntState::Archived),
    ] {
        let seen = hunts::modify(&session, &made.hunt_id, &change).await?.hunt;
        ensure!(seen.state == state, "{change:?}: {seen:?}");
    }
    // Only a call that acts on the root org could express it.
    let plan = HuntPlan { scope: rule(Some(Os::Linux), &["x"]), ..plan };
    match hunts::create(&session, &plan).await {
        Err(Fault::Query(error)) => {
            ensure!(matches!(*error.kind, QueryErrorKind::RootOrgOnly { .. }), "{error}");
        }
        other => bail!("{other:?}"),
    }
    let after = hunts::list(&bench.session(), &HuntSearch::default()).await?.total;
    ensure!(before == after, "{before} hunts in the root org, then {after}");
    ensure!(hunts::list(&session, &HuntSearch::default()).await?.total == 1);
    Ok(())
}

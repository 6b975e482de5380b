//! Clients: search, resolve, info.

use anyhow::{bail, ensure};
use velociraptor_api::clients::{self, ClientOrder, ClientSearch, Purpose};
use velociraptor_api::{ClientId, Fault, Os};

use super::{Bench, FLEET};
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    cases.case("clients: every page once, in each order", pages(bench)).await;
    cases.case("clients: filters narrow and the total follows", filters(bench)).await;
    cases.case("clients: an unknown search verb is an error", unknown_verb(bench)).await;
    cases.case("clients: a name of several is ambiguous, an id is not", resolve(bench)).await;
    cases.case("clients: an unknown name suggests near ones", unknown(bench)).await;
    cases.case("clients: details of the real agent", info(bench)).await;
}

async fn pages(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    for order in [ClientOrder::Id, ClientOrder::Name] {
        let mut seen = Vec::new();
        let mut from = 0;
        loop {
            let wanted = ClientSearch { order, from, count: 3, ..ClientSearch::default() };
            let page = clients::search(&session, &wanted).await?;
            ensure!(page.total == FLEET as u64 + 1, "total {}", page.total);
            seen.extend(page.clients.into_iter().map(|client| client.client_id));
            match page.next {
                Some(next) => from = next,
                None => break,
            }
        }
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        ensure!(once.len() == FLEET + 1 && seen.len() == once.len(), "{seen:?}");
    }
    let beyond = ClientSearch { from: 1000, ..ClientSearch::default() };
    let page = clients::search(&session, &beyond).await?;
    ensure!(page.clients.is_empty() && page.total == FLEET as u64 + 1 && page.next.is_none());
    ensure!(session.identities() == ["reader"], "{:?}", session.identities());
    Ok(())
}

async fn filters(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let count = async |wanted: ClientSearch| {
        clients::search(&session, &wanted).await.map(|page| page.total)
    };
    let all = FLEET as u64 + 1;
    let online = ClientSearch { online_only: true, ..ClientSearch::default() };
    ensure!(count(online).await? == all);
    let linux = ClientSearch { os: Some(Os::Linux), ..ClientSearch::default() };
    ensure!(count(linux).await? == all);
    let windows = ClientSearch { os: Some(Os::Windows), ..ClientSearch::default() };
    ensure!(count(windows).await? == 0);
    let labelled = ClientSearch { labels: vec![String::from("nobody")], ..ClientSearch::default() };
    ensure!(count(labelled).await? == 0);
    let term = format!("client:{}", bench.agent.client_id());
    ensure!(count(ClientSearch { term, ..ClientSearch::default() }).await? == 1);
    for hostile in ["'; SELECT 1 --", "\"}) {", "\u{202e}\u{1f600}", "a\nb"] {
        let wanted = ClientSearch { term: hostile.to_owned(), ..ClientSearch::default() };
        ensure!(count(wanted).await? == 0, "{hostile:?}");
        let labels = vec![hostile.to_owned()];
        ensure!(count(ClientSearch { labels, ..ClientSearch::default() }).await? == 0);
    }
    Ok(())
}

async fn unknown_verb(bench: &Bench<'_>) -> anyhow::Result<()> {
    let wanted = ClientSearch { term: String::from("os:linux"), ..ClientSearch::default() };
    match clients::search(&bench.session(), &wanted).await {
        Err(error) => ensure!(error.to_string().contains("Invalid search operator"), "{error}"),
        Ok(page) => bail!("{page:?}"),
    }
    Ok(())
}

async fn resolve(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let id = ClientId::parse(bench.agent.client_id())?;
    let found = clients::resolve(&session, id.as_str(), Purpose::Change).await?;
    ensure!(found.id == id, "{found:?}");
    let client = found.client.unwrap_or_else(|| panic!("no client"));
    let name = client.hostname.to_uppercase();
    match clients::resolve(&session, &name, Purpose::Read).await {
        Err(Fault::AmbiguousClient { candidates, .. }) => {
            ensure!(candidates.len() == FLEET + 1, "{candidates:?}");
        }
        other => bail!("{other:?}"),
    }
    let server = clients::resolve(&session, "server", Purpose::Change).await?;
    ensure!(server.id.is_server() && server.client.is_none());
    Ok(())
}

async fn unknown(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let id = ClientId::parse(bench.agent.client_id())?;
    let hostname = clients::info(&session, &id).await?.client.hostname;
    match clients::resolve(&session, &format!("{hostname}x"), Purpose::Read).await {
        Err(Fault::UnknownClient { near, .. }) => ensure!(near == [hostname], "{near:?}"),
        other => bail!("{other:?}"),
    }
    for stranger in ["C.0000000000000000", "*", "", "no such host 'x'"] {
        match clients::resolve(&session, stranger, Purpose::Change).await {
            Err(Fault::UnknownClient { .. }) => {}
            other => bail!("{stranger:?}: {other:?}"),
        }
    }
    Ok(())
}

async fn info(bench: &Bench<'_>) -> anyhow::Result<()> {
    let id = ClientId::parse(bench.agent.client_id())?;
    let info = clients::info(&bench.session(), &id).await?;
    ensure!(info.client.system() == Some(Os::Linux) && info.client.is_online(), "{info:?}");
    ensure!(info.interrogate_flow.is_some() && !info.mac_addresses.is_empty(), "{info:?}");
    ensure!(info.client.agent_version.as_deref() == Some("0.77.2"), "{info:?}");
    let stranger = ClientId::parse("C.0000000000000000")?;
    match clients::info(&bench.session(), &stranger).await {
        Err(Fault::UnknownClient { .. }) => Ok(()),
        other => bail!("{other:?}"),
    }
}

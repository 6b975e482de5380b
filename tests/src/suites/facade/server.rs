//! The server itself, its help, and what quarantine refuses. Nobody is cut off here: a real policy
//! would cut off the machine that runs this.

use std::time::Duration;

use anyhow::{bail, ensure};
use velociraptor_api::help::{HelpCache, SymbolKind};
use velociraptor_api::quarantine::{self, Action, Options};
use velociraptor_api::{ClientId, Fault, Permission, server_info};

use super::Bench;
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    cases.case("server: version, orgs, identities, machine", info(bench)).await;
    cases.case("help: names of the connected server, with arguments", help(bench)).await;
    cases.case("quarantine: planned for the client's system, sent to nobody", planned(bench)).await;
}

async fn info(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let info = server_info::info(&session).await?;
    ensure!(info.version == "0.77.2" && info.now.is_some(), "{info:?}");
    ensure!(info.orgs.len() == 1 && info.orgs[0].id.is_root(), "{:?}", info.orgs);
    let kinds: Vec<_> = info.identities.iter().filter_map(|identity| identity.kind).collect();
    ensure!(kinds == ["reader", "investigator", "administrator"], "{kinds:?}");
    ensure!(info.host.is_some_and(|host| host.os == std::env::consts::OS), "no machine");
    let weaker = bench.without_administrator()?;
    let info = server_info::info(&bench.session_of(&weaker)).await?;
    ensure!(info.host.is_none() && info.identities.len() == 2, "{info:?}");
    Ok(())
}

async fn help(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let cache = HelpCache::default();
    let symbols = cache.symbols(&session).await?;
    ensure!(symbols.iter().count() > 350, "{}", symbols.iter().count());
    let found = symbols.find("collect_client");
    ensure!(found.len() == 1 && found[0].kind == SymbolKind::Function, "{found:?}");
    let argument = found[0].arguments.iter().find(|argument| argument.name == "client_id");
    ensure!(argument.is_some_and(|argument| argument.required), "{found:?}");
    ensure!(symbols.find("items").len() == 2, "{:?}", symbols.find("items"));
    ensure!(
        symbols.near("plsist").contains(&String::from("pslist")),
        "{:?}",
        symbols.near("plsist")
    );
    let again = cache.symbols(&session).await?;
    ensure!(std::sync::Arc::ptr_eq(&symbols, &again));
    Ok(())
}

async fn planned(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let plan = quarantine::plan(&session, &id, Action::Isolate, &Options::default()).await?;
    ensure!(plan.artifact() == "Linux.Remediation.Quarantine", "{plan:?}");
    let parameters = plan.parameters();
    ensure!(parameters.is_some_and(|parameters| parameters.is_empty()), "{parameters:?}");
    let options = Options {
        message: Some("Call \"us\"".into()),
        forbidden_url: Some("https://example.org".into()),
        wait_for_client: Some(Duration::from_secs(60)),
        anyway: true,
    };
    let plan = quarantine::plan(&session, &id, Action::Release, &options).await?;
    let parameters = plan.parameters().cloned().unwrap_or_default();
    ensure!(parameters.len() == 2 && parameters["RemovePolicy"] == "Y", "{parameters:?}");
    let weaker = bench.without_administrator()?;
    let weak = bench.session_of(&weaker);
    match quarantine::plan(&weak, &id, Action::Isolate, &Options::default()).await {
        Err(Fault::NotPermitted { lacking, .. }) => {
            ensure!(lacking.contains(&Permission::Execve), "{lacking:?}");
        }
        other => bail!("{other:?}"),
    }
    for stranger in ["C.0000000000000000", "server"] {
        let stranger = ClientId::parse(stranger)?;
        match quarantine::plan(&session, &stranger, Action::Isolate, &Options::default()).await {
            Err(Fault::UnknownClient { .. } | Fault::BadInput { .. }) => {}
            other => bail!("{other:?}"),
        }
    }
    Ok(())
}

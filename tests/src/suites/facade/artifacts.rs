//! Artifact definitions: search and read.

use anyhow::{bail, ensure};
use velociraptor_api::artifacts::{self, ArtifactKind, ArtifactSearch};
use velociraptor_api::{Fault, Os};

use super::Bench;
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    cases.case("artifacts: every page once", pages(bench)).await;
    cases.case("artifacts: kinds and systems narrow the search", filters(bench)).await;
    cases.case("artifacts: a definition in full", definition(bench)).await;
    cases.case("artifacts: a definition with all that it calls", closure(bench)).await;
    cases.case("artifacts: an unknown name suggests near ones", unknown(bench)).await;
}

async fn pages(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let all = artifacts::names(&session).await?;
    let mut seen = Vec::new();
    let mut from = 0;
    loop {
        let wanted = ArtifactSearch { from, count: 150, ..ArtifactSearch::default() };
        let page = artifacts::search(&session, &wanted).await?;
        ensure!(page.total == all.len() as u64, "{} of {}", page.total, all.len());
        seen.extend(page.artifacts.into_iter().map(|artifact| artifact.name));
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    let mut names: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
    names.sort();
    seen.sort();
    ensure!(seen == names, "{} of {}", seen.len(), names.len());
    Ok(())
}

async fn filters(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let names = async |wanted: ArtifactSearch| -> anyhow::Result<Vec<String>> {
        let page = artifacts::search(&session, &wanted).await?;
        Ok(page.artifacts.into_iter().map(|artifact| artifact.name).collect())
    };
    let pslist = |os| ArtifactSearch {
        text: String::from("PSLIST"),
        os: Some(os),
        ..ArtifactSearch::default()
    };
    let linux = names(pslist(Os::Linux)).await?;
    ensure!(linux.iter().any(|name| name == "Linux.Sys.Pslist"), "{linux:?}");
    ensure!(!linux.iter().any(|name| name.starts_with("Windows.")), "{linux:?}");
    let windows = names(pslist(Os::Windows)).await?;
    ensure!(windows.iter().any(|name| name == "Windows.System.Pslist"), "{windows:?}");
    for kind in ArtifactKind::ALL {
        let wanted = ArtifactSearch { kinds: vec![kind], ..ArtifactSearch::default() };
        let page = artifacts::search(&session, &wanted).await?;
        ensure!(page.total > 0 && page.artifacts.iter().all(|a| a.kind == kind), "{kind}");
    }
    for hostile in ["(", "[a-", "'; SELECT", "\\"] {
        let wanted = ArtifactSearch { text: hostile.to_owned(), ..ArtifactSearch::default() };
        artifacts::search(&session, &wanted).await?;
        ensure!(session.warnings().is_empty(), "{hostile}: {:?}", session.warnings());
    }
    Ok(())
}

async fn definition(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let quarantine = artifacts::definition(&session, "Linux.Remediation.Quarantine").await?;
    ensure!(quarantine.required_permissions == ["EXECVE", "NETWORK"], "{quarantine:?}");
    ensure!(quarantine.systems() == [Os::Linux] && quarantine.kind == ArtifactKind::Client);
    let policy = quarantine.parameters.iter().find(|p| p.name == "RemovePolicy");
    ensure!(policy.is_some_and(|p| p.kind == "bool"), "{policy:?}");
    let info = artifacts::definition(&session, "Generic.Client.Info").await?;
    ensure!(info.tables().contains(&String::from("Generic.Client.Info/BasicInformation")));
    ensure!(!info.column_types.is_empty() && info.built_in);
    // Every definition of the server can be read.
    let names = artifacts::names(&session).await?;
    let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    let all = artifacts::definitions(&session, &names).await?;
    ensure!(all.len() == names.len());
    Ok(())
}

async fn closure(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let name = "Windows.Registry.Sysinternals.Eulacheck";
    let found = artifacts::closure(&session, &[name]).await?;
    ensure!(found.missing.is_empty(), "{:?}", found.missing);
    let reached = found.reached_from(name);
    // One that it imports and one that it calls.
    for called in ["Windows.Registry.NTUser", "Windows.Sys.AllUsers"] {
        ensure!(reached.contains(called), "{called} is not among {reached:?}");
    }
    let imports = &found.definitions[name].imports;
    ensure!(imports == &["Windows.Registry.NTUser"], "{imports:?}");
    ensure!(found.definitions["Windows.Registry.NTUser"].export.is_some(), "no export");
    Ok(())
}

async fn unknown(bench: &Bench<'_>) -> anyhow::Result<()> {
    match artifacts::definition(&bench.session(), "Linux.Sys.PsList").await {
        Err(Fault::UnknownArtifact { near, .. }) => {
            ensure!(near[0] == "Linux.Sys.Pslist", "{near:?}");
        }
        other => bail!("{other:?}"),
    }
    for hostile in ["'; SELECT 1", "", "\u{0}", "a\nb"] {
        match artifacts::definition(&bench.session(), hostile).await {
            Err(Fault::UnknownArtifact { .. }) => {}
            other => bail!("{hostile:?}: {other:?}"),
        }
    }
    Ok(())
}

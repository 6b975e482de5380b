//! What a hunt keeps of its artifacts, and the inventory of the programs that they fetch.

use std::time::Duration;

use anyhow::{Context, ensure};
use velociraptor_api::{HuntId, artifacts, hunts};

use super::{Bench, define};
use crate::real::Role;
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    let name = "hunts: nothing is called redefined that is not, of all built-in artifacts";
    cases.case_within(Duration::from_secs(300), name, all_the_same(bench)).await;
    cases.case("hunts: each way to redefine an artifact is seen", each_change(bench)).await;
    cases
        .case("inventory: what the server has wins over what an artifact says", tools(bench))
        .await;
}

async fn hunt_for(bench: &Bench<'_>, artifact: &str) -> anyhow::Result<HuntId> {
    let vql = "SELECT hunt(description='kept', artifacts=SuiteName, pause=TRUE).HuntId AS Id \
               FROM scope()";
    let env = [("SuiteName", artifact)];
    let rows = bench.server.query(Role::Administrator, "root", vql, &env).await?.rows;
    let id = rows.first().and_then(|row| row["Id"].as_str());
    Ok(HuntId::parse(id.with_context(|| format!("no hunt for {artifact}"))?)?)
}

async fn redefined(bench: &Bench<'_>, hunt: &HuntId) -> anyhow::Result<Vec<String>> {
    let session = bench.session();
    let status = hunts::status(&session, hunt).await?;
    ensure!(!status.compiled.parts.is_empty(), "the server keeps nothing of {hunt}");
    let names: Vec<&str> = status.hunt.artifacts.iter().map(String::as_str).collect();
    let now = artifacts::closure_of_known(&session, &names).await?;
    Ok(hunts::redefined(&status, &now).into_iter().collect())
}

async fn all_the_same(bench: &Bench<'_>) -> anyhow::Result<()> {
    // Those with tools would be fetched from the internet now.
    let vql = "SELECT name FROM artifact_definitions() WHERE type = 'client' AND built_in \
               AND NOT tools AND sources.query";
    let rows = bench.server.query(Role::Administrator, "root", vql, &[]).await?.rows;
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    ensure!(names.len() > 200, "only {} artifacts", names.len());
    let mut wrong = Vec::new();
    for name in names {
        let hunt = hunt_for(bench, name).await?;
        let told = redefined(bench, &hunt).await?;
        if !told.is_empty() {
            wrong.push(format!("{name}: {told:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

const OUTER: &str = "name: Custom.Kept.Outer
precondition: SELECT OS FROM info() WHERE OS = 'linux'
parameters:
  - name: Count
    type: int
    default: 3
sources:
  - name: One
    query: |
      -- a comment
      LET Rows = SELECT * FROM Artifact.Custom.Kept.Inner(Text=\"x\")
      SELECT *, Count FROM Rows WHERE (Count > 1)
";

const CONDITION: &str = "precondition: SELECT OS FROM info() WHERE OS = 'linux'\n";

const INNER: &str = "name: Custom.Kept.Inner
parameters:
  - name: Text
    default: a
sources:
  - query: SELECT Text AS T FROM scope()
";

async fn each_change(bench: &Bench<'_>) -> anyhow::Result<()> {
    define(bench.server, INNER).await?;
    define(bench.server, OUTER).await?;
    let hunt = hunt_for(bench, "Custom.Kept.Outer").await?;
    ensure!(redefined(bench, &hunt).await?.is_empty(), "nothing was redefined");
    let second = "\n  - name: Two\n    query: SELECT 1 AS A FROM scope()\n";
    for (definition, changed) in [
        (OUTER.replace("Count > 1", "Count > 2"), "Custom.Kept.Outer"),
        (OUTER.replace("'linux'", "'windows'"), "Custom.Kept.Outer"),
        (OUTER.replace(CONDITION, ""), "Custom.Kept.Outer"),
        (OUTER.replace("default: 3", "default: 4"), "Custom.Kept.Outer"),
        (format!("{}{second}", OUTER.trim_end()), "Custom.Kept.Outer"),
        (INNER.replace("Text AS T", "Text AS U"), "Custom.Kept.Inner"),
        (INNER.replace("default: a", "default: b"), "Custom.Kept.Inner"),
    ] {
        define(bench.server, &definition).await?;
        let told = redefined(bench, &hunt).await?;
        ensure!(told == [changed], "{definition}: {told:?}");
        define(bench.server, INNER).await?;
        define(bench.server, OUTER).await?;
    }
    // Other blanks, quotes and comments are no other definition.
    define(bench.server, &OUTER.replace("-- a comment", "//  another").replace('"', "'")).await?;
    ensure!(redefined(bench, &hunt).await?.is_empty(), "it means the same");
    Ok(())
}

async fn tools(bench: &Bench<'_>) -> anyhow::Result<()> {
    let definition = "name: Custom.Kept.Tool
tools:
  - name: SuiteTool
    url: https://tools.invalid/one.bin
sources:
  - query: SELECT 1 AS A FROM scope()
";
    define(bench.server, definition).await?;
    let session = bench.session();
    ensure!(artifacts::inventory(&session, &["NoSuchTool"]).await?.is_empty(), "there is none");
    let file = bench.server.folder().join("tool.bin");
    std::fs::write(&file, "tool")?;
    let vql = "SELECT inventory_add(tool='SuiteTool', file=SuiteFile, serve_locally=TRUE, \
               url='https://tools.invalid/two.bin', \
               hash='b833915b2a7f6e3b8f2b3f3a86ccf4ea0ad2a1bb6d1ab3f5a8b5e3f1d6b9ff5c') AS A FROM scope()";
    let place = file.display().to_string();
    let env = [("SuiteFile", place.as_str())];
    bench.server.query(Role::Administrator, "root", vql, &env).await?;
    let found = artifacts::inventory(&session, &["SuiteTool"]).await?;
    let [entry] = &found[..] else { anyhow::bail!("{found:?}") };
    ensure!(entry.url == "https://tools.invalid/two.bin" && entry.serve_locally, "{entry:?}");
    ensure!(entry.sha256().is_some_and(|hash| hash.len() == 64), "{entry:?}");
    Ok(())
}

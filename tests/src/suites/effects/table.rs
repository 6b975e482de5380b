//! The table of effects against `help()`.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use vql_builder::effects;

use crate::real::{RealServer, Role};
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, server: &RealServer) {
    cases.case("the table has the names of the server, and no others", names(server)).await;
    cases.case("the arguments in its rules exist", arguments(server)).await;
}

async fn names(server: &RealServer) -> anyhow::Result<()> {
    let vql = "SELECT lowcase(string=type) AS Kind, name FROM help()";
    let rows = server.query(Role::Administrator, "root", vql, &[]).await?.rows;
    let theirs = rows
        .iter()
        .map(|row| {
            let text = |column: &str| row[column].as_str().map(str::to_owned);
            Some((text("Kind")?, text("name")?))
        })
        .collect::<Option<BTreeSet<_>>>()
        .context("a row without kind or name")?;
    let ours: BTreeSet<_> = effects::entries()
        .iter()
        .map(|entry| (entry.kind.as_str().to_owned(), entry.name.to_owned()))
        .collect();
    let unknown: Vec<_> = theirs.difference(&ours).collect();
    let gone: Vec<_> = ours.difference(&theirs).collect();
    ensure!(unknown.is_empty(), "the server has what the table lacks: {unknown:?}");
    ensure!(gone.is_empty(), "the table has what the server lacks: {gone:?}");
    ensure!(ours.len() > 400, "only {} names", ours.len());
    Ok(())
}

/// A rule about an argument that does not exist would never take effect.
async fn arguments(server: &RealServer) -> anyhow::Result<()> {
    let vql = "SELECT lowcase(string=type) AS Kind, name, args.name AS Arguments FROM help()";
    let rows = server.query(Role::Administrator, "root", vql, &[]).await?.rows;
    let mut looked_at = 0;
    for entry in effects::entries() {
        let row = rows
            .iter()
            .find(|row| row["Kind"] == entry.kind.as_str() && row["name"] == entry.name)
            .with_context(|| format!("no {} {}", entry.kind.as_str(), entry.name))?;
        for argument in entry.arguments() {
            looked_at += 1;
            let known = row["Arguments"]
                .as_array()
                .is_some_and(|all| all.iter().any(|name| name.as_str() == Some(argument)));
            ensure!(known, "{} has no argument {argument}: {:?}", entry.name, row["Arguments"]);
        }
    }
    ensure!(looked_at > 90, "only {looked_at} arguments");
    Ok(())
}

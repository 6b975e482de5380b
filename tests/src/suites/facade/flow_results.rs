//! Rows and files of flows.

use std::time::Duration;

use anyhow::{bail, ensure};
use serde_json::json;
use velociraptor_api::collections::{self, Collection, CollectionLimits, Target};
use velociraptor_api::results::{ColumnName, GroupQuery, RowQuery};
use velociraptor_api::{ClientId, Fault, FlowId, Limits, flow_results, flows, uploads};
use vql_builder::{Direction, PureExpr};

use super::Bench;
use super::collections::collection;
use crate::suite::Cases;

const PATIENCE: Duration = Duration::from_secs(110);

/// Two tables: `Numbers` with as many rows as asked for, `Two` with three.
pub(super) const ARTIFACT: &str = "Custom.Suite.Rows";

pub(super) const DEFINITION: &str = r"name: Custom.Suite.Rows
parameters:
  - name: Count
    type: int
    default: 10
sources:
  - name: Numbers
    query: |
      SELECT _value AS N, format(format='name %v', args=str(str=_value)[-1:]) AS Name,
             dict(Half=_value / 2) AS `A column`
      FROM range(end=Count)
  - name: Two
    query: SELECT _value AS B FROM range(end=3)
";

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    let mut made = None;
    let ready = cases
        .case("results: an artifact with 10,000 rows is collected", async {
            made = Some(collect(bench, 10_000).await?);
            Ok(())
        })
        .await;
    let (true, Some(flow)) = (ready, made) else { return };
    let flow = &flow;
    cases
        .case("results: tables with their sizes, by any of their names", tables(bench, flow))
        .await;
    cases.case("results: 10,000 rows in pages, none lost, none twice", pages(bench, flow)).await;
    cases.case("results: filtered pages, none lost, none twice", filtered(bench, flow)).await;
    cases.case("results: sorted pages and chosen columns", sorted(bench, flow)).await;
    cases.case("results: groups and counts", groups(bench, flow)).await;
    cases.case("results: names that no row has are faults", unknown(bench, flow)).await;
    cases.case("results: a page cut by its size goes on where it was cut", cut(bench, flow)).await;
    cases.case("uploads: each file once, and its bytes can be fetched", files(bench)).await;
}

async fn collect(bench: &Bench<'_>, rows: u64) -> anyhow::Result<FlowId> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let limits = CollectionLimits { max_rows: Some(2_000_000), ..CollectionLimits::default() };
    let wanted = Collection { limits, ..collection(ARTIFACT, &[("Count", json!(rows))]) };
    let good = collections::check(&session, &wanted, Target::Clients).await?;
    let started = collections::start(&session, &id, &good).await?;
    let flow = started.status.flow.flow_id;
    let waited = flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
    ensure!(waited.flow.rows == rows + 3, "{waited:?}");
    Ok(flow)
}

fn numbers() -> String {
    format!("{ARTIFACT}/Numbers")
}

async fn tables(bench: &Bench<'_>, flow: &FlowId) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let tables = flow_results::tables(&session, &id, flow).await?;
    let sizes: Vec<_> = tables.tables.iter().map(|t| (t.name.as_str(), t.rows)).collect();
    ensure!(sizes == [(numbers().as_str(), 10_000), (&format!("{ARTIFACT}/Two"), 3)], "{sizes:?}");
    ensure!(tables.choose(Some(&numbers()))?.rows == 10_000);
    for (name, told) in
        [(None, "name one"), (Some(ARTIFACT), "name one"), (Some("X"), "no rows in X")]
    {
        match tables.choose(name) {
            Err(fault) => ensure!(fault.to_string().contains(told), "{fault}"),
            Ok(table) => bail!("{name:?}: {table:?}"),
        }
    }
    Ok(())
}

/// The column `N` of all pages.
async fn walk(
    bench: &Bench<'_>,
    id: &ClientId,
    flow: &FlowId,
    wanted: RowQuery,
) -> anyhow::Result<Vec<u64>> {
    let session = bench.session();
    let mut seen = Vec::new();
    let mut from = wanted.from;
    for _ in 0..1000 {
        let query = RowQuery { from, ..wanted.clone() };
        let page = flow_results::rows(&session, id, flow, &numbers(), &query).await?;
        for row in &page.rows {
            let number = row.row["N"].as_u64();
            ensure!(number == Some(row.number), "row {} has N {number:?}", row.number);
            seen.push(row.number);
        }
        match page.next() {
            Some(next) => from = next,
            None => return Ok(seen),
        }
    }
    bail!("the pages do not end; {} rows", seen.len())
}

async fn pages(bench: &Bench<'_>, flow: &FlowId) -> anyhow::Result<()> {
    let id = bench.agent_id()?;
    let seen = walk(bench, &id, flow, RowQuery { count: 999, ..RowQuery::default() }).await?;
    ensure!(seen.iter().copied().eq(0..10_000), "{} rows", seen.len());
    let late = walk(bench, &id, flow, RowQuery { from: 9_990, ..RowQuery::default() }).await?;
    ensure!(late.iter().copied().eq(9_990..10_000), "{late:?}");
    let beyond = walk(bench, &id, flow, RowQuery { from: 10_000, ..RowQuery::default() }).await?;
    ensure!(beyond.is_empty());
    Ok(())
}

async fn filtered(bench: &Bench<'_>, flow: &FlowId) -> anyhow::Result<()> {
    let id = bench.agent_id()?;
    let filter = Some(PureExpr::parse("Name = 'name 7' AND N > 100")?);
    let wanted = RowQuery { filter, count: 64, ..RowQuery::default() };
    let seen = walk(bench, &id, flow, wanted).await?;
    ensure!(
        seen.iter().copied().eq((107..10_000).step_by(10)),
        "{} rows: {:?}",
        seen.len(),
        &seen[..5]
    );
    Ok(())
}

async fn sorted(bench: &Bench<'_>, flow: &FlowId) -> anyhow::Result<()> {
    let id = bench.agent_id()?;
    let order = Some((ColumnName::new("N")?, Direction::Descending));
    let filter = Some(PureExpr::parse("Name =~ '[05]$'")?);
    let wanted = RowQuery { filter, order, count: 300, ..RowQuery::default() };
    let seen = walk(bench, &id, flow, wanted.clone()).await?;
    ensure!(seen.iter().copied().rev().eq((0..10_000).step_by(5)), "{} rows", seen.len());
    let columns = vec![ColumnName::new("A column")?, ColumnName::new("N")?];
    let query = RowQuery { columns: columns.clone(), count: 2, ..wanted };
    let session = bench.session();
    let page = flow_results::rows(&session, &id, flow, &numbers(), &query).await?;
    ensure!(page.columns == ["A column", "N"] && page.total == Some(2000), "{page:?}");
    ensure!(page.rows[0].row["A column"]["Half"] == json!(4997.5), "{:?}", page.rows[0]);
    let plain = RowQuery { columns, count: 1, ..RowQuery::default() };
    let page = flow_results::rows(&session, &id, flow, &numbers(), &plain).await?;
    ensure!(page.columns == ["A column", "N"] && page.rows[0].row.len() == 2, "{page:?}");
    Ok(())
}

async fn groups(bench: &Bench<'_>, flow: &FlowId) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let filter = Some(PureExpr::parse("N < 95")?);
    let wanted = GroupQuery::of(vec![ColumnName::new("Name")?]);
    let wanted = GroupQuery { filter: filter.clone(), count: 7, ..wanted };
    let table = numbers();
    let first = flow_results::groups(&session, &id, flow, &table, &wanted).await?;
    ensure!(first.total == 10 && first.groups.len() == 7 && first.next == Some(7), "{first:?}");
    ensure!(first.groups[0].count == 10 && first.groups[0].hosts.is_none(), "{first:?}");
    let rest = GroupQuery { from: 7, ..wanted.clone() };
    let last = flow_results::groups(&session, &id, flow, &table, &rest).await?;
    let sum: u64 = first.groups.iter().chain(&last.groups).map(|group| group.count).sum();
    ensure!(sum == 95 && last.next.is_none(), "{sum}: {last:?}");
    let rarest = GroupQuery { order: Direction::Ascending, count: 5, ..wanted.clone() };
    let rarest = flow_results::groups(&session, &id, flow, &table, &rarest).await?;
    ensure!(rarest.groups.iter().all(|group| group.count == 9), "{rarest:?}");
    let columns = vec![ColumnName::new("Name")?, ColumnName::new("A column")?];
    let both = GroupQuery { columns, most: Some(50), ..wanted };
    let both = flow_results::groups(&session, &id, flow, &table, &both).await?;
    ensure!(both.total == 50, "each of the first 50 rows is another: {both:?}");
    ensure!(both.groups[0].values.len() == 2 && both.groups[0].values[1]["Half"].is_number());
    let count = flow_results::count(&session, &id, flow, &table, filter.as_ref()).await?;
    ensure!(count == 95, "{count}");
    Ok(())
}

async fn unknown(bench: &Bench<'_>, flow: &FlowId) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let nope = || ColumnName::new("Nope");
    let wanted = [
        RowQuery { filter: Some(PureExpr::parse("Nope = 1")?), ..RowQuery::default() },
        RowQuery { columns: vec![nope()?], ..RowQuery::default() },
    ];
    for query in wanted {
        match flow_results::rows(&session, &id, flow, &numbers(), &query).await {
            Err(Fault::BadInput { faults }) => ensure!(faults[0].contains("Nope"), "{faults:?}"),
            other => bail!("{query:?}: {other:?}"),
        }
    }
    // A filter that keeps nothing is not a fault.
    let filter = Some(PureExpr::parse("N = -1")?);
    let query = RowQuery { filter, ..RowQuery::default() };
    let page = flow_results::rows(&session, &id, flow, &numbers(), &query).await?;
    ensure!(page.rows.is_empty() && page.next().is_none());
    let stranger = FlowId::parse("F.NOSUCHFLOW")?;
    match flow_results::tables(&session, &id, &stranger).await {
        Err(Fault::UnknownFlow { .. }) => Ok(()),
        other => bail!("{other:?}"),
    }
}

async fn cut(bench: &Bench<'_>, flow: &FlowId) -> anyhow::Result<()> {
    let id = bench.agent_id()?;
    let limits = Limits::READ.bytes(2_000);
    let wanted = RowQuery { from: 9_900, limits, ..RowQuery::default() };
    let seen = walk(bench, &id, flow, wanted).await?;
    ensure!(seen.iter().copied().eq(9_900..10_000), "{} rows", seen.len());
    Ok(())
}

async fn files(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let parameters = [("SearchFilesGlob", json!("/etc/host*")), ("Upload_File", json!(true))];
    let wanted = collection("Linux.Search.FileFinder", &parameters);
    let good = collections::check(&session, &wanted, Target::Clients).await?;
    let flow = collections::start(&session, &id, &good).await?.status.flow.flow_id;
    let waited = flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
    let page = uploads::of_flow(&session, &id, &flow, 0, 100).await?;
    let paths: Vec<&str> = page.uploads.iter().map(|file| file.client_path.as_str()).collect();
    ensure!(paths.contains(&"/etc/hosts"), "{waited:?}: {paths:?}");
    ensure!(page.total == paths.len() as u64 && page.next.is_none());
    let first = uploads::of_flow(&session, &id, &flow, 0, 1).await?;
    ensure!(first.next == Some(1) && first.total == page.total, "{first:?}");
    let hosts = page.uploads.iter().find(|file| file.client_path == "/etc/hosts");
    let hosts = hosts.filter(|file| file.stored == file.size && !file.components.is_empty());
    ensure!(hosts.is_some(), "{page:?}");
    Ok(())
}

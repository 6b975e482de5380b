//! Rows of a flow, read in pages.

use std::time::Instant;

use anyhow::{Context, ensure};
use integration_tests::mcp::McpChild;
use integration_tests::real::Role;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::figures::{Row, median, millis};

const ROWS: u64 = 10_000;
const ROUNDS: usize = 7;

const ARTIFACT: &str = "Custom.Bench.Rows";

/// Makes so many rows of the size that process listings have.
const DEFINITION: &str = "name: Custom.Bench.Rows
type: CLIENT
sources:
  - query: |
      SELECT _value AS Row, format(format='C:\\\\Windows\\\\System32\\\\svchost-%v.exe', args=_value) AS Path
      FROM range(end=10000)
";

pub(crate) async fn run(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let define = "SELECT artifact_set(definition=MR_Definition).name AS Name FROM scope()";
    bed.server.query(Role::Administrator, "root", define, &[("MR_Definition", DEFINITION)]).await?;
    let mut product = bed.product().await?;
    let flow = collect(&mut product, bed.agent.client_id()).await?;
    let client = bed.agent.client_id();
    let raw = format!(
        "SELECT * FROM source(client_id='{client}', flow_id='{flow}', artifact='{ARTIFACT}')"
    );
    let mut bare = bed.bare()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let (theirs_now, rows) = bare.drain(1000, &raw).await?;
        ensure!(rows == ROWS, "the raw stream has {rows} rows");
        let start = Instant::now();
        read_all(&mut product, client, &flow).await?;
        if round > 0 {
            ours.push(start.elapsed().as_secs_f64() * 1e6);
            theirs.push(theirs_now);
        }
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    Ok(vec![Row {
        what: format!("{ROWS} rows of a flow in pages, none lost"),
        product: millis(ours),
        baseline: millis(theirs),
        result: format!("{:.2} x", ours / theirs),
        wanted: "at most 1.3 x",
        reached: ours / theirs <= 1.3,
    }])
}

async fn collect(product: &mut McpChild, client: &str) -> anyhow::Result<String> {
    let arguments = json!({ "clients": [client], "artifacts": [ARTIFACT], "wait": 60 });
    let answer = product.call_ok("collect_artifact", arguments).await?;
    let flow = answer["outcomes"][0]["flow_id"].as_str().with_context(|| format!("{answer}"))?;
    Ok(flow.to_owned())
}

/// Reads page after page and checks that every row came once.
async fn read_all(product: &mut McpChild, client: &str, flow: &str) -> anyhow::Result<()> {
    let mut seen = vec![false; usize::try_from(ROWS)?];
    let mut cursor = Value::Null;
    loop {
        let mut arguments = json!({ "client": client, "flow_id": flow, "limit": ROWS, "max_kb": 4000,
                    "detail": "full" });
        if !cursor.is_null() {
            arguments["cursor"] = cursor;
        }
        let page = product.call_ok("get_flow_results", arguments).await?;
        for row in page["rows"].as_array().context("no rows")? {
            let at = row["Row"].as_u64().and_then(|at| usize::try_from(at).ok());
            let slot = at.and_then(|at| seen.get_mut(at)).context("a row that was not made")?;
            ensure!(!std::mem::replace(slot, true), "row {at:?} came twice");
        }
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let lost = seen.iter().filter(|seen| !**seen).count();
    ensure!(lost == 0, "{lost} rows were lost");
    Ok(())
}

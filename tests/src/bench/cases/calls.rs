//! Calls over stdio.

use std::time::Instant;

use anyhow::ensure;
use integration_tests::mcp::McpChild;
use serde_json::json;

use crate::bed::Bed;
use crate::figures::{Row, median, millis, quantile};

const QUERY: &str = "SELECT 1 AS A FROM scope()";
const CALLS: usize = 300;
const AT_ONCE: usize = 64;
const ROUNDS: usize = 12;

/// One call at a time, product and bare client in turn.
pub(crate) async fn one_by_one(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let (mut bare, mut product) = (bed.bare()?, bed.product().await?);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..CALLS + 20 {
        let theirs_now = bare.call(QUERY).await?;
        let start = Instant::now();
        let answer = product.call_ok("run_vql", json!({ "query": QUERY })).await?;
        let ours_now = start.elapsed().as_secs_f64() * 1e6;
        ensure!(answer["returned"] == 1, "not one row: {answer}");
        // The first calls dial, probe permissions and fill caches on both sides.
        if round >= 20 {
            ours.push(ours_now);
            theirs.push(theirs_now);
        }
    }
    let row = |what: &str, part: f64| {
        let (ours, theirs) = (quantile(&ours, part), quantile(&theirs, part));
        Row {
            what: format!("cheapest call over stdio, {what}"),
            product: millis(ours),
            baseline: millis(theirs),
            result: format!("{:.2} x", ours / theirs),
            wanted: "at most 1.3 x",
            reached: ours / theirs <= 1.3,
        }
    };
    Ok(vec![row("median", 0.5), row("p95", 0.95)])
}

/// Many calls at once, product and bare client in turn.
pub(crate) async fn together(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let (mut bare, mut product) = (bed.bare()?, bed.product().await?);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 2 {
        let theirs_now = bare.together(AT_ONCE, QUERY).await?;
        let ours_now = volley(&mut product).await?;
        if round >= 2 {
            ours.push(ours_now);
            theirs.push(theirs_now);
        }
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    let share = theirs / ours;
    Ok(vec![Row {
        what: format!("{AT_ONCE} calls at once, none lost, throughput"),
        product: millis(ours),
        baseline: millis(theirs),
        result: format!("{share:.2} x"),
        wanted: "at least 0.8 x",
        reached: share >= 0.8,
    }])
}

async fn volley(product: &mut McpChild) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut ids = Vec::new();
    for _ in 0..AT_ONCE {
        let params = json!({ "name": "run_vql", "arguments": { "query": QUERY } });
        ids.push(product.send("tools/call", params).await?);
    }
    for id in ids {
        let answer = product.answer(id).await?;
        let good = answer.as_ref().is_ok_and(|result| result["isError"] != true);
        ensure!(good, "a call was lost: {answer:?}");
    }
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

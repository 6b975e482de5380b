//! A million rows through the API client.

use std::time::{Duration, Instant};

use anyhow::ensure;
use integration_tests::real::Role;
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Limits, OrgId, Server};
use vql_builder::Query;

use super::process::resident_kib;
use crate::bed::Bed;
use crate::figures::{Row, median, millis};

const ROWS: u64 = 1_000_000;
const ROUNDS: usize = 3;
const QUERY: &str = "SELECT _value AS Row FROM range(end=1000000)";

pub(crate) async fn run(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let mut bare = bed.bare()?;
    let server = bed.server.open(&[Role::Reader])?;
    let (mut ours, mut theirs, mut growth) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (theirs_now, rows) = bare.drain(1000, QUERY).await?;
        ensure!(rows == ROWS, "the raw stream has {rows} rows");
        theirs.push(theirs_now);
        let start = Instant::now();
        growth.push(drain(&server).await?);
        ours.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let (ours, theirs, growth) = (median(&ours), median(&theirs), median(&growth));
    let time = Row {
        what: format!("{ROWS} rows through the API client"),
        product: millis(ours),
        baseline: millis(theirs),
        result: format!("{:.2} x", ours / theirs),
        wanted: "at most 1.2 x",
        reached: ours / theirs <= 1.2,
    };
    let memory = Row {
        what: String::from("  growth of memory between row 100,000 and the end"),
        product: format!("{growth:.1} MiB"),
        baseline: String::from("-"),
        result: format!("{growth:.1} MiB"),
        wanted: "flat (under 8)",
        reached: growth < 8.0,
    };
    Ok(vec![time, memory])
}

/// Reads all rows, counts them, and says by how many MiB memory grew on the way.
async fn drain(server: &Server) -> anyhow::Result<f64> {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let limits = Limits::READ.rows(u64::MAX).bytes(u64::MAX).time(Duration::from_secs(300));
    let call = Call { org: &org, limits: limits.batch_rows(1000), cancel: &cancel };
    let query = Query::constant("bench", QUERY);
    let mut stream = server.stream_as(&server.identities()[0], &query, &call).await?;
    let (mut rows, mut early) = (0_u64, None);
    while let Some(batch) = stream.next().await? {
        rows += batch.raw_rows()?.len() as u64;
        if early.is_none() && rows >= 100_000 {
            early = Some(resident_kib(std::process::id())?);
        }
    }
    ensure!(rows == ROWS, "{rows} rows came");
    let late = resident_kib(std::process::id())?;
    Ok((late - early.unwrap_or(late)) / 1024.0)
}

//! The process as a whole: start and memory.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::json;

use crate::bed::Bed;
use crate::figures::{Row, median, millis};

const STARTS: usize = 25;
const CALLS: usize = 1000;

/// Start to tools/list answered, and an empty process, in turn.
pub(crate) async fn start(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let empty = std::env::current_exe()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begin = Instant::now();
        let status = Command::new(&empty).arg("--empty").stdout(Stdio::null()).status()?;
        ensure!(status.success(), "the empty process ended with {status}");
        theirs.push(begin.elapsed().as_secs_f64() * 1e6);

        let begin = Instant::now();
        let mut product = bed.start_product()?;
        product.initialize("2025-11-25").await?;
        let listed = product.request("tools/list", json!({})).await?;
        ours.push(begin.elapsed().as_secs_f64() * 1e6);
        ensure!(listed["tools"].as_array().is_some_and(|tools| !tools.is_empty()), "{listed}");
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    let more = (ours - theirs) / 1000.0;
    Ok(vec![Row {
        what: String::from("start to tools/list answered"),
        product: millis(ours),
        baseline: millis(theirs),
        result: format!("+{more:.1} ms"),
        wanted: "at most +6 ms",
        reached: more <= 6.0,
    }])
}

/// Resident memory after start and after many calls.
pub(crate) async fn memory(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let mut product = bed.product().await?;
    product.request("tools/list", json!({})).await?;
    let process = product.process_id().context("megaraptor has ended")?;
    let fresh = resident_kib(process)? / 1024.0;
    for _ in 0..CALLS / 2 {
        product.call_ok("list_clients", json!({})).await?;
    }
    let half = resident_kib(process)? / 1024.0;
    for _ in 0..CALLS / 2 {
        product.call_ok("list_clients", json!({})).await?;
    }
    let used = resident_kib(process)? / 1024.0;
    let row = |what: String, mib: f64, peer: &str, wanted, limit: f64| Row {
        what,
        product: format!("{mib:.1} MiB"),
        baseline: peer.to_owned(),
        result: format!("{mib:.1} MiB"),
        wanted,
        reached: mib < limit,
    };
    Ok(vec![
        row(String::from("resident after start"), fresh, "peer 16", "under 14 MiB", 14.0),
        row(format!("resident after {CALLS} calls"), used, "peer 23", "under 20 MiB", 20.0),
        row(
            String::from("  growth over the last 500 calls"),
            used - half,
            "-",
            "flat (under 1)",
            1.0,
        ),
    ])
}

/// The resident memory of a process, in KiB.
pub(crate) fn resident_kib(process: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .context("resident memory is read from /proc, which is only on Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let number = line.split_whitespace().next().context("no figure")?;
    Ok(number.parse()?)
}

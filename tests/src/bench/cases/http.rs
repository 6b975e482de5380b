//! MCP over HTTP: throughput against stdio, and what idle connections cost.

use std::time::Instant;

use anyhow::ensure;
use integration_tests::http::{Connection, HttpServer};
use integration_tests::mcp::McpChild;
use integration_tests::real::Role;
use serde_json::json;
use tokio::net::TcpStream;

use super::process::resident_kib;
use crate::bed::Bed;
use crate::figures::{Row, median, millis};

const QUERY: &str = "SELECT 1 AS A FROM scope()";
const AT_ONCE: usize = 16;
/// Calls of each of those that call at once, in one round.
const EACH: usize = 8;
const ROUNDS: usize = 15;
const IDLE: usize = 1000;
const SESSIONS: usize = 100;

async fn served(bed: &Bed) -> anyhow::Result<HttpServer> {
    let arguments = ["--config".into(), bed.server.api_file(Role::Reader).into_os_string()];
    // The benchmark is not to measure the limits.
    let limits = [
        "--max-rate=1000000".into(),
        "--max-connections=3000".into(),
        "--policy=limits.calls_per_minute=1000000".into(),
    ];
    HttpServer::start(&bed.megaraptor, "read", arguments.into_iter().chain(limits)).await
}

/// The same calls over HTTP and over stdio, in turn.
pub(crate) async fn throughput(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let server = served(bed).await?;
    let mut connections = Vec::new();
    for _ in 0..AT_ONCE {
        connections.push(Connection::open(server.address(), server.token()).await?);
    }
    let mut child = bed.product().await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS + 2 {
        let theirs_now = over_stdio(&mut child).await?;
        let ours_now = over_http(&mut connections).await?;
        // The first calls dial, probe permissions and fill caches on both sides.
        if round >= 2 {
            ours.push(ours_now);
            theirs.push(theirs_now);
        }
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    let share = theirs / ours;
    Ok(vec![Row {
        what: format!("{} calls over HTTP, {AT_ONCE} at once, throughput", AT_ONCE * EACH),
        product: millis(ours),
        baseline: millis(theirs),
        result: format!("{share:.2} x"),
        wanted: "at least 0.8 x",
        reached: share >= 0.8,
    }])
}

async fn over_http(connections: &mut [Connection]) -> anyhow::Result<f64> {
    let start = Instant::now();
    let callers = connections.iter_mut().map(async |connection: &mut Connection| {
        for _ in 0..EACH {
            let result = connection.call("run_vql", json!({ "query": QUERY })).await?;
            ensure!(result["structuredContent"]["returned"] == 1, "not one row: {result}");
        }
        anyhow::Ok(())
    });
    futures_util::future::try_join_all(callers).await?;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

/// As many calls, as many of them under way at any time.
async fn over_stdio(child: &mut McpChild) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut ids = std::collections::VecDeque::new();
    let mut sent = 0;
    while sent < AT_ONCE * EACH || !ids.is_empty() {
        while sent < AT_ONCE * EACH && ids.len() < AT_ONCE {
            let params = json!({ "name": "run_vql", "arguments": { "query": QUERY } });
            ids.push_back(child.send("tools/call", params).await?);
            sent += 1;
        }
        if let Some(id) = ids.pop_front() {
            let answer = child.answer(id).await?;
            let good = answer.as_ref().is_ok_and(|result| result["isError"] != true);
            ensure!(good, "a call was lost: {answer:?}");
        }
    }
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

/// Resident memory for connections on which nothing happens, and for sessions.
pub(crate) async fn idle(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let server = served(bed).await?;
    let mut first = Connection::open(server.address(), server.token()).await?;
    first.call("run_vql", json!({ "query": QUERY })).await?;
    let before = resident_kib(server.process_id())?;
    let mut silent = Vec::new();
    for _ in 0..IDLE {
        silent.push(TcpStream::connect(server.address()).await?);
    }
    // Each was accepted once a later one is answered.
    let mut last = Connection::open(server.address(), server.token()).await?;
    last.call("run_vql", json!({ "query": QUERY })).await?;
    let connected = resident_kib(server.process_id())?;
    let mut kept = Vec::new();
    for _ in 0..IDLE {
        let mut connection = Connection::open(server.address(), server.token()).await?;
        connection.call("vql_help", json!({ "topic": "now" })).await?;
        kept.push(connection);
    }
    let used = resident_kib(server.process_id())?;
    // Sessions of one token are bounded, so that more tokens begin them.
    for number in 0..IDLE / SESSIONS {
        let token = server.another_token(&bed.megaraptor, &format!("caller-{number}"))?;
        for _ in 0..SESSIONS {
            Connection::open(server.address(), &token).await?.begin_session().await?;
        }
    }
    let sessions = resident_kib(server.process_id())?;
    drop((silent, kept));
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let each = |more: f64| more / IDLE as f64;
    let row = |what: &str, more: f64| Row {
        what: format!("{IDLE} {what}, memory of each"),
        product: format!("{:.1} MiB", more / 1024.0),
        baseline: String::from("-"),
        result: format!("{:.1} KiB", each(more)),
        wanted: "reported",
        reached: true,
    };
    Ok(vec![
        row("silent connections", connected - before),
        row("kept connections after a call", used - connected),
        row("sessions", sessions - used),
    ])
}

//! Bad input and faults: each is answered as the protocol says, and nothing else happens.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Stage, ended_well};
use crate::mcp::{McpChild, outcome};
use crate::real::{Role, endless};
use crate::suite::Cases;

/// JSON-RPC's codes.
const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

pub(super) async fn run(cases: &mut Cases, stage: &Stage) {
    cases.case("malformed lines are answered and change nothing", malformed(stage)).await;
    cases.case("unknown methods and tools are answered with their code", unknown(stage)).await;
    cases.case("a text that would kill the server is not sent", deadly(stage)).await;
    cases.case("rows of 10 MB and odd values come through", odd_rows(stage)).await;
    cases.case("a slow call blocks no other and can be cancelled", cancelled(stage)).await;
    cases.case("64 calls at once are all answered", many(stage)).await;
}

async fn malformed(stage: &Stage) -> anyhow::Result<()> {
    let mut child = stage.ready(&[Role::Reader], &[]).await?;
    for (line, code) in [
        ("this is no JSON", PARSE_ERROR),
        ("{\"jsonrpc\":\"2.0\",\"id\":", PARSE_ERROR),
        ("[]", INVALID_REQUEST),
        ("{\"jsonrpc\":\"2.0\"}", INVALID_REQUEST),
        ("{\"id\":1}", INVALID_REQUEST),
        ("\u{0}\u{1}\u{7f}", PARSE_ERROR),
    ] {
        child.send_line(line).await?;
        let answer = child
            .next_where(|message| message.get("error").is_some())
            .await
            .with_context(|| format!("waiting for the answer to {line:?}"))?;
        let error = outcome(answer)?.err().context("no error")?;
        ensure!(error.code == code, "{line:?} was answered with {error:?}");
    }
    let tools = child.request("tools/list", json!({})).await?;
    ensure!(tools["tools"].is_array(), "{tools}");
    ended_well(child).await
}

async fn unknown(stage: &Stage) -> anyhow::Result<()> {
    let mut child = stage.ready(&[Role::Reader], &[]).await?;
    let id = child.send("no/such/method", json!({})).await?;
    let error = child.answer(id).await?.err().context("no error")?;
    ensure!(error.code == METHOD_NOT_FOUND, "{error:?}");

    let id = child.send("tools/call", json!({ "name": "no_such_tool", "arguments": {} })).await?;
    match child.answer(id).await? {
        Err(error) => ensure!(error.code == INVALID_PARAMS, "{error:?}"),
        Ok(result) => ensure!(result["isError"] == true, "{result}"),
    }
    let error = child.call_error("list_clients", json!({ "no_such_argument": 1 })).await?;
    ensure!(error.to_string().contains("no_such_argument"), "{error}");
    // A notification is not answered, whatever it says.
    child.notify("notifications/no_such", json!({})).await?;
    child.request("ping", json!({})).await?;
    ended_well(child).await
}

async fn deadly(stage: &Stage) -> anyhow::Result<()> {
    let mut child = stage.ready(&[Role::Reader], &[]).await?;
    for vql in ["SELECT * FROM clients() LIMIT 1.5", "SELECT * FROM x LIMIT 99999999999999999999"] {
        let error = child.call_error("run_vql", json!({ "query": vql })).await?;
        ensure!(error.to_string().contains("LIMIT"), "{error}");
        ensure!(!stage.server.log_text()?.contains(vql), "it was sent");
    }
    child.call_ok("run_vql", json!({ "query": "SELECT 1 AS A FROM scope()" })).await?;
    ended_well(child).await
}

async fn odd_rows(stage: &Stage) -> anyhow::Result<()> {
    let mut child = stage.ready(&[Role::Reader], &[]).await?;
    let exact = child
        .call_ok("run_vql", json!({ "query": "SELECT 9007199254740993 AS Big FROM scope()" }))
        .await?;
    ensure!(exact.to_string().contains("9007199254740993"), "an integer lost digits: {exact}");
    let vql = "SELECT format(format='%c%c%c', args=[0x202E, 0x1B, 0x200B]) AS Hostile FROM scope()";
    let hostile = child.call("run_vql", json!({ "query": vql })).await?.to_string();
    for sign in ['\u{202e}', '\u{1b}', '\u{200b}'] {
        ensure!(!hostile.contains(sign), "{sign:?} came through unescaped: {hostile}");
    }
    let vql = "SELECT join(array=repeat, sep='') AS Large FROM foreach(row={ \
               SELECT split(string=regex_replace(source=format(format='%01000000d', args=1), \
               re='0', replace='0123456789'), sep='1') AS repeat FROM scope() })";
    let large = child.call("run_vql", json!({ "query": vql })).await?;
    // Answers are bounded: what is left out is said.
    let size = large.to_string().len();
    ensure!(size < 1 << 20, "an answer of {size} bytes");
    let warnings = large["structuredContent"]["warnings"].to_string();
    ensure!(large["isError"] != true && warnings.contains("cut"), "no word of it: {large}");
    let begins = large["structuredContent"]["rows"][0]["Large"].as_str().unwrap_or_default();
    ensure!(begins.starts_with("023456789"), "not what was asked for: {begins}");
    ended_well(child).await
}

async fn cancelled(stage: &Stage) -> anyhow::Result<()> {
    endless::define(&stage.server).await?;
    // A reader may not run the artifact in which the endless query stands.
    let mut child = stage
        .ready(&[Role::Administrator], &["--policy", "collect=allow", "--policy", "respond=allow"])
        .await?;
    let arguments = json!({ "query": endless::QUERY, "timeout": 60 });
    let params = json!({ "name": "run_vql", "arguments": arguments });
    let slow = child.send("tools/call", params).await?;
    // Cancelling what never ran would prove nothing.
    stage.server.wait_running(endless::WORD, true).await?;
    let quick = child.call_ok("run_vql", json!({ "query": "SELECT 1 AS A FROM scope()" })).await?;
    ensure!(quick["rows"] == json!([{ "A": 1 }]), "{quick}");
    child.notify("notifications/cancelled", json!({ "requestId": slow, "reason": "test" })).await?;
    stage.server.wait_running(endless::WORD, false).await?;
    child.request("ping", json!({})).await?;
    // A cancelled request is not answered; an answer that was on its way is no fault.
    for message in child.unclaimed() {
        ensure!(message["id"] == slow, "unasked: {message}");
    }
    let status = child.close().await?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

async fn many(stage: &Stage) -> anyhow::Result<()> {
    let mut child = stage.ready(&[Role::Reader], &[]).await?;
    let mut sent = Vec::new();
    for number in 0..64 {
        let vql = format!("SELECT {number} AS Number FROM scope()");
        let params = json!({ "name": "run_vql", "arguments": { "query": vql } });
        sent.push((number, child.send("tools/call", params).await?));
    }
    for (number, id) in sent {
        let result = own_answer(&mut child, id).await?;
        ensure!(result["structuredContent"]["rows"] == json!([{ "Number": number }]), "{result}");
    }
    ended_well(child).await
}

async fn own_answer(child: &mut McpChild, id: u64) -> anyhow::Result<Value> {
    child.answer(id).await?.map_err(|error| anyhow::anyhow!("{error:?}"))
}

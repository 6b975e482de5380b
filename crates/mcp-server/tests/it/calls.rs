//! Calls that take their time: progress, cancellation, clients that go away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::simulated::looking;

/// A query that never ends by itself.
fn endless(token: Option<&str>) -> Value {
    let arguments = json!({ "query": "SELECT * FROM clock(period=1)", "timeout": 600 });
    let mut params = json!({ "name": "run_vql", "arguments": arguments });
    if let Some(token) = token {
        params["_meta"] = json!({ "progressToken": token });
    }
    params
}

#[tokio::test]
async fn d12_a_long_call_tells_its_progress_in_growing_steps() {
    let mut wire = looking().await;
    let id = wire.send("tools/call", endless(Some("t1"))).await;
    let mut last = -1.0;
    for _ in 0..3 {
        let note = wire.find(|message| message["method"] == "notifications/progress").await;
        let params = &note["params"];
        assert_eq!(params["progressToken"], "t1");
        let progress = params["progress"].as_f64().expect("a number");
        assert!(progress > last, "{progress} after {last}");
        assert!(params["message"].as_str().expect("text").contains(" s"), "{params}");
        last = progress;
    }
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": { "requestId": id, "reason": "enough" } });
    wire.line(cancel.to_string()).await;
    wire.ask("ping", json!({})).await;
}

#[tokio::test]
async fn a_cancelled_call_is_not_answered_and_its_id_cannot_be_used_again() {
    let mut wire = looking().await;
    let id = wire.send("tools/call", endless(None)).await;
    wire.ask("ping", json!({})).await;
    let again = json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": { "requestId": id } });
    for line in [&again, &cancel, &again] {
        wire.line(line.to_string()).await;
    }
    for _ in 0..2 {
        let refused = wire.find(|message| message.get("error").is_some()).await;
        assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(-32600), &Value::Null));
    }
    let (last, ended) = wire.close().await;
    assert_eq!((last, ended), (Vec::new(), Ok(())));
}

#[tokio::test]
async fn a_call_without_a_token_tells_nothing() {
    let mut wire = looking().await;
    let arguments = json!({ "query": "SELECT * FROM clock(period=1)", "timeout": 2 });
    wire.call("run_vql", arguments).await;
    assert_eq!(wire.kept(), &[] as &[Value]);
}

#[tokio::test]
async fn a_client_that_disappears_ends_serving_within_seconds() {
    let mut wire = looking().await;
    wire.send("tools/call", endless(None)).await;
    wire.ask("ping", json!({})).await;
    let begun = Instant::now();
    let (last, ended) = wire.close().await;
    assert_eq!(ended, Ok(()));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // The call ended as cancelled; nothing but its answer came after the end.
    assert!(last.len() <= 1, "{last:?}");
}

#[tokio::test]
async fn d14_a_call_that_takes_long_holds_up_no_other() {
    // One thread serves it all: a call that blocked it would block what comes after.
    let mut wire = looking().await;
    let slow = wire.send("tools/call", endless(None)).await;
    wire.ask("ping", json!({})).await;
    let quick = json!({ "query": "SELECT 1 AS A FROM scope()" });
    assert_eq!(wire.call("run_vql", quick).await["rows"], json!([{ "A": 1 }]));
    wire.ask("tools/list", json!({})).await;
    assert_eq!(wire.kept(), &[] as &[Value], "the slow call runs still");
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": { "requestId": slow } });
    wire.line(cancel.to_string()).await;
    wire.ask("ping", json!({})).await;
}

#[tokio::test]
async fn sixty_four_calls_at_once_are_all_answered() {
    let mut wire = looking().await;
    let call = json!({ "name": "run_vql", "arguments": { "query": "SELECT whoami() AS Me FROM scope()" } });
    let mut ids = Vec::new();
    for _ in 0..64 {
        ids.push(wire.send("tools/call", call.clone()).await);
    }
    for id in ids {
        let answer = wire.find(|message| message["id"] == id).await;
        assert_eq!(answer["result"]["structuredContent"]["returned"], 1, "{answer}");
    }
}

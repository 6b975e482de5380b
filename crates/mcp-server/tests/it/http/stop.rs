//! Serving ends: calls at work finish, within bounds, and nothing new is taken.

use std::time::Duration;

use axum::http::StatusCode;
use mcp_server::http::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::served::{Served, Setting};
use super::workbench::Workbench;

#[tokio::test]
async fn a_call_at_work_finishes_and_a_stream_ends() {
    let (handlers, mut reins) = Workbench::new();
    let served = Served::start(handlers, Setting::default()).await;
    let alice = served.client("alice");
    let session = served.client("bob").initialized("2025-11-25").await;
    let idle = tokio::spawn({
        let session = session.clone();
        async move { session.get("/mcp").await }
    });
    let (one, two) = (alice.clone(), session.clone());
    let calls = [
        tokio::spawn(async move { one.call("wait", json!({})).await }),
        tokio::spawn(async move {
            let wait = json!({ "name": "wait", "arguments": {} });
            two.exchange("tools/call", wait).await.answer()["result"].take()
        }),
    ];
    assert_eq!((reins.seen().await, reins.seen().await), ("begun", "begun"));
    let mut kept = TcpStream::connect(served.address).await.unwrap();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answered = [0; 12];
    kept.read_exact(&mut answered).await.unwrap();
    assert_eq!(&answered, b"HTTP/1.1 200");

    served.stop.soon.cancel();
    let stream = idle.await.unwrap();
    // It was open, or it came too late to be opened.
    assert!(
        [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&stream.status),
        "{stream:?}"
    );
    // The port is free again while the calls are at work.
    let refused = async {
        while TcpStream::connect(served.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::client::PATIENCE, refused).await.expect("nothing new is taken");
    reins.let_go();
    reins.let_go();
    for call in calls {
        assert_eq!(call.await.unwrap()["content"][0]["text"], "done");
    }
    served.ended().await;
    super::client::to_end(kept).await;
}

#[tokio::test]
async fn a_call_beyond_the_grace_is_cancelled() {
    let (handlers, mut reins) = Workbench::new();
    let limits = Limits { grace: Duration::from_millis(50), ..Limits::default() };
    let served = Served::start(handlers, Setting { limits, ..Setting::default() }).await;
    let alice = served.client("alice");
    let wait = json!({ "name": "wait", "arguments": {} });
    let session = served.client("bob").initialized("2025-11-25").await;
    let calls = [
        tokio::spawn({
            let wait = wait.clone();
            async move { alice.ask("tools/call", wait).await.status }
        }),
        tokio::spawn(async move { session.exchange("tools/call", wait).await.status }),
    ];
    assert_eq!((reins.seen().await, reins.seen().await), ("begun", "begun"));
    served.stop.soon.cancel();
    let mut seen = [reins.seen().await, reins.seen().await];
    seen.sort_unstable();
    assert_eq!(seen, ["was cancelled", "was cancelled"]);
    served.ended().await;
    for call in calls {
        call.abort();
    }
}

#[tokio::test]
async fn a_second_request_to_stop_does_not_wait() {
    let (handlers, mut reins) = Workbench::new();
    let limits = Limits { grace: Duration::from_secs(3600), ..Limits::default() };
    let served = Served::start(handlers, Setting { limits, ..Setting::default() }).await;
    let alice = served.client("alice");
    let wait = json!({ "name": "wait", "arguments": {} });
    let call = tokio::spawn(async move { alice.ask("tools/call", wait).await.status });
    assert_eq!(reins.seen().await, "begun");
    served.stop.soon.cancel();
    served.stop.now.cancel();
    assert_eq!(reins.seen().await, "was cancelled");
    served.ended().await;
    call.abort();
}

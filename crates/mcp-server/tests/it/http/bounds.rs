//! Callers that want too much, too slowly, or all at once.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::stream;
use mcp_server::http::Limits;
use mcp_server::services::Services;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{raw, to_end};
use super::served::{Served, Setting};
use super::workbench::Workbench;

fn limited(change: impl FnOnce(&mut Limits)) -> Setting {
    let mut limits = Limits::default();
    change(&mut limits);
    Setting { limits, ..Setting::default() }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off_and_others_are_served_meanwhile() {
    let setting = limited(|limits| limits.head_time = Duration::from_millis(300));
    let served = Served::product(Services::default(), setting).await;
    let mut slow = TcpStream::connect(served.address).await.unwrap();
    slow.write_all(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: ").await.unwrap();
    let silent = TcpStream::connect(served.address).await.unwrap();
    let alice = served.client("alice");
    assert_eq!(alice.ask("tools/list", json!({})).await.status, StatusCode::OK);
    let end = to_end(slow).await;
    assert!(end.is_empty() || end.starts_with("HTTP/1.1 408"), "{end}");
    to_end(silent).await;
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up() {
    let setting = limited(|limits| limits.body_time = Duration::from_millis(50));
    let served = Served::product(Services::default(), setting).await;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        served.address,
        served.token("alice", super::served::everything()),
    );
    let reply = raw(served.address, head.as_bytes()).await;
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
}

#[tokio::test]
async fn a_body_of_100_megabytes_is_refused_announced_or_not() {
    let served = Served::product(Services::default(), Setting::default()).await;
    let alice = served.client("alice");
    let head = |length: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{length}\r\n\r\n",
            served.address,
            alice.token.as_deref().unwrap(),
        )
    };
    // Refused before the first byte of it.
    let reply = raw(served.address, head("Content-Length: 100000000").as_bytes()).await;
    assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
    assert!(reply.ends_with("a message is longer than 8 MiB"), "{reply}");

    let (mut read, mut write) = TcpStream::connect(served.address).await.unwrap().into_split();
    write.write_all(head("Transfer-Encoding: chunked").as_bytes()).await.unwrap();
    let sending = tokio::spawn(async move {
        let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
        let mut sent = 0;
        while sent < 100 && write.write_all(&chunk).await.is_ok() {
            sent += 1;
        }
        sent
    });
    let reply = to_end(&mut read).await;
    // The answer may be lost with the connection; the rest of the body is not taken either way.
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 413 "), "{reply}");
    let sent = sending.await.unwrap();
    assert!(sent < 100, "all {sent} MB were taken");

    let long = |n: usize| format!("{{\"x\":\"{}\"}}", "x".repeat(n));
    let parts = long(9 << 20).into_bytes();
    let chunks: Vec<_> = parts.chunks(1 << 16).map(Bytes::copy_from_slice).collect();
    let body = Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)));
    assert_eq!(alice.post(body).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(alice.post(long(7 << 20)).await.status, StatusCode::BAD_REQUEST);
}

/// A connection that was answered, and so has its place. Asks until there is one.
async fn placed(address: SocketAddr) -> TcpStream {
    let asked = async {
        loop {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            let mut start = [0; 12];
            let ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
            let answered =
                stream.write_all(ask).await.is_ok() && stream.read_exact(&mut start).await.is_ok();
            if answered && &start == b"HTTP/1.1 200" {
                return stream;
            }
        }
    };
    tokio::time::timeout(super::client::PATIENCE, asked).await.expect("there is a place")
}

#[tokio::test]
async fn a_thousand_idle_connections_leave_room_for_one_more_and_not_for_two() {
    let setting = limited(|limits| limits.connections = 1001);
    let served = Served::product(Services::default(), setting).await;
    let alice = served.client("alice");
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(TcpStream::connect(served.address).await.unwrap());
    }
    assert_eq!(alice.ask("tools/list", json!({})).await.status, StatusCode::OK);
    // The place of the call before comes back as soon as the server has seen it left.
    let last = placed(served.address).await;
    let full = to_end(TcpStream::connect(served.address).await.unwrap()).await;
    assert!(full.starts_with("HTTP/1.1 503 "), "{full}");
    assert!(full.contains("Retry-After: 5\r\n"), "{full}");
    drop(idle);
    drop(last);
    placed(served.address).await;
    assert_eq!(alice.ask("tools/list", json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_token_at_its_limits_takes_nothing_from_another() {
    let (handlers, mut reins) = Workbench::new();
    let setting = limited(|limits| limits.calls_at_once = 2);
    let served = Served::start(handlers, setting).await;
    let (alice, bob) = (served.client("alice"), served.client("bob"));
    let wait = |client: super::client::Client| {
        tokio::spawn(async move { client.call("wait", json!({})).await })
    };
    let held = [wait(alice.clone()), wait(alice.clone())];
    assert_eq!((reins.seen().await, reins.seen().await), ("begun", "begun"));
    let call = json!({ "name": "who", "arguments": {} });
    let refused = alice.ask("tools/call", call.clone()).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(bob.ask("tools/call", call.clone()).await.status, StatusCode::OK);
    reins.let_go();
    reins.let_go();
    for call in held {
        assert_eq!(call.await.unwrap()["content"][0]["text"], "done");
    }
    assert_eq!(alice.ask("tools/call", call).await.status, StatusCode::OK);
}

#[tokio::test]
async fn more_requests_than_the_rate_are_told_when_to_come_again() {
    let setting = limited(|limits| {
        // One in a long while after the first two: the test is over before.
        limits.calls_per_second = 1;
        limits.burst = 2;
    });
    let served = Served::product(Services::default(), setting).await;
    let alice = served.client("alice");
    let mut statuses = Vec::new();
    let mut wait = String::new();
    for _ in 0..20 {
        let reply = alice.ask("tools/list", json!({})).await;
        statuses.push(reply.status);
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            wait = reply.header("retry-after").to_owned();
            break;
        }
    }
    assert_eq!(statuses[..2], [StatusCode::OK, StatusCode::OK]);
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
    assert_eq!(wait, "1");
    let bob = served.client("bob").ask("tools/list", json!({})).await;
    assert_eq!(bob.status, StatusCode::OK);
}

#[tokio::test]
async fn too_many_sessions_of_a_token_end_the_one_used_longest_ago() {
    let setting = limited(|limits| limits.sessions = 2);
    let served = Served::product(Services::default(), setting).await;
    let alice = served.client("alice");
    let first = alice.initialized("2025-11-25").await;
    let second = alice.initialized("2025-11-25").await;
    assert_eq!(first.exchange("ping", json!({})).await.status, StatusCode::OK);
    let third = alice.initialized("2025-11-25").await;
    let of = async |client: &super::client::Client| client.exchange("ping", json!({})).await.status;
    assert_eq!(of(&second).await, StatusCode::NOT_FOUND);
    assert_eq!((of(&first).await, of(&third).await), (StatusCode::OK, StatusCode::OK));
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_its_stateless_call() {
    let (handlers, mut reins) = Workbench::new();
    let served = Served::start(handlers, Setting::default()).await;
    let alice = served.client("alice");
    let call = tokio::spawn(async move { alice.call("wait", json!({})).await });
    assert_eq!(reins.seen().await, "begun");
    call.abort();
    assert_eq!(reins.seen().await, "was cancelled");
}

//! The protocol over HTTP: both generations, and every kind of rubbish.

use axum::body::Body;
use axum::http::StatusCode;
use mcp_server::services::{Services, Switches};
use serde_json::{Value, json};

use super::served::{Served, Setting};
use super::workbench::Workbench;
use crate::simulated;

#[tokio::test]
async fn every_revision_with_a_handshake_is_spoken_in_a_session() {
    let services = simulated::services(Switches::default(), &[]);
    let served = Served::product(services, Setting::default()).await;
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = served.client(&format!("c{revision}")).initialized(revision).await;
        let listed = client.exchange("tools/list", json!({})).await.answer();
        assert!(!listed["result"]["tools"].as_array().expect("tools").is_empty(), "{revision}");
        let call = json!({ "name": "list_clients", "arguments": { "limit": 3 } });
        let answer = client.exchange("tools/call", call).await.answer();
        assert_eq!(answer["result"]["structuredContent"]["returned"], 3, "{revision}: {answer}");
        assert_eq!(client.method("DELETE").await.status, StatusCode::ACCEPTED);
        let gone = client.exchange("tools/list", json!({})).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND, "{revision}");
    }
}

#[tokio::test]
async fn the_stateless_revision_needs_neither_handshake_nor_session() {
    let services = simulated::services(Switches::default(), &[]);
    let served = Served::product(services, Setting::default()).await;
    let client = served.client("alice");
    let found = client.ask("server/discover", json!({})).await;
    assert_eq!(found.header("mcp-session-id"), "");
    let found = found.answer();
    let versions = found["result"]["supportedVersions"].as_array().expect("versions");
    assert!(versions.contains(&json!(crate::wire::STATELESS)), "{found}");
    let result = client.call("list_clients", json!({ "limit": 2 })).await;
    assert_eq!(result["structuredContent"]["returned"], 2, "{result}");
    let read = client.ask("resources/list", json!({})).await.answer();
    assert!(!read["result"]["resources"].as_array().expect("resources").is_empty());
}

#[tokio::test]
async fn rubbish_is_refused_as_rubbish_and_the_next_request_is_served() {
    let served = Served::product(Services::default(), Setting::default()).await;
    let client = served.client("alice");
    for (body, code, id) in [
        ("{ this is no JSON", -32700, Value::Null),
        ("", -32700, Value::Null),
        ("\"text\"", -32600, Value::Null),
        ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":70}"#, -32600, json!(70)),
        (r#"{"jsonrpc":"2.0","id":73,"method":"tools/call","params":[]}"#, -32602, json!(73)),
    ] {
        let reply = client.post(body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body}: {reply:?}");
        let message = reply.messages().pop().expect("a message");
        assert_eq!(message["error"]["code"], code, "{body}: {message}");
        assert_eq!(message.get("id").cloned().unwrap_or_default(), id, "{body}: {message}");
    }
    let reply = client.post(Body::from(&b"\xff\xfe{"[..])).await;
    assert_eq!(reply.messages()[0]["error"]["code"], -32700);
    let broken = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":7}"#;
    assert_eq!(client.post(broken).await.status, StatusCode::ACCEPTED);
    assert_eq!(client.ask("tools/list", json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_http_itself_forbids_has_its_own_status() {
    let served = Served::product(Services::default(), Setting::default()).await;
    let client = served.client("alice");
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (name, value, status) in [
        ("content-type", "text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("content-type", "application/jsonp", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("accept", "application/json", StatusCode::NOT_ACCEPTABLE),
        ("accept", "text/html", StatusCode::NOT_ACCEPTABLE),
        ("accept", "text/event-stream;q=0, application/json", StatusCode::NOT_ACCEPTABLE),
        ("mcp-protocol-version", "1999-01-01", StatusCode::BAD_REQUEST),
        ("mcp-session-id", "no-such-session", StatusCode::NOT_FOUND),
    ] {
        let reply = client.with(name, value).post(ping).await;
        assert_eq!(reply.status, status, "{name}: {value}: {reply:?}");
    }
    for method in ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE"] {
        let status = client.method(method).await.status;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    let mismatch = client.with("mcp-name", "run_vql").with("mcp-method", "tools/call");
    let mismatch = mismatch.ask("tools/list", json!({})).await;
    assert_eq!(mismatch.status, StatusCode::OK, "the later header wins: {mismatch:?}");
}

#[tokio::test]
async fn a_revision_that_is_not_spoken_is_refused_with_those_that_are() {
    let served = Served::product(Services::default(), Setting::default()).await;
    let mut params = crate::wire::stateless(json!({}));
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2999-01-01");
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params });
    let client = served.client("alice").with("mcp-protocol-version", "2999-01-01");
    let client = client.with("mcp-method", "tools/list");
    let reply = client.post(message.to_string()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
    let error = reply.messages()[0]["error"].clone();
    let supported = error["data"]["supported"].as_array().expect("the supported versions");
    assert!(supported.contains(&json!(crate::wire::STATELESS)), "{error}");
}

#[tokio::test]
async fn a_panic_is_answered_and_the_next_call_is_served() {
    let (handlers, _reins) = Workbench::new();
    let served = Served::start(handlers, Setting::default()).await;
    let stateless = served.client("alice");
    let fail = json!({ "name": "fail", "arguments": {} });
    let who = json!({ "name": "who", "arguments": {} });
    let session = served.client("bob").initialized("2025-11-25").await;
    for answer in [
        stateless.ask("tools/call", fail.clone()).await.answer(),
        session.exchange("tools/call", fail).await.answer(),
    ] {
        assert_eq!(answer["error"]["code"], -32603, "{answer}");
    }
    let text = |answer: Value| answer["result"]["content"][0]["text"].clone();
    let answer = stateless.ask("tools/call", who.clone()).await.answer();
    assert_eq!(text(answer), r#"http alice Some(("wire", "1")) false"#);
    let answer = session.exchange("tools/call", who).await.answer();
    assert_eq!(text(answer), r#"http bob Some(("raw", "7")) false"#);
}

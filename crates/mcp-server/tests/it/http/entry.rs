//! Who is let in.

use axum::http::StatusCode;
use mcp_server::services::Services;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client::{Client, raw, to_end};
use super::served::{Served, Setting, everything};
use crate::gateway::approver;

async fn product() -> Served {
    Served::product(Services::default(), Setting::default()).await
}

#[tokio::test]
async fn without_a_token_nothing_is_answered_on_loopback_either() {
    let served = product().await;
    let stranger = served.stranger();
    for reply in [
        stranger.ask("server/discover", json!({})).await,
        stranger.exchange("initialize", json!({})).await,
        stranger.post("rubbish").await,
        stranger.get("/mcp").await,
        stranger.method("DELETE").await,
        stranger.method("OPTIONS").await,
        stranger.with("authorization", "Basic YTpi").ask("tools/list", json!({})).await,
    ] {
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{reply:?}");
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"megaraptor\"");
        assert!(!reply.body.contains("jsonrpc"), "{reply:?}");
    }
    let token = served.token("alice", everything());
    let in_address = stranger.get(&format!("/mcp?token={token}")).await;
    assert_eq!(in_address.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_wrong_an_expired_and_a_revoked_token_are_told_apart_to_their_holder() {
    let served = product().await;
    let good = served.token("alice", everything());
    let expired = served.expired_token("bob");
    let revoked = served.token("carol", everything());
    let carol = Client::new(served.address, Some(&revoked));
    assert_eq!(carol.ask("tools/list", json!({})).await.status, StatusCode::OK);
    served.store.revoke("carol", jiff::Timestamp::now(), approver(), &served.audit).unwrap();
    for (token, why) in [
        ("mgr_0000", "the token is unknown"),
        (&good[..good.len() - 1], "the token is unknown"),
        (&expired, "the token has expired"),
        (&revoked, "the token was revoked"),
    ] {
        let reply = Client::new(served.address, Some(token)).ask("tools/list", json!({})).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{why}");
        let challenge = reply.header("www-authenticate");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        assert!(challenge.contains(&format!("error_description=\"{why}\"")), "{challenge}");
    }
    let alice = Client::new(served.address, Some(&good));
    assert_eq!(alice.ask("tools/list", json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_is_revoked_loses_its_open_stream_and_its_session() {
    let served = product().await;
    let alice = served.client("alice").initialized("2025-11-25").await;
    let bob = served.client("bob").initialized("2025-11-25").await;
    let (stream, ()) = tokio::join!(alice.get("/mcp"), async {
        // The stream is open when the session's next answer comes.
        assert_eq!(alice.exchange("ping", json!({})).await.status, StatusCode::OK);
        served.store.revoke("alice", jiff::Timestamp::now(), approver(), &served.audit).unwrap();
    });
    // It ended: a stream that does not is waited for in vain.
    assert!([StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&stream.status), "{stream:?}");
    assert_eq!(alice.exchange("ping", json!({})).await.status, StatusCode::UNAUTHORIZED);
    let again = Client::new(served.address, Some(&served.token("alice", everything())));
    let again = again.within(alice.session.as_deref().unwrap());
    assert_eq!(again.exchange("ping", json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.exchange("ping", json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_of_another_token_does_not_exist() {
    let served = product().await;
    let alice = served.client("alice").initialized("2025-11-25").await;
    let mallory = served.client("mallory").within(alice.session.as_deref().unwrap());
    for reply in [
        mallory.exchange("tools/list", json!({})).await,
        mallory.post(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).await,
        mallory
            .post(
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#,
            )
            .await,
        mallory.get("/mcp").await,
        mallory.with("last-event-id", "0").get("/mcp").await,
    ] {
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{reply:?}");
    }
    mallory.method("DELETE").await;
    assert_eq!(alice.exchange("tools/list", json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_rebound_host_and_a_foreign_origin_are_refused_before_the_token_is_looked_at() {
    let setting = Setting {
        hosts: vec!["ir.example:443".into()],
        origins: vec!["https://ui.example".into()],
        ..Setting::default()
    };
    let served = Served::product(Services::default(), setting).await;
    let port = served.address.port();
    for client in [served.client("alice"), served.stranger()] {
        for (name, value) in [
            ("host", "evil.example".to_owned()),
            ("host", format!("evil.example:{port}")),
            ("host", "127.0.0.1:1".to_owned()),
            ("origin", "https://evil.example".to_owned()),
            ("origin", "null".to_owned()),
            ("origin", format!("https://127.0.0.1:{port}")),
            ("origin", "http://127.0.0.1:1".to_owned()),
        ] {
            let reply = client.with(name, &value).ask("tools/list", json!({})).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{name}: {value}");
            assert_eq!(reply.header("access-control-allow-origin"), "", "{name}: {value}");
        }
    }
    let alice = served.client("bob");
    for (name, value) in [
        ("host", format!("localhost:{port}")),
        ("host", format!("[::1]:{port}")),
        ("host", "ir.example".to_owned()),
        ("origin", "https://ui.example".to_owned()),
        ("origin", format!("http://127.0.0.1:{port}")),
        ("origin", format!("http://localhost:{port}")),
    ] {
        let reply = alice.with(name, &value).ask("tools/list", json!({})).await;
        assert_eq!(reply.status, StatusCode::OK, "{name}: {value}");
    }
    let lines = "POST /mcp HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n";
    for hosts in ["", "Host: localhost\r\nHost: localhost\r\n", "Host: a@localhost\r\n"] {
        let reply = raw(served.address, format!("{lines}{hosts}\r\n").as_bytes()).await;
        let refused = reply.starts_with("HTTP/1.1 403 ") || reply.starts_with("HTTP/1.1 400 ");
        assert!(refused, "{hosts:?}: {reply}");
    }
}

#[tokio::test]
async fn a_page_that_is_allowed_may_ask_and_read() {
    let origins = vec!["https://ui.example".into()];
    let served =
        Served::product(Services::default(), Setting { origins, ..Setting::default() }).await;
    let page = served.stranger().with("origin", "https://ui.example");
    let beforehand = page.method("OPTIONS").await;
    assert_eq!(beforehand.status, StatusCode::NO_CONTENT);
    let allowed = beforehand.header("access-control-allow-headers").to_lowercase();
    for header in ["authorization", "mcp-session-id", "mcp-protocol-version", "mcp-method"] {
        assert!(allowed.contains(header), "{header}: {allowed}");
    }
    let refused = page.ask("tools/list", json!({})).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    for reply in [beforehand, refused] {
        assert_eq!(reply.header("access-control-allow-origin"), "https://ui.example");
        assert_eq!(reply.header("vary"), "Origin");
    }
}

#[tokio::test]
async fn health_and_readiness_need_no_token_and_tell_no_details() {
    let served = product().await;
    for (path, body) in [("/healthz", "alive"), ("/readyz", "ready")] {
        let reply = served.stranger().with("host", "10.1.2.3:80").get(path).await;
        assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, body));
    }
    for path in ["/", "/mcp/", "/metrics", "/healthz/x"] {
        assert_eq!(served.stranger().get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let setting = Setting { not_ready: true, ..Setting::default() };
    let waiting = Served::product(Services::default(), setting).await;
    let reply = waiting.stranger().get("/readyz").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.body, "not ready");
    assert_eq!(waiting.stranger().get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_file_of_tokens_that_breaks_lets_nobody_in() {
    let served = product().await;
    let alice = served.client("alice");
    assert_eq!(alice.ask("tools/list", json!({})).await.status, StatusCode::OK);
    std::fs::write(served.store.path(), "{").unwrap();
    let reply = alice.ask("tools/list", json!({})).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
    assert!(!reply.body.contains("tokens.json"), "{reply:?}");
}

#[tokio::test]
async fn a_refusal_arrives_though_the_body_comes_later() {
    let served = product().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
        served.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Only once the head was judged can the body come too late.
    served.stranger().get("/healthz").await;
    stream.write_all(b"12345").await.unwrap();
    let reply = to_end(stream).await;
    assert!(reply.starts_with("HTTP/1.1 401 "), "{reply}");
}

//! The protocol: every revision, and every kind of rubbish, answered as it says.

use mcp_server::services::Services;
use serde_json::{Value, json};

use crate::simulated::read_only;
use crate::wire::{STATELESS, Wire, stateless};

fn no_server() -> Services {
    Services::default()
}

#[tokio::test]
async fn every_revision_with_a_handshake_is_spoken() {
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut wire = Wire::open(no_server());
        let result = wire.initialize(revision).await;
        assert_eq!(result["protocolVersion"], revision);
        assert_eq!(result["serverInfo"]["name"], "megaraptor");
        assert!(result["capabilities"]["tools"].is_object(), "{result}");
        let text = result["instructions"].as_str().expect("instructions");
        assert!(text.len() < 2048, "{} bytes", text.len());
        let listed = wire.ask("tools/list", json!({})).await;
        assert!(!listed["tools"].as_array().expect("tools").is_empty());
        let (_, ended) = wire.close().await;
        assert_eq!(ended, Ok(()));
    }
}

#[tokio::test]
async fn an_unknown_revision_is_answered_with_one_that_is_spoken() {
    let mut wire = Wire::open(no_server());
    assert_eq!(wire.initialize("1999-01-01").await["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn the_stateless_revision_needs_no_handshake() {
    let mut wire = Wire::open(no_server());
    let found = wire.ask("server/discover", stateless(json!({}))).await;
    let versions = found["supportedVersions"].as_array().expect("versions");
    assert!(versions.contains(&json!(STATELESS)), "{versions:?}");
    let listed = wire.ask("tools/list", stateless(json!({}))).await;
    assert!(!listed["tools"].as_array().expect("tools").is_empty());
    let error = wire.refused("tools/list", json!({})).await;
    assert_eq!(error["code"], -32602, "{error}");
}

#[tokio::test]
async fn rubbish_is_answered_and_the_connection_lives() {
    let mut wire = Wire::ready(no_server()).await;
    for (line, code, id) in [
        ("{ this is no JSON", -32700, Value::Null),
        ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", -32600, Value::Null),
        ("\"text\"", -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":70}"#, -32600, json!(70)),
        (r#"{"jsonrpc":"2.0","id":71,"method":"no/such"}"#, -32601, json!(71)),
        (
            r#"{"jsonrpc":"2.0","id":72,"method":"tools/call","params":{"arguments":7}}"#,
            -32602,
            json!(72),
        ),
        (r#"{"jsonrpc":"2.0","id":73,"method":"tools/call","params":[]}"#, -32602, json!(73)),
        (
            r#"{"jsonrpc":"2.0","id":74,"method":"tools/call","params":{"name":"no_such"}}"#,
            -32602,
            json!(74),
        ),
        (
            r#"{"jsonrpc":"2.0","id":75,"method":"tools/list","params":{"cursor":"x"}}"#,
            -32602,
            json!(75),
        ),
    ] {
        wire.line(line).await;
        let answer = wire.next().await.expect("an answer");
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        assert_eq!(answer["id"], id, "{line}: {answer}");
        assert!(answer["error"]["message"].is_string(), "{answer}");
    }
    wire.line([0xff, 0xfe, b'{']).await;
    assert_eq!(wire.next().await.expect("an answer")["error"]["code"], -32700);
    wire.ask("ping", json!({})).await;
}

#[tokio::test]
async fn notifications_and_responses_are_never_answered() {
    let mut wire = Wire::ready(no_server()).await;
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/no_such"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":"broken"}"#,
        r#"{"jsonrpc":"2.0","id":99,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#,
        "",
        "\r",
    ] {
        wire.line(line).await;
    }
    wire.ask("ping", json!({})).await;
    assert_eq!(wire.kept(), &[] as &[Value]);
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_and_the_next_is_served() {
    let mut wire = Wire::ready(no_server()).await;
    let mut line = br#"{"jsonrpc":"2.0","id":5,"method":"ping","params":{"x":""#.to_vec();
    line.resize(9 << 20, b'x');
    line.extend_from_slice(br#""}}"#);
    wire.line(line).await;
    let answer = wire.next().await.expect("an answer");
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    assert_eq!(answer["error"]["message"], "a message is longer than 8 MiB");
    wire.ask("ping", json!({})).await;
}

#[tokio::test]
async fn nothing_before_the_handshake_ends_the_conversation() {
    let mut wire = Wire::open(no_server());
    wire.line(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    wire.line(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
    wire.line("rubbish").await;
    assert_eq!(wire.next().await.expect("an answer")["error"]["code"], -32700);
    wire.ask("ping", json!({})).await;
    assert_eq!(wire.refused("tools/list", json!({})).await["code"], -32602);
    wire.line(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    assert_eq!(wire.initialize("2025-06-18").await["protocolVersion"], "2025-06-18");
    wire.ask("tools/list", json!({})).await;
}

#[tokio::test]
async fn a_client_that_says_nothing_and_goes_is_no_failure() {
    let (last, ended) = Wire::open(no_server()).close().await;
    assert_eq!((last, ended), (Vec::new(), Ok(())));
}

#[tokio::test]
async fn d12_a_tool_that_fails_says_so_as_a_result() {
    let mut wire = Wire::ready(no_server()).await;
    let call = json!({ "name": "list_clients", "arguments": {} });
    let result = wire.ask("tools/call", call).await;
    assert_eq!(result["isError"], true, "{result}");
    assert_eq!(result["structuredContent"]["error"]["code"], "unavailable");
    let text = result["content"][0]["text"].as_str().expect("text");
    assert!(text.starts_with("ERROR unavailable: no server is configured\nNEXT"), "{text}");
}

#[tokio::test]
async fn a_tool_that_is_switched_off_is_told_in_words() {
    let changing = mcp_server::tools::FAMILIES
        .iter()
        .flat_map(|family| family.tools)
        .find(|tool| tool.effect != mcp_server::tool::Effect::Read);
    let tool = changing.expect("a tool that changes something");
    let mut wire = Wire::ready(Services::new(Vec::new(), read_only())).await;
    let result = wire.ask("tools/call", json!({ "name": tool.name, "arguments": {} })).await;
    assert_eq!(result["structuredContent"]["error"]["code"], "denied", "{result}");
}

#[tokio::test]
async fn half_a_line_at_the_end_is_dropped_and_serving_ends() {
    let mut wire = Wire::ready(no_server()).await;
    wire.ask("ping", json!({})).await;
    wire.bytes(r#"{"jsonrpc":"2.0","id":9,"method":"pi"#).await;
    let (last, ended) = wire.close().await;
    assert_eq!((last, ended), (Vec::new(), Ok(())));
}

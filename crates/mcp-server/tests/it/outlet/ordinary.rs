//! Of ordinary data the filter has nothing to say: a note that is always there is read by nobody.

use mcp_server::services::Switches;
use serde_json::{Value, json};

use crate::simulated::{allowing, looking, services};
use crate::wire::Wire;

/// Nothing was said of it.
fn quiet(what: &str, message: &Value) {
    let data = &message["result"]["structuredContent"];
    assert!(data.is_object(), "{what}: {message}");
    assert_eq!(data["notes"], Value::Null, "{what}");
    assert!(!message.to_string().contains("[masked: "), "{what}: {message}");
}

async fn ask(wire: &mut Wire, tool: &str, arguments: Value) -> Value {
    let message =
        wire.exchange("tools/call", json!({ "name": tool, "arguments": arguments })).await;
    quiet(&format!("{tool} {arguments}"), &message);
    message["result"]["structuredContent"].clone()
}

#[tokio::test]
async fn no_definition_help_or_list_of_the_lab_has_a_note() {
    let mut wire = looking().await;
    let mut names = Vec::new();
    let mut wish = json!({ "limit": 200 });
    loop {
        let page = ask(&mut wire, "list_artifacts", wish.clone()).await;
        let artifacts = page["artifacts"].as_array().expect("artifacts");
        names.extend(artifacts.iter().filter_map(|a| a["name"].as_str()).map(str::to_owned));
        match &page["cursor"] {
            Value::String(cursor) => wish["cursor"] = json!(cursor),
            _ => break,
        }
    }
    assert!(names.len() >= 40, "{names:?}");
    for name in names {
        ask(&mut wire, "get_artifact", json!({ "name": name, "vql": true })).await;
    }
    ask(&mut wire, "vql_help", json!({})).await;
    let symbols = ask(
        &mut wire,
        "run_vql",
        json!({ "query": "SELECT name FROM help()", "max_rows": 10_000, "max_bytes": 1_000_000 }),
    )
    .await;
    for row in symbols["rows"].as_array().expect("rows") {
        ask(&mut wire, "vql_help", json!({ "topic": row["name"] })).await;
    }
    ask(&mut wire, "list_clients", json!({ "limit": 100 })).await;
    ask(&mut wire, "list_hunts", json!({})).await;
    for address in
        ["velociraptor://vql-guide", "velociraptor://server-info", "velociraptor://clients"]
    {
        let read = wire.ask("resources/read", json!({ "uri": address })).await;
        let text = read["contents"][0]["text"].as_str().expect("text").to_owned();
        let (filtered, notes) = guard::outlet::text(&text);
        assert!(notes.is_empty() && filtered == text, "{address}: {notes:?}");
    }
}

#[tokio::test]
async fn none_of_our_own_words_meets_a_rule() {
    let services = services(Switches::default(), &["root", "O4K2Q"]);
    let mut wire = Wire::open(services);
    let mut ours = vec![wire.initialize("2025-11-25").await];
    for method in ["tools/list", "resources/list", "resources/templates/list", "prompts/list"] {
        ours.push(wire.ask(method, json!({})).await);
    }
    for (name, given, words) in [
        ("investigate_endpoint", json!({ "client": "FIN-WS07" }), ("", &[""][..])),
        (
            "threat_hunt",
            json!({ "indicators": "a.exe" }),
            ("hunt_type", &["custom", "file", "process", "network", "registry", "persistence"][..]),
        ),
        (
            "triage_incident",
            json!({ "client": "FIN-WS07" }),
            ("incident_type", &["unknown", "malware", "intrusion", "data_exfil", "ransomware"][..]),
        ),
        ("malware_analysis", json!({ "client": "FIN-WS07", "target": "a.exe" }), ("", &[""][..])),
        ("lateral_movement", json!({ "scope": "all" }), ("timeframe", &["24h", "7d"][..])),
    ] {
        for word in words.1 {
            let mut arguments = given.clone();
            if !words.0.is_empty() {
                arguments[words.0] = json!(word);
            }
            let params = json!({ "name": name, "arguments": arguments });
            ours.push(wire.ask("prompts/get", params).await);
        }
    }
    for value in ours {
        super::texts(&value, &mut |text| {
            let (filtered, notes) = guard::outlet::text(text);
            assert!(notes.is_empty() && filtered == text, "{notes:?}: {text}");
        });
    }
}

#[tokio::test]
async fn a_usual_investigation_has_no_note() {
    let mut wire = Wire::ready(services(allowing(), &[])).await;
    for (host, artifacts) in [
        ("FIN-WS02", json!(["Windows.System.Pslist", "Windows.Network.NetstatEnriched"])),
        ("proxy-01", json!(["Linux.Sys.Pslist"])),
    ] {
        let wish = json!({ "clients": [host], "artifacts": artifacts, "wait": 60 });
        let made = ask(&mut wire, "collect_artifact", wish).await;
        let flow = made["outcomes"][0]["flow_id"].clone();
        let mut wish = json!({ "client": host, "flow_id": flow, "limit": 500 });
        ask(&mut wire, "get_flow_status", wish.clone()).await;
        ask(&mut wire, "get_client_info", json!({ "client": host })).await;
        ask(&mut wire, "list_flows", json!({ "client": host })).await;
        wish["max_kb"] = json!(500);
        ask(&mut wire, "get_flow_results", wish).await;
    }
}

//! Bounds: those of an argument, and those of a collection that it runs into.

use mcp_server::tool_error::Code;
use serde_json::{Value, json};

use crate::direct::{Direct, data};

const ROWS: &str = "Custom.Lab.Rows";

#[tokio::test]
async fn a_bound_that_is_none_is_named_with_its_value_and_range() {
    let lab = Direct::start();
    let collect =
        |name: &str, value: i64| json!({"clients": ["db-01"], "artifacts": [ROWS], name: value});
    let hunt = |name: &str, value: i64| json!({"artifacts": [ROWS], "description": "x", "limits": {name: value}});
    let mut cases = Vec::new();
    for name in ["timeout", "max_rows", "max_mb", "cpu_percent"] {
        for value in [0, -1] {
            cases.push(("collect_artifact", collect(name, value), name, value));
            cases.push(("create_hunt", hunt(name, value), name, value));
        }
    }
    cases.push(("collect_artifact", collect("wait", 601), "wait", 601));
    cases.push(("collect_artifact", collect("cpu_percent", 101), "cpu_percent", 101));
    for value in [0, -1] {
        let wish = json!({"artifacts": [ROWS], "description": "x", "expires_hours": value});
        cases.push(("create_hunt", wish, "expires_hours", value));
        let wish = json!({"hunt_id": "H.1", "expires_hours": value});
        cases.push(("modify_hunt", wish, "expires_hours", value));
        cases.push(("list_hunts", json!({"limit": value}), "limit", value));
        cases.push(("list_clients", json!({"limit": value}), "limit", value));
        let wish = json!({"client": "db-01", "flow_id": "F.A", "limit": value});
        cases.push(("get_flow_results", wish, "limit", value));
        for name in ["queue_hours", "wait"] {
            let wish = json!({"client": "LAPTOP-19", "action": "isolate", name: value});
            cases.push(("quarantine_client", wish, name, value));
        }
    }
    for (tool, wish, name, value) in cases {
        let error = lab.error(tool, wish.clone()).await;
        assert_eq!(error.code, Code::InvalidInput, "{tool} {wish}: {}", error.message);
        let said = format!("{name} is {value}, expected a whole number");
        assert!(error.message.contains(&said), "{tool} {wish}: {}", error.message);
    }
    let flows = lab.data("list_flows", json!({"client": "db-01"})).await;
    assert_eq!(flows["total"], 1, "nothing but the interrogation was started");
    assert_eq!(lab.data("list_hunts", json!({})).await["total"], 0);
}

#[tokio::test]
async fn a_collection_that_passes_max_rows_is_cut_and_not_called_empty() {
    let lab = Direct::start();
    let wish = json!({
        "clients": ["db-01"], "artifacts": [ROWS], "parameters": {ROWS: {"Count": 101}},
        "max_rows": 100, "wait": 30,
    });
    let done = lab.call("collect_artifact", wish).await.expect("an outcome");
    let outcome = &data(&done)["outcomes"][0];
    assert_eq!((&outcome["state"], &outcome["rows"]), (&json!("cut"), &json!(0)), "{outcome}");
    assert_eq!(data(&done)["state"], "partial");
    let reason = outcome["reason"].as_str().expect("a reason");
    for part in
        ["max_rows 100", "there may be more than was found", "101 rows were counted, 0 of them"]
    {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert!(!done.text.contains("first 0"), "{}", done.text);
    let flow = outcome["flow_id"].as_str().expect("a flow");
    let wish = json!({"client": "db-01", "flow_id": flow});
    let read = lab.call("get_flow_results", wish).await.expect("its rows");
    assert_eq!((&data(&read)["state"], &data(&read)["total"]), (&json!("partial"), &json!(0)));
    assert!(!read.text.contains("no row matches"), "nothing was filtered: {}", read.text);
    assert!(read.text.contains("101 rows were counted, 0 of them arrived"), "{}", read.text);
}

#[tokio::test]
async fn the_processor_limit_reaches_the_flow_and_the_hunt() {
    let lab = Direct::start();
    let wish = json!({
        "clients": ["db-01"], "artifacts": ["Custom.Lab.One"], "cpu_percent": 7, "wait": 30,
    });
    let first = lab.data("collect_artifact", wish.clone()).await;
    let again = lab.data("collect_artifact", wish).await;
    assert_eq!(again["outcomes"][0]["existing"], true, "the same limit is the same collection");
    let other = json!({"clients": ["db-01"], "artifacts": ["Custom.Lab.One"], "cpu_percent": 8});
    let other = lab.data("collect_artifact", other).await;
    assert_ne!(other["outcomes"][0]["flow_id"], first["outcomes"][0]["flow_id"]);
    let wish = json!({
        "artifacts": ["Custom.Lab.One"], "description": "slow", "limits": {"cpu_percent": 9},
    });
    let hunt = lab.data("create_hunt", wish).await;
    let flow = first["outcomes"][0]["flow_id"].as_str().expect("a flow");
    let client = first["outcomes"][0]["client_id"].as_str().expect("a client");
    let cpu = async |query: &str, env: Value| {
        let asked = lab.data("run_vql", json!({"query": query, "env": env})).await;
        asked["rows"][0]["Cpu"].clone()
    };
    let query = "SELECT request.cpu_limit AS Cpu FROM flows(client_id=Client, flow_id=Flow)";
    assert_eq!(cpu(query, json!({"Client": client, "Flow": flow})).await, 7);
    let query = "SELECT start_request.cpu_limit AS Cpu FROM hunts(hunt_id=Hunt)";
    assert_eq!(cpu(query, json!({"Hunt": hunt["hunt_id"]})).await, 9);
}

//! `detail` of lists and descriptions: counts without rows, the usual, every member.

use serde_json::{Map, Value, json};

use crate::direct::{Direct, data};

const HOST: &str = "db-01";

/// A server with flows of every end, and a hunt.
async fn busy() -> Direct {
    let lab = Direct::start();
    for artifact in ["Custom.Lab.One", "Custom.Lab.Hello", "Custom.Lab.Fail"] {
        let wish = json!({"clients": [HOST], "artifacts": [artifact], "wait": 30});
        lab.data("collect_artifact", wish).await;
    }
    let slow = json!({"clients": [HOST], "artifacts": ["Custom.Lab.Slow"], "wait": 0,
                      "parameters": {"Custom.Lab.Slow": {"Seconds": 100_000}}});
    let begun = lab.data("collect_artifact", slow).await;
    let flow = begun["outcomes"][0]["flow_id"].clone();
    lab.data("cancel_flow", json!({"client": HOST, "flow_id": flow})).await;
    let wish = json!({"artifacts": ["Custom.Lab.One"], "description": "made", "os": "linux"});
    lab.data("create_hunt", wish).await;
    lab
}

/// The summary of a list, whose rows are left out and whose total is that of the list.
async fn summary(lab: &Direct, tool: &str, list: &str, mut wish: Value) -> Value {
    let compact = lab.data(tool, wish.clone()).await;
    wish["detail"] = json!("summary");
    let answer = lab.call(tool, wish).await.expect("a summary");
    let mut found = data(&answer);
    assert_eq!(found["total"], compact["total"], "{tool}");
    assert_eq!(found[list], json!([]), "{tool}");
    assert_eq!((&found["state"], found.get("returned")), (&json!("complete"), None), "{tool}");
    assert!(answer.text.lines().count() > 1, "{}", answer.text);
    found.remove("summary").unwrap_or_else(|| panic!("{tool}: {found:?}"))
}

fn count(rows: &Map<String, Value>, list: &str, wanted: impl Fn(&Value) -> bool) -> usize {
    rows[list].as_array().expect("rows").iter().filter(|row| wanted(row)).count()
}

#[tokio::test]
async fn a_summary_agrees_with_a_count_of_the_rows() {
    let lab = busy().await;
    let all = lab.data("list_clients", json!({"limit": 1000})).await;
    let told = summary(&lab, "list_clients", "clients", json!({})).await;
    assert_eq!(told["clients"], all["total"]);
    assert_eq!(told["online"], count(&all, "clients", |client| client["online"] == true));
    for system in told["systems"].as_array().expect("systems") {
        let of = |client: &Value| client["os"] == system["os"];
        assert_eq!(system["clients"], count(&all, "clients", of), "{system}");
        let online = |client: &Value| of(client) && client["online"] == true;
        assert_eq!(system["online"], count(&all, "clients", online), "{system}");
    }
    for label in told["labels"].as_array().expect("labels") {
        let carries =
            |client: &Value| client["labels"].as_array().expect("labels").contains(&label["label"]);
        assert_eq!(label["clients"], count(&all, "clients", carries), "{label}");
    }
    assert!(!told["labels"].as_array().expect("labels").is_empty());
    let windows = summary(&lab, "list_clients", "clients", json!({"os": "windows"})).await;
    assert_eq!(windows["systems"].as_array().map(Vec::len), Some(1), "{windows}");

    let told = summary(&lab, "list_flows", "flows", json!({"client": HOST})).await;
    assert_eq!(told["states"], json!({"FINISHED": 3, "ERROR": 1, "CANCELLED": 1}), "{told}");
    assert_eq!(told["failed"][0]["artifacts"], json!(["Custom.Lab.Fail"]));
    assert_eq!(
        (&told["at_work"], told["artifacts"].as_array().map(Vec::len)),
        (&json!([]), Some(5))
    );
    let wish = json!({"client": HOST, "state": "cancelled"});
    let told = summary(&lab, "list_flows", "flows", wish).await;
    assert_eq!((&told["states"], &told["failed"]), (&json!({"CANCELLED": 1}), &json!([])));

    let told = summary(&lab, "list_hunts", "hunts", json!({})).await;
    assert_eq!((&told["states"], &told["running"]), (&json!({"PAUSED": 1}), &json!([])), "{told}");

    let all = lab.data("list_artifacts", json!({"limit": 500})).await;
    let told = summary(&lab, "list_artifacts", "artifacts", json!({})).await;
    for of_type in told["types"].as_array().expect("types") {
        let of = |artifact: &Value| artifact["type"] == of_type["type"];
        assert_eq!(of_type["artifacts"], count(&all, "artifacts", of), "{of_type}");
        let custom = |artifact: &Value| of(artifact) && artifact["custom"] == true;
        assert_eq!(of_type["custom"], count(&all, "artifacts", custom), "{of_type}");
    }
}

#[tokio::test]
async fn nothing_counted_is_empty_and_says_what_there_would_be() {
    let lab = Direct::start();
    let wish = json!({"search": "nobody", "detail": "summary"});
    let found = lab.data("list_clients", wish).await;
    assert_eq!((&found["state"], &found["total"]), (&json!("empty"), &json!(0)));
    assert!(found["warnings"].to_string().contains("no match among the"), "{found:?}");
    for tool in ["list_clients", "list_hunts", "list_artifacts"] {
        let wish = json!({"detail": "summary", "cursor": "m1.AAAA"});
        let error = lab.error(tool, wish).await;
        assert!(error.message.contains("one page"), "{tool}: {}", error.message);
    }
}

#[tokio::test]
async fn full_has_every_member_page_by_page() {
    let lab = busy().await;
    for (tool, list, id, member, wish) in [
        ("list_clients", "clients", "client_id", "agent_information", json!({"limit": 4})),
        ("list_flows", "flows", "session_id", "query_stats", json!({"client": HOST, "limit": 2})),
        ("list_hunts", "hunts", "hunt_id", "start_request", json!({"limit": 1})),
        ("list_artifacts", "artifacts", "name", "sources", json!({"limit": 20})),
    ] {
        let key = if id == "session_id" { "flow_id" } else { id };
        let compact = ids(&lab, tool, list, key, wish.clone()).await;
        let mut full = wish.clone();
        full["detail"] = json!("full");
        assert_eq!(ids(&lab, tool, "records", id, full.clone()).await, compact, "{tool}");
        let page = lab.call(tool, full).await.expect("a page");
        let found = data(&page);
        let record = found["records"][0].as_object().expect("a record");
        assert!(record.contains_key(member), "{tool}: {record:?}");
        assert!(!record.keys().any(|name| name.starts_with("MR_")), "{tool}: {record:?}");
        assert_eq!(found[list], json!([]), "{tool}");
        assert!(page.text.contains(&format!("\n{id}")), "{tool}: {}", page.text);
    }
}

/// The ids on every page of a list.
async fn ids(lab: &Direct, tool: &str, list: &str, id: &str, mut wish: Value) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let page = lab.data(tool, wish.clone()).await;
        found.extend(page[list].as_array().expect("rows").iter().map(|row| row[id].clone()));
        match page.get("cursor") {
            Some(cursor) => wish["cursor"] = cursor.clone(),
            None => return found,
        }
    }
}

#[tokio::test]
async fn one_thing_is_told_short_or_whole() {
    let lab = busy().await;
    let short = |wish: &Value, detail: &str| {
        let mut wish = wish.clone();
        wish["detail"] = json!(detail);
        wish
    };
    let client = json!({"client": HOST});
    let told = lab.call("get_client_info", short(&client, "summary")).await.expect("a client");
    let found = data(&told);
    assert_eq!(found["flows"], json!([]));
    assert_eq!(found["flow_states"], json!({"FINISHED": 3, "ERROR": 1, "CANCELLED": 1}));
    assert!(told.text.contains("flows      5: 1 CANCELLED, 1 ERROR, 3 FINISHED"), "{}", told.text);
    let full = lab.data("get_client_info", short(&client, "full")).await;
    assert!(full["record"]["agent_information"].is_object(), "{full:?}");
    assert!(full["record"]["metadata"].is_object() && full["hostname"] == HOST, "{full:?}");

    let failed = lab.data("list_flows", json!({"client": HOST, "state": "error"})).await;
    let flow = json!({"client": HOST, "flow_id": failed["flows"][0]["flow_id"]});
    let told = lab.call("get_flow_status", short(&flow, "summary")).await.expect("a flow");
    let found = data(&told);
    assert_eq!((&found["queries"], &found["log"]), (&json!([]), &json!([])));
    assert_eq!(found["summary"]["queries"], json!({"GENERIC_ERROR": 1}), "{found:?}");
    assert!(told.text.contains("lab says no"), "{}", told.text);
    let full = lab.data("get_flow_status", short(&flow, "full")).await;
    assert_eq!(full["record"]["request"]["artifacts"], json!(["Custom.Lab.Fail"]), "{full:?}");
    assert!(!full["queries"].as_array().expect("queries").is_empty());

    let artifact = json!({"name": "Custom.Lab.Hello"});
    let told = lab.call("get_artifact", short(&artifact, "summary")).await.expect("a definition");
    let found = data(&told);
    assert_eq!((&found["parameters"], &found["sources"]), (&json!([]), &json!([])));
    let tables = json!(["Custom.Lab.Hello/One", "Custom.Lab.Hello/Two"]);
    assert_eq!(found["summary"]["tables"], tables);
    assert!(told.text.contains("parameters Word, Count, Flag"), "{}", told.text);
    let full = lab.data("get_artifact", short(&artifact, "full")).await;
    assert!(full["record"]["sources"][0]["query"].is_string(), "{full:?}");
}

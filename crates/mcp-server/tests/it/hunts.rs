//! `create_hunt`, `list_hunts`, `get_hunt_results`, `modify_hunt`.

use std::time::{Duration, Instant};

use mcp_server::tool_error::Code;
use serde_json::{Map, Value, json};

use crate::direct::{Direct, data};

/// Makes a hunt that must succeed; gives its id and the answer.
pub(crate) async fn create(lab: &Direct, wish: Value) -> (String, Map<String, Value>) {
    let made = lab.data("create_hunt", wish).await;
    let id = made["hunt_id"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned();
    (id, made)
}

/// Asks for coverage until it is as it should be.
pub(crate) async fn covered(
    lab: &Direct,
    hunt: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Map<String, Value> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = lab.data("get_hunt_results", json!({"hunt_id": hunt, "limit": 200})).await;
        if wanted(&found["coverage"]) {
            return found;
        }
        assert!(Instant::now() < deadline, "last seen: {}", found["coverage"]);
        tokio::task::yield_now().await;
    }
}

fn sum(coverage: &Value) -> u64 {
    let parts = [
        "hit",
        "none",
        "not_applicable",
        "not_known",
        "failed",
        "cancelled",
        "cut",
        "running",
        "never_scheduled",
    ];
    parts.iter().map(|part| coverage[part].as_u64().expect("a count")).sum()
}

#[tokio::test]
async fn d03_create_hunt_returns_the_hunt_id_and_nothing_runs_yet() {
    let lab = Direct::start();
    let wish = json!({"artifacts": ["Custom.Lab.Hello"], "description": "tried", "os": "linux"});
    let finished = lab.call("create_hunt", wish).await.expect("a hunt");
    let data = data(&finished);
    let id = data["hunt_id"].as_str().expect("an id");
    assert!(id.starts_with("H."), "{id}");
    assert_eq!(data["hunt_state"], "PAUSED");
    assert!(data["expires"].is_string());
    assert!(finished.text.contains("Nothing ran yet"), "{}", finished.text);
    let found = lab.data("get_hunt_results", json!({"hunt_id": id})).await;
    let coverage = &found["coverage"];
    assert_eq!(coverage["never_scheduled"], coverage["scope"], "{coverage}");
    assert_eq!(coverage["scope"], data["reaches"]);
    assert_ne!(found["state"], "empty", "nothing was looked at");
}

#[tokio::test]
async fn d04_changes_of_a_hunt_are_read_back() {
    let lab = Direct::start();
    let wish = json!({"artifacts": ["Custom.Lab.One"], "description": "before", "os": "linux"});
    let (id, _) = create(&lab, wish).await;
    let wish = json!({"hunt_id": id, "description": "after", "expires_hours": 3});
    let changed = lab.data("modify_hunt", wish).await;
    assert_eq!(
        (&changed["description"], &changed["hunt_state"]),
        (&json!("after"), &json!("PAUSED"))
    );
    for (action, state) in [("start", "RUNNING"), ("stop", "STOPPED"), ("start", "RUNNING")] {
        let changed = lab.data("modify_hunt", json!({"hunt_id": id, "action": action})).await;
        assert_eq!(changed["hunt_state"], state, "{action}");
    }
    let error =
        lab.error("modify_hunt", json!({"hunt_id": "H.NOSUCHHUNT", "action": "start"})).await;
    assert_eq!(error.code, Code::NotFound, "the server itself says that it started it");
}

#[tokio::test]
async fn d71_a_system_and_excluded_labels_both_hold() {
    let lab = Direct::start();
    let wish = json!({
        "artifacts": ["Custom.Lab.One"], "description": "both", "os": "windows",
        "exclude_labels": ["finance"], "start": true,
    });
    let (id, made) = create(&lab, wish).await;
    let windows = lab.data("list_clients", json!({"os": "windows"})).await;
    let finance = lab.data("list_clients", json!({"os": "windows", "labels": ["finance"]})).await;
    let count = |answer: &Map<String, Value>| answer["total"].as_u64().expect("a total");
    assert!(count(&finance) > 0);
    assert_eq!(made["reaches"], count(&windows) - count(&finance), "{made:?}");
    let found = covered(&lab, &id, |coverage| coverage["hit"].as_u64() > Some(3)).await;
    for client in finance["clients"].as_array().expect("clients") {
        let flows = lab.data("list_flows", json!({"client": client["client_id"]})).await;
        let hunted = flows["flows"].as_array().expect("flows").iter();
        let hunted = hunted.filter(|flow| flow["artifacts"] == json!(["Custom.Lab.One"])).count();
        assert_eq!(hunted, 0, "{client} was excluded; {:?}", found["coverage"]);
    }
    let wish = json!({
        "artifacts": ["Custom.Lab.One"], "description": "neither", "os": "windows",
        "include_labels": ["finance"],
    });
    match lab.call("create_hunt", wish).await {
        Err(error) => assert!(error.next_step.is_some() || !error.message.is_empty()),
        Ok(made) => assert_eq!(data(&made)["reaches"], count(&finance), "{}", made.text),
    }
}

#[tokio::test]
async fn a_host_whose_flow_was_cancelled_has_not_failed() {
    let lab = Direct::start();
    let slow = "Custom.Lab.Slow";
    let wish = json!({
        "artifacts": [slow], "parameters": {slow: {"Seconds": 100_000}}, "description": "slow",
        "clients": ["db-01", "FIN-WS07"], "start": true,
    });
    let (id, _) = create(&lab, wish).await;
    let flows = lab.data("list_flows", json!({"client": "db-01", "state": "running"})).await;
    let flow = flows["flows"][0]["flow_id"].clone();
    lab.data("cancel_flow", json!({"client": "db-01", "flow_id": flow})).await;
    let answer = lab.call("get_hunt_results", json!({"hunt_id": id})).await.expect("coverage");
    let found = data(&answer);
    let coverage = &found["coverage"];
    assert_eq!((&coverage["cancelled"], &coverage["failed"]), (&json!(1), &json!(0)), "{coverage}");
    assert_eq!(json!(sum(coverage)), coverage["scope"]);
    assert!(answer.text.contains("cancelled: db-01 (Cancelled by VQL query)"), "{}", answer.text);
    assert!(!answer.text.contains("failed"), "{}", answer.text);
    let listed = lab.data("list_flows", json!({"client": "db-01", "state": "cancelled"})).await;
    assert_eq!(listed["flows"][0]["flow_id"], flow);
    let failed = lab.data("list_flows", json!({"client": "db-01", "state": "error"})).await;
    assert_eq!(failed["total"], 0, "{failed:?}");
    let hunts = lab.data("list_hunts", json!({})).await;
    let counts = ["scheduled", "finished", "with_results", "with_errors"];
    let told = counts.map(|name| hunts["hunts"][0][name].as_u64().expect("a count"));
    assert_eq!(told, [2, 1, 1, 1], "the server calls it an error, and says so of its own count");
}

#[tokio::test]
async fn d72_hunts_are_filtered_before_they_are_limited() {
    let lab = Direct::start();
    let wish =
        |text: &str| json!({"artifacts": ["Custom.Lab.One"], "description": text, "os": "linux"});
    let (first, _) = create(&lab, wish("first")).await;
    lab.data("modify_hunt", json!({"hunt_id": first, "action": "start"})).await;
    for text in ["second", "third"] {
        create(&lab, wish(text)).await;
    }
    let running = lab.data("list_hunts", json!({"state": "RUNNING", "limit": 1})).await;
    assert_eq!(running["hunts"][0]["hunt_id"], json!(first), "{running:?}");
    assert_eq!(running["total"], 1);
    let all = lab.data("list_hunts", json!({})).await;
    let names: Vec<&str> = all["hunts"]
        .as_array()
        .expect("hunts")
        .iter()
        .filter_map(|hunt| hunt["description"].as_str())
        .collect();
    assert_eq!(names, ["third", "second", "first"], "newest first");
    assert!(all["hunts"][0]["expires"].is_string());
    let (mut paged, mut cursor) = (0, Value::Null);
    loop {
        let page = lab.data("list_hunts", json!({"limit": 2, "cursor": cursor})).await;
        paged += page["hunts"].as_array().expect("hunts").len();
        match page.get("cursor") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    assert_eq!(paged, 3);
}

#[tokio::test]
async fn d73_every_source_of_a_hunt_is_read_and_the_parts_sum_to_the_scope() {
    let lab = Direct::start();
    let wish = json!({
        "artifacts": ["Custom.Lab.Hello", "Custom.Lab.One"], "description": "all", "os": "linux",
        "start": true,
    });
    let (id, _) = create(&lab, wish).await;
    let found = covered(&lab, &id, |coverage| {
        coverage["running"] == 0 && coverage["hit"].as_u64() > Some(0)
    })
    .await;
    let coverage = &found["coverage"];
    assert_eq!(json!(sum(coverage)), coverage["scope"], "{coverage}");
    let names: Vec<&str> = found["tables"]
        .as_array()
        .expect("tables")
        .iter()
        .filter_map(|table| table["table"].as_str())
        .collect();
    for name in ["Custom.Lab.Hello/One", "Custom.Lab.Hello/Two", "Custom.Lab.One"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let (mut tables, mut rows, mut cursor) = (Vec::new(), 0, Value::Null);
    loop {
        let page = lab
            .data("get_hunt_results", json!({"hunt_id": id, "limit": 3, "cursor": cursor}))
            .await;
        tables.push(page["table"].as_str().expect("a table").to_owned());
        rows += page["rows"].as_array().expect("rows").len();
        match page.get("cursor") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    tables.dedup();
    assert_eq!(tables.len(), 3, "{tables:?}");
    assert_eq!(json!(rows), found["total"], "no row is lost or repeated");
}

#[tokio::test]
async fn a_host_that_is_away_is_named_and_not_called_clean() {
    let lab = Direct::start();
    let wish = json!({
        "artifacts": ["Custom.Lab.One"], "description": "windows", "os": "windows", "start": true,
    });
    let (id, _) = create(&lab, wish).await;
    let found = covered(&lab, &id, |coverage| {
        coverage["running"] == 0 && coverage["hit"].as_u64() > Some(0)
    })
    .await;
    assert_eq!(found["state"], "partial");
    let away = found["not_established"].as_array().expect("hosts").iter();
    assert!(away.clone().any(|host| host["host"] == "LAPTOP-19"), "{:?}", found["not_established"]);
    let finished = lab.call("get_hunt_results", json!({"hunt_id": id})).await.expect("coverage");
    assert!(finished.text.contains("NOT ESTABLISHED"), "{}", finished.text);
}

#[tokio::test]
async fn an_exact_list_runs_on_those_clients_and_only_once_it_is_started() {
    let lab = Direct::start();
    let wish = json!({
        "artifacts": ["Custom.Lab.One"], "description": "exact", "clients": ["db-01", "web-01"],
    });
    let (id, made) = create(&lab, wish).await;
    assert_eq!(made["reaches"], 2);
    let before = lab.data("get_hunt_results", json!({"hunt_id": id})).await;
    assert_eq!(before["coverage"]["never_scheduled"], 2, "{:?}", before["coverage"]);
    lab.data("modify_hunt", json!({"hunt_id": id, "action": "start"})).await;
    let found = covered(&lab, &id, |coverage| coverage["hit"] == 2).await;
    assert_eq!(found["coverage"]["scope"], 2);
    assert_eq!(found["state"], "complete");
}

#[tokio::test]
async fn an_empty_filter_is_none_and_one_that_cannot_be_read_is_told_as_such() {
    let lab = Direct::start();
    let wish = json!({
        "artifacts": ["Custom.Lab.One"], "description": "exact", "clients": ["db-01", "web-01"],
        "start": true,
    });
    let (id, _) = create(&lab, wish).await;
    let found = covered(&lab, &id, |coverage| coverage["hit"] == 2).await;
    let same = lab.data("get_hunt_results", json!({"hunt_id": id, "filter": " "})).await;
    assert_eq!((&same["rows"], &same["total"]), (&found["rows"], &found["total"]));
    assert!(same["total"].as_u64() > Some(0), "{same:?}");
    for filter in ["Pid = ", "execve(argv='id')"] {
        let error = lab.error("get_hunt_results", json!({"hunt_id": id, "filter": filter})).await;
        assert_eq!(error.code, Code::InvalidQuery, "{filter}: {}", error.message);
        assert!(error.next_step.is_some());
    }
}

#[tokio::test]
async fn pages_of_a_hunt_that_has_not_ended_are_not_called_the_whole() {
    let lab = Direct::start();
    let wish = json!({
        "artifacts": ["Custom.Lab.Rows"], "description": "pages", "os": "linux", "start": true,
        "parameters": {"Custom.Lab.Rows": {"Count": 30}},
    });
    let (id, _) = create(&lab, wish).await;
    covered(&lab, &id, |coverage| coverage["running"] == 0 && coverage["hit"].as_u64() > Some(1))
        .await;
    let told = |page: &Map<String, Value>| {
        let none = Vec::new();
        let warnings = page.get("warnings").and_then(Value::as_array).unwrap_or(&none);
        warnings.iter().any(|text| text.as_str().is_some_and(|text| text.contains("not ended")))
    };
    let mut wish = json!({"hunt_id": id, "limit": 20});
    let first = lab.data("get_hunt_results", wish.clone()).await;
    assert!(told(&first), "{first:?}");
    wish["cursor"] = first["cursor"].clone();
    assert!(told(&lab.data("get_hunt_results", wish.clone()).await));
    lab.data("modify_hunt", json!({"hunt_id": id, "action": "stop"})).await;
    let stopped = lab.data("get_hunt_results", wish).await;
    assert!(!told(&stopped), "{stopped:?}");
    assert_eq!(stopped["returned"], 20, "a cursor outlives the end of the hunt");
}

#[tokio::test]
async fn who_is_online_is_the_same_in_a_hunt_as_in_the_list_of_clients() {
    let lab = Direct::start();
    let wish = json!({"artifacts": ["Custom.Lab.One"], "description": "paused", "os": "windows"});
    let (id, _) = create(&lab, wish).await;
    let found = lab.data("get_hunt_results", json!({"hunt_id": id, "limit": 0})).await;
    let listed = lab.data("list_clients", json!({"os": "windows"})).await;
    let pairs = |list: &Value| {
        let list = list.as_array().expect("a list").iter();
        let mut pairs: Vec<(String, bool)> = list
            .map(|client| (client["client_id"].to_string(), client["online"] == true))
            .collect();
        pairs.sort_unstable();
        pairs
    };
    let (open, clients) = (pairs(&found["not_established"]), pairs(&listed["clients"]));
    assert_eq!(open, clients);
    assert!(open.iter().any(|(_, online)| *online) && open.iter().any(|(_, online)| !online));
}

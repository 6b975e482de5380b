//! `list_artifacts`, `get_artifact`, `collect_artifact`.

use mcp_server::tool_error::Code;
use serde_json::{Value, json};

use crate::direct::{Direct, data};

const PSLIST: &str = "Windows.System.Pslist";

#[tokio::test]
async fn d08_types_are_found_in_any_case() {
    let lab = Direct::start();
    let upper = lab.data("list_artifacts", json!({"type": "CLIENT"})).await;
    let lower = lab.data("list_artifacts", json!({"type": "client"})).await;
    assert!(upper["total"].as_u64().expect("a total") > 0);
    assert_eq!(upper["artifacts"], lower["artifacts"]);
    for artifact in upper["artifacts"].as_array().expect("artifacts") {
        assert_eq!(artifact["type"], "client");
    }
}

#[tokio::test]
async fn d76_a_name_that_does_not_exist_gets_the_ones_that_do() {
    let lab = Direct::start();
    for name in ["Windows.System.PsList", "Windows.Sys.Pslist"] {
        let error = lab.error("get_artifact", json!({"name": name})).await;
        assert_eq!(error.code, Code::NotFound, "{name}");
        assert!(error.next_step.expect("a next step").contains(PSLIST), "{name}");
    }
}

#[tokio::test]
async fn d05_parameters_reach_the_collection() {
    let lab = Direct::start();
    let collect = |parameters: Value| json!({"clients": ["FIN-WS07"], "artifacts": [PSLIST], "parameters": {PSLIST: parameters}});
    let all = lab.data("collect_artifact", collect(json!({}))).await;
    let some = lab.data("collect_artifact", collect(json!({"ProcessRegex": "^lsass"}))).await;
    let (all, some) = (&all["outcomes"][0], &some["outcomes"][0]);
    assert!(some["rows"].as_u64() < all["rows"].as_u64(), "{some}");
    let first = some["tables"][0]["first"].as_array().expect("first rows");
    assert!(!first.is_empty());
    for row in first {
        assert_eq!(row["Name"], "lsass.exe");
    }
    assert_ne!(all["flow_id"], some["flow_id"], "other parameters are another collection");
}

#[tokio::test]
async fn d05_a_wrong_parameter_is_refused_before_anything_is_sent() {
    let lab = Direct::start();
    let before = lab.data("get_client_info", json!({"client": "FIN-WS07"})).await;
    for (parameters, says) in [
        (json!({PSLIST: {"processregex": "x"}}), "did you mean ProcessRegex?"),
        (json!({PSLIST: {"UseTracker": "maybe"}}), "UseTracker"),
        (json!({"Windows.System.Handles": {}}), "not among the artifacts"),
    ] {
        let wanted =
            json!({"clients": ["FIN-WS07"], "artifacts": [PSLIST], "parameters": parameters});
        let error = lab.error("collect_artifact", wanted).await;
        assert_eq!(error.code, Code::InvalidInput);
        assert!(error.message.contains(says), "{}", error.message);
    }
    let after = lab.data("get_client_info", json!({"client": "FIN-WS07"})).await;
    assert_eq!(before["flows_total"], after["flows_total"]);
}

#[tokio::test]
async fn d74_each_client_has_its_own_outcome() {
    let lab = Direct::start();
    let mut wanted = json!({"clients": ["FIN-WS07", "NO-SUCH", "web-01", "LAPTOP-19"],
                            "artifacts": [PSLIST]});
    let refused = lab.data("collect_artifact", wanted.clone()).await;
    assert_eq!(refused["outcomes"][3]["state"], "refused", "{refused:?}");
    let reason = refused["outcomes"][3]["reason"].as_str().expect("a reason");
    assert!(reason.contains("is offline") && reason.contains("queue_hours"), "{reason}");
    assert_eq!(refused["outcomes"][3].get("flow_id"), None, "nothing waits for it");
    wanted["queue_hours"] = json!(2);
    let done = lab.call("collect_artifact", wanted).await.expect("some were started");
    let outcomes = data(&done)["outcomes"].as_array().expect("outcomes").clone();
    let states: Vec<&str> = outcomes.iter().map(|o| o["state"].as_str().expect("state")).collect();
    assert_eq!(states, ["finished", "refused", "not_applicable", "offline"]);
    assert_eq!(data(&done)["state"], "partial");
    assert!(outcomes[1]["reason"].as_str().expect("a reason").contains("NO-SUCH"));
    assert!(outcomes[2]["reason"].as_str().expect("a reason").contains("nothing was looked at"));
    assert!(done.text.contains("4 clients: 1 finished, 1 offline, 1 not applicable, 1 refused"));
}

#[tokio::test]
async fn d74_an_unknown_artifact_is_named() {
    let lab = Direct::start();
    let wanted = json!({"clients": ["FIN-WS07"], "artifacts": [PSLIST, "Windows.Nope"]});
    let error = lab.error("collect_artifact", wanted).await;
    assert_eq!(error.code, Code::NotFound);
    assert!(error.message.contains("Windows.Nope"), "{}", error.message);
}

#[tokio::test]
async fn d75_the_server_itself_can_be_collected_from() {
    let lab = Direct::start();
    let servers = lab.data("list_artifacts", json!({"type": "server"})).await;
    let name = servers["artifacts"][0]["name"].as_str().expect("a server artifact").to_owned();
    let wanted = json!({"clients": ["server"], "artifacts": [name]});
    let done = lab.data("collect_artifact", wanted).await;
    assert_eq!(done["outcomes"][0]["client_id"], "server");
    for (clients, artifact) in [(["server"], PSLIST), (["FIN-WS07"], name.as_str())] {
        let wanted = json!({"clients": clients, "artifacts": [artifact]});
        let error = lab.error("collect_artifact", wanted).await;
        assert_eq!(error.code, Code::InvalidInput);
        assert!(error.message.contains("not on"), "{}", error.message);
    }
}

#[tokio::test]
async fn an_equal_recent_collection_is_offered_instead() {
    let lab = Direct::start();
    let wanted = json!({"clients": ["FIN-WS07"], "artifacts": [PSLIST]});
    let first = lab.data("collect_artifact", wanted.clone()).await;
    let second = lab.data("collect_artifact", wanted).await;
    let (first, second) = (&first["outcomes"][0], &second["outcomes"][0]);
    assert_eq!((&first["existing"], &second["existing"]), (&json!(false), &json!(true)));
    assert_eq!(first["flow_id"], second["flow_id"]);
    assert_eq!(first["tables"], second["tables"]);
    let wanted = json!({"clients": ["FIN-WS07"], "artifacts": [PSLIST], "again": true});
    let third = lab.data("collect_artifact", wanted).await;
    assert_ne!(third["outcomes"][0]["flow_id"], first["flow_id"]);
}

#[tokio::test]
async fn d17_hostile_names_do_not_change_what_is_asked() {
    let lab = Direct::start();
    for text in [
        "'; SELECT * FROM clients() --",
        "x\" }) FROM scope() LET a = { SELECT",
        "a`b",
        "{}",
        "line\nfeed",
        "nul\0",
        "\u{202e}gnp.exe",
        "\u{1f996}",
        "*",
    ] {
        let error = lab.error("get_client_info", json!({"client": text})).await;
        assert_eq!(error.code, Code::NotFound, "{text:?}: {}", error.message);
        let error = lab.error("get_artifact", json!({"name": text})).await;
        assert_eq!(error.code, Code::NotFound, "{text:?}: {}", error.message);
        let found = lab.data("list_artifacts", json!({"search": text})).await;
        assert_eq!(found["total"], 0, "{text:?}");
    }
}

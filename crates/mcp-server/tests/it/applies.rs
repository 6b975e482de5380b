//! Artifacts that are for other systems: told before a hunt is made, and after a flow has ended,
//! with one voice.

use mcp_server::tool_error::Code;
use serde_json::json;

use crate::changed::define;
use crate::direct::Direct;
use crate::hunts::{covered, create};

const PSLIST: &str = "Windows.System.Pslist";

#[tokio::test]
async fn a_hunt_that_would_look_nowhere_is_refused_before_it_is_made() {
    let lab = Direct::start();
    for wish in [
        json!({"artifacts": [PSLIST], "description": "x", "os": "linux"}),
        json!({"artifacts": [PSLIST], "description": "x", "clients": ["db-01", "web-01"]}),
    ] {
        let error = lab.error("create_hunt", wish.clone()).await;
        assert_eq!(error.code, Code::Conflict, "{wish}: {}", error.message);
        assert!(error.message.contains(PSLIST) && error.message.contains("no hunt was made"));
    }
    assert_eq!(lab.data("list_hunts", json!({})).await["total"], 0);
}

#[tokio::test]
async fn a_hunt_that_looks_in_part_says_where_not() {
    let lab = Direct::start();
    for (wish, said) in [
        (json!({"artifacts": [PSLIST, "Custom.Lab.One"], "os": "linux"}), "it will not look"),
        (json!({"artifacts": [PSLIST], "clients": ["db-01", "FIN-WS07"]}), "1 of 2 clients"),
        (json!({"artifacts": [PSLIST]}), "clients of other systems"),
    ] {
        let mut wish = wish;
        wish["description"] = json!("x");
        let made = lab.data("create_hunt", wish.clone()).await;
        assert!(made["warnings"].to_string().contains(said), "{wish}: {made:?}");
    }
    let wish = json!({"artifacts": [PSLIST], "description": "x", "os": "windows"});
    assert_eq!(lab.data("create_hunt", wish).await.get("warnings"), None);
}

#[tokio::test]
async fn the_status_and_the_results_of_a_flow_agree_on_what_was_not_looked_at() {
    let lab = Direct::start();
    let wish = json!({"clients": ["db-01"], "artifacts": [PSLIST], "wait": 30});
    let done = lab.data("collect_artifact", wish).await;
    let outcome = &done["outcomes"][0];
    assert_eq!(outcome["state"], "not_applicable", "{outcome}");
    let flow = json!({"client": "db-01", "flow_id": outcome["flow_id"]});
    let status = lab.data("get_flow_status", flow.clone()).await;
    let results = lab.data("get_flow_results", flow).await;
    assert_eq!((&status["state"], &results["state"]), (&json!("partial"), &json!("partial")));
    for answer in [&status, &results] {
        assert!(answer["warnings"].to_string().contains("did not look"), "{answer:?}");
    }
}

/// Neither its name nor a system tells; only the flow's log does.
#[tokio::test]
async fn a_precondition_that_does_not_hold_is_no_empty_result() {
    let lab = Direct::start();
    let wish = json!({"clients": ["db-01"], "artifacts": ["Custom.Lab.Never"], "wait": 30});
    let done = lab.data("collect_artifact", wish).await;
    let outcome = &done["outcomes"][0];
    assert_eq!(outcome["state"], "not_applicable", "{outcome}");
    assert!(outcome["reason"].as_str().expect("a reason").contains("nothing was looked at"));
    let flow = json!({"client": "db-01", "flow_id": outcome["flow_id"]});
    for tool in ["get_flow_status", "get_flow_results"] {
        let answer = lab.data(tool, flow.clone()).await;
        assert_eq!(answer["state"], "partial", "{tool}: {answer:?}");
        assert!(answer["warnings"].to_string().contains("did not look"), "{tool}: {answer:?}");
    }
}

/// Some clients of the lab lose the end of their logs. Nothing is established of those.
#[tokio::test]
async fn a_hunt_that_did_not_look_calls_nobody_clean() {
    let lab = Direct::start();
    let wish = json!({"artifacts": ["Custom.Lab.Never"], "description": "x", "start": true});
    let (hunt, _) = create(&lab, wish).await;
    let found = covered(&lab, &hunt, |parts| parts["running"] == 0).await;
    let parts = &found["coverage"];
    assert_eq!(parts["none"], 0, "{parts}");
    let (skipped, unclear) = (parts["not_applicable"].as_u64(), parts["not_known"].as_u64());
    assert!(skipped > Some(0) && unclear > Some(0), "{parts}");
    let open = found["not_established"].as_array().expect("a list");
    let of_log: Vec<_> = open.iter().filter(|host| host["part"] == "not known").collect();
    assert_eq!(Some(of_log.len() as u64), unclear, "{open:?}");
    for host in of_log {
        assert!(host["reason"].as_str().expect("why").contains("missing"), "{host}");
    }
}

#[tokio::test]
async fn a_source_that_did_not_look_calls_nobody_clean() {
    let lab = Direct::start();
    let wish = json!({"artifacts": ["Custom.Lab.Apart"], "description": "x", "start": true});
    let (hunt, _) = create(&lab, wish).await;
    let whole = covered(&lab, &hunt, |parts| parts["running"] == 0).await;
    let all = whole["coverage"]["none"].as_u64().expect("a count");
    assert!(all > 0 && whole["coverage"]["not_known"] == 0, "{}", whole["coverage"]);
    let wish = json!({"hunt_id": hunt, "table": "Custom.Lab.Apart/Nowhere"});
    let table = lab.data("get_hunt_results", wish).await;
    let parts = &table["coverage"];
    let count = |name: &str| parts[name].as_u64().expect("a count");
    assert_eq!((count("none"), count("not_applicable") + count("not_known")), (0, all), "{parts}");
    assert!(count("not_applicable") > 0 && count("not_known") > 0, "{parts}");
}

/// Together they looked; one of them did not.
#[tokio::test]
async fn several_artifacts_are_judged_together_and_that_is_said() {
    let lab = Direct::start();
    let both = ["Custom.Lab.Never", "Custom.Lab.Apart"];
    let wish = json!({"artifacts": both, "description": "x", "start": true});
    let (hunt, _) = create(&lab, wish).await;
    let whole = covered(&lab, &hunt, |parts| parts["running"] == 0).await;
    assert!(whole["coverage"]["none"].as_u64() > Some(0), "{}", whole["coverage"]);
    assert!(whole["warnings"].to_string().contains("one of the 2 artifacts"), "{whole:?}");
    let wish = json!({"hunt_id": hunt, "table": "Custom.Lab.Never"});
    let alone = lab.data("get_hunt_results", wish).await;
    assert_eq!(alone["coverage"]["none"], 0, "{}", alone["coverage"]);
    assert_eq!(alone.get("warnings"), None);
}

/// The hunt ran what the artifact was then.
#[tokio::test]
async fn a_precondition_that_was_taken_away_since_makes_nobody_clean() {
    const THEN: &str = "name: Custom.It.Then
precondition: SELECT * FROM info() WHERE Hostname = 'nobody'
sources:
  - query: SELECT 1 AS A FROM scope()
";
    let lab = Direct::start();
    for artifacts in [&["Custom.It.Then"][..], &["Custom.It.Then", "Custom.Lab.One"]] {
        define(lab.server(), THEN).await;
        let wish = json!({"artifacts": artifacts, "description": "x", "start": true});
        let (hunt, _) = create(&lab, wish).await;
        covered(&lab, &hunt, |parts| parts["running"] == 0).await;
        for now in ["", "precondition: SELECT OS FROM info() WHERE OS =~ 'windows|linux|darwin'"] {
            let taken = THEN.replace(THEN.lines().nth(1).expect("a line"), now);
            define(lab.server(), &taken).await;
            let wish = json!({"hunt_id": hunt, "table": "Custom.It.Then"});
            let found = lab.data("get_hunt_results", wish).await;
            let parts = &found["coverage"];
            assert_eq!(parts["none"], 0, "{artifacts:?} {taken}{parts}");
            assert!(parts["not_applicable"].as_u64() > Some(0), "{parts}");
        }
    }
}

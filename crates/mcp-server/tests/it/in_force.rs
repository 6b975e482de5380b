//! The bounds that a person is told before a collection, and those that it has then.

use guard::approval::State;
use mcp_server::gateway::Gateway;
use mcp_server::services::Switches;
use serde_json::{Value, json};

use crate::direct::{Direct, data};
use crate::emergency::beside;
use crate::gateway::call;
use crate::simulated::{allowing, apart, guarded, services};

const OWN: &str = "Custom.Lab.Bounded";
const NONE: &str = "Custom.Lab.One";

/// What the card of a call that nobody agreed to says of its limits.
async fn limits(gateway: &Gateway, tool: &str, wish: Value) -> String {
    let error = call(gateway, tool, wish).await.expect_err("it is asked for");
    let line = error.message.lines().find(|line| line.starts_with("limits"));
    line.unwrap_or_else(|| panic!("{}", error.message)).trim_start_matches("limits").trim().into()
}

#[tokio::test]
async fn a_card_says_what_the_artifacts_set_and_else_what_the_server_does() {
    let gateway = guarded(services(Switches::default(), &[]));
    for (artifacts, further, told) in [
        (json!([NONE]), json!({}), "1074 MB, 600 s on each"),
        (json!([OWN]), json!({}), "5000 MB, 50 rows, 90 s on each"),
        (json!([OWN, NONE]), json!({}), "5000 MB, 50 rows, 600 s on each"),
        (json!([OWN]), json!({"max_mb": 7}), "7000 kB, 50 rows, 90 s on each"),
        (json!([OWN]), json!({"timeout": 5, "max_rows": 80}), "5000 MB, 80 rows, 5 s on each"),
    ] {
        let mut wish = json!({"clients": ["db-01"], "artifacts": artifacts});
        let hunt = json!({"artifacts": artifacts, "description": "x", "clients": ["db-01"],
                          "limits": further});
        let fields = wish.as_object_mut().expect("an object");
        fields.extend(further.as_object().expect("an object").clone());
        assert_eq!(limits(&gateway, "collect_artifact", wish).await, told, "{artifacts} {further}");
        let of_hunt = limits(&gateway, "create_hunt", hunt).await;
        assert_eq!(of_hunt, format!("{told}, waits for endpoints for 168 h"));
    }
    let two = json!({"clients": ["db-01", "web-01"], "artifacts": [OWN]});
    let told = limits(&gateway, "collect_artifact", two).await;
    assert_eq!(told, "10 GB, 100 rows, 90 s on each", "over both of them");
    let two = json!({"clients": ["db-01", "web-01"], "artifacts": [OWN]});
    let error = call(&gateway, "collect_artifact", two).await.expect_err("it is asked for");
    let cost = "cost    per host at most 5000 MB, 50 rows, 90 s for each artifact; in total 10 GB, \
                100 rows over 2 hosts; 2 are online";
    assert!(error.message.contains(cost), "{}", error.message);
    let waiting = gateway.guardian().approvals().list().expect("approvals");
    assert!(waiting.iter().all(|one| one.state == State::Pending) && waiting.len() > 5);
}

#[tokio::test]
async fn a_card_says_where_it_is_answered_and_until_when() {
    let gateway = guarded(services(Switches::default(), &[]));
    let wish = json!({"clients": ["db-01"], "artifacts": [NONE]});
    let error = call(&gateway, "collect_artifact", wish).await.expect_err("it is asked for");
    // The policy lets the chat answer this; this caller has none.
    assert!(error.message.contains("approve outside the chat"), "{}", error.message);
    assert!(!error.message.contains("approve in the chat"), "{}", error.message);
    let open = error.message.lines().find(|line| line.starts_with("open    until 20"));
    let open = open.unwrap_or_else(|| panic!("{}", error.message));
    assert!(open.ends_with("Z, 60 minutes from now"), "{open}");
}

#[tokio::test]
async fn a_hunt_that_is_started_has_the_bounds_with_which_it_was_made() {
    let (services, lab) = apart(allowing(), &[]);
    let gateway = guarded(services);
    let wish = json!({"artifacts": [OWN, NONE], "description": "x", "clients": ["db-01"]});
    let made = call(&gateway, "create_hunt", wish).await.expect("a hunt");
    let hunt = data(&made)["hunt_id"].clone();
    let asking = beside(&gateway, &lab, Switches::default());
    let wish = json!({"hunt_id": hunt, "action": "start"});
    assert_eq!(limits(&asking, "modify_hunt", wish).await, "5000 MB, 50 rows, 600 s on each");
}

#[tokio::test]
async fn what_was_said_is_what_the_request_holds() {
    let lab = Direct::start();
    for (artifact, bounds) in [
        (OWN, json!({"Bytes": 5_000_000_000_u64, "Rows": 50, "Seconds": 90})),
        (NONE, json!({"Bytes": 1_073_741_824, "Rows": 0, "Seconds": 0})),
    ] {
        let wish = json!({"clients": ["db-01"], "artifacts": [artifact], "wait": 30});
        let first = lab.data("collect_artifact", wish.clone()).await;
        let (client, flow) = (&first["outcomes"][0]["client_id"], &first["outcomes"][0]["flow_id"]);
        let query = "SELECT request.max_upload_bytes AS Bytes, request.max_rows AS Rows,
                            request.timeout AS Seconds
                     FROM flows(client_id=Client, flow_id=Flow)";
        let asked =
            lab.data("run_vql", json!({"query": query, "env": {"Client": client, "Flow": flow}}));
        assert_eq!(asked.await["rows"][0], bounds, "{artifact}");
        let again = lab.data("collect_artifact", wish).await;
        assert_eq!(again["outcomes"][0]["existing"], true, "{artifact}: the same is the same");
    }
}

#[tokio::test]
async fn a_bound_of_the_artifact_that_ended_a_collection_is_named() {
    let lab = Direct::start();
    let wish = json!({
        "clients": ["db-01"], "artifacts": [OWN], "parameters": {OWN: {"Count": 60}}, "wait": 30,
    });
    let done = lab.data("collect_artifact", wish).await;
    let reason = done["outcomes"][0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("max_rows 50 was passed"), "{reason}");
}

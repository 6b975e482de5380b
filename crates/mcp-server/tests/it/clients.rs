//! `list_clients`, `get_client_info`, `label_client`, `quarantine_client`.

use mcp_server::tool_error::Code;
use serde_json::{Value, json};

use crate::direct::Direct;

fn column<'a>(rows: &'a Value, name: &str) -> Vec<&'a str> {
    rows.as_array().expect("rows").iter().map(|row| row[name].as_str().expect(name)).collect()
}

#[tokio::test]
async fn pages_of_clients_neither_lose_nor_repeat_one() {
    let lab = Direct::start();
    let all = lab.data("list_clients", json!({})).await;
    let (mut paged, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = lab.data("list_clients", json!({"limit": 7, "cursor": cursor})).await;
        paged.extend(column(&page["clients"], "client_id").into_iter().map(str::to_owned));
        assert_eq!(page["total"], all["total"]);
        match page.get("cursor") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    assert_eq!(paged, column(&all["clients"], "client_id"));
    let other = lab.error("list_clients", json!({"os": "linux", "cursor": cursor})).await;
    assert_eq!(other.code, Code::InvalidInput, "a cursor belongs to its request");
}

#[tokio::test]
async fn filters_keep_what_they_say() {
    let lab = Direct::start();
    let linux = lab.data("list_clients", json!({"os": "linux", "labels": ["Server"]})).await;
    let rows = linux["clients"].as_array().expect("clients");
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(row["os"], "linux", "{row}");
        assert!(row["labels"].as_array().expect("labels").contains(&json!("server")), "{row}");
    }
    let offline = lab.data("list_clients", json!({"search": "LAPTOP-19"})).await;
    assert_eq!(offline["clients"][0]["online"], false);
    let nothing = lab.data("list_clients", json!({"search": "LAPTOP-19", "online": true})).await;
    assert_eq!((&nothing["state"], &nothing["total"]), (&json!("empty"), &json!(0)));
    let said = nothing["warnings"][0].as_str().expect("a warning");
    assert!(said.contains("25 are enrolled"), "{said}");
}

#[tokio::test]
async fn an_unknown_search_operator_names_the_known_ones() {
    let error = Direct::start().error("list_clients", json!({"search": "os:linux"})).await;
    assert_eq!(error.code, Code::InvalidInput);
    assert!(error.next_step.expect("a next step").contains("label:"));
}

#[tokio::test]
async fn a_host_name_is_as_good_as_an_id_and_a_wrong_one_gets_near_names() {
    let lab = Direct::start();
    let by_name = lab.data("get_client_info", json!({"client": "fin-ws07"})).await;
    let by_id = lab.data("get_client_info", json!({"client": by_name["client_id"]})).await;
    assert_eq!(by_name["hostname"], "FIN-WS07");
    assert_eq!(by_name["mac"], by_id["mac"]);
    let error = lab.error("get_client_info", json!({"client": "FIN-WS70"})).await;
    assert_eq!(error.code, Code::NotFound);
    assert!(error.next_step.expect("near names").contains("FIN-WS07"));
}

#[tokio::test]
async fn labels_are_set_removed_and_read_back() {
    let lab = Direct::start();
    let set = json!({"clients": ["FIN-WS07", "WS-11"], "add": [" suspect "]});
    let done = lab.data("label_client", set).await;
    assert_eq!(done["clients"][0]["labels"], json!(["finance", "suspect"]));
    assert_eq!(done["clients"][1]["changed"], true);
    let found = lab.data("list_clients", json!({"labels": ["suspect"]})).await;
    assert_eq!(column(&found["clients"], "hostname"), ["FIN-WS07", "WS-11"]);
    lab.data("label_client", json!({"clients": ["FIN-WS07"], "remove": ["suspect"]})).await;
    let info = lab.data("get_client_info", json!({"client": "FIN-WS07"})).await;
    assert_eq!(info["labels"], json!(["finance"]));
}

#[tokio::test]
async fn a_label_on_an_unknown_client_makes_no_ghost() {
    let lab = Direct::start();
    let ghost = "C.00000000000000ff";
    let wanted = json!({"clients": ["FIN-WS07", ghost], "add": ["haunted"]});
    let error = lab.error("label_client", wanted).await;
    assert_eq!(error.code, Code::NotFound);
    assert!(error.message.contains(ghost) && error.message.contains("nothing was changed"));
    let found = lab.data("list_clients", json!({"search": "label:haunted"})).await;
    assert_eq!(found["total"], 0, "neither the ghost nor the real one carries it");
    assert_eq!(lab.error("get_client_info", json!({"client": ghost})).await.code, Code::NotFound);
}

#[tokio::test]
async fn a_label_that_a_hunt_or_a_monitoring_table_goes_by_is_told() {
    let lab = Direct::start();
    let hunt = json!({
        "artifacts": ["Generic.Client.Info"], "description": "by label",
        "include_labels": ["suspect"], "start": true,
    });
    let hunt = lab.data("create_hunt", hunt).await;
    let id = hunt["hunt_id"].as_str().expect("an id");
    let set = json!({"clients": ["WS-11"], "add": ["Suspect", "Quarantine"]});
    let done = lab.data("label_client", set).await;
    let said = done["warnings"].to_string();
    assert!(said.contains(id) && said.contains("collects from these clients"), "{said}");
    assert!(said.contains("Windows.Remediation.QuarantineMonitor"), "{said}");
}

#[tokio::test]
async fn d07_isolation_is_proved_by_report_contact_and_label() {
    let lab = Direct::start();
    for (host, artifact) in [
        ("FIN-WS07", "Windows.Remediation.Quarantine"),
        ("web-01", "Linux.Remediation.Quarantine"),
        ("MAC-EXEC-04", "MacOS.Remediation.Quarantine"),
    ] {
        let wanted = json!({"client": host, "action": "isolate"});
        let done = lab.data("quarantine_client", wanted).await;
        assert_eq!(done["artifact"], artifact);
        assert_eq!((&done["proved"], &done["state"]), (&json!(true), &json!("complete")), "{host}");
        assert_eq!(column(&done["steps"], "state"), ["proved"; 3], "{host}");
        let info = lab.data("get_client_info", json!({"client": host})).await;
        assert!(info["labels"].to_string().contains("Quarantine"), "{host}");
    }
    let wanted = json!({"client": "FIN-WS07", "action": "release"});
    assert_eq!(lab.data("quarantine_client", wanted).await["proved"], true);
    let info = lab.data("get_client_info", json!({"client": "FIN-WS07"})).await;
    assert_eq!(info["labels"], json!(["finance"]));
}

#[tokio::test]
async fn d07_an_offline_client_is_refused_unless_the_order_may_wait() {
    let lab = Direct::start();
    let isolate = json!({"client": "LAPTOP-19", "action": "isolate"});
    let error = lab.error("quarantine_client", isolate).await;
    assert_eq!(error.code, Code::Offline);
    assert!(error.next_step.expect("a next step").contains("queue_hours"));
    let labels = lab.data("get_client_info", json!({"client": "LAPTOP-19"})).await;
    assert!(!labels["labels"].to_string().contains("Quarantine"), "refused is not labelled");

    let queued = json!({"client": "LAPTOP-19", "action": "isolate", "queue_hours": 2});
    let queued = lab.data("quarantine_client", queued).await;
    assert_eq!((&queued["proved"], &queued["state"]), (&json!(false), &json!("offline")));
    assert!(queued["expires"].is_string());
    let hunts = lab.data("list_hunts", json!({})).await;
    assert!(hunts.get("hunts").expect("hunts").to_string().contains("LAPTOP-19"));
}

//! Peculiarities of the real server that a client has to survive.

use lab::Role;
use serde_json::json;

use crate::console::{Console, fast_lab};

#[tokio::test]
async fn a_label_on_an_unknown_client_makes_a_ghost() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let env = [("C", "C.00000000000000ff")];
    let vql = "LET L <= label(client_id=C, labels='ghost', op='set') SELECT L.Op FROM scope()";
    assert_eq!(console.ask(vql, &env).await.value(), "set");
    let info = console.ask("SELECT client_info(client_id=C) AS I FROM scope()", &env).await;
    assert_eq!(info.value()["client_id"], "C.00000000000000ff");
    let all = console.ask("SELECT client_id FROM clients()", &[]).await;
    assert_eq!(all.rows.len(), 25, "a plain list does not show it");
    let found = console.ask("SELECT client_id FROM clients(search='label:ghost')", &[]).await;
    assert_eq!(found.rows.len(), 1);
}

#[tokio::test]
async fn cancelling_a_finished_flow_turns_it_into_an_error() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("web-01").await;
    let flow = console.collect(&client, "Custom.Lab.One", "{}").await;
    let env = [("C", client.as_str()), ("F", flow.as_str())];
    let vql = "LET X <= cancel_flow(client_id=C, flow_id=F) SELECT X.flow_id FROM scope()";
    assert_eq!(console.ask(vql, &env).await.value(), flow.as_str());
    let vql =
        "SELECT state, status, total_collected_rows AS Rows FROM flows(client_id=C, flow_id=F)";
    let expected = json!({"state": "ERROR", "status": "Cancelled by VQL query", "Rows": 1});
    assert_eq!(console.ask(vql, &env).await.rows, [expected]);
}

#[tokio::test]
async fn failed_flows_say_why() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("web-01").await;
    for (artifact, limits, status) in [
        ("Custom.Lab.Rows", ", max_rows=3", "Rows 4 exceeded limit 3 for flow F."),
        ("Custom.Lab.Slow", ", timeout=3", "Query timed out after 3 seconds"),
        ("Custom.Lab.Fail", "", "lab says no"),
    ] {
        let vql = format!(
            "LET R <= collect_client(client_id=C, artifacts=A{limits}) SELECT R.flow_id FROM scope()"
        );
        let env = [("C", client.as_str()), ("A", artifact)];
        let flow = console.ask(&vql, &env).await.value().as_str().unwrap().to_owned();
        let vql = "SELECT state, status FROM flows(client_id=C, flow_id=F)";
        let answer = console
            .wait(vql, &[("C", &client), ("F", &flow)], |a| a.rows[0]["state"] == "ERROR")
            .await;
        let told = answer.rows[0]["status"].as_str().unwrap();
        assert!(told.starts_with(status), "{artifact}: {told}");
    }
}

#[tokio::test]
async fn a_system_in_a_hunt_drops_the_excluded_labels() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let vql = "LET H <= hunt(artifacts='Custom.Lab.One', os='windows', exclude_labels='finance', \
               pause=TRUE) SELECT H.HuntId AS Id FROM scope()";
    let answer = console.ask(vql, &[]).await;
    let line = "hunt: Both OS and label conditions set, ignoring include label conditions";
    assert_eq!(answer.complaints(), [line]);
    let hunt = answer.value().as_str().unwrap().to_owned();
    let vql = "SELECT condition FROM hunts(hunt_id=H)";
    let condition = console.ask(vql, &[("H", &hunt)]).await.value().clone();
    assert_eq!(condition["excluded_labels"]["label"], json!([]));
    assert_eq!(condition["os"]["os"], "WINDOWS");
}

#[tokio::test]
async fn a_client_added_to_a_paused_hunt_runs_at_once() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("web-01").await;
    let vql = "LET H <= hunt(artifacts='Custom.Lab.Hello', include_labels='nobody', pause=TRUE) \
               SELECT H.HuntId AS Id FROM scope()";
    let hunt = console.ask(vql, &[]).await.value().as_str().unwrap().to_owned();
    let env = [("H", hunt.as_str()), ("C", client.as_str())];
    let vql = "LET X <= hunt_add(client_id=C, hunt_id=H) SELECT X FROM scope()";
    assert_eq!(console.ask(vql, &env).await.value(), client.as_str());
    let vql = "SELECT Flow.state AS State FROM hunt_flows(hunt_id=H)";
    console.wait(vql, &env, |answer| answer.value() == "FINISHED").await;
    let vql = "SELECT state FROM hunts(hunt_id=H)";
    assert_eq!(console.ask(vql, &env).await.value(), "PAUSED");
    let both = "SELECT * FROM hunt_results(hunt_id=H, artifact='Custom.Lab.Hello', source='One')";
    assert!(console.ask(both, &env).await.rows.is_empty(), "artifact and source give nothing");
    let one = "SELECT * FROM hunt_results(hunt_id=H, artifact='Custom.Lab.Hello/One')";
    assert_eq!(console.ask(one, &env).await.rows.len(), 1);
    let start = "LET X <= hunt_update(hunt_id=H, start=TRUE) SELECT X FROM scope()";
    console.ask(start, &env).await;
    let vql = "SELECT ClientId FROM hunt_flows(hunt_id=H)";
    assert_eq!(console.ask(vql, &env).await.rows.len(), 1, "the label nobody has keeps others out");
}

#[tokio::test]
async fn statements_after_a_timeout_still_run() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("web-01").await;
    let vql = "SELECT sleep(time=30) FROM scope() \
               LET L <= label(client_id=C, labels='late', op='set')";
    let mut call = crate::console::args(vql, &[("C", &client)]);
    call.timeout = 1;
    let answer = console.call(call).await;
    assert!(answer.complaints().iter().any(|line| line.contains("Timeout Error")), "{answer:?}");
    let vql = "SELECT labels FROM clients(client_id=C)";
    console
        .wait(vql, &[("C", &client)], |answer| answer.value().to_string().contains("late"))
        .await;
}

#[tokio::test]
async fn ten_thousand_rows_are_paged_without_loss() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("web-01").await;
    let flow = console.collect(&client, "Custom.Lab.Rows", "{}").await;
    let mut next = 0;
    while next < 10_000 {
        let start = next.to_string();
        let vql = "SELECT N FROM source(client_id=C, flow_id=F, artifact='Custom.Lab.Rows', \
                   start_row=int(int=S)) LIMIT 2500";
        let env = [("C", client.as_str()), ("F", flow.as_str()), ("S", start.as_str())];
        let answer = console.ask(vql, &env).await;
        assert_eq!(answer.rows.len(), 2500);
        for row in answer.rows {
            assert_eq!(row["N"], next);
            next += 1;
        }
    }
}

#[tokio::test]
async fn hostile_rows_arrive_as_they_are() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("web-01").await;
    let flow = console.collect(&client, "Custom.Lab.Hostile", "{}").await;
    let vql = "SELECT * FROM source(client_id=C, flow_id=F, artifact='Custom.Lab.Hostile')";
    let rows = console.ask(vql, &[("C", &client), ("F", &flow)]).await.rows;
    assert!(rows[0]["Text"].as_str().unwrap().contains('\u{1b}'));
    let numbers = rows.iter().find(|row| row["Kind"] == "numbers").unwrap();
    assert_eq!(numbers["AboveDouble"], 9_007_199_254_740_993_i64);
    assert_eq!(numbers["LargestUnsigned"], u64::MAX);
    assert!(rows.last().unwrap().get("Kind").is_none(), "columns change");
}

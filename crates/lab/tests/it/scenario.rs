//! The scenario: what the demo tells is true of the lab.

use lab::{Lab, Role};
use serde_json::Value;

use crate::console::{Console, fast_lab};

const HUNT: &str = "LET H <= hunt(artifacts='Windows.Sys.StartupItems', description='Run keys', \
                    os='windows', pause=TRUE) SELECT H.HuntId AS Id FROM scope()";

/// Hit, none, failed and offline, as a client of the server counts them.
async fn coverage(console: &Console, hunt: &str) -> (usize, usize, usize, usize) {
    let flows = "SELECT ClientId, Flow.state AS State, Flow.total_collected_rows AS Rows \
                 FROM hunt_flows(hunt_id=H)";
    let flows = console.ask(flows, &[("H", hunt)]).await.rows;
    let count = |keep: &dyn Fn(&Value) -> bool| flows.iter().filter(|row| keep(row)).count();
    let finished = |row: &Value| row["State"] == "FINISHED";
    let offline = "SELECT client_id FROM clients() WHERE os_info.system = 'windows' \
                   AND last_seen_at < (now() - 900) * 1000000";
    (
        count(&|row| finished(row) && row["Rows"] != 0),
        count(&|row| finished(row) && row["Rows"] == 0),
        count(&|row| row["State"] == "ERROR"),
        console.ask(offline, &[]).await.rows.len(),
    )
}

async fn finished(console: &Console, hunt: &str, clients: u64) {
    let vql = "SELECT stats.total_finished_clients AS N FROM hunts(hunt_id=H)";
    console.wait(vql, &[("H", hunt)], |answer| answer.value() == clients).await;
}

#[tokio::test]
async fn the_hunt_for_run_keys_tells_what_the_demo_tells() {
    let lab: Lab = fast_lab();
    let console = Console::connect(&lab, Role::Investigator).await;
    let hunt = console.ask(HUNT, &[]).await.value().as_str().unwrap().to_owned();
    let env = [("H", hunt.as_str())];
    let state = "SELECT state, stats.total_clients_scheduled AS N FROM hunts(hunt_id=H)";
    let paused = console.ask(state, &env).await;
    assert_eq!(paused.rows[0]["state"], "PAUSED");
    assert_eq!(paused.rows[0]["N"], 0, "nothing ran yet");

    let start = "LET X <= hunt_update(hunt_id=H, start=TRUE) SELECT X FROM scope()";
    console.ask(start, &env).await;
    finished(&console, &hunt, 13).await;
    assert_eq!(coverage(&console, &hunt).await, (2, 10, 1, 2));
    assert_eq!(console.ask(state, &env).await.rows[0]["state"], "RUNNING");

    assert!(lab.bring_back("LAPTOP-19"));
    assert!(!lab.bring_back("LAPTOP-19"), "it is back already");
    finished(&console, &hunt, 14).await;
    assert_eq!(coverage(&console, &hunt).await, (3, 10, 1, 1));

    let results = "SELECT Name, Fqdn FROM hunt_results(hunt_id=H, \
                   artifact='Windows.Sys.StartupItems') ORDER BY Fqdn";
    let rows = console.ask(results, &env).await.rows;
    let hosts: Vec<&str> = rows.iter().map(|row| row["Fqdn"].as_str().unwrap()).collect();
    let mut planted: Vec<String> = lab::ground_truth()
        .unwrap()
        .host
        .iter()
        .map(|host| format!("{}.corp.example", host.name.to_lowercase()))
        .collect();
    planted.sort();
    assert_eq!(hosts, planted);
}

#[tokio::test]
async fn every_indicator_is_somewhere_on_the_first_machine() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("FIN-WS07").await;
    let mut evidence = String::new();
    for artifact in [
        "Windows.System.Pslist",
        "Windows.Network.Netstat",
        "Windows.System.DNSCache",
        "Windows.Sys.StartupItems",
        "Windows.Sysinternals.Autoruns",
        "Windows.Search.FileFinder",
    ] {
        let flow = console.collect(&client, artifact, "{}").await;
        let vql = "SELECT * FROM source(client_id=C, flow_id=F, artifact=A)";
        let env = [("C", client.as_str()), ("F", flow.as_str()), ("A", artifact)];
        let answer = console.ask(vql, &env).await;
        assert!(!answer.rows.is_empty(), "{artifact}: {answer:?}");
        evidence.push_str(&Value::from(answer.rows).to_string().replace("\\\\", "\\"));
    }
    for indicator in lab::ground_truth().unwrap().indicator {
        assert!(evidence.contains(&indicator.value), "{indicator:?} is nowhere");
    }
}

#[tokio::test]
async fn the_wrong_system_gives_a_finished_flow_without_rows() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Investigator).await;
    let client = console.client_id("web-01").await;
    let flow = console.collect(&client, "Windows.System.Pslist", "{}").await;
    let vql = "SELECT state, total_collected_rows, artifacts_with_results FROM \
               flows(client_id=C, flow_id=F)";
    let row = &console.ask(vql, &[("C", &client), ("F", &flow)]).await.rows[0];
    assert_eq!(row["state"], "FINISHED");
    assert_eq!(row["total_collected_rows"], 0);
    let vql = "SELECT message FROM flow_logs(client_id=C, flow_id=F) \
               WHERE message =~ 'Skipping query due to preconditions'";
    let answer = console.ask(vql, &[("C", &client), ("F", &flow)]).await;
    assert_eq!(answer.rows.len(), 1, "the log says why");
}

#[tokio::test]
async fn an_offline_client_stays_pending_until_it_comes_back() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Investigator).await;
    let client = console.client_id("LAPTOP-19").await;
    let vql = "LET R <= collect_client(client_id=C, artifacts='Windows.System.Pslist') \
               SELECT R.flow_id FROM scope()";
    let flow = console.ask(vql, &[("C", &client)]).await.value().as_str().unwrap().to_owned();
    let env = [("C", client.as_str()), ("F", flow.as_str())];
    let state = "SELECT state, start_time FROM flows(client_id=C, flow_id=F)";
    let row = &console.ask(state, &env).await.rows[0];
    assert_eq!(row["state"], "RUNNING");
    assert_eq!(row["start_time"], 0);
    lab.bring_back("laptop-19");
    console.wait(state, &env, |answer| answer.rows[0]["state"] == "FINISHED").await;
}

#[tokio::test]
async fn a_machine_in_quarantine_talks_to_its_server_only() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("FIN-WS07").await;
    let connections = async |console: &Console| {
        let flow = console.collect(&client, "Windows.Network.Netstat", "{}").await;
        let vql = "SELECT `Raddr.IP` AS Ip FROM source(client_id=C, flow_id=F, \
                   artifact='Windows.Network.Netstat')";
        console.ask(vql, &[("C", &client), ("F", &flow)]).await.rows
    };
    assert!(connections(&console).await.iter().any(|row| row["Ip"] == "203.0.113.77"));
    let flow = console.collect(&client, "Windows.Remediation.Quarantine", "{}").await;
    let vql = "SELECT Result FROM source(client_id=C, flow_id=F, \
               artifact='Windows.Remediation.Quarantine')";
    let rows = console.ask(vql, &[("C", &client), ("F", &flow)]).await.rows;
    let last = rows.last().unwrap()["Result"].as_str().unwrap();
    assert!(last.ends_with("connection test successful."), "{rows:?}");
    let left = connections(&console).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["Ip"], "10.20.0.5");
    let spec = r#"{"Windows.Remediation.Quarantine":{"RemovePolicy":"Y"}}"#;
    console.collect(&client, "Windows.Remediation.Quarantine", spec).await;
    assert!(connections(&console).await.len() > 10);
}

#[tokio::test]
async fn every_client_was_asked_what_it_is_when_it_enrolled() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let vql = "SELECT * FROM foreach(row={ SELECT client_id, last_interrogate_flow_id AS Flow, \
               os_info.fqdn AS Known FROM clients() }, query={ SELECT Known, Fqdn FROM source( \
               client_id=client_id, flow_id=Flow, artifact='Generic.Client.Info/BasicInformation') })";
    let rows = console.ask(vql, &[]).await.rows;
    assert_eq!(rows.len(), 25);
    for row in rows {
        assert_eq!(row["Known"], row["Fqdn"]);
    }
}

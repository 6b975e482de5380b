//! The first things anybody does: list clients, collect, read.

use lab::Role;
use serde_json::json;

use crate::console::{Console, fast_lab};

#[tokio::test]
async fn clients_are_listed() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let vql = "SELECT os_info.system AS OS, count() AS N FROM clients() GROUP BY OS ORDER BY OS";
    let answer = console.ask(vql, &[]).await;
    let expected = [
        json!({"OS": "darwin", "N": 3}),
        json!({"OS": "linux", "N": 7}),
        json!({"OS": "windows", "N": 15}),
    ];
    assert_eq!(answer.rows, expected, "{answer:?}");
    assert_eq!(answer.columns, ["OS", "N"]);
    let online = "SELECT client_id FROM clients() WHERE last_seen_at > (now() - 900) * 1000000";
    assert_eq!(console.ask(online, &[]).await.rows.len(), 23);
}

#[tokio::test]
async fn a_collection_runs_and_its_rows_are_read() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Investigator).await;
    let client = console.client_id("FIN-WS07").await;
    let flow = console.collect(&client, "Windows.System.Pslist", "{}").await;
    let env = [("C", client.as_str()), ("F", flow.as_str())];
    let vql = "SELECT state, total_collected_rows, artifacts_with_results FROM \
               flows(client_id=C, flow_id=F)";
    let answer = console.ask(vql, &env).await;
    assert_eq!(
        answer.rows,
        [json!({
            "state": "FINISHED",
            "total_collected_rows": 440,
            "artifacts_with_results": ["Windows.System.Pslist"],
        })]
    );
    let vql = "SELECT * FROM source(client_id=C, flow_id=F, artifact='Windows.System.Pslist')";
    let answer = console.ask(vql, &env).await;
    assert_eq!(answer.rows.len(), 440);
    for planted in &lab::ground_truth().unwrap().injection {
        let text = answer.rows[planted.row][&planted.column].as_str().unwrap();
        assert!(text.contains("AI ASSISTANTS"), "{text}");
    }
    let shell = &answer.rows[412];
    assert!(shell["CommandLine"].as_str().unwrap().contains(" -enc "), "{shell}");
    let parent = answer.rows.iter().find(|row| row["Pid"] == shell["Ppid"]).unwrap();
    assert_eq!(parent["Name"], "WINWORD.EXE");
}

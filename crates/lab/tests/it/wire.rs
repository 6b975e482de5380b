//! What goes over the wire: messages, their order, identities, time limits.

use std::time::{Duration, Instant};

use lab::{Role, SECOND_ORG};
use serde_json::json;
use tonic::Code;
use velociraptor_api::generated as proto;

use crate::console::{Console, args, fast_lab};

#[tokio::test]
async fn parts_come_with_log_lines_between_them() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let mut call = args("LET X = 1 SELECT _value AS V FROM range(end=5)", &[]);
    call.max_row = 2;
    let answer = console.call(call).await;
    let parts: Vec<_> = answer.parts.iter().map(|p| (p.query_id, p.part)).collect();
    assert_eq!(parts, [(1, 0), (1, 1), (1, 2)], "LET takes an index and sends nothing");
    assert_eq!(answer.parts[0].columns, ["V"]);
    assert_eq!(answer.parts[0].query.as_ref().unwrap().name, "test");
    assert_eq!(answer.log[0], "Starting query execution.\n");
    assert_eq!(answer.log[1], "Time 0: test: Sending response part 0 19 B (2 rows).\n");
    assert_eq!(answer.rows.len(), 5);
}

#[tokio::test]
async fn no_rows_are_one_empty_part_without_columns() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let answer = console.ask("SELECT * FROM range(end=0)", &[]).await;
    assert_eq!(answer.parts.len(), 1);
    assert_eq!(answer.parts[0].response, "[]");
    assert!(answer.parts[0].columns.is_empty());
}

#[tokio::test]
async fn without_max_row_every_row_is_a_message() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let mut call = args("SELECT * FROM range(end=3)", &[]);
    call.max_row = 0;
    let answer = console.call(call).await;
    let rows: Vec<_> = answer.parts.iter().map(|part| part.response.as_str()).collect();
    let expected = ["[]", "[{\"_value\":0}]", "[{\"_value\":1}]", "[{\"_value\":2}]"];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_parse_error_is_a_log_line_and_no_part() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let answer = console.ask("SELCT * FROM clients()", &[]).await;
    assert!(answer.parts.is_empty());
    let expected = "VQL Error: 1:1: unexpected token \"SELCT\" (expected <select>).";
    assert_eq!(answer.complaints(), [expected]);
    assert_eq!(answer.status, None);
}

#[tokio::test]
async fn a_timeout_gives_the_rows_so_far_and_ends_well() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let mut call = args("SELECT * FROM clock(ms=150)", &[]);
    call.timeout = 1;
    let answer = console.call(call).await;
    assert_eq!(answer.status, None);
    assert!((1..=6).contains(&answer.rows.len()), "{} rows", answer.rows.len());
    let line = answer.complaints()[0];
    assert!(
        line.starts_with("collect: <red>Timeout Error:</> Collection timed out after 1."),
        "{line}"
    );
}

#[tokio::test]
async fn parts_are_sent_when_their_time_has_come() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let mut call = args("SELECT * FROM clock(ms=50)", &[]);
    call.max_wait = 1;
    let begun = Instant::now();
    let mut stream = console.client().query(call).await.unwrap().into_inner();
    loop {
        let message = stream.message().await.unwrap().unwrap();
        if message.log.is_empty() {
            assert!(!message.columns.is_empty());
            break;
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn identities_are_told_apart() {
    let lab = fast_lab();
    let nobody = Console::connect(&lab, Role::Nobody).await;
    let answer = nobody.ask("SELECT 1 FROM scope()", &[]).await;
    assert_eq!(answer.status, Some((Code::Unknown, "User not found: lab-nobody".into())));
    let health = nobody.client().check(proto::HealthCheckRequest::default()).await.unwrap();
    assert_eq!(health.into_inner().status, 1, "Check proves the connection only");

    let plain = Console::connect(&lab, Role::PlainReader).await;
    let answer = plain.ask("SELECT 1 FROM scope()", &[]).await;
    let text =
        "Permission denied: User lab-plainreader requires permission ANY_QUERY to run queries";
    assert_eq!(answer.status, Some((Code::PermissionDenied, text.into())));

    let reader = Console::connect(&lab, Role::Reader).await;
    let client = reader.client_id("WEB-01").await;
    let vql = "LET L <= label(client_id=C, labels='x', op='set') SELECT L FROM scope()";
    let answer = reader.ask(vql, &[("C", &client)]).await;
    assert_eq!(answer.rows, [json!({"L": null})]);
    assert_eq!(answer.complaints(), ["label: PermissionDenied: Permission denied: [LABEL_CLIENT]"]);
}

#[tokio::test]
async fn orgs_are_apart() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let vql = "SELECT client_id FROM clients()";
    let mut call = args(vql, &[]);
    call.org_id = SECOND_ORG.to_owned();
    let answer = console.call(call).await;
    assert_eq!(answer.rows.len(), 2);
    for row in &answer.rows {
        assert!(row["client_id"].as_str().unwrap().ends_with("-O4K2Q"), "{row}");
    }
    let mut call = args(vql, &[]);
    call.org_id = "O999".to_owned();
    let answer = console.call(call).await;
    assert_eq!(answer.status, Some((Code::Unknown, "Org not found".into())));
    let investigator = Console::connect(&lab, Role::Investigator).await;
    let mut call = args(vql, &[]);
    call.org_id = SECOND_ORG.to_owned();
    let answer = investigator.call(call).await;
    assert_eq!(answer.status.unwrap().0, Code::PermissionDenied);
}

#[tokio::test]
async fn a_call_without_a_query_is_refused() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let answer = console.call(proto::VqlCollectorArgs::default()).await;
    assert_eq!(answer.status, Some((Code::Unknown, "Query should be specified.".into())));
}

#[tokio::test]
async fn a_call_over_four_mebibytes_is_refused() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let big = "x".repeat(5 << 20);
    let answer = console.ask("SELECT len(list=X) AS L FROM scope()", &[("X", &big)]).await;
    let (code, message) = answer.status.unwrap();
    assert_eq!(code, Code::ResourceExhausted);
    assert!(message.starts_with("grpc: received message larger than max ("), "{message}");
}

#[tokio::test]
async fn a_lab_that_is_dropped_cuts_its_connections() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Reader).await;
    let mut stream =
        console.client().query(args("SELECT * FROM clock(ms=20)", &[])).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    drop(lab);
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Ok(Some(_)) = stream.message().await {
        assert!(Instant::now() < deadline, "the stream still lives");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let lab = fast_lab();
    let stalled = Console::connect(&lab, Role::Administrator).await;
    let vql = "SELECT _value, 'x' * 2000 AS Text FROM range(end=1000000)";
    let mut stream = stalled.client().query(args(vql, &[])).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("web-01").await;
    console.collect(&client, "Custom.Lab.One", "{}").await;
    drop(stream);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_query() {
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("web-01").await;
    let env = [("C", client.as_str())];
    // The second statement runs when the first has ended, and shows that it has.
    let vql = "SELECT * FROM clock(ms=10) LET L <= label(client_id=C, labels='ended', op='set')";
    let mut stream = console.client().query(args(vql, &env)).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    drop(stream);
    let vql = "SELECT labels FROM clients(client_id=C)";
    console.wait(vql, &env, |answer| answer.value().to_string().contains("ended")).await;
}

#[tokio::test]
async fn a_lab_that_was_stopped_resumes_with_its_data() {
    let mut lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let client = console.client_id("web-01").await;
    let flow = console.collect(&client, "Custom.Lab.One", "{}").await;
    lab.stop();
    let answer = console.ask("SELECT 1 FROM scope()", &[]).await;
    let code = answer.status.unwrap().0;
    assert!(matches!(code, Code::Unknown | Code::Unavailable), "{code:?}");
    lab.resume().unwrap();
    let console = Console::connect(&lab, Role::Administrator).await;
    let vql = "SELECT state FROM flows(client_id=C, flow_id=F)";
    let answer = console.ask(vql, &[("C", &client), ("F", &flow)]).await;
    assert_eq!(answer.value(), "FINISHED");
}

#[tokio::test]
async fn the_api_file_is_one_that_the_client_accepts() {
    let lab = fast_lab();
    let folder = tempfile::tempdir().unwrap();
    let paths = lab.write_configs(folder.path()).unwrap();
    assert_eq!(paths.len(), 3);
    for path in paths {
        velociraptor_api::ApiConfig::load(&path).unwrap();
    }
}

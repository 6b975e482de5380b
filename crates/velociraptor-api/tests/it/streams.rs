//! Bounds, cancellation, odd values and broken connections of running queries.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prost::Message;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use velociraptor_api::generated::VqlResponse;
use velociraptor_api::{Call, Cut, Limits, OrgId, QueryErrorKind, Rows, Server};
use vql_builder::Query;

use crate::fake::{Fake, Reply, log, raw, rows, until};
use crate::pki::Ca;
use crate::wire::{DATA, END_HEADERS, END_STREAM, HEADERS, frame, http, status};

const QUERY: Query = Query::constant("probe", "SELECT * FROM scope()");

/// Asks the server within limits.
async fn ask(server: &Server, limits: Limits, repeat: bool) -> Result<Rows, QueryErrorKind> {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits, cancel: &cancel };
    let asked = server.run_as(&server.identities()[0], &QUERY, &call, repeat).await;
    asked.map_err(|error| *error.kind)
}

fn numbered(n: u64) -> VqlResponse {
    rows(&json!([{"N": n}]))
}

const TIMED_OUT: &str = "collect: <red>Timeout Error:</> Collection timed out after 2.000594711s";

#[tokio::test]
async fn what_is_asked_for_reaches_the_server() {
    let fake = Fake::start().await;
    let server = fake.server();
    let (org, cancel) = (OrgId::parse("O123").unwrap(), CancellationToken::new());
    let limits = Limits::READ.time(Duration::from_millis(1500)).batch_rows(7);
    let call = Call { org: &org, limits, cancel: &cancel };
    let hostile = "'\"; DELETE /* */ {} \n\0 \u{202e} \u{1f600}";
    let query = QUERY.clone().bind("MR_X", hostile);
    server.run_as(&server.identities()[0], &query, &call, true).await.unwrap();
    let asked = fake.state.asked("probe");
    let args = &asked[0].args;
    assert_eq!(
        (args.org_id.as_str(), args.max_row, args.max_wait, args.timeout),
        ("O123", 7, 1, 2)
    );
    assert_eq!(args.query[0].vql, "SELECT * FROM scope()");
    assert_eq!((args.env[0].key.as_str(), args.env[0].value.as_str()), ("MR_X", hostile));
}

#[tokio::test]
async fn d15_rows_are_asked_for_in_batches_where_nobody_says_how_many() {
    let fake = Fake::start().await;
    let server = fake.server();
    for limits in [Limits::READ, Limits::READ.rows(1_000_000), Limits::READ.batch_rows(0)] {
        ask(&server, limits, true).await.unwrap();
    }
    let asked: Vec<_> = fake.state.asked("probe").iter().map(|asked| asked.args.max_row).collect();
    // Zero, or nothing, would be one row per message.
    assert_eq!(asked, [100, 100, 1]);
    assert!(fake.state.asked("probe").iter().all(|asked| asked.args.max_wait > 0));
}

#[tokio::test]
async fn the_row_limit_cuts_whole_rows_and_stops_the_server() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Endless(numbered));
    let server = fake.server();
    let got = ask(&server, Limits::READ.rows(25), true).await.unwrap();
    assert_eq!((got.rows.len(), got.cut), (25, Some(Cut::Rows)));
    assert_eq!(got.rows[24]["N"], 24);
    until("the server stops", || fake.state.running(), |running| *running == 0).await;
}

#[tokio::test]
async fn the_byte_limit_cuts_whole_rows_and_stops_the_server() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Endless(|_| rows(&json!([{"T": "x".repeat(92)}]))));
    let server = fake.server();
    let got = ask(&server, Limits::READ.bytes(1050), true).await.unwrap();
    assert_eq!((got.rows.len(), got.cut), (10, Some(Cut::Bytes)));
    until("the server stops", || fake.state.running(), |running| *running == 0).await;
}

#[tokio::test]
async fn exactly_as_many_rows_as_allowed_are_the_whole_answer() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Say((0..3).map(numbered).collect()));
    let got = ask(&fake.server(), Limits::READ.rows(3), true).await.unwrap();
    assert_eq!((got.rows.len(), got.cut), (3, None));
    let got = ask(&fake.server(), Limits::READ.rows(2), true).await.unwrap();
    assert_eq!((got.rows.len(), got.cut), (2, Some(Cut::Rows)));
}

#[tokio::test]
async fn a_silent_event_query_ends_at_its_row_limit() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Hang(vec![numbered(1)]));
    let got = ask(&fake.server(), Limits::READ.rows(1), true).await.unwrap();
    assert_eq!((got.rows.len(), got.cut), (1, Some(Cut::Rows)));
}

#[tokio::test]
async fn the_servers_time_limit_leaves_the_rows_so_far() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Say(vec![numbered(1), log(TIMED_OUT)]));
    let got = ask(&fake.server(), Limits::READ, true).await.unwrap();
    assert_eq!((got.rows.len(), got.cut, got.failures), (1, Some(Cut::Time), vec![]));
}

#[tokio::test]
async fn a_server_that_does_not_keep_its_limit_is_left_with_a_warning() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Hang(vec![numbered(1)]));
    let limits = Limits::READ.time(Duration::ZERO);
    let got = ask(&fake.server(), limits, true).await.unwrap();
    assert_eq!((got.rows.len(), got.cut), (1, Some(Cut::Time)));
    assert_eq!(got.warnings, ["the server did not end the query at its time limit"]);
    until("the server stops", || fake.state.running(), |running| *running == 0).await;
}

#[tokio::test]
async fn cancelling_stops_the_server() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Hang(vec![numbered(1)]));
    let server = Arc::new(fake.server());
    let cancel = CancellationToken::new();
    let asking = tokio::spawn({
        let (server, cancel) = (Arc::clone(&server), cancel.clone());
        async move {
            let org = OrgId::root();
            let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
            *server.run_as(&server.identities()[0], &QUERY, &call, true).await.unwrap_err().kind
        }
    });
    until("the query runs", || fake.state.running(), |running| *running == 1).await;
    cancel.cancel();
    assert_eq!(asking.await.unwrap(), QueryErrorKind::Cancelled);
    until("the server stops", || fake.state.running(), |running| *running == 0).await;
    // And a token that is cancelled already sends nothing.
    let org = OrgId::root();
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let error = server.run_as(&server.identities()[0], &QUERY, &call, true).await.unwrap_err();
    assert_eq!(*error.kind, QueryErrorKind::Cancelled);
    assert_eq!(fake.state.asked("probe").len(), 1);
}

#[tokio::test]
async fn dropping_a_stream_stops_the_server() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Endless(numbered));
    let server = fake.server();
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let mut stream = server.stream_as(&server.identities()[0], &QUERY, &call).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().json(), r#"[{"N":0}]"#);
    assert_eq!(fake.state.running(), 1);
    drop(stream);
    until("the server stops", || fake.state.running(), |running| *running == 0).await;
}

#[tokio::test]
async fn a_slow_reader_holds_the_server_back() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Endless(|_| rows(&json!([{"T": "x".repeat(1 << 20)}]))));
    let server = fake.server();
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let stream = server.stream_as(&server.identities()[0], &QUERY, &call).await.unwrap();
    let sent = || fake.state.messages_sent.load(Ordering::SeqCst);
    let mut last = (0, 0);
    // Twenty looks in a row without a further message: the windows are full.
    let look = || {
        last = if sent() == last.0 { (last.0, last.1 + 1) } else { (sent(), 0) };
        last
    };
    until("the server waits", look, |(sent, same)| *sent > 0 && *same > 20).await;
    assert!(sent() < 64, "{} MiB were sent to a reader that reads nothing", sent());
    drop(stream);
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_asked_for_again_with_fewer_rows() {
    let fake = Fake::start().await;
    fake.state.on("probe", |asked| {
        let row = json!({"T": "x".repeat(60_000)});
        let count = usize::try_from(asked.args.max_row).unwrap();
        Reply::Say(vec![rows(&json!(vec![row; count]))])
    });
    let user = fake.ca.issue(&crate::pki::Says::new("admin"));
    let text = fake.ca.api_file(&user, &fake.address.to_string()) + "max_grpc_recv_size: 100000\n";
    let config = crate::pki::parse(text).unwrap();
    let server = Server::open("acme", [(None, config)]).unwrap();

    let got = ask(&server, Limits::READ.batch_rows(100), true).await.unwrap();
    let asked = fake.state.asked("probe");
    let sizes: Vec<u64> = asked.iter().map(|asked| asked.args.max_row).collect();
    assert_eq!((sizes, got.rows.len(), got.cut), (vec![100, 10, 1], 1, None));

    // A single row beyond the limit names it, and nothing is asked twice without leave.
    fake.state.on("probe", |_| Reply::Say(vec![rows(&json!([{"T": "x".repeat(200_000)}]))]));
    let error = ask(&server, Limits::READ.batch_rows(1), true).await.unwrap_err();
    assert_eq!(error, QueryErrorKind::TooLarge { limit: 100_000 });
    assert!(error.to_string().contains("max_grpc_recv_size"), "{error}");
    let before = fake.state.asked("probe").len();
    let error = ask(&server, Limits::READ.batch_rows(100), false).await.unwrap_err();
    assert_eq!(error, QueryErrorKind::TooLarge { limit: 100_000 });
    assert_eq!(fake.state.asked("probe").len(), before + 1);
}

#[tokio::test]
async fn a_request_beyond_the_servers_limit_is_not_sent() {
    let fake = Fake::start().await;
    let server = fake.server();
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let query = QUERY.clone().bind("MR_X", "x".repeat(4 << 20));
    let error = server.run_as(&server.identities()[0], &query, &call, true).await.unwrap_err();
    assert_eq!(*error.kind, QueryErrorKind::RequestTooLarge);
    assert_eq!(fake.state.asked("probe").len(), 0);
}

#[tokio::test]
async fn values_arrive_as_they_were_sent() {
    let fake = Fake::start().await;
    let json = r#"[{"I":9007199254740993,"M":-9223372036854775808,"U":18446744073709551615,"F":3.5,"B":"\u0000\ufffdA","H":"\u003cb\u003e\u202e","N":null,"D":{"z":1,"a":[]}}]"#;
    let columns = ["I", "M", "U", "F", "B", "H", "N", "D"];
    fake.state.on("probe", move |_| Reply::Say(vec![raw(&columns, json)]));
    let got = ask(&fake.server(), Limits::READ, true).await.unwrap();
    let row = &got.rows[0];
    assert_eq!(got.columns, columns);
    assert_eq!(row["I"].as_i64(), Some(9_007_199_254_740_993));
    assert_eq!(row["M"].as_i64(), Some(i64::MIN));
    assert_eq!(row["U"].as_u64(), Some(u64::MAX));
    assert_eq!(row["B"], "\0\u{fffd}A");
    assert_eq!(row["H"], "<b>\u{202e}");
    assert_eq!(row["D"].to_string(), r#"{"z":1,"a":[]}"#);
}

#[tokio::test]
async fn columns_may_change_between_rows_and_batches() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| {
        Reply::Say(vec![
            raw(&["A", "B"], r#"[{"A":1,"B":2},{"A":1,"C":3}]"#),
            raw(&["D"], r#"[{"D":4}]"#),
        ])
    });
    let got = ask(&fake.server(), Limits::READ, true).await.unwrap();
    assert_eq!(got.columns, ["A", "B", "C", "D"]);
    assert_eq!(got.rows.len(), 3);
}

#[tokio::test]
async fn rows_of_ten_megabytes_arrive_whole() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| {
        let row = rows(&json!([{"T": "x".repeat(10_000_000)}]));
        Reply::Say(vec![row.clone(), row])
    });
    let got = ask(&fake.server(), Limits::READ, true).await.unwrap();
    let lengths: Vec<_> = got.rows.iter().map(|row| row["T"].as_str().unwrap().len()).collect();
    assert_eq!((lengths, got.cut), (vec![10_000_000; 2], None));
}

#[tokio::test]
async fn rows_that_are_no_rows_are_a_protocol_fault() {
    let fake = Fake::start().await;
    for json in ["[1]", "{\"A\":1}", "[{\"A\":1}"] {
        fake.state.on("probe", move |_| Reply::Say(vec![raw(&["A"], json)]));
        let error = ask(&fake.server(), Limits::READ, true).await.unwrap_err();
        assert!(matches!(error, QueryErrorKind::Protocol { .. }), "{json}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_dies_leaves_no_partial_answer_and_a_read_is_tried_twice() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Die(vec![numbered(1)]));
    let server = fake.server();
    let error = ask(&server, Limits::READ, true).await.unwrap_err();
    assert!(matches!(error, QueryErrorKind::Unreachable { .. }), "{error:?}");
    assert_eq!(fake.state.asked("probe").len(), 2);
    // What changes something is never sent twice.
    let error = ask(&server, Limits::READ, false).await.unwrap_err();
    assert!(matches!(error, QueryErrorKind::Unreachable { .. }), "{error:?}");
    assert_eq!(fake.state.asked("probe").len(), 3);
}

#[tokio::test]
async fn a_read_survives_one_broken_connection() {
    let fake = Fake::start().await;
    fake.state.on("probe", |asked| match asked.earlier {
        0 => Reply::Die(vec![numbered(1)]),
        _ => Reply::Say(vec![numbered(1), numbered(2)]),
    });
    let got = ask(&fake.server(), Limits::READ, true).await.unwrap();
    assert_eq!(got.rows.len(), 2, "the rows of the first try are not counted");
    assert_eq!(fake.state.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_after_its_rows() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| Reply::Hang(vec![numbered(1)]));
    let server = fake.server();
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let mut stream = server.stream_as(&server.identities()[0], &QUERY, &call).await.unwrap();
    assert!(stream.next().await.unwrap().is_some());
    fake.state.break_connections();
    let error = stream.next().await.unwrap_err();
    assert!(matches!(error, QueryErrorKind::Unreachable { .. }), "{error:?}");
    assert!(stream.next().await.unwrap().is_none(), "an ended stream stays ended");
}

/// A proxy that gives up ends the stream in good order, but for the status that a server sends.
#[tokio::test]
async fn a_stream_without_a_status_at_its_end_is_no_whole_answer() {
    let message = numbered(1).encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let data = [&[0], &length[..], &message].concat();
    let frames =
        [frame(HEADERS, END_HEADERS, &status("200")), frame(DATA, END_STREAM, &data)].concat();
    let ca = Ca::new();
    let address = http(&ca, frames).await.to_string();
    let server = Server::open("acme", [(None, ca.api_config("admin", &address))]).unwrap();
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let mut stream = server.stream_as(&server.identities()[0], &QUERY, &call).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().json(), r#"[{"N":1}]"#);
    let error = stream.next().await.unwrap_err();
    assert!(matches!(error, QueryErrorKind::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("broke off"), "{error}");
}

#[tokio::test]
async fn failures_in_the_log_stand_beside_the_rows() {
    let fake = Fake::start().await;
    fake.state.on("probe", |_| {
        Reply::Say(vec![
            log("Starting query execution."),
            log("glob: Accessor auto: PermissionDenied: Permission denied: [FILESYSTEM_READ]"),
            numbered(1),
            log("WARN:LET expression is masking a built in function x"),
            log("Time 1: probe: Sending response part 0 9 B (1 rows)."),
        ])
    });
    let got = ask(&fake.server(), Limits::READ, true).await.unwrap();
    assert_eq!(got.rows.len(), 1);
    assert!(matches!(got.failures[..], [QueryErrorKind::Denied { .. }]), "{:?}", got.failures);
    assert_eq!(
        got.warnings,
        ["the server's log says \"LET expression is masking a built in function x\""]
    );
}

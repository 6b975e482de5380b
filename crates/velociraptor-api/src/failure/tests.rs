//! Every case that was recorded from a live 0.77.2 server, and every wording of a denial.

use serde::Deserialize;
use tonic::Code;

use super::{LogLine, QueryLog, Refusal, classify};
use crate::error::QueryErrorKind as Kind;
use crate::permission::Permission;

/// One recorded query with what the server answered.
#[derive(Deserialize)]
struct Case {
    case: String,
    role: Option<String>,
    class: String,
    grpc_status: String,
    grpc_message: Option<String>,
    log: Vec<Line>,
    source: String,
}

#[derive(Deserialize)]
struct Line {
    text: String,
}

/// Cases of a failure class in which the server logs nothing: only reading back tells them.
const SILENT: &[&str] = &[
    "unknown_symbol_where",
    "label_missing_op",
    "flows_unknown_flow_silent",
    "source_unknown_flow_silent",
    "hunt_info_unknown_silent",
    "hunts_unknown_silent",
    "hunt_update_unknown_silent",
    "cancel_unknown_flow_silent",
    "user_create_bad_role",
    "source_orgs_unknown",
    "file_missing",
    "client_delete_dry",
    "query_plugin_inner_timeout_silent",
    "collect_unknown_parameter_silent",
    // These failed on the agent: the flow's row tells it, not the query's log.
    "flow_status_timeout",
    "flow_status_cancelled",
];

/// Cases whose class `other` is a failure with a name of its own.
const OTHER: &[(&str, &str)] = &[
    ("artifact_delete_builtin", "failed"),
    ("artifact_set_builtin", "failed"),
    ("upload_no_uploader", "failed"),
    ("env_over_4MiB", "request_too_large"),
    ("row_batch_over_client_limit", "too_large"),
    // The recorded text was made by another client library; ours gives a transport error.
    ("server_stopped_midstream", "failed"),
];

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../tests/data/vql_errors.json")).unwrap()
}

fn class(kind: &Kind) -> &'static str {
    match kind {
        Kind::Parse { .. } => "parse",
        Kind::UnknownSymbol { .. } => "unknown_symbol",
        Kind::BadArgument { .. } => "bad_argument",
        Kind::Denied { .. } | Kind::UnknownUser { .. } => "permission_denied",
        Kind::NotFound { .. } => "not_found",
        Kind::Timeout { .. } => "timeout",
        Kind::Cancelled => "cancelled",
        Kind::UnknownOrg { .. } => "org_not_found",
        Kind::TooLarge { .. } => "too_large",
        Kind::RequestTooLarge => "request_too_large",
        Kind::Failed { .. } => "failed",
        other => panic!("no recorded case is {other:?}"),
    }
}

fn code(name: &str) -> Code {
    match name {
        "CANCELLED" => Code::Cancelled,
        "UNKNOWN" => Code::Unknown,
        "INVALID_ARGUMENT" => Code::InvalidArgument,
        "DEADLINE_EXCEEDED" => Code::DeadlineExceeded,
        "NOT_FOUND" => Code::NotFound,
        "PERMISSION_DENIED" => Code::PermissionDenied,
        "RESOURCE_EXHAUSTED" => Code::ResourceExhausted,
        "UNAVAILABLE" => Code::Unavailable,
        other => panic!("{other} is no recorded status"),
    }
}

fn refusal(code: Code, message: &str) -> Kind {
    Refusal { code, message, user: "me", org: "O123", max_receive: 1000, seconds: 30 }.kind()
}

/// What the case comes to: the classes of its failures, and its warnings.
fn read(case: &Case) -> (Vec<&'static str>, Vec<String>) {
    let mut log = QueryLog::default();
    for line in &case.log {
        log.note(&line.text);
    }
    let mut classes = Vec::new();
    if case.grpc_status != "OK" {
        let message = case.grpc_message.as_deref().unwrap_or_default();
        classes.push(class(&refusal(code(&case.grpc_status), message)));
    }
    if log.timed_out() {
        classes.push("timeout");
    }
    let (failures, warnings) = log.into_parts();
    classes.extend(failures.iter().map(class));
    (classes, warnings)
}

#[test]
fn a_column_with_a_blank_in_its_name_is_named_whole() {
    for line in [
        "ERROR:Symbol `Last Seen` not found. Current Scope is [A]",
        "ERROR:Symbol Last Seen not found. Current Scope is [A]",
    ] {
        match classify(line) {
            LogLine::Failure(Kind::UnknownSymbol { symbol, .. }) => assert_eq!(symbol, "Last Seen"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn every_recorded_case_gets_its_class() {
    let cases = cases();
    assert_eq!(cases.len(), 234);
    let mut silent = Vec::new();
    for case in &cases {
        let label = format!("{} as {}", case.case, case.role.as_deref().unwrap_or("-"));
        let (classes, warnings) = read(case);
        let other = OTHER.iter().find(|(name, _)| *name == case.case).map(|(_, class)| *class);
        let wanted = match case.class.as_str() {
            "other" | "warning_only" => other,
            // A deadline of the caller's own is its time limit.
            "cancelled" if case.grpc_status == "DEADLINE_EXCEEDED" => Some("timeout"),
            failure => Some(failure),
        };
        if SILENT.contains(&case.case.as_str()) {
            assert_eq!((classes, warnings), (vec![], vec![]), "{label}: not silent any more");
            silent.push(case.case.as_str());
            continue;
        }
        assert_eq!(classes, wanted.into_iter().collect::<Vec<_>>(), "{label} ({})", case.source);
        assert_eq!(!warnings.is_empty(), case.class == "warning_only", "{label}: {warnings:?}");
    }
    silent.sort_unstable();
    let mut listed = SILENT.to_vec();
    listed.sort_unstable();
    assert_eq!(silent, listed, "a case that is listed as silent is not recorded");
}

#[test]
fn recorded_messages_are_short_and_hold_no_path() {
    for case in cases() {
        for line in &case.log {
            if let LogLine::Failure(kind) = classify(&line.text) {
                let text = kind.to_string();
                assert!(text.len() < 300, "{}: {text}", case.case);
                for word in ["Current Scope", "NotFoundError", "/notebooks/", "<red>", "\n"] {
                    assert!(!text.contains(word), "{}: {text}", case.case);
                }
            }
        }
    }
    let missing = refusal(Code::NotFound, "open /var/lib/velociraptor/x: no such file");
    assert_eq!(missing.to_string(), "the server has no such file");
}

#[test]
fn an_artifact_that_does_not_run_as_a_plugin_is_a_failure() {
    let line = "Unknown parameter Nope provided to artifact Artifact.Linux.Sys.Pslist";
    assert!(matches!(classify(line), LogLine::Failure(Kind::BadArgument { .. })));
    let line = "Artifact Artifact.Custom.X invalid: While parsing source query";
    assert!(matches!(classify(line), LogLine::Failure(Kind::Failed { .. })));
}

#[test]
fn each_wording_of_a_denial_names_the_permission() {
    for (line, permission) in [
        ("info: PermissionDenied: Permission denied: [MACHINE_STATE]", Permission::MachineState),
        (
            "glob: Accessor auto: PermissionDenied: Permission denied: [FILESYSTEM_READ]",
            Permission::FilesystemRead,
        ),
        (
            "collect_client: PermissionDenied: User EXECVE is not allowed to launch flows COLLECT_SERVER.",
            Permission::CollectServer,
        ),
        ("collect_client: Permission denied: COLLECT_CLIENT", Permission::CollectClient),
        (
            "Artifact Custom.NETWORK invalid: PermissionDenied: User reader is not allowed to launch flows COLLECT_CLIENT.",
            Permission::CollectClient,
        ),
        (
            "collect_client: PermissionDenied: While collecting artifact (Custom.NETWORK) permission denied EXECVE",
            Permission::Execve,
        ),
        (
            "user_grant: Error: PermissionDenied, User x is not admin on <root>. ",
            Permission::ServerAdmin,
        ),
    ] {
        match classify(line) {
            LogLine::Failure(Kind::Denied { permission: named, .. }) => {
                assert_eq!(named, Some(permission), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
    for (message, permission) in [
        (
            "Permission denied: User EXECVE requires permission ANY_QUERY to run queries",
            Some(Permission::AnyQuery),
        ),
        ("User is not allowed to view the VFS.", Some(Permission::ReadResults)),
        ("User is not allowed to launch hunts.", None),
        ("No access to filesystem path", None),
    ] {
        match refusal(Code::PermissionDenied, message) {
            Kind::Denied { permission: named, .. } => assert_eq!(named, permission, "{message}"),
            other => panic!("{message}: {other:?}"),
        }
    }
}

#[test]
fn what_a_query_logs_itself_is_never_a_failure() {
    for line in [
        "DEFAULT:collect_client: PermissionDenied: Permission denied: [EXECVE]",
        "WARN:Symbol x not found. ",
        "INFO:VQL Error: 1:1: nothing",
        "ALERT:Org not found",
        "ERROR:the disk looks odd",
    ] {
        assert!(matches!(classify(line), LogLine::Warning(_)), "{line}");
    }
    // An operating system's refusal is no matter of roles.
    let line = "read_file: open /srv/x: permission denied";
    assert!(matches!(classify(line), LogLine::Failure(Kind::Failed { .. })), "{line}");
    // Nor does echoed data decide what a failure is.
    let line = "parse_json: invalid character 'P' looking for x: PermissionDenied: [EXECVE]";
    assert!(matches!(classify(line), LogLine::Failure(Kind::BadArgument { .. })), "{line}");
    for line in ["user_delete: Will remove x from orgs [O1]", "Registering watcher for System.X"] {
        assert!(matches!(classify(line), LogLine::Warning(_)), "{line}");
    }
}

#[test]
fn one_cause_is_told_once_with_its_suggestion() {
    let mut log = QueryLog::default();
    log.note("ERROR:Plugin client not found. Current Scope is [NULL], [config]\n");
    log.note("ERROR:Plugin client not found. Did you mean client_delete clients http_client? \n");
    log.note("clients: Unexpected arg bogus\n");
    log.note("clients: Unexpected arg bogus\n");
    let (failures, warnings) = log.into_parts();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert_eq!(failures[0].to_string(), "Plugin client not found");
    assert_eq!(failures[0].hint(), Some("Did you mean client_delete clients http_client?"));
    assert_eq!(failures[1].to_string(), "clients: Unexpected arg bogus");
}

#[test]
fn a_flood_of_lines_is_bounded_and_says_so() {
    let mut log = QueryLog::default();
    for n in 0..250 {
        log.note(&format!("WARN:line {n}"));
        log.note(&format!("clients: Unexpected arg a{n}"));
    }
    let (failures, warnings) = log.into_parts();
    assert_eq!((failures.len(), warnings.len()), (100, 101));
    assert_eq!(warnings[100], "300 further log lines were left out");
}

#[test]
fn places_and_durations_are_read() {
    for (line, place, text) in [
        (
            r#"VQL Error: 1:23: unexpected token "9:9: x" (expected ")")."#,
            (1, 23),
            r#"the query does not parse at 1:23: unexpected token "9:9: x" (expected ")")"#,
        ),
        (
            "VQL Error: SELECT |'a 7:7: b : 12:8: invalid token '\\''.",
            (12, 8),
            "the query does not parse at 12:8: invalid token '\\''",
        ),
    ] {
        match classify(line) {
            LogLine::Failure(kind @ Kind::Parse { place: named, .. }) => {
                assert_eq!(named, Some(place), "{line}");
                assert_eq!(kind.to_string(), text);
            }
            other => panic!("{line}: {other:?}"),
        }
    }
    let line = "collect: <red>Timeout Error:</> Collection timed out after 1h2m3.5s";
    assert_eq!(classify(line), LogLine::Failure(Kind::Timeout { seconds: 3723 }));
}

#[test]
fn a_server_that_is_not_verbose_says_the_same_with_another_code() {
    let org = Some(String::from("O123"));
    assert_eq!(refusal(Code::Unavailable, "Org not found"), Kind::UnknownOrg { org });
    assert_eq!(
        refusal(Code::Unavailable, "User not found: x"),
        Kind::UnknownUser { user: String::from("me") }
    );
    assert!(!refusal(Code::Unavailable, "something broke").is_transient());
}

#[test]
fn no_line_is_too_odd() {
    for case in cases() {
        for line in &case.log {
            for (at, _) in line.text.char_indices() {
                let (head, tail) = line.text.split_at(at);
                for odd in [head, tail, &format!("{head}\u{1f600}\n\u{202e}{tail}")] {
                    if let LogLine::Failure(kind) = classify(odd) {
                        assert!(!kind.to_string().is_empty(), "{odd}");
                    }
                }
            }
        }
    }
}

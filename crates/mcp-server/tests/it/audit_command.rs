//! `megaraptor audit` over a record that is sound, and one that is not.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use guard::audit::{Audit, ClientName, Decision, Intent, Options, Outcome, Who};
use guard::effect::Effect;
use serde_json::{Value, json};

fn audit(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_megaraptor"))
        .arg("audit")
        .args(arguments)
        .env("MEGARAPTOR_HOME", home)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn recorded(home: &Path) {
    let audit = Audit::open(&Options::new(home.join("audit"))).expect("the record opens");
    for (call, tool) in [("1", "list_clients"), ("2", "run_vql")] {
        let begun = audit
            .begin(Intent {
                call: call.into(),
                who: Who {
                    client: Some(ClientName { name: "cl\u{202e}ient".into(), version: "1".into() }),
                    transport: "stdio".into(),
                    subject: None,
                },
                tool: tool.into(),
                arguments: json!({}),
                vql: None,
                server: None,
                org: None,
                identity: None,
                effect: Effect::Read,
                decision: Decision::Refused { rule: None, why: "a test".into() },
            })
            .await
            .expect("the call is recorded");
        begun.end(Outcome::without_answer("denied")).await.expect("the outcome is recorded");
    }
    audit.close().await.expect("the record closes");
}

#[tokio::test]
async fn a_record_is_shown_exported_and_verified() {
    let home = tempfile::tempdir().unwrap();
    recorded(home.path()).await;

    let shown = audit(home.path(), &["show", "--tool", "run_vql"]);
    let text = said(&shown);
    assert!(text.contains("cl\\u{202e}ient") && text.contains("1 of 1 calls"), "{text}");
    assert!(text.contains("refused") && text.contains("denied"), "{text}");
    let typed = audit(home.path(), &["show", "--last", "1", "-o", "json"]);
    let typed: Value = serde_json::from_slice(&typed.stdout).unwrap();
    assert_eq!((&typed["total"], &typed["calls"][0]["tool"]), (&json!(2), &json!("run_vql")));

    let file = home.path().join("calls.jsonl");
    let to = file.to_str().unwrap();
    assert_eq!(audit(home.path(), &["export", "--to", to]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    let again = audit(home.path(), &["export", "--to", to]);
    assert_eq!(again.status.code(), Some(2), "an export overwrote a file");

    let good = audit(home.path(), &["verify"]);
    assert_eq!(good.status.code(), Some(0), "{}", said(&good));
    let text = said(&good);
    let after = |word: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(word)).expect("a line");
        line.split_whitespace().next().expect("a value").to_owned()
    };
    let (head, key) = (after("head "), after("key "));
    recorded(home.path()).await;
    let later = audit(home.path(), &["verify", "--expect", &head, "--key", &key]);
    assert_eq!(later.status.code(), Some(0), "{}", said(&later));
    let other = audit(home.path(), &["verify", "--key", &"0".repeat(64)]);
    assert_eq!(other.status.code(), Some(1), "{}", said(&other));
}

/// What ends in order signs for its last line, over stdio too.
#[test]
fn a_server_that_ends_leaves_nothing_unsigned() {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_megaraptor"))
        .args(["serve", "--lab"])
        .env("MEGARAPTOR_HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let messages = [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" } } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
                "params": { "name": "list_hunts", "arguments": {} } }),
    ];
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    {
        let mut input = child.stdin.take().unwrap();
        for message in messages {
            writeln!(input, "{message}").unwrap();
        }
        // The input ends only once the call was answered.
        let answered = lines.by_ref().map(Result::unwrap).any(|line| line.contains(r#""id":2"#));
        assert!(answered, "the call was not answered");
    }
    assert!(child.wait().unwrap().success());
    let verified = audit(home.path(), &["verify", "--lab"]);
    let text = said(&verified);
    assert!(verified.status.success() && !text.contains("not signed"), "{text}");
}

#[tokio::test]
async fn a_tampered_record_is_named_by_file_and_line() {
    let home = tempfile::tempdir().unwrap();
    recorded(home.path()).await;
    let log = home.path().join("audit/audit-00000001.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("run_vql", "run_vqi", 1)).unwrap();
    let bad = audit(home.path(), &["verify"]);
    assert_eq!(bad.status.code(), Some(1));
    let line = 1 + text.lines().position(|line| line.contains("run_vql")).unwrap();
    let named = format!("audit-00000001.jsonl:{line}: changed: ");
    assert!(said(&bad).starts_with(&named), "{}", said(&bad));
    assert!(said(&bad).contains("NOT SOUND"), "{}", said(&bad));

    let typed = audit(home.path(), &["verify", "-o", "json"]);
    let typed: Value = serde_json::from_slice(&typed.stdout).unwrap();
    assert_eq!(typed["faults"][0]["line"], json!(line));
    assert_eq!(typed["faults"][0]["what"], "changed");
}

#[test]
fn where_there_is_no_record_that_is_said() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["verify"][..], &["show"], &["export"]] {
        let none = audit(home.path(), arguments);
        assert_eq!(none.status.code(), Some(3), "{arguments:?}: {none:?}");
        assert!(String::from_utf8_lossy(&none.stderr).contains("audit"), "{none:?}");
    }
    assert_eq!(audit(home.path(), &["show", "--effect", "rread"]).status.code(), Some(2));
}

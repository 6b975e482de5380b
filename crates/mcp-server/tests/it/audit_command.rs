//! `megaraptor audit` over a record that is sound, and one that is not.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use guard::approver::Approver;
use guard::audit::{
    Audit, ClientName, Decision, EmergencySink, Endpoint, Intent, Options, Outcome, Who,
};
use guard::effect::Effect;
use guard::permit::Authority;
use guard::policy::{Origin, Rule};
use serde_json::{Value, json};
use velociraptor_api::ClientId;

#[cfg(unix)]
use crate::approvals::Home;

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
            .begin(Intent::new(
                call.into(),
                Who {
                    client: Some(ClientName { name: "cl\u{202e}ient".into(), version: "1".into() }),
                    transport: "stdio".into(),
                    ..Who::default()
                },
                tool,
                json!({}),
                Effect::Read,
                Decision::Refused { rule: None, why: "a test".into() },
            ))
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
    assert!(text.contains("cl\\u{202e}ient") && text.contains("1 of 1 entries"), "{text}");
    assert!(text.contains("refused: a test"), "{text}");
    let typed = audit(home.path(), &["show", "--last", "1", "-o", "json"]);
    let typed: Value = serde_json::from_slice(&typed.stdout).unwrap();
    assert_eq!((&typed["total"], &typed["entries"][0]["tool"]), (&json!(2), &json!("run_vql")));

    let file = home.path().join("calls.jsonl");
    let to = file.to_str().unwrap();
    assert_eq!(audit(home.path(), &["export", "--to", to]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    let again = audit(home.path(), &["export", "--to", to]);
    assert_eq!(again.status.code(), Some(2), "an export overwrote a file");

    assert_eq!(typed["verified"]["faults"], json!([]));

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

    // What stands around it, and what was likely done.
    let told = said(&bad);
    for part in [
        "before  entry ",
        ": call 1 of list_clients ended",
        "now entry ",
        "run_vqi begins",
        "after   entry ",
        ": call 2 of run_vql ended",
        "likely  the line was edited",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }

    let typed = audit(home.path(), &["verify", "-o", "json"]);
    let typed: Value = serde_json::from_slice(&typed.stdout).unwrap();
    assert_eq!(typed["faults"][0]["line"], json!(line));
    assert_eq!(typed["faults"][0]["what"], "changed");
    assert_eq!(typed["faults"][0]["near"]["after"]["tool"], "run_vql");
}

/// Whoever reads a record that does not hold is told so, above and below, and by the exit code.
#[tokio::test]
async fn a_tampered_record_is_not_shown_as_if_it_were_sound() {
    let home = tempfile::tempdir().unwrap();
    recorded(home.path()).await;
    let sound = audit(home.path(), &["show"]);
    assert_eq!(sound.status.code(), Some(0), "{sound:?}");
    assert!(said(&sound).contains("the record is sound"), "{}", said(&sound));
    let log = home.path().join("audit/audit-00000001.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("run_vql", "run_vqi", 1)).unwrap();

    for details in [&["show"][..], &["show", "--details"]] {
        let shown = audit(home.path(), details);
        assert_eq!(shown.status.code(), Some(1), "{shown:?}");
        let text = said(&shown);
        assert!(text.starts_with("NOT SOUND") && text.matches("NOT SOUND").count() == 2, "{text}");
        let marked = text.lines().find(|line| line.contains("run_vqi")).expect("the call");
        assert!(marked.trim_start().starts_with('!'), "{text}");
        let other = text.lines().find(|line| line.contains("list_clients")).expect("the other");
        assert!(!other.contains('!') && !text.contains("is sound"), "{text}");
    }
    let typed = audit(home.path(), &["show", "-o", "json"]);
    assert_eq!(typed.status.code(), Some(1));
    let typed: Value = serde_json::from_slice(&typed.stdout).unwrap();
    assert!(typed["entries"][1]["doubt"].as_str().unwrap().starts_with("changed"), "{typed}");
    let exported = audit(home.path(), &["export"]);
    assert_eq!(exported.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&exported.stderr).contains("NOT SOUND"), "{exported:?}");
    assert_eq!(said(&exported).lines().count(), 2, "{}", said(&exported));
}

/// What was done when the record could not be written is shown with the rest.
#[tokio::test]
async fn what_stands_in_the_emergency_file_is_read_too() {
    let home = tempfile::tempdir().unwrap();
    recorded(home.path()).await;
    let sink = EmergencySink::new(&home.path().join("audit"));
    sink.record("emergency_stop", "acme / root F.1 on C.00000000000018f2: cancelled")
        .written
        .unwrap();
    let text = said(&audit(home.path(), &["show"]));
    assert!(text.contains("3 of 3 entries, 1 of them from emergency.jsonl"), "{text}");
    let line = text.lines().find(|line| line.contains("F.1 on C.0")).expect("its line");
    assert!(line.starts_with("e1 ") && line.contains("in emergency.jsonl"), "{text}");
    let found = said(&audit(home.path(), &["show", "--client", "c.00000000000018F2"]));
    assert!(found.contains("1 of 1 entries"), "{found}");
    let verified = said(&audit(home.path(), &["verify"]));
    assert!(verified.contains("emergency.jsonl was read too: 1 emergency entries"), "{verified}");
    let exported = said(&audit(home.path(), &["export"]));
    let last: Value = serde_json::from_str(exported.lines().last().unwrap()).unwrap();
    assert_eq!((&last["kind"], &last["apart"]), (&json!("emergency"), &json!(true)), "{last}");
    // A line of it that was changed is found as well.
    let path = home.path().join("audit/emergency.jsonl");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("F.1", "F.2")).unwrap();
    let shown = audit(home.path(), &["show"]);
    assert_eq!(shown.status.code(), Some(1), "{}", said(&shown));
    assert!(said(&shown).contains("!e1 "), "{}", said(&shown));
}

/// A terminal of 80 columns has a line for each entry, and the details on demand.
#[cfg(unix)]
#[tokio::test]
async fn entries_fit_a_terminal_and_say_host_hunt_flow_and_who_approved() {
    let home = Home::new();
    let bob = || Approver { user: "bob".into(), host: "soc".into(), terminal: "/dev/pts/3".into() };
    let open = Audit::open(&Options::new(home.path().join("audit"))).expect("the record opens");
    let by = || Who { transport: "stdio".into(), subject: Some("alice".into()), ..Who::default() };
    let id = ClientId::parse("C.00000000000018f2").expect("an id");
    for (call, tool, arguments, approval) in [
        (
            "1",
            "collect_artifact",
            json!({ "clients": ["fin-ws07"], "password": "hunter2",
            "artifacts": ["Windows.System.Pslist", "Windows.Network.Netstat"] }),
            Some("A7"),
        ),
        ("2", "get_hunt_results", json!({ "hunt_id": "H.C9" }), None),
        ("3", "get_flow_status", json!({ "client": "DC01", "flow_id": "F.77" }), None),
    ] {
        let effect = if approval.is_some() { Effect::Collect } else { Effect::Read };
        let on = match approval {
            Some(id) => Authority::Approval { id: id.into(), approved_by: bob() },
            None => {
                Authority::Policy { rule: Rule { setting: "read".into(), origin: Origin::Default } }
            }
        };
        let allowed = Decision::Allowed { on };
        let intent = Intent::new(call.into(), by(), tool, arguments, effect, allowed)
            .at(Some("acme".into()), Some("root".into()));
        let hosts =
            approval.iter().map(|_| Endpoint { client: id.clone(), name: "FIN-WS07".into() });
        let begun = open.begin(intent.on(hosts.collect::<Vec<_>>().into_iter())).await.unwrap();
        begun.end(Outcome::answered("complete", b"x").by(Some("reader".into()))).await.unwrap();
    }
    open.close().await.unwrap();

    let (code, shown) = home.talked(&["audit", "show"], "", "");
    assert_eq!(code, Some(0), "{shown}");
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{shown}");
    let of = |tool: &str| {
        let found: Vec<_> = lines.iter().filter(|line| line.contains(tool)).collect();
        assert_eq!(found.len(), 1, "{tool} has a line: {shown}");
        *found[0]
    };
    assert!(of("collect_artifact").contains("FIN-WS07 C."), "{shown}");
    assert!(shown.contains(" (UTC), acme / root"), "{shown}");
    assert!(of("get_hunt_results").contains("H.C9"), "{shown}");
    assert!(of("get_flow_status").contains("DC01 F.77"), "{shown}");
    assert!(
        shown.contains("(left out, -o json has all: effect, ms)"),
        "what is left out is said: {shown}"
    );

    let found = said(&audit(home.path(), &["show", "--client", id.as_str()]));
    assert!(found.contains("1 of 1 entries") && found.contains("complete, A7 by bob"), "{found}");
    let whole = said(&audit(home.path(), &["show", "--details", "--client", "FIN-WS07"]));
    for part in [
        "where       acme / root",
        "who         alice, stdio",
        "identity    reader",
        "hosts       FIN-WS07 C.00000000000018f2",
        "[masked: password]",
        "answer      sha256",
        "decision    allowed by approval A7 of bob@soc on /dev/pts/3",
    ] {
        assert!(whole.contains(part), "{part}: {whole}");
    }
    assert!(!whole.contains("hunter2"), "{whole}");
    let past = said(&audit(home.path(), &["show", "--until", "2026-01-01T00:00:00Z"]));
    assert!(past.starts_with("0 of 0 entries"), "{past}");
    let who =
        said(&audit(home.path(), &["show", "--subject", "alice", "--tool", "get_flow_status"]));
    assert!(who.contains("1 of 1 entries"), "{who}");
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

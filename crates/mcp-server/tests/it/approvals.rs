//! `megaraptor approvals` and `megaraptor grants`, as a person uses them: on a terminal.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use guard::approval::{Approval, Approvals, Host, Hosts, NotApproved, Plan, State};
use guard::asked::{AsWhom, Asked, Bounds, Caller, Clients, VqlFound};
use guard::effect::Effect;
use guard::permit::{Authority, Question};
use guard::policy::{Decision, Known, Policy, Sources};
use guard::record::Clock;
use serde_json::{Map, Value};
use velociraptor_api::ClientId;

const PROGRAM: &str = env!("CARGO_BIN_EXE_megaraptor");

/// A state folder.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What the record has of decisions.
    fn decided(&self) -> Vec<Value> {
        let log = self.path().join("audit/audit-00000001.jsonl");
        let text = std::fs::read_to_string(log).expect("there is a record");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.filter(|line| line["kind"] == "decided").collect()
    }

    fn approvals(&self) -> Approvals {
        Approvals::open(self.path(), Clock::of_the_machine()).expect("the state folder opens")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env("MEGARAPTOR_HOME", self.path()).env("USER", "mallory");
        command
    }

    /// Without a terminal, as an assistant or a script runs it.
    pub(crate) fn piped(&self, arguments: &[&str], typed: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // The program may have ended without reading.
        let _ = child.stdin.take().expect("its input is a pipe").write_all(typed.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    /// On a terminal: the exit code and all that was shown there.
    fn typed(&self, arguments: &[&str], typed: &str) -> (Option<i32>, String) {
        self.talked(arguments, "", typed)
    }

    /// The same, with a person who types when this is shown.
    pub(crate) fn talked(
        &self,
        arguments: &[&str],
        asked: &str,
        typed: &str,
    ) -> (Option<i32>, String) {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&terminal).expect("a terminal");
        unlockpt(&terminal).expect("a terminal");
        let name = ptsname(&terminal, Vec::new()).expect("it has a name");
        let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let side = || OpenOptions::new().read(true).write(true).open(path).expect("its other side");
        let mut child = self
            .command(arguments)
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("the program starts");
        let mut terminal = File::from(terminal);
        let mut waiting = typed.as_bytes();
        let mut type_in = |terminal: &mut File, shown: &[u8]| {
            if String::from_utf8_lossy(shown).contains(asked) && !waiting.is_empty() {
                terminal.write_all(std::mem::take(&mut waiting)).expect("it can be typed to");
            }
        };
        let mut shown = Vec::new();
        type_in(&mut terminal, &shown);
        let mut part = [0; 4096];
        // The terminal fails to be read when the program has closed its side.
        while let Ok(read @ 1..) = terminal.read(&mut part) {
            shown.extend_from_slice(&part[..read]);
            type_in(&mut terminal, &shown);
        }
        (child.wait().expect("it ends").code(), String::from_utf8_lossy(&shown).replace('\r', ""))
    }
}

fn client() -> ClientId {
    ClientId::parse("C.00000000000018f2").expect("an id")
}

fn asked() -> Asked {
    Asked {
        caller: Caller { subject: "alice".into(), program: "claude".into() },
        tool: "quarantine_client".into(),
        effect: Effect::Respond,
        arguments: Map::from_iter([("action".to_owned(), Value::from("isolate"))]),
        server: "acme-prod".into(),
        org: "root".into(),
        identity: AsWhom { kind: "administrator".into(), user: "adm".into() },
        clients: Clients::exactly([client()]),
        artifacts: BTreeMap::new(),
        vql: VqlFound::default(),
        bounds: Bounds::default(),
        expires_after: None,
    }
}

fn question() -> Question {
    let known = Known { tools: &[], servers: &[] };
    let policy = Policy::load(&Sources::default(), known).expect("the default policy");
    match policy.judge(&asked()) {
        Decision::Ask { question, .. } => question,
        other => panic!("{other:?}"),
    }
}

fn ask(home: &Home) -> Approval {
    let host = Host {
        id: client(),
        name: "FIN-WS07\u{1b}[2J".into(),
        system: "windows".into(),
        last_seen: None,
        protected: false,
    };
    let plan = Plan {
        weight: None,
        grants: Vec::new(),
        hosts: Hosts::Each(vec![host]),
        effect: "cuts it off".into(),
        steps: Vec::new(),
        notes: Vec::new(),
        others: vec![],
        undo: "release".into(),
        proof: "the label".into(),
        cost: None,
        reason: Some("beaconing".into()),
    };
    home.approvals().ask(&question(), plan, Duration::from_secs(600)).expect("it can be asked for")
}

#[test]
fn a_person_on_a_terminal_approves_what_they_see() {
    let home = Home::new();
    let approval = ask(&home);
    let digits = &approval.digest.short()[..4];
    let (code, shown) =
        home.typed(&["approvals", "approve", &approval.id()], &format!("{digits}\n"));
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("RESPOND quarantine_client"), "{shown}");
    assert!(shown.contains("FIN-WS07\\u{1b}[2J") && !shown.contains('\u{1b}'), "{shown}");
    let State::Approved { by, .. } = home.approvals().find(&approval.id()).unwrap().state else {
        panic!("it is not approved: {shown}");
    };
    assert!(by.terminal.starts_with("/dev/"), "{by:?}");
    assert_ne!(by.user, "mallory", "a variable names the approver");
    assert!(!by.host.is_empty(), "{by:?}");
    let permit = home.approvals().carry_out(&question()).unwrap();
    let authority = permit.spend(&asked()).unwrap();
    assert_eq!(authority, Authority::Approval { id: approval.id(), approved_by: by });
}

#[test]
fn other_digits_leave_it_as_it_is() {
    let home = Home::new();
    let approval = ask(&home);
    for typed in ["\n", "yes\n", "y\n", "zzzz\n"] {
        let (code, shown) = home.typed(&["approvals", "approve", &approval.id()], typed);
        assert_eq!(code, Some(130), "{typed:?}: {shown}");
        assert_eq!(home.approvals().find(&approval.id()).unwrap(), approval, "{typed:?}");
    }
}

#[test]
fn nothing_is_approved_or_granted_through_a_pipe() {
    let home = Home::new();
    let approval = ask(&home);
    let digits = format!("{}\n", &approval.digest.short()[..4]);
    let grant = [
        "grants",
        "create",
        "--case",
        "X",
        "--server",
        "s",
        "--artifacts",
        "Windows.Sys.*",
        "--clients",
        "C.00000000000018f2",
        "--bytes",
        "1 GB",
    ];
    let id = approval.id();
    for (arguments, typed) in
        [(["approvals", "approve", &id].as_slice(), digits.as_str()), (&grant, "yes\n")]
    {
        let done = home.piped(arguments, typed);
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(4), "{arguments:?}: {said}");
        assert!(said.contains("needs a terminal"), "{said}");
    }
    assert!(matches!(home.approvals().carry_out(&question()), Err(NotApproved::Pending { .. })));
    let listed = home.piped(&["grants", "list", "--all", "-o", "json"], "");
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["grants"], serde_json::json!([]));
}

#[test]
fn requests_are_listed_shown_and_denied() {
    let home = Home::new();
    let said = |arguments: &[&str]| {
        let done = home.piped(arguments, "");
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    assert!(said(&["approvals", "list"]).contains("nothing waits"));
    let approval = ask(&home);
    let id = approval.id();
    let list = said(&["approvals", "list"]);
    assert!(list.contains(&id) && list.contains("quarantine_client"), "{list}");
    let card = said(&["approvals", "show", &id]);
    assert!(card.contains("approve outside the chat") && !card.contains('\u{1b}'), "{card}");
    let data: Value =
        serde_json::from_str(&said(&["approvals", "show", &id, "-o", "json"])).unwrap();
    assert_eq!(data["approval"]["asked"]["arguments"]["action"], "isolate");
    assert_eq!(data["approval"]["digest"], approval.digest.to_string());
    assert!(said(&["approvals", "deny", &id, "--reason", "not now"]).contains("is denied"));
    assert!(said(&["approvals", "list"]).contains("nothing waits"));
    assert!(said(&["approvals", "list", "--all"]).contains("denied"));
    let refusal = home.approvals().carry_out(&question()).unwrap_err();
    assert!(refusal.to_string().contains("not now"), "{refusal}");
    // The denial is on record, although nobody came back with the call.
    let decided = home.decided();
    assert_eq!(decided.len(), 1, "{decided:?}");
    let line = &decided[0];
    assert_eq!((&line["act"], &line["id"]), (&"deny".into(), &id.clone().into()), "{line}");
    assert_eq!(line["digest"], approval.digest.to_string(), "{line}");
    assert_eq!((&line["tool"], &line["reason"]), (&"quarantine_client".into(), &"not now".into()));
    assert_ne!(line["by"]["user"], "mallory", "{line}");
    for (arguments, code) in [
        (["approvals", "deny", &id], 7),
        (["approvals", "show", "ffffffff-9"], 3),
        (["grants", "revoke", "G9"], 3),
    ] {
        assert_eq!(home.piped(&arguments, "").status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_recorded_is_not_decided_on_the_command_line() {
    let home = Home::new();
    let approval = ask(&home);
    let id = approval.id();
    assert_eq!(home.piped(&["token", "create", "alice"], "").status.code(), Some(0));
    std::fs::remove_file(home.path().join("audit/audit-00000001.jsonl")).unwrap();
    let digits = format!("{}\n", &approval.digest.short()[..4]);
    let (code, shown) = home.typed(&["approvals", "approve", &id], &digits);
    assert_eq!(code, Some(12), "{shown}");
    assert!(shown.contains("nothing was decided, since it cannot be recorded"), "{shown}");
    assert!(!shown.contains("type the first 4 digits"), "a person was asked for nothing: {shown}");
    for arguments in [
        &["approvals", "deny", &id][..],
        &["grants", "revoke", "G1"],
        &["token", "create", "carol"],
        &["token", "revoke", "alice"],
    ] {
        let done = home.piped(arguments, "");
        assert_eq!(done.status.code(), Some(12), "{arguments:?}: {done:?}");
    }
    assert_eq!(home.approvals().find(&id).unwrap().state, State::Pending);
    let listed = String::from_utf8(home.piped(&["token", "list"], "").stdout).unwrap();
    assert!(listed.contains("alice") && listed.contains("valid"), "{listed}");
    assert!(!listed.contains("carol"), "{listed}");
}

#[test]
fn a_person_on_a_terminal_gives_a_grant_and_takes_it_back() {
    let home = Home::new();
    let create = [
        "grants",
        "create",
        "--case",
        "INC-7",
        "--server",
        "acme-prod",
        "--artifacts",
        "Windows.Sys.*,Linux.Sys.*",
        "--label",
        "case7",
        "--bytes",
        "2 GB",
        "--hours",
        "4",
    ];
    let (code, shown) = home.typed(&create, "no\n");
    assert_eq!(code, Some(130), "{shown}");
    let (code, shown) = home.typed(&create, "yes\n");
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("label case7") && shown.contains("2000 MB over all; a coll"), "{shown}");
    let list = || {
        let done = home.piped(&["grants", "list", "-o", "json"], "");
        serde_json::from_slice::<Value>(&done.stdout).unwrap()["grants"].clone()
    };
    let text = String::from_utf8(home.piped(&["grants", "list"], "").stdout).unwrap();
    assert!(text.contains("left         2000 MB of 2000 MB, 50 of 50 collections"), "{text}");
    let given = list();
    assert_eq!(given[0]["terms"]["artifacts"], serde_json::json!(["Windows.Sys.*", "Linux.Sys.*"]));
    assert_eq!(given[0]["used_bytes"], 0);
    assert_eq!(home.piped(&["grants", "revoke", "G1"], "").status.code(), Some(0));
    assert_eq!(list(), serde_json::json!([]));
    let acts: Vec<Value> = home.decided().iter().map(|line| line["act"].clone()).collect();
    assert_eq!(acts, ["grant", "revoke_grant"]);
}

#[test]
fn a_grant_names_clients_by_id() {
    let home = Home::new();
    let done = home.piped(
        &[
            "grants",
            "create",
            "--case",
            "X",
            "--server",
            "s",
            "--artifacts",
            "A.*",
            "--clients",
            "DC01",
            "--bytes",
            "lots",
        ],
        "",
    );
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains("chooses its own host name"), "{said}");
}

#[test]
fn grants_and_tokens_are_for_servers_that_are_configured() {
    let home = Home::new();
    let grant = |server: &str, more: &[&str]| {
        let create = [
            "grants",
            "create",
            "--case",
            "X",
            "--artifacts",
            "A.*",
            "--label",
            "x",
            "--bytes",
            "2 GB",
            "--server",
            server,
        ];
        home.piped(&[&create, more].concat(), "")
    };
    let done = grant("LAB (simulatd)", &["--lab"]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("did you mean LAB (simulated)?"), "{said}");
    // Where nothing is configured it cannot be known, and that is said.
    let said = grant("acme", &[]).stderr;
    assert!(String::from_utf8_lossy(&said).contains("not checked"), "{said:?}");
    let token =
        |server: &str| home.piped(&["token", "create", "alice", "--lab", "--servers", server], "");
    assert_eq!(token("acme").status.code(), Some(3));
    assert_eq!(token("LAB (simulated)").status.code(), Some(0));
}

/// A table that is wider than the terminal has its rows one under another there, and in a pipe not.
#[test]
fn a_wide_table_is_shown_as_records_on_a_terminal() {
    let home = Home::new();
    let call = ["call", "list_clients", "--lab", "--json", "{\"limit\":2}"];
    let (code, shown) = home.talked(&call, "", "");
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.starts_with("- client ")).count(), 2, "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let piped = String::from_utf8(home.piped(&call, "").stdout).unwrap();
    let heading = piped.lines().find(|line| line.starts_with("client ")).expect("headings");
    assert!(heading.contains(" labels"), "{piped}");
}

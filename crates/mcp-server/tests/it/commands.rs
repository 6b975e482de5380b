//! The program itself, as it is started from a shell.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_megaraptor");

/// Nobody is asked.
const ALLOWING: &[&str] = &["--policy", "collect=allow", "--policy", "respond=allow"];

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    // Nothing of this shell chooses a server.
    for name in ["VELOCIRAPTOR_CONFIG_PATH", "VELOCIRAPTOR_API_URL"] {
        command.env_remove(name);
    }
    let home = tempfile::tempdir().expect("a folder");
    command.env("MEGARAPTOR_HOME", home.path());
    command.args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

/// The exit code, and the data on standard output.
fn call(tool: &str, arguments: &Value) -> (Option<i32>, Value) {
    let arguments = arguments.to_string();
    let done =
        run(&[&["call", tool, "--lab", "-o", "json", "--json", arguments.as_str()], ALLOWING]
            .concat());
    let said = if done.stdout.is_empty() { &done.stderr } else { &done.stdout };
    (done.status.code(), serde_json::from_slice(said).expect("JSON is said"))
}

/// A running `megaraptor lab`, ended when it is dropped.
struct RunningLab {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl RunningLab {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("lab")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        Self { child, output }
    }

    /// The files that it announces as data.
    fn files(&mut self) -> Vec<PathBuf> {
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            let read = self.output.read_line(&mut text).expect("its output can be read");
            assert_ne!(read, 0, "it ended with: {text}");
        }
        let said: Value = serde_json::from_str(&text).expect("JSON is said");
        serde_json::from_value(said["files"].clone()).expect("files are paths")
    }
}

impl Drop for RunningLab {
    fn drop(&mut self) {
        // One that has ended needs no ending.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_was_not_done_to_its_end_has_an_exit_code_of_its_own() {
    let (code, answer) = call("list_clients", &json!({}));
    assert_eq!((code, &answer["state"]), (Some(0), &json!("complete")));
    let (code, answer) = call("list_clients", &json!({ "limit": 5 }));
    assert_eq!((code, &answer["state"]), (Some(0), &json!("partial")), "a page is no failure");

    let (_, offline) = call("list_clients", &json!({ "order": "last_seen" }));
    let away = offline["clients"].as_array().and_then(|all| all.last()).expect("there are clients");
    assert_eq!(away["online"], false, "{away}");
    let collect =
        |client: &Value| json!({ "clients": [client], "artifacts": ["Generic.Client.Info"] });
    let mut wish = collect(&away["hostname"]);
    let (code, answer) = call("collect_artifact", &wish);
    assert_eq!((code, &answer["error"]["code"]), (Some(5), &json!("offline")), "{answer}");
    wish["queue_hours"] = json!(1);
    let (code, answer) = call("collect_artifact", &wish);
    assert_eq!((code, &answer["state"]), (Some(10), &json!("offline")), "{answer}");

    let both = json!({ "clients": ["FIN-WS07", "NO-SUCH"], "artifacts": ["Generic.Client.Info"] });
    let (code, answer) = call("collect_artifact", &both);
    assert_eq!((code, &answer["state"]), (Some(9), &json!("partial")), "{answer}");

    let (code, answer) = call("list_clients", &json!({ "limit": 0 }));
    assert_eq!(code, Some(2));
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("limit is 0"), "{answer}");
}

#[test]
fn options_that_a_command_does_not_take_are_refused() {
    for arguments in [
        &["demo", "-o", "json"][..],
        &["demo", "--config", "api.yaml"],
        &["demo", "--real", "-o", "json"],
        &["demo", "--real", "--config", "api.yaml"],
        &["demo", "--real", "--speed", "2"],
        &["demo", "--binary", "velociraptor"],
        &["lab", "--read-only"],
        &["lab", "--config", "api.yaml"],
        &["vql", "effects", "--lab"],
        &["vql", "check", "--config", "api.yaml"],
    ] {
        let done = run(arguments);
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {done:?}");
        assert!(done.stdout.is_empty(), "{arguments:?}: {done:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_real_demo_without_a_binary_says_what_to_do_and_makes_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("velociraptor");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let script = script.to_str().unwrap();
    for (named, arguments, code, told) in [
        (Some("/nowhere/velociraptor"), &["demo", "--real"][..], 3, "/nowhere/velociraptor"),
        (None, &["demo", "--real"], 3, "--binary FILE or VELOCIRAPTOR_BINARY"),
        (Some(script), &["demo", "--real"], 7, script),
        (None, &["demo", "--real", "--binary", script], 7, script),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_megaraptor"));
        command.args(arguments).env("PATH", "/nowhere").env("TMPDIR", &temporary);
        match named {
            Some(path) => command.env("VELOCIRAPTOR_BINARY", path),
            None => command.env_remove("VELOCIRAPTOR_BINARY"),
        };
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(told) && said.contains("NEXT"), "{arguments:?}: {said}");
        assert!(done.stdout.is_empty(), "{arguments:?}: {done:?}");
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn the_folder_of_the_lab_goes_with_it_whatever_signal_ends_it() {
    for signal in ["INT", "TERM", "HUP"] {
        let mut lab = RunningLab::start(&["-o", "json"]);
        let files = lab.files();
        assert_eq!(files.len(), 3);
        assert!(files.iter().all(|file| file.exists()), "{files:?}");
        let id = lab.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().expect("kill starts");
        assert!(sent.success());
        let mut rest = String::new();
        // It reads on to the end: the output closes when the program ends.
        lab.output.read_to_string(&mut rest).expect("its output can be read");
        let ended = lab.child.wait().expect("it ends");
        assert_eq!(ended.code(), Some(0), "{signal}");
        let folder = files.first().and_then(|file| file.parent()).expect("a file is in a folder");
        assert!(!folder.exists(), "{signal}: {}", folder.display());
    }
}

#[cfg(unix)]
#[test]
fn doctor_names_a_file_that_others_may_read_and_the_orgs_there_are() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("its path is text");
    let mut lab = RunningLab::start(&["-o", "json", "--folder", path]);
    let files = lab.files();
    let reader = files.first().and_then(|file| file.to_str()).expect("its path is text");
    let doctor = |more: &[&str]| {
        let done = run(&[&["doctor", "--config", reader], more].concat());
        (done.status.code(), String::from_utf8(done.stdout).expect("text is said"))
    };
    let (code, report) = doctor(&[]);
    assert_eq!(code, Some(0), "{report}");

    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(Path::new(reader), mode).expect("the file is ours");
    let (code, report) = doctor(&[]);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("(mode 0640): chmod 600 "), "{report}");

    let (code, report) = doctor(&["--orgs", "ONONE"]);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("no org ONONE") && report.contains("orgs      root "), "{report}");

    let again = run(&["lab", "--folder", path]);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8(again.stderr).expect("text is said");
    assert!(said.contains("holds an API file already"), "{said}");
}

#[test]
fn effects_of_what_is_no_vql_are_not_called_a_success() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.vql");
    let of = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).expect("the file is written");
        let path = file.to_str().expect("a path in UTF-8");
        run(&[&["vql", "effects", path], more].concat())
    };
    let told = of("SELECT client_id FROM clients()", &[]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let told = of("SELECT client_id FROM clients() WHERE\n", &[]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    assert!(text.contains("this is no VQL, so what it does cannot be told"), "{text}");
    assert!(text.contains(":1:38: error: the text ends here"), "{text}");
    assert_eq!(of("SELECT FROM", &["-o", "json"]).status.code(), Some(2));
    assert_eq!(of("SELECT FROM", &["--require", "read"]).status.code(), Some(2));
}

#[test]
fn a_script_can_require_that_texts_only_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let files: Vec<String> = [
        ("read.vql", "SELECT client_id FROM clients()"),
        ("change.vql", "SELECT label(client_id='C.1', labels='x', op='set') FROM scope()"),
        ("lines", "\"SELECT 1 FROM scope()\"\n\"SELECT execve(argv='id') FROM scope()\"\n"),
    ]
    .iter()
    .map(|(name, text)| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("the file is written");
        file.to_str().expect("a path in UTF-8").to_owned()
    })
    .collect();
    let [read, change, lines] = files.as_slice() else { panic!("{files:?}") };
    let of = |arguments: &[&str]| {
        let done = run(&[&["vql", "effects"], arguments].concat());
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    assert_eq!(of(&[read, change]).0, Some(0), "what is not asked for fails nothing");
    assert_eq!(of(&["--require", "read", read]).0, Some(0));
    let (code, told) = of(&["--require", "read", change, read]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("does more than read: mutate") && told.contains("reads only"), "{told}");
    assert_eq!(of(&["--require", "read", "-o", "json", change]).0, Some(1));
    let (code, told) = of(&["--require", "read", "--jsonl", lines]);
    assert_eq!(code, Some(1), "{told}");
    let last: Value = serde_json::from_str(told.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["effect"], "exec", "{last}");
}

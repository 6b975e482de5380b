//! The program itself: what it writes to standard output and standard error, its log included.

use std::process::{Command, Output, Stdio};

use serde_json::json;

use super::canaries::{ORDER, named, planted, seen};

fn run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_megaraptor"))
        .env("MEGARAPTOR_HOME", home.path())
        .env("MEGARAPTOR_LOG", "debug")
        .env_remove("VELOCIRAPTOR_CONFIG_PATH")
        .env_remove("VELOCIRAPTOR_API_URL")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

#[test]
fn the_command_line_lets_nothing_planted_through_unmarked() {
    let folder = tempfile::tempdir().expect("a folder");
    let vql = folder.path().join("planted.vql");
    std::fs::write(&vql, format!("SELECT '{}' FROM clients( WHERE {}", named(), planted()))
        .expect("a file");
    let vql = vql.to_str().expect("a plain path");
    let echo = json!({
        "query": "SELECT T, T AS password, log(message=T) AS L FROM scope()",
        "env": { "T": planted() },
    })
    .to_string();
    let unknown = json!({ "client": planted() }).to_string();
    let extra = json!({ (named()): planted() }).to_string();
    for (arguments, shows) in [
        (&["call", "run_vql", "--lab", "--json", &echo][..], true),
        (&["call", "run_vql", "--lab", "-o", "json", "--json", &echo], true),
        (&["call", "get_client_info", "--lab", "--json", &unknown], true),
        (&["call", "get_client_info", "--lab", "-o", "json", "--json", &unknown], true),
        (&["call", "list_clients", "--lab", "--json", &extra], true),
        (&["vql", "check", vql], false),
        (&["vql", "check", "-o", "json", vql], false),
        (&["vql", "effects", vql], false),
        (&["vql", "effects", "-o", "json", vql], false),
        (&["approvals", "show", &named()], true),
        (&["policy", "--policy", &named()], true),
        (&["doctor", "--config", &named()], true),
        (&["tools", &named()], true),
    ] {
        let done = run(arguments);
        let out = String::from_utf8(done.stdout).expect("text");
        let err = String::from_utf8(done.stderr).expect("text");
        let said = format!("{out}{err}");
        assert_eq!(seen(&said), Vec::<String>::new(), "{arguments:?}: {said}");
        let marked = ["addresses a model", "addresses_model"].iter().any(|m| said.contains(m));
        assert_eq!(said.contains(ORDER), marked, "{arguments:?}: {said}");
        assert!(marked || !shows, "{arguments:?} shows nothing that was planted: {said}");
        if arguments.contains(&"json") && !out.is_empty() {
            let data: Result<serde_json::Value, _> = serde_json::from_str(&out);
            assert!(data.is_ok(), "{arguments:?}: {out}");
        }
    }
}

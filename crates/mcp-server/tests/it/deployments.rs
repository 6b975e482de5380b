//! Deployments as callers see them, without a platform: records, refusals, what is marked.

use std::path::Path;

use deploy_core::registry::Files;
use deploy_core::{
    About, DeploymentId, Generation, Goal, Plan, Record, StateRegistry as _, Step, StepName,
    TargetKind,
};
use jiff::{SignedDuration, Timestamp};
use mcp_server::deployments::Deployments;
use mcp_server::services::{Services, Switches};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::outlet::{ORDER, planted, seen, texts};
use crate::simulated::with_policy;
use crate::wire::Wire;

mod kits;
mod scoped;
mod tools;
mod up;

/// The family is on, and nobody is asked.
fn deploying() -> Switches {
    let switches = with_policy(&["deploy=allow", "destroy=allow"]);
    Switches { families: vec![String::from("deploy")], ..switches }
}

fn services(home: &Path) -> Services {
    let switches = deploying();
    let (services, faults) =
        Services::new(Vec::new(), switches).with_deployments(Deployments::of(home, None));
    for fault in faults {
        assert!(fault.why.contains("cannot be asked"), "{fault}");
    }
    services
}

fn record(about: About) -> Record {
    let step =
        Step::new(StepName::new("one").expect("good"), "makes the one thing", &()).expect("good");
    let plan = Plan::new(vec![step]).expect("good");
    let id = DeploymentId::generate().expect("good");
    let mut record = Record::new(id, TargetKind(String::from("docker")), about, plan);
    record.generation = Generation::default().next();
    record
}

async fn kept(home: &Path, record: &Record) {
    Files::open(home).expect("good").store(Generation::default(), record).await.expect("good");
}

async fn error(wire: &mut Wire, tool: &str, arguments: Value) -> Value {
    let result = wire.result(tool, arguments).await;
    assert_eq!(result["isError"], true, "{tool}: {result}");
    result["structuredContent"]["error"].clone()
}

#[tokio::test]
async fn d25_records_are_listed_overdue_ones_marked_and_gone_ones_on_request() {
    let home = TempDir::new().expect("good");
    let past = Timestamp::now().checked_sub(SignedDuration::from_hours(1)).expect("good");
    let about = About {
        case: Some(String::from("IR-17")),
        profile: String::from("rapid"),
        due: Some(past),
        ..About::default()
    };
    let due = record(about);
    let mut gone = record(About { description: String::from("an old one"), ..About::default() });
    gone.goal = Goal::Gone;
    kept(home.path(), &due).await;
    kept(home.path(), &gone).await;
    let unread = DeploymentId::generate().expect("good");
    std::fs::write(home.path().join(format!("deployments/{unread}.json")), "{").expect("good");

    let mut wire = Wire::ready(services(home.path())).await;
    let listed = wire.call("list_deployments", json!({})).await;
    let ids: Vec<&str> = listed["deployments"]
        .as_array()
        .expect("good")
        .iter()
        .map(|it| it["id"].as_str().expect("good"))
        .collect();
    assert!(ids.contains(&due.id.as_str()) && ids.contains(&unread.as_str()), "{listed}");
    assert_eq!(ids.len(), 2, "{listed}");
    let of = |id: &DeploymentId| {
        let all = listed["deployments"].as_array().expect("good");
        all.iter().find(|it| it["id"] == id.as_str()).expect("good").clone()
    };
    assert_eq!((&of(&due.id)["overdue"], &of(&due.id)["case"]), (&json!(true), &json!("IR-17")));
    assert_eq!(of(&unread)["status"], "unreadable", "{listed}");
    let all = wire.call("list_deployments", json!({ "include_destroyed": true })).await;
    assert_eq!(all["returned"], 3, "{all}");
    let found = wire.call("list_deployments", json!({ "search": "ir-17" })).await;
    assert_eq!(found["returned"], 1, "{found}");
    let none = wire.call("list_deployments", json!({ "search": "IR-18" })).await;
    assert_eq!(none["state"], "empty", "{none}");
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page_and_each_is_in_it_once() {
    let home = TempDir::new().expect("good");
    let mut all: Vec<String> = Vec::new();
    for _ in 0..30 {
        let one = record(About::default());
        kept(home.path(), &one).await;
        all.push(one.id.to_string());
    }
    let mut wire = Wire::ready(services(home.path())).await;
    let mut found: Vec<String> = Vec::new();
    let mut wanted = json!({});
    let mut sizes = Vec::new();
    loop {
        let page = wire.call("list_deployments", wanted).await;
        assert_eq!(page["total"], 30, "{page}");
        let ids = page["deployments"].as_array().expect("good").iter();
        found.extend(ids.map(|it| it["id"].as_str().expect("good").to_owned()));
        sizes.push(page["returned"].as_u64().expect("good"));
        let Some(cursor) = page["cursor"].as_str() else {
            assert_eq!(page["state"], "complete", "{page}");
            break;
        };
        assert_eq!(page["state"], "partial", "{page}");
        wanted = json!({ "cursor": cursor });
    }
    assert_eq!(sizes, [25, 5]);
    found.sort_unstable();
    all.sort_unstable();
    assert_eq!(found, all);
    let few = wire.call("list_deployments", json!({ "limit": 3 })).await;
    assert_eq!(few["returned"], 3, "{few}");
    let other = json!({ "cursor": few["cursor"], "search": "x" });
    assert_eq!(error(&mut wire, "list_deployments", other).await["code"], "invalid_input");
}

#[tokio::test]
async fn what_somebody_wrote_about_a_deployment_is_marked() {
    let home = TempDir::new().expect("good");
    let about = About {
        description: planted(),
        case: Some(planted()),
        tags: [planted()].into(),
        ..About::default()
    };
    kept(home.path(), &record(about)).await;
    let mut wire = Wire::ready(services(home.path())).await;
    let result = wire.result("list_deployments", json!({})).await;
    texts(&result, &mut |text| assert_eq!(seen(text), Vec::<String>::new(), "{result}"));
    let said = result.to_string();
    assert!(said.contains(ORDER) && said.contains("addresses_model"), "{said}");
}

#[tokio::test]
async fn what_is_wrong_is_named_with_the_next_step() {
    let home = TempDir::new().expect("good");
    let mut wire = Wire::ready(services(home.path())).await;
    for (tool, arguments, code, says) in [
        ("get_deployment_status", json!({ "deployment_id": "D-1" }), "invalid_input", "D-1"),
        (
            "get_deployment_status",
            json!({ "deployment_id": "D-2345678923" }),
            "not_found",
            "D-2345678923",
        ),
        (
            "resume_deployment",
            json!({ "deployment_id": "D-2345678923" }),
            "not_found",
            "D-2345678923",
        ),
        (
            "destroy_deployment",
            json!({ "deployment_id": "../x", "discard_evidence": true }),
            "invalid_input",
            "../x",
        ),
        ("deploy_server", json!({ "agents_at": "nowhere" }), "invalid_input", "HOST:PORT"),
        (
            "deploy_server",
            json!({ "agents_at": "a:1", "profile": "huge" }),
            "invalid_input",
            "huge",
        ),
        (
            "deploy_server",
            json!({ "agents_at": "a:1", "gui_on": "everywhere" }),
            "invalid_input",
            "everywhere",
        ),
        ("deploy_server", json!({ "agents_at": "a:1", "memory": 1 }), "invalid_input", "memory"),
        ("deploy_server", json!({ "agents_at": "a:1", "memory": "4g" }), "invalid_input", "1GiB"),
        (
            "deploy_server_docker",
            json!({ "agents_at": "a:1", "memory": "256MiB" }),
            "invalid_input",
            "at least 512 MiB",
        ),
        (
            "deploy_server_docker",
            json!({ "agents_at": "a:1", "processors": 0.01 }),
            "invalid_input",
            "processors",
        ),
        (
            "deploy_server_docker",
            json!({ "agents_at": "a:1", "agents_on": "nowhere" }),
            "invalid_input",
            "ADDRESS:PORT",
        ),
        (
            "deploy_server_docker",
            json!({ "agents_at": "a:1", "deployment_type": "linux" }),
            "invalid_input",
            "deployment_type",
        ),
    ] {
        let error = error(&mut wire, tool, arguments.clone()).await;
        assert_eq!(error["code"], code, "{tool} {arguments}: {error}");
        assert!(
            error["message"].as_str().expect("good").contains(says),
            "{tool} {arguments}: {error}"
        );
    }
}

#[tokio::test]
async fn evidence_is_thrown_away_on_purpose_only() {
    let home = TempDir::new().expect("good");
    let kept_record = record(About::default());
    kept(home.path(), &kept_record).await;
    let mut wire = Wire::ready(services(home.path())).await;
    let wish = json!({ "deployment_id": kept_record.id, "discard_evidence": false });
    let error = error(&mut wire, "destroy_deployment", wish).await;
    assert_eq!(error["code"], "invalid_input", "{error}");
    assert!(error["message"].as_str().expect("good").contains("evidence"), "{error}");
}

#[tokio::test]
async fn a_copy_of_evidence_has_a_place_of_its_own_and_is_not_asked_for_in_vain() {
    let up = up::up(up::Wanted::default()).await;
    let before = deployment_file(&up);
    let mut wire = Wire::ready(services(up.home.path())).await;
    let home = up.home.path();
    let there = home.join(format!("{}-evidence.tar.gz", up.id));
    std::fs::write(&there, "an earlier one").expect("good");
    for (tool, more, says) in [
        ("destroy_deployment", json!({}), "what is to become of its evidence"),
        (
            "destroy_deployment",
            json!({ "export_to": home, "discard_evidence": true }),
            "contradict",
        ),
        ("destroy_deployment", json!({ "export_to": home }), "is there already"),
        ("destroy_deployment", json!({ "export_to": home.join("none") }), "folder is not there"),
        ("destroy_deployment", json!({ "export_to": "here" }), "whole path"),
        ("export_deployment_evidence", json!({ "file": there }), "is there already"),
        ("export_deployment_evidence", json!({ "file": "here.tar.gz" }), "whole path"),
    ] {
        let mut wish = json!({ "deployment_id": up.id });
        wish.as_object_mut().expect("good").extend(more.as_object().expect("good").clone());
        let error = error(&mut wire, tool, wish).await;
        let code = if says == "is there already" { "conflict" } else { "invalid_input" };
        assert_eq!(error["code"], code, "{tool} {more}: {error}");
        assert!(error["message"].as_str().expect("good").contains(says), "{tool} {more}: {error}");
    }
    // Where its platform is not known nothing is copied, and nothing is removed.
    let file = home.join("new.tar.gz");
    for (tool, more) in [
        ("export_deployment_evidence", json!({ "file": file })),
        ("destroy_deployment", json!({ "export_to": home.join("deployments") })),
    ] {
        let mut wish = json!({ "deployment_id": up.id });
        wish.as_object_mut().expect("good").extend(more.as_object().expect("good").clone());
        let error = error(&mut wire, tool, wish).await;
        assert_eq!(error["code"], "conflict", "{tool}: {error}");
    }
    assert!(!file.exists());
    assert_eq!(deployment_file(&up), before, "the record was changed");
}

fn deployment_file(up: &up::Up) -> String {
    let file = up.home.path().join(format!("deployments/{}.json", up.id));
    std::fs::read_to_string(file).expect("a record")
}

#[tokio::test]
async fn beside_a_simulated_server_nothing_is_deployed() {
    let switches = deploying();
    let mut wire = Wire::ready(crate::simulated::services(switches, &[])).await;
    let error = error(&mut wire, "list_deployments", json!({})).await;
    assert_eq!(error["code"], "conflict", "{error}");
    assert!(error["next_step"].as_str().expect("good").contains("--lab"), "{error}");
}

/// The program itself, on a state folder.
fn run(home: &Path, arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_megaraptor"))
        .env("MEGARAPTOR_HOME", home)
        .env_remove("VELOCIRAPTOR_CONFIG_PATH")
        .env_remove("VELOCIRAPTOR_API_URL")
        .current_dir(home)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("the program starts")
}

#[tokio::test]
async fn a_sweep_goes_on_after_one_that_cannot_be_taken_down() {
    let home = TempDir::new().expect("good");
    let past = Timestamp::now().checked_sub(SignedDuration::from_hours(1)).expect("good");
    let about = || About { due: Some(past), ..About::default() };
    let (mut one, mut other, later) = (record(about()), record(about()), record(About::default()));
    for due in [&mut one, &mut other] {
        due.kind = TargetKind(String::from("elsewhere"));
    }
    for all in [&one, &other, &later] {
        kept(home.path(), all).await;
    }
    let sweep = ["--policy", "destroy=allow", "deployments", "sweep", "--discard-evidence"];
    let done = run(home.path(), &sweep);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success(), "{said}");
    for due in [&one, &other] {
        assert!(said.contains(&format!("{}: ", due.id)), "{} was not tried: {said}", due.id);
    }
    assert!(said.contains("cannot deploy on elsewhere"), "{said}");
    assert!(!said.contains(later.id.as_str()), "{said}");
}

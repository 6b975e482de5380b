//! What is said, checked and written of a deployment that is up.

use std::path::Path;

use credstore::CredentialStore as _;
use deploy_core::server::{Vault, names};
use deploy_core::{About, Goal, Phase, StateRegistry as _};
use jiff::{SignedDuration, Timestamp};
use mcp_server::deployments::Deployments;
use mcp_server::services::{Services, Switches};
use serde_json::{Value, json};

use super::up::{Up, Wanted, up};
use super::{error, kept, services};
use crate::outlet::{ORDER, planted, seen, texts};
use crate::simulated::allowing;
use crate::wire::Wire;

async fn wire(up: &Up) -> Wire {
    Wire::ready(services(up.home.path())).await
}

fn of<'a>(checked: &'a Value, what: &str) -> &'a Value {
    let checks = checked["checks"].as_array().expect("checks");
    checks.iter().find(|it| it["what"] == what).unwrap_or_else(|| panic!("{what}: {checked}"))
}

fn no_secret(up: &Up, text: &str) {
    for secret in &up.secrets {
        assert!(!text.contains(secret.as_str()), "a secret is in {text}");
    }
}

#[tokio::test]
async fn d45_d49_what_was_not_looked_at_is_neither_gone_nor_valid() {
    let up = up(Wanted::default()).await;
    let mut wire = wire(&up).await;
    let checked = wire.call("validate_deployment", json!({ "deployment_id": up.id })).await;
    assert_eq!((&checked["valid"], &checked["state"]), (&json!(false), &json!("partial")));
    assert_eq!(checked["counts"]["unfit"], 0, "{checked}");
    assert_eq!(checked["counts"]["not_looked"], 1, "{checked}");
    let platform = of(&checked, "the server on its platform");
    assert_eq!(platform["verdict"], "not_looked", "{platform}");
    assert!(platform["found"].as_str().expect("good").contains("elsewhere"), "{platform}");
    for what in ["the record", "its time", "the secret server-config", "the server's certificate"] {
        assert_eq!(of(&checked, what)["verdict"], "fits", "{checked}");
    }
    let total = checked["checks"].as_array().expect("good").len();
    let counts = checked["counts"].as_object().expect("good");
    let sum: u64 = counts.values().filter_map(Value::as_u64).sum();
    assert_eq!(sum, total as u64, "{checked}");
    no_secret(&up, &checked.to_string());
}

#[tokio::test]
async fn d49_certificates_are_looked_at_and_not_only_found() {
    let expired = up(Wanted { days: (30, 40), ..Wanted::default() }).await;
    let mut wire_of = wire(&expired).await;
    let checked = wire_of.call("validate_deployment", json!({ "deployment_id": expired.id })).await;
    for what in [
        "the server's certificate",
        "the gateway's certificate",
        "the certificate of megaraptor-reader",
    ] {
        let check = of(&checked, what);
        assert_eq!(check["verdict"], "unfit", "{checked}");
        assert!(check["found"].as_str().expect("good").contains("expired"), "{check}");
        assert!(check["next"].as_str().expect("good").contains("Rotate"), "{check}");
    }
    assert_eq!(of(&checked, "the CA's certificate")["verdict"], "fits", "{checked}");

    let soon = up(Wanted { days: (30, 20), ..Wanted::default() }).await;
    let mut wire_of = wire(&soon).await;
    let checked = wire_of.call("validate_deployment", json!({ "deployment_id": soon.id })).await;
    let check = of(&checked, "the server's certificate");
    assert_eq!((&check["verdict"], &checked["valid"]), (&json!("doubtful"), &json!(false)));
}

#[tokio::test]
async fn d49_a_missing_secret_and_a_time_that_is_over_are_unfit() {
    let past = Timestamp::now() - SignedDuration::from_hours(1);
    let about = About { profile: String::from("rapid"), due: Some(past), ..About::default() };
    let up = up(Wanted { about, ..Wanted::default() }).await;
    let lost = Vault::reference(&up.id, names::GUI_PASSWORD).expect("good");
    Deployments::of(up.home.path(), None).store().remove(&lost).expect("good");
    let mut wire = wire(&up).await;
    let result = wire.result("validate_deployment", json!({ "deployment_id": up.id })).await;
    let checked = &result["structuredContent"];
    assert_eq!(of(checked, "the secret gui-password")["verdict"], "unfit", "{checked}");
    assert_eq!(of(checked, "its time")["verdict"], "unfit", "{checked}");
    let text = result["content"][0]["text"].as_str().expect("good");
    assert!(text.contains("NOT VALID: ") && text.contains("2 unfit"), "{text}");
}

#[tokio::test]
async fn a_deployment_that_is_gone_is_not_looked_for() {
    let up = up(Wanted::default()).await;
    let registry = deploy_core::registry::Files::open(up.home.path()).expect("good");
    let mut record = registry.load(&up.id).await.expect("good").expect("good");
    let before = record.generation;
    record.generation = before.next();
    record.goal = Goal::Gone;
    record.phases.iter_mut().for_each(|phase| *phase = Phase::Waiting);
    registry.store(before, &record).await.expect("good");
    let mut wire = wire(&up).await;
    let checked = wire.call("validate_deployment", json!({ "deployment_id": up.id })).await;
    assert_eq!(of(&checked, "the record")["verdict"], "unfit", "{checked}");
    assert_eq!((&checked["counts"]["not_looked"], &checked["valid"]), (&json!(1), &json!(false)));
    for (tool, more) in [
        ("check_agent_deployment", json!({})),
        ("export_deployment_docs", json!({ "folder": up.home.path().join("docs") })),
    ] {
        let mut arguments = json!({ "deployment_id": up.id });
        arguments.as_object_mut().expect("good").extend(more.as_object().expect("good").clone());
        let error = error(&mut wire, tool, arguments).await;
        assert_eq!(error["code"], "conflict", "{tool}: {error}");
        assert!(error["message"].as_str().expect("good").contains("gone"), "{tool}: {error}");
    }
    assert!(!up.home.path().join("docs").exists());
}

#[tokio::test]
async fn d49_the_configuration_is_the_real_one_without_its_secrets() {
    let up = up(Wanted::default()).await;
    let mut wire = wire(&up).await;
    for (wish, has) in [
        (
            json!({}),
            &["/datastore", "8889", "public_url", "Logging", "vr.example.org", "admin"][..],
        ),
        (json!({ "output_format": "json" }), &["\"bind_port\": 8001", "Datastore"]),
        (json!({ "what": "client" }), &["https://vr.example.org:8000/", "case-17"]),
        (json!({ "differences": true }), &["as its profile and plan say"]),
    ] {
        let mut arguments = json!({ "deployment_id": up.id });
        arguments.as_object_mut().expect("good").extend(wish.as_object().expect("good").clone());
        let result = wire.result("generate_server_config", arguments).await;
        assert_ne!(result["isError"], true, "{result}");
        let text = result["content"][0]["text"].as_str().expect("good");
        for part in has {
            assert!(text.contains(part), "{wish} has no {part}: {text}");
        }
        no_secret(&up, &result.to_string());
        assert!(!result.to_string().contains("PRIVATE KEY"), "{result}");
        assert!(text.contains("for a person: megaraptor "), "{text}");
    }
    let shown = wire
        .call("generate_server_config", json!({ "deployment_id": up.id, "what": "client" }))
        .await;
    assert!(!shown["config"].as_str().expect("good").contains("Frontend"), "{shown}");
    // The same text, read back, has what the file has at every place that is shown.
    let shown = wire.call("generate_server_config", json!({ "deployment_id": up.id })).await;
    assert!(
        shown["config"]
            .as_str()
            .expect("good")
            .contains("\"https://127.0.0.1:8889/app/index.html\"")
    );
}

#[tokio::test]
async fn what_was_decided_otherwise_since_is_told_by_its_place() {
    let up = up(Wanted::default()).await;
    let text =
        up.config.render().expose().replace("compression: \"zlib\"", "compression: \"none\"");
    let text = text.replace("max_poll: ", "max_poll: 1");
    let deployments = Deployments::of(up.home.path(), None);
    let name = Vault::reference(&up.id, names::CONFIG).expect("good");
    deployments.store().remove(&name).expect("good");
    let new = credstore::NewCredential {
        credential: name,
        kind: credstore::Kind::ServerConfig,
        expires: None,
    };
    deployments.store().put(new, &secret::Secret::new(text.into_bytes())).expect("good");
    let mut wire = wire(&up).await;
    let wish = json!({ "deployment_id": up.id, "differences": true });
    let shown = wire.call("generate_server_config", wish).await;
    let paths: Vec<&str> = shown["differences"]
        .as_array()
        .expect("good")
        .iter()
        .map(|it| it["path"].as_str().expect("good"))
        .collect();
    assert_eq!(paths, ["Client.max_poll", "Datastore.compression"], "{shown}");
}

#[tokio::test]
async fn d80_agents_are_those_of_the_server_of_that_deployment() {
    let (_, lab) = crate::simulated::apart(allowing(), &[]);
    let files = [lab::Role::Reader, lab::Role::Investigator, lab::Role::Administrator]
        .map(|role| lab.api_config(role).clone());
    let up = up(Wanted { api: Some(files), ..Wanted::default() }).await;
    let mut wire = wire(&up).await;
    let there = wire.call("check_agent_deployment", json!({ "deployment_id": up.id })).await;
    let parts = &there["parts"];
    let part = |name: &str| parts[name].as_u64().expect("a number");
    assert!(part("wanted") > 5, "{there}");
    assert_eq!(part("wanted"), part("online") + part("offline"), "{there}");
    let host = there["agents"][0]["host"].as_str().expect("good").to_owned();
    let wish =
        json!({ "deployment_id": up.id, "hosts": [host, "NO-SUCH-HOST", host.to_lowercase()] });
    let named = wire.call("check_agent_deployment", wish).await;
    let parts = named["parts"].as_object().expect("good");
    assert_eq!((&parts["wanted"], &parts["not_enrolled"]), (&json!(2), &json!(1)), "{named}");
    let sum: u64 =
        parts.iter().filter(|(name, _)| *name != "wanted").filter_map(|(_, it)| it.as_u64()).sum();
    assert_eq!(sum, 2, "{named}");
    let lacking = json!({ "deployment_id": up.id, "hosts": [host], "labels": ["no-such-label"] });
    let lacking = wire.call("check_agent_deployment", lacking).await;
    assert_eq!(lacking["parts"]["lacking_label"], 1, "{lacking}");
    let never = there["agents"].as_array().expect("good");
    assert!(never.iter().all(|it| !it["last_seen"].to_string().contains("1970")), "{there}");
}

#[tokio::test]
async fn d80_a_server_that_does_not_answer_says_nothing_of_its_agents() {
    let up = up(Wanted::default()).await;
    let mut wire = wire(&up).await;
    let wish = json!({ "deployment_id": up.id, "hosts": ["one", "two", "three"] });
    let result = wire.result("check_agent_deployment", wish).await;
    let found = &result["structuredContent"];
    assert_eq!((&found["state"], &found["parts"]["not_looked"]), (&json!("partial"), &json!(3)));
    assert_eq!(found["parts"]["not_enrolled"], 0, "{found}");
    let text = result["content"][0]["text"].as_str().expect("good");
    assert!(text.contains("3 NOT LOOKED AT"), "{text}");
    let error = error(&mut wire, "check_agent_deployment", json!({ "deployment_id": up.id })).await;
    assert_eq!(error["code"], "unavailable", "{error}");
}

#[tokio::test]
async fn d49_what_is_written_is_true_of_this_deployment_and_has_no_secret() {
    let about = About {
        profile: String::from("rapid"),
        case: Some(String::from("IR-17 <b>|`x`")),
        description: planted(),
        ..About::default()
    };
    let up = up(Wanted { about, ..Wanted::default() }).await;
    let mut wire = wire(&up).await;
    let folder = up.home.path().join("docs/of it");
    let wish = json!({ "deployment_id": up.id, "folder": folder });
    let written = wire.call("export_deployment_docs", wish.clone()).await;
    let read = |form: &str| {
        std::fs::read_to_string(folder.join(format!("{}.{form}", up.id))).expect("good")
    };
    for text in [read("md"), read("html")] {
        let name = format!("megaraptor-{}-server", up.id.as_str().to_lowercase());
        for part in [
            up.id.as_str(),
            "https://vr.example.org:8000/",
            "https://127.0.0.1:8889/",
            up.sha256.as_str(),
            &"ab".repeat(32),
            &format!("cred:{}/gui-password", up.id),
            &name,
            "case-17",
            "version 0.77.2",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        no_secret(&up, &text);
        assert_eq!(seen(&text), Vec::<String>::new(), "{text}");
        assert!(!text.contains("PRIVATE KEY") && !text.contains("<b>"), "{text}");
    }
    let page = read("html");
    assert!(page.contains("IR-17 &lt;b&gt;|&#39;x&#39;"), "{page}");
    // It loads nothing, and runs nothing.
    for word in ["<script", "src=", "<link", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
    only_the_owner_reads(&folder, &written);
    let error = error(&mut wire, "export_deployment_docs", wish).await;
    assert_eq!(error["code"], "conflict", "{error}");
    assert!(error["message"].as_str().expect("good").contains("is there already"), "{error}");
}

#[cfg(unix)]
fn only_the_owner_reads(folder: &Path, written: &Value) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| std::fs::metadata(path).expect("good").permissions().mode() & 0o777;
    assert_eq!(mode(folder), 0o700);
    let files = written["files"].as_array().expect("good");
    assert_eq!(files.len(), 2, "{written}");
    for file in files {
        assert_eq!(mode(Path::new(file.as_str().expect("good"))), 0o600);
    }
}

#[cfg(not(unix))]
fn only_the_owner_reads(_folder: &Path, written: &Value) {
    assert_eq!(written["files"].as_array().expect("good").len(), 2, "{written}");
}

#[tokio::test]
async fn d82_a_folder_is_named_from_the_root_on() {
    let up = up(Wanted::default()).await;
    let mut wire = wire(&up).await;
    let wish = json!({ "deployment_id": up.id, "folder": "../elsewhere" });
    let error = error(&mut wire, "export_deployment_docs", wish).await;
    assert_eq!(error["code"], "invalid_input", "{error}");
}

#[tokio::test]
async fn d46_resources_list_each_deployment_once() {
    let up = up(Wanted::default()).await;
    let mut wire = wire(&up).await;
    let listed = wire.ask("resources/list", json!({})).await;
    assert!(listed.to_string().contains("velociraptor://deployments"), "{listed}");
    let read = wire.ask("resources/read", json!({ "uri": "velociraptor://deployments" })).await;
    let text = read["contents"][0]["text"].as_str().expect("good");
    assert_eq!(text.matches(&format!("\"id\":\"{}\"", up.id)).count(), 1, "{text}");
    let templates = wire.ask("resources/templates/list", json!({})).await.to_string();
    assert!(templates.contains("velociraptor://deployments/{id}"), "{templates}");
    let uri = "velociraptor://deployments/D-2345678923";
    let missing = wire.exchange("resources/read", json!({ "uri": uri })).await;
    assert!(
        missing["error"]["message"].as_str().expect("good").contains("D-2345678923"),
        "{missing}"
    );
    let odd = json!({ "uri": "velociraptor://deployments?server=x" });
    let odd = wire.exchange("resources/read", odd).await;
    assert!(odd["error"].is_object(), "{odd}");
}

#[tokio::test]
async fn prompts_about_deployments_need_no_server_and_say_what_is_on_record() {
    let about = About { case: Some(planted()), ..About::default() };
    let up = up(Wanted { about, ..Wanted::default() }).await;
    let mut wire = wire(&up).await;
    for (name, arguments, has) in [
        ("rapid_ir_deployment", json!({ "target_count": "50000" }), "profile enterprise"),
        ("rapid_ir_deployment", json!({}), "profile rapid"),
        (
            "deploy_and_triage",
            json!({ "incident_type": "data_breach", "affected_systems": format!("WS-1, {}", planted()) }),
            "check_agent_deployment",
        ),
        (
            "offline_collection_kit",
            json!({ "target_os": "linux" }),
            "No tool here makes a collector",
        ),
    ] {
        let params = json!({ "name": name, "arguments": arguments });
        let message = wire.exchange("prompts/get", params).await;
        texts(&message, &mut |text| assert_eq!(seen(text), Vec::<String>::new(), "{message}"));
        let text = message["result"]["messages"][0]["content"]["text"].as_str();
        let text = text.unwrap_or_else(|| panic!("{name}: {message}"));
        assert!(text.contains(has) && text.contains(up.id.as_str()), "{name}: {text}");
        // A case that is as long as this is cut.
        let marked = text.contains(&ORDER[..40]) && text.contains("! text that addresses a model");
        assert!(marked, "{text}");
    }
    for (name, arguments) in [
        ("rapid_ir_deployment", json!({ "target_count": "0" })),
        ("deploy_and_triage", json!({ "incident_type": "unknown", "affected_systems": " , " })),
        ("offline_collection_kit", json!({})),
    ] {
        let message =
            wire.exchange("prompts/get", json!({ "name": name, "arguments": arguments })).await;
        assert!(message["error"].is_object(), "{name}: {message}");
    }
}

#[tokio::test]
async fn a_further_user_takes_nobodys_name_and_no_secret_that_is_there() {
    let (_, lab) = crate::simulated::apart(allowing(), &[]);
    let files = [lab::Role::Reader, lab::Role::Investigator, lab::Role::Administrator]
        .map(|role| lab.api_config(role).clone());
    let up = up(Wanted { api: Some(files), ..Wanted::default() }).await;
    let deployments = Deployments::of(up.home.path(), None);
    let before = |name: &str| {
        let reference = Vault::reference(&up.id, name).expect("a name");
        credstore::open_text(deployments.store(), &reference, credstore::Expired::Refused)
            .expect("it is kept")
            .expose()
            .clone()
    };
    let own = before(names::api(velociraptor_api::IdentityKind::Reader));
    let mut wire = wire(&up).await;
    for name in ["lab-reader", "LAB-Reader"] {
        let wish = json!({ "deployment_id": up.id, "client_name": name });
        let error = error(&mut wire, "generate_api_credentials", wish).await;
        let said = error["message"].as_str().expect("words");
        assert!(said.contains("the server has a user lab-reader already"), "{said}");
    }
    // A name that is only like one of a secret of ours is a name of its own.
    let wish = json!({ "deployment_id": up.id, "client_name": "reader" });
    let result = wire.result("generate_api_credentials", wish.clone()).await;
    assert!(!result.to_string().contains("has an API file of reader"), "{result}");
    assert_eq!(before(names::api(velociraptor_api::IdentityKind::Reader)), own);
    let reference = Vault::reference(&up.id, "user-siem").expect("a name");
    let new = credstore::NewCredential {
        credential: reference,
        kind: credstore::Kind::ApiFile,
        expires: None,
    };
    deployments.store().put(new, &secret::Secret::new(b"x".to_vec())).expect("kept");
    let wish = json!({ "deployment_id": up.id, "client_name": "siem" });
    let error = error(&mut wire, "generate_api_credentials", wish).await;
    let said = error["message"].as_str().expect("words");
    assert!(said.contains("has a user siem already"), "{said}");
    let wish = json!({ "deployment_id": up.id, "client_name": "admin" });
    let error = self::error(&mut wire, "generate_api_credentials", wish).await;
    assert_eq!(error["code"], "conflict", "{error}");

    // Whoever looks later sees that there is one more.
    let shown = wire.call("list_deployments", json!({})).await;
    assert_eq!(shown["deployments"][0]["id"], up.id.as_str(), "{shown}");
    let whole = deployments.load(&up.id).await.expect("a record");
    let whole = deployments.whole(&whole, Timestamp::now()).await.expect("all of it");
    let siem = format!("cred:{}/user-siem", up.id);
    assert!(whole.credentials.contains(&siem), "{:?}", whole.credentials);
    let left = deployments.left_by_rotation(&up.id).await.expect("a list").expect("one is left");
    assert!(left.contains("siem"), "{left}");
}

#[tokio::test]
async fn of_several_deployments_one_has_to_be_named() {
    let up = up(Wanted::default()).await;
    let deployments = Deployments::of(up.home.path(), None);
    let other = deploy_core::DeploymentId::generate().expect("an id");
    for kind in velociraptor_api::IdentityKind::ALL {
        let of = |id| Vault::reference(id, names::api(kind)).expect("a name");
        let file =
            credstore::open_text(deployments.store(), &of(&up.id), credstore::Expired::Refused);
        let file = file.expect("it is kept").expose().clone().into_bytes();
        let new = credstore::NewCredential {
            credential: of(&other),
            kind: credstore::Kind::ApiFile,
            expires: None,
        };
        deployments.store().put(new, &secret::Secret::new(file)).expect("kept");
    }
    let mut record = deployments.load(&up.id).await.expect("a record");
    record.id = other.clone();
    kept(up.home.path(), &record).await;

    let switches = Switches { families: vec![String::from("core")], ..allowing() };
    let (services, faults) =
        Services::new(Vec::new(), switches).with_deployments(Deployments::of(up.home.path(), None));
    assert!(faults.is_empty(), "{faults:?}");
    let mut wire = Wire::ready(services).await;
    let refused = error(&mut wire, "list_clients", json!({})).await;
    let said = refused["message"].as_str().expect("words");
    assert!(said.contains(up.id.as_str()) && said.contains(other.as_str()), "{said}");
    assert_eq!(refused["next_step"], "name one of them as server", "{refused}");
    // Named, it is asked: nothing listens there.
    let silent = error(&mut wire, "list_clients", json!({ "server": other })).await;
    assert_ne!(silent["code"], "invalid_input", "{silent}");
}

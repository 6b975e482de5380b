//! What a token is not for does not exist behind it.

use credstore::CredentialStore as _;
use deploy_core::registry::Files;
use deploy_core::server::{Vault, names};
use deploy_core::{About, StateRegistry as _};
use guard::tokens::Scope;
use mcp_server::deployments::Deployments;
use mcp_server::services::Services;
use mcp_server::tool::ToolDef;
use mcp_server::tools::FAMILIES;
use serde_json::{Map, Value, json};
use velociraptor_api::IdentityKind;

use super::up::{Up, Wanted, up};
use super::{error, services};
use crate::wire::Wire;

/// Names of the case, so that they are found wherever they slip through.
const CASE: &str = "IR-of-others";

async fn of_others() -> Up {
    let case = Some(String::from(CASE));
    let about = About { profile: String::from("rapid"), case, ..About::default() };
    up(Wanted { about, ..Wanted::default() }).await
}

/// As a token sees it that is for another server, or for another org.
fn narrowed(up: &Up, scope: &Scope) -> Services {
    services(up.home.path()).narrowed(scope)
}

fn scopes() -> [(&'static str, Scope); 2] {
    [
        ("server", Scope { servers: Some(vec![String::from("acme")]), ..Scope::everything() }),
        ("org", Scope { orgs: Some(vec![String::from("O123")]), ..Scope::everything() }),
    ]
}

fn family() -> &'static [ToolDef] {
    FAMILIES.iter().find(|family| family.id == "deploy").expect("the family").tools
}

/// All that a tool cannot be called without, so that a tool that is new is walked too.
fn arguments(tool: &ToolDef, up: &Up) -> Value {
    let schema = tool.input_schema();
    let mut given = Map::new();
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        let name = name.as_str().expect("a name");
        let value = match name {
            "deployment_id" => json!(up.id),
            "agents_at" => json!("vr.example.org:8000"),
            "client_name" => json!("siem"),
            "folder" => json!(up.home.path().join("written")),
            other => match &schema["properties"][other] {
                kind if kind["type"] == "boolean" => json!(true),
                kind if kind["type"] == "string" => json!("x"),
                kind => panic!("{}: how is {other} given? {kind}", tool.name),
            },
        };
        given.insert(name.to_owned(), value);
    }
    Value::Object(given)
}

async fn files(up: &Up) -> (Value, bool) {
    let record = Files::open(up.home.path()).expect("good").load(&up.id).await.expect("good");
    let written = up.home.path().join("written").exists();
    (serde_json::to_value(record).expect("JSON"), written)
}

#[tokio::test]
async fn no_tool_of_the_family_knows_a_deployment_of_others() {
    let up = of_others().await;
    let before = files(&up).await;
    for (by, scope) in scopes() {
        let mut wire = Wire::ready(narrowed(&up, &scope)).await;
        for tool in family() {
            let name = tool.name;
            let arguments = arguments(tool, &up);
            if arguments["deployment_id"].is_null() {
                // What names no deployment shows none, or makes none that its caller never sees.
                let result = wire.result(name, arguments).await;
                let said = result.to_string();
                assert!(!said.contains(up.id.as_str()) && !said.contains(CASE), "{by}: {said}");
                let shown = &result["structuredContent"];
                let kept_out = shown["state"] == "empty" || shown["error"]["code"] == "denied";
                assert!(kept_out, "{by}: {name}: {result}");
                continue;
            }
            let error = error(&mut wire, name, arguments).await;
            assert_eq!(error["code"], "not_found", "{by}: {name}: {error}");
            let said = error.to_string();
            assert!(
                said.contains("covers no deployment") && !said.contains(CASE),
                "{name}: {said}"
            );
        }
    }
    assert_eq!(files(&up).await, before, "a record was changed, or something was written");
}

#[tokio::test]
async fn resources_prompts_and_what_is_completed_know_none_either() {
    let up = of_others().await;
    for (by, scope) in scopes() {
        let mut wire = Wire::ready(narrowed(&up, &scope)).await;
        let one = format!("velociraptor://deployments/{}", up.id);
        let template = "velociraptor://deployments/{id}";
        for (method, params) in [
            ("resources/list", json!({})),
            ("resources/read", json!({ "uri": "velociraptor://deployments" })),
            ("resources/read", json!({ "uri": one })),
            (
                "completion/complete",
                json!({
                    "ref": { "type": "ref/resource", "uri": template },
                    "argument": { "name": "id", "value": "D-" },
                }),
            ),
            ("prompts/get", json!({ "name": "rapid_ir_deployment", "arguments": {} })),
            (
                "prompts/get",
                json!({
                    "name": "deploy_and_triage",
                    "arguments": { "incident_type": "unknown", "affected_systems": "WS-1" },
                }),
            ),
            (
                "prompts/get",
                json!({ "name": "offline_collection_kit", "arguments": { "target_os": "linux" } }),
            ),
        ] {
            let message = wire.exchange(method, params).await;
            let said = message.to_string();
            // The one that was asked for by its id is named in the refusal, and is not found.
            let asked = message["error"].is_object() && said.contains("covers no deployment");
            assert!(asked || !said.contains(up.id.as_str()), "{by}: {method}: {said}");
            assert!(!said.contains(CASE), "{by}: {method}: {said}");
        }
    }
}

#[tokio::test]
async fn why_one_of_others_cannot_be_asked_is_not_told() {
    let up = of_others().await;
    let lost = Vault::reference(&up.id, names::api(IdentityKind::Reader)).expect("a name");
    Deployments::of(up.home.path(), None).store().remove(&lost).expect("it was kept");
    for (by, scope) in scopes() {
        assert_eq!(narrowed(&up, &scope).refresh().await, Vec::<String>::new(), "{by}");
    }
    let own = Scope { servers: Some(vec![up.id.to_string()]), ..Scope::everything() };
    for seen in [narrowed(&up, &own), narrowed(&up, &Scope::everything())] {
        let faults = seen.refresh().await;
        let told = faults.len() == 1 && faults[0].starts_with(up.id.as_str());
        assert!(told, "{faults:?}");
    }
}

#[tokio::test]
async fn a_token_that_covers_it_sees_it() {
    let up = of_others().await;
    let servers = Some(vec![up.id.to_string()]);
    let mut wire = Wire::ready(narrowed(&up, &Scope { servers, ..Scope::everything() })).await;
    let listed = wire.call("list_deployments", json!({})).await;
    assert_eq!(listed["deployments"][0]["id"], up.id.as_str(), "{listed}");
    let checked = wire.call("validate_deployment", json!({ "deployment_id": up.id })).await;
    assert_eq!(checked["deployment_id"], up.id.as_str(), "{checked}");
}

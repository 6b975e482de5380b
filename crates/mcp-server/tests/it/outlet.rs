//! Everything that leaves passes the filter: planted text goes in wherever it can, and what comes
//! out of every tool, resource, prompt, completion, error and message is looked at.

use std::time::{Duration, Instant};

use guard::outlet::hostile;
use lab::{Lab, LabOptions};
use mcp_server::tools::FAMILIES;
use serde_json::{Map, Value, json};

use crate::simulated::{allowing, started};
use crate::wire::Wire;

mod canaries;
mod ordinary;
mod program;

pub(crate) use canaries::{ORDER, planted, seen, texts};
use canaries::{in_our_voice, named};

/// An artifact in which every text is planted.
const ARTIFACT: &str = "Custom.Planted";

/// A lab in which everything that can be is planted, and a client of it.
struct Planted {
    wire: Wire,
    _lab: Lab,
    client: String,
    flow: String,
    hunt: String,
}

impl Planted {
    async fn start() -> Self {
        let options = LabOptions::default().strange_host(named());
        let (services, lab) = started(allowing(), &[], options);
        let mut wire = Wire::ready(services).await;
        let rows = json!({
            "query": "SELECT client_id, os_info.hostname AS Name FROM clients()
                WHERE os_info.hostname =~ '^xIgnore'",
        });
        let found = raw(&mut wire, "run_vql", rows).await;
        let client = found["rows"][0]["client_id"].as_str().expect("the client").to_owned();
        let definition = serde_json::to_string(&json!({
            "name": ARTIFACT,
            "description": planted(),
            "author": planted(),
            "parameters": [{ "name": "Text", "default": planted(), "description": planted() }],
            "sources": [{
                "name": "S",
                "description": planted(),
                "query": "SELECT Text, dict(nested=Text, password='CanaryPass2024!') AS Deep,
                    log(message=Text, level='ERROR') AS Logged FROM range(end=3)",
            }],
        }))
        .expect("JSON is YAML, where no control character stands as it is")
        .chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { format!("\\U{:08x}", u32::from(c)) })
        .collect::<String>();
        lab.define(&definition).expect("a definition");
        let wish = json!({
            "clients": [client], "artifacts": [ARTIFACT], "wait": 30,
            "parameters": { ARTIFACT: { "Text": planted() } },
        });
        let made = raw(&mut wire, "collect_artifact", wish).await;
        let flow = made["outcomes"][0]["flow_id"].as_str().unwrap_or_else(|| panic!("{made}"));
        let flow = flow.to_owned();
        let wish = json!({
            "artifacts": [ARTIFACT], "description": planted(), "start": true, "os": "linux",
            "parameters": { ARTIFACT: { "Text": planted() } },
        });
        let made = raw(&mut wire, "create_hunt", wish).await;
        let hunt = made["hunt_id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = raw(&mut wire, "get_hunt_results", json!({ "hunt_id": hunt })).await;
            if found["returned"].as_u64() > Some(0) {
                break;
            }
            assert!(Instant::now() < deadline, "{found}");
        }
        Self { wire, _lab: lab, client, flow, hunt }
    }

    /// Calls for each tool, with whether planted text must be in the answer. A tool without any
    /// fails the test.
    fn calls(&self, tool: &str) -> Vec<(Value, bool)> {
        let Self { client, flow, hunt, .. } = self;
        let of_flow = json!({ "client": client, "flow_id": flow });
        let with = |more: Value| {
            let mut all = of_flow.as_object().expect("an object").clone();
            all.extend(more.as_object().expect("an object").clone());
            Value::Object(all)
        };
        match tool {
            "list_clients" => vec![(json!({ "search": client }), true)],
            "get_client_info" => vec![(json!({ "client": client }), true)],
            "label_client" => vec![(json!({ "clients": [client], "add": [ORDER] }), true)],
            "quarantine_client" => vec![
                (
                    json!({ "client": client, "action": "isolate", "message": named(), "wait": 1 }),
                    true,
                ),
                (json!({ "client": client, "action": "release", "wait": 1 }), true),
            ],
            "list_artifacts" => vec![(json!({ "search": ARTIFACT }), true)],
            "get_artifact" => vec![
                (json!({ "name": ARTIFACT }), true),
                (json!({ "name": ARTIFACT, "vql": true }), true),
            ],
            "collect_artifact" => vec![(
                json!({ "clients": [client], "artifacts": [ARTIFACT], "wait": 30, "again": true }),
                true,
            )],
            "list_flows" => vec![(json!({ "client": client }), false)],
            "get_flow_status" => vec![(of_flow.clone(), true)],
            "get_flow_results" => vec![
                (of_flow.clone(), true),
                (with(json!({ "group_by": "Text" })), true),
                (with(json!({ "columns": ["Deep"] })), false),
                (with(json!({ "order_by": "-Text", "limit": 1 })), true),
                (with(json!({ "detail": "summary" })), true),
                (with(json!({ "detail": "full" })), true),
                (with(json!({ "filter": format!("Text = '{}'", named()) })), false),
            ],
            "query_results" => {
                let handle = format!("flow:{client}/{flow}/{ARTIFACT}/S");
                let of_hunt = format!("hunt:{hunt}/{ARTIFACT}/S");
                vec![
                    (json!({ "handle": handle }), true),
                    (json!({ "handle": handle, "stack": ["Text", "Deep"] }), true),
                    (json!({ "handle": handle, "detail": "summary" }), true),
                    (json!({ "handle": of_hunt, "group_by": ["Text"] }), true),
                    (json!({ "handle": of_hunt, "detail": "summary" }), true),
                    (json!({ "handle": named() }), false),
                    (json!({ "handle": format!("flow:{client}/{flow}/{}", named()) }), false),
                    (json!({ "handle": handle, "stack": [named()] }), false),
                ]
            }
            "cancel_flow" => vec![(of_flow.clone(), false)],
            "create_hunt" => vec![(
                json!({ "artifacts": [ARTIFACT], "description": planted(), "clients": [client] }),
                false,
            )],
            "list_hunts" => vec![(json!({}), true)],
            "get_hunt_results" => vec![
                (json!({ "hunt_id": hunt }), true),
                (json!({ "hunt_id": hunt, "filter": "Text =~ 'strange'" }), true),
            ],
            "modify_hunt" => vec![
                (json!({ "hunt_id": hunt, "description": named() }), true),
                (json!({ "hunt_id": hunt, "action": "stop" }), true),
            ],
            "run_vql" => vec![
                (
                    json!({ "query": "SELECT T, T AS password FROM scope()", "env": { "T": planted() } }),
                    true,
                ),
                (
                    json!({ "query": "SELECT T, 1 AS B FROM range(end=3)", "env": { "T": planted() } }),
                    true,
                ),
                (
                    json!({
                        "query": "SELECT log(message=T), 1 AS B FROM scope()", "env": { "T": planted() },
                    }),
                    true,
                ),
                (
                    json!({
                        "query": "SELECT parse_json(data=T) AS B FROM scope()", "env": { "T": planted() },
                    }),
                    false,
                ),
                (
                    json!({ "query": "SELECT to_dict(item={ SELECT T AS _key, T AS _value FROM scope() }) AS D FROM scope()",
                         "env": { "T": named() } }),
                    true,
                ),
                (
                    json!({
                        "query": "SELECT T, T AS password, _value FROM range(end=300)",
                        "env": { "T": planted() }, "detail": "summary",
                    }),
                    true,
                ),
                (json!({ "query": format!("SELECT '{}' FROM clients( WHERE", named()) }), false),
            ],
            "vql_help" => {
                vec![(json!({ "topic": "clients" }), false), (json!({ "topic": named() }), false)]
            }
            "emergency_stop" => vec![(json!({}), false)],
            // Nothing is deployed beside a simulated server; what is on record of a real one is
            // planted in the tests of deployments.
            "deploy_server" | "deploy_server_docker" => {
                vec![(json!({ "agents_at": named(), "case": ORDER }), false)]
            }
            "list_deployments" => vec![(json!({ "search": named() }), false)],
            "generate_api_credentials" => {
                vec![(json!({ "deployment_id": named(), "client_name": named() }), false)]
            }
            "get_deployment_status"
            | "resume_deployment"
            | "rotate_certificates"
            | "validate_deployment"
            | "generate_server_config" => {
                vec![(json!({ "deployment_id": named() }), false)]
            }
            "check_agent_deployment" => {
                vec![(json!({ "deployment_id": named(), "hosts": [named()] }), false)]
            }
            "export_deployment_docs" => {
                vec![(json!({ "deployment_id": named(), "folder": named() }), false)]
            }
            "generate_agent_installer" => {
                vec![(
                    json!({ "deployment_id": named(), "labels": [named()], "out": named() }),
                    false,
                )]
            }
            "export_deployment_evidence" => {
                vec![(json!({ "deployment_id": named(), "file": named() }), false)]
            }
            "destroy_deployment" => {
                vec![(json!({ "deployment_id": named(), "discard_evidence": true }), false)]
            }
            other => panic!("{other} is called with no planted text: add calls of it here"),
        }
    }
}

/// The structured answer of a call that must succeed.
async fn raw(wire: &mut Wire, tool: &str, arguments: Value) -> Value {
    wire.call(tool, arguments).await
}

/// Looks at a message as a whole, and at what it says.
fn look(what: &str, message: &Value) {
    texts(message, &mut |text| {
        assert_eq!(seen(text), Vec::<String>::new(), "{what} lets through: {message}");
    });
    let line = message.to_string();
    assert!(!line.contains("CanaryPass"), "{what}: {line}");
    let mut addressed = false;
    texts(message, &mut |text| addressed |= text.contains(ORDER));
    if addressed {
        assert!(
            ["addresses a model", "addresses_model"].iter().any(|mark| line.contains(mark)),
            "{what} does not mark it: {line}"
        );
    }
    texts(message, &mut |text| {
        assert_eq!(in_our_voice(text), Vec::<&str>::new(), "{what}: {text}");
    });
}

/// Looks at the answer of a tool: also that both of its forms say what was done.
fn look_at_answer(what: &str, message: &Value, must_show: bool) {
    look(what, message);
    let result = &message["result"];
    let data = &result["structuredContent"];
    let notes = if result["isError"] == true { &data["error"]["notes"] } else { &data["notes"] };
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    let holds = |value: &Value, part: &str| {
        let mut found = false;
        texts(value, &mut |text| found |= text.contains(part));
        found
    };
    if must_show {
        assert_ne!(result["isError"], true, "{what}: {text}");
        assert!(holds(data, ORDER), "{what} shows nothing that was planted: {data}");
    }
    for (part, note, line) in [
        (ORDER, "addresses_model", "\n! text that addresses a model"),
        ("[masked: ", "masked", "\n! a secret was masked"),
    ] {
        if holds(data, part) {
            let noted = notes.as_array().is_some_and(|all| all.iter().any(|n| n["what"] == note));
            assert!(noted, "{what} has no note of {note}: {data}");
            assert!(text.contains(line), "{what} has no line of {note}: {text}");
        }
    }
    if let Some(warnings) = data["warnings"].as_array() {
        for warning in warnings.iter().filter_map(Value::as_str) {
            let bare = warning
                .find(ORDER)
                .is_some_and(|at| warning[..at].matches('"').count().is_multiple_of(2));
            assert!(!bare, "{what} says in its own words: {warning}");
        }
    }
}

#[tokio::test]
async fn no_tool_lets_planted_text_through_unmarked() {
    let mut lab = Planted::start().await;
    for tool in FAMILIES.iter().flat_map(|family| family.tools) {
        for (arguments, must_show) in lab.calls(tool.name) {
            let what = format!("{} {arguments}", tool.name);
            let params = json!({
                "name": tool.name, "arguments": arguments, "_meta": { "progressToken": "p" },
            });
            let message = lab.wire.exchange("tools/call", params).await;
            look_at_answer(&what, &message, must_show);
        }
    }
    let told = lab.wire.kept().to_vec();
    let progress = told.iter().filter(|m| m["method"] == "notifications/progress");
    assert!(progress.count() > 0, "nothing was told on the way");
    for message in &told {
        look("a notification", message);
    }
}

#[tokio::test]
async fn planted_arguments_of_any_kind_come_back_marked_or_not_at_all() {
    let mut lab = Planted::start().await;
    for tool in FAMILIES.iter().flat_map(|family| family.tools) {
        let schema = tool.input_schema();
        let properties = schema["properties"].as_object().expect("properties").clone();
        let mut calls: Vec<Map<String, Value>> = Vec::new();
        for text in [planted(), named()] {
            let good = lab.calls(tool.name).remove(0).0;
            for (name, property) in &properties {
                let bad = match property["type"].as_str() {
                    Some("array") => json!([text]),
                    Some("object") => json!({ text.as_str(): text }),
                    _ => json!(text),
                };
                let mut call = good.as_object().expect("an object").clone();
                call.insert(name.clone(), bad);
                calls.push(call);
            }
            calls.push(Map::from_iter([(text.clone(), json!(text))]));
        }
        for call in calls {
            let what = format!("{} {call:?}", tool.name);
            let params = json!({ "name": tool.name, "arguments": call });
            let message = lab.wire.exchange("tools/call", params).await;
            look_at_answer(&what, &message, false);
        }
    }
    for (method, params) in [
        ("tools/call", json!({ "name": planted(), "arguments": {} })),
        ("resources/read", json!({ "uri": planted() })),
        ("resources/read", json!({ "uri": format!("velociraptor://clients/{}", named()) })),
        ("prompts/get", json!({ "name": planted() })),
        (
            "prompts/get",
            json!({ "name": "investigate_endpoint", "arguments": { "client": planted() } }),
        ),
        (
            "prompts/get",
            json!({ "name": "triage_incident", "arguments": { "client": "x", (named()): "y" } }),
        ),
        ("tools/list", json!({ "cursor": planted() })),
        (planted().as_str(), json!({})),
        (
            "completion/complete",
            json!({
                "ref": { "type": "ref/prompt", "name": planted() },
                "argument": { "name": planted(), "value": planted() },
            }),
        ),
    ] {
        let message = lab.wire.exchange(method, params.clone()).await;
        look(&format!("{method} {params}"), &message);
    }
}

#[tokio::test]
async fn no_resource_prompt_or_completion_lets_planted_text_through_unmarked() {
    let mut lab = Planted::start().await;
    let listed = lab.wire.ask("resources/list", json!({})).await;
    let templates = lab.wire.ask("resources/templates/list", json!({})).await;
    let mut addresses: Vec<String> = Vec::new();
    for (list, name) in
        [(&listed["resources"], "uri"), (&templates["resourceTemplates"], "uriTemplate")]
    {
        for entry in list.as_array().expect("a list") {
            let address = entry[name].as_str().expect("an address");
            let address = address.split("{?").next().unwrap_or_default();
            let address = address
                .replace("{client}", &lab.client)
                .replace("{flow_id}", &lab.flow)
                .replace("{hunt_id}", &lab.hunt)
                .replace("{name}", ARTIFACT);
            assert!(!address.contains('{'), "{address} has a variable that has no value here");
            addresses.push(address);
        }
    }
    assert!(addresses.len() > 8, "{addresses:?}");
    let mut shown = 0;
    for address in addresses {
        let message = lab.wire.exchange("resources/read", json!({ "uri": address })).await;
        look(&address, &message);
        let text = message["result"]["contents"][0]["text"].as_str();
        let text = text.unwrap_or_else(|| panic!("{address}: {message}"));
        if text.contains(ORDER) {
            shown += 1;
            assert!(text.contains(r#""what":"addresses_model""#), "{address}: {text}");
        }
    }
    assert!(shown >= 5, "planted text stood in {shown} resources only");

    let prompts = lab.wire.ask("prompts/list", json!({})).await;
    for prompt in prompts["prompts"].as_array().expect("prompts") {
        let name = prompt["name"].as_str().expect("a name");
        let mut arguments = Map::new();
        for argument in prompt["arguments"].as_array().expect("arguments") {
            let argument_name = argument["name"].as_str().expect("a name");
            for value in ["", "x", "xI", "C.", "label:", "strange"] {
                let params = json!({
                    "ref": { "type": "ref/prompt", "name": name },
                    "argument": { "name": argument_name, "value": value },
                });
                let message = lab.wire.exchange("completion/complete", params).await;
                look(&format!("{name} {argument_name} {value}"), &message);
                assert!(!message.to_string().contains(ORDER), "offered: {message}");
            }
            let value = match argument_name {
                "client" | "scope" => lab.client.clone(),
                "indicators" | "target" => planted(),
                _ => continue,
            };
            arguments.insert(argument_name.to_owned(), json!(value));
        }
        let params = json!({ "name": name, "arguments": arguments });
        let message = lab.wire.exchange("prompts/get", params).await;
        look(name, &message);
        let text = message["result"]["messages"][0]["content"]["text"].as_str();
        let text = text.unwrap_or_else(|| panic!("{name}: {message}"));
        assert!(text.contains("\n! text that addresses a model"), "{name}: {text}");
    }
    for template in templates["resourceTemplates"].as_array().expect("templates") {
        let uri = template["uriTemplate"].as_str().expect("an address");
        for argument in ["client", "hunt_id", "flow_id", "name"] {
            let params = json!({
                "ref": { "type": "ref/resource", "uri": uri },
                "argument": { "name": argument, "value": "" },
                "context": { "arguments": { "client": lab.client } },
            });
            let message = lab.wire.exchange("completion/complete", params).await;
            look(&format!("{uri} {argument}"), &message);
        }
    }
}

#[test]
fn what_is_planted_is_hostile_in_every_way() {
    for text in [planted(), named()] {
        assert!(!seen(&text).is_empty() && text.contains(ORDER) && hostile::is_in(&text));
    }
}

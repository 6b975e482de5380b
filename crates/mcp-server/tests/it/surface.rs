//! Rules for the surface as a whole, and a snapshot of every tool's descriptor.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mcp_server::mcp::describe;
use mcp_server::services::Services;
use mcp_server::tool::{Effect, ToolDef};
use mcp_server::tools::FAMILIES;
use serde_json::Value;

/// Set it to write the snapshots anew.
const UPDATE: &str = "UPDATE_SNAPSHOTS";

fn tools() -> impl Iterator<Item = &'static ToolDef> {
    FAMILIES.iter().flat_map(|family| family.tools)
}

fn descriptor(tool: &ToolDef) -> Value {
    serde_json::to_value(describe(tool, &Services::default())).expect("a descriptor is JSON")
}

/// Sorted, so that the order in which a program happens to write members never shows.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<&String, Value> =
                members.iter().map(|(name, value)| (name, sorted(value))).collect();
            serde_json::to_value(members).expect("an object is JSON")
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[test]
fn descriptors_are_as_their_snapshots_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/tools");
    let update = std::env::var_os(UPDATE).is_some();
    let mut wrong = Vec::new();
    let mut known = Vec::new();
    for tool in tools() {
        let text = serde_json::to_string_pretty(&sorted(&descriptor(tool))).expect("JSON") + "\n";
        let file = folder.join(format!("{}.json", tool.name));
        known.push(file.clone());
        if update {
            std::fs::write(&file, text).expect("the snapshot can be written");
            continue;
        }
        match std::fs::read_to_string(&file) {
            Ok(before) if before == text => {}
            Ok(_) => wrong.push(format!("{} has changed", tool.name)),
            Err(_) => wrong.push(format!("{} has no snapshot", tool.name)),
        }
    }
    for entry in std::fs::read_dir(&folder).expect("the snapshots can be listed") {
        let file = entry.expect("an entry").path();
        if !known.contains(&file) {
            if update {
                std::fs::remove_file(&file).expect("an orphan can be removed");
            } else {
                wrong.push(format!("{} belongs to no tool", file.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}; where it is meant so: {UPDATE}=1 cargo test -p mcp-server --test it surface",
        wrong.join(", ")
    );
}

#[test]
fn all_descriptors_together_stay_small() {
    let size = |tool: &'static ToolDef| (descriptor(tool).to_string().len(), tool.name);
    // Those that every conversation carries, and those of a family that is named.
    for (on_by_default, most) in [(true, 26_300), (false, 21_500)] {
        let families = FAMILIES.iter().filter(|family| family.default == on_by_default);
        let mut sizes: Vec<_> = families.flat_map(|family| family.tools).map(size).collect();
        sizes.sort_unstable();
        let total: usize = sizes.iter().map(|(size, _)| size).sum();
        assert!(total < most, "{total} bytes: {sizes:?}");
    }
}

#[test]
fn names_are_unique_and_descriptions_short() {
    let mut names: Vec<&str> = tools().map(|tool| tool.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
    for tool in tools() {
        let name = tool.name;
        let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(is_plain && name.contains('_'), "{name}");
        assert!((60..1000).contains(&tool.description.len()), "{name}");
        assert!(!tool.description.contains("  "), "{name}: {}", tool.description);
        assert!(!tool.title.is_empty(), "{name}");
    }
}

#[test]
fn every_argument_is_described_and_no_other_is_taken() {
    for tool in tools() {
        let schema = tool.input_schema();
        assert_eq!(schema["type"], "object", "{}", tool.name);
        assert_eq!(schema["additionalProperties"], false, "{}", tool.name);
        for (argument, property) in schema["properties"].as_object().expect("properties") {
            let described = property["description"].is_string() || property["enum"].is_array();
            assert!(described, "{} {argument}: {property}", tool.name);
        }
    }
}

#[test]
fn every_answer_has_a_schema_that_begins_with_its_state() {
    for tool in tools() {
        let schema = tool.output_schema();
        let properties = schema["properties"].as_object().expect("properties");
        assert_eq!(schema["type"], "object", "{}", tool.name);
        assert!(properties["state"]["enum"].is_array(), "{}", tool.name);
        assert!(properties.len() > 2, "{} says nothing of its own", tool.name);
    }
}

#[test]
fn d12_annotations_say_what_the_effect_says() {
    for tool in tools() {
        let annotations = &descriptor(tool)["annotations"];
        let reads = tool.effect == Effect::Read;
        assert_eq!(annotations["readOnlyHint"], reads, "{}", tool.name);
        if !reads {
            let destroys = matches!(tool.effect, Effect::Respond | Effect::Destroy);
            assert_eq!(annotations["destructiveHint"], destroys, "{}", tool.name);
        }
        let looks = ["list_", "get_"].iter().any(|verb| tool.name.starts_with(verb));
        assert!(!looks || reads, "{} looks and is no read", tool.name);
    }
}

#[test]
fn d18_no_tool_asks_for_a_secret() {
    const SECRETS: &[&str] = &["password", "passphrase", "secret", "credential", "token", "nonce"];
    for tool in tools() {
        let asked = descriptor(tool)["inputSchema"].to_string().to_lowercase();
        for word in SECRETS {
            assert!(!asked.contains(word), "{} speaks of a {word}: {asked}", tool.name);
        }
        for argument in tool.input_schema()["properties"].as_object().expect("properties").keys() {
            let is_key = argument.split('_').any(|part| part == "key");
            assert!(!is_key, "{} asks for {argument}", tool.name);
        }
    }
}

#[test]
fn the_tools_of_the_specification_are_there_by_name() {
    let mut names: Vec<&str> = tools().map(|tool| tool.name).collect();
    names.sort_unstable();
    let wanted = [
        "cancel_flow",
        "check_agent_deployment",
        "collect_artifact",
        "create_hunt",
        "deploy_server",
        "deploy_server_docker",
        "destroy_deployment",
        "emergency_stop",
        "export_deployment_docs",
        "export_deployment_evidence",
        "generate_agent_installer",
        "generate_api_credentials",
        "generate_server_config",
        "get_artifact",
        "get_client_info",
        "get_deployment_status",
        "get_flow_results",
        "get_flow_status",
        "get_hunt_results",
        "label_client",
        "list_artifacts",
        "list_clients",
        "list_deployments",
        "list_flows",
        "list_hunts",
        "modify_hunt",
        "quarantine_client",
        "query_results",
        "resume_deployment",
        "rotate_certificates",
        "run_vql",
        "validate_deployment",
        "vql_help",
    ];
    assert_eq!(names, wanted);
}

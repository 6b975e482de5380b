//! Resources, prompts and completion on the simulated server.

use mcp_server::services::Switches;
use serde_json::{Value, json};

use crate::simulated::{looking, services};
use crate::wire::{Wire, stateless};

impl Wire {
    async fn read(&mut self, uri: &str) -> Value {
        let result = self.ask("resources/read", json!({ "uri": uri })).await;
        let contents = &result["contents"][0];
        assert_eq!(contents["uri"], uri);
        contents.clone()
    }

    async fn read_json(&mut self, uri: &str) -> Value {
        let contents = self.read(uri).await;
        assert_eq!(contents["mimeType"], "application/json", "{uri}");
        serde_json::from_str(contents["text"].as_str().expect("text")).expect("JSON")
    }

    async fn prompt(&mut self, name: &str, arguments: Value) -> String {
        let params = json!({ "name": name, "arguments": arguments });
        let result = self.ask("prompts/get", params).await;
        let message = &result["messages"][0];
        assert_eq!(message["role"], "user");
        message["content"]["text"].as_str().expect("text").to_owned()
    }

    async fn completed(&mut self, reference: &Value, name: &str, value: &str) -> Vec<String> {
        let params = json!({ "ref": reference, "argument": { "name": name, "value": value } });
        let result = self.ask("completion/complete", params).await;
        serde_json::from_value(result["completion"]["values"].clone()).expect("texts")
    }
}

#[tokio::test]
async fn every_listed_resource_can_be_read() {
    let mut wire = looking().await;
    let listed = wire.ask("resources/list", json!({})).await;
    let listed = listed["resources"].as_array().expect("resources").clone();
    assert!(listed.len() >= 5, "{listed:?}");
    for resource in listed {
        let uri = resource["uri"].as_str().expect("an address");
        let contents = wire.read(uri).await;
        assert_eq!(contents["mimeType"], resource["mimeType"], "{uri}");
        assert!(contents["text"].as_str().expect("text").len() > 100, "{uri}");
    }
}

#[tokio::test]
async fn a_resource_says_what_the_tool_says() {
    let mut wire = looking().await;
    // The only server may be named.
    let mut resource = wire.read_json("velociraptor://clients?server=LAB%20(simulated)").await;
    let mut tool = wire.call("list_clients", json!({})).await;
    let client = tool["clients"][0]["client_id"].as_str().expect("an id").to_owned();
    let host = tool["clients"][0]["hostname"].as_str().expect("a name").to_owned();
    for value in [&mut resource, &mut tool] {
        // The ages of clients that are online move on between two questions.
        value.as_object_mut().expect("an object").retain(|name, _| name != "as_of");
        for client in value["clients"].as_array_mut().expect("clients") {
            client.as_object_mut().expect("a client").retain(|name, _| !name.contains("seen"));
        }
    }
    assert_eq!(resource, tool);
    let by_id = wire.read_json(&format!("velociraptor://clients/{client}")).await;
    let by_name = wire.read_json(&format!("velociraptor://clients/{host}")).await;
    assert_eq!(by_id["client_id"], by_name["client_id"]);
}

#[tokio::test]
async fn d77_server_info_tells_version_org_identities_and_that_it_is_simulated() {
    let mut wire = looking().await;
    let info = wire.read_json("velociraptor://server-info").await;
    assert_eq!(info["simulated"], true);
    assert!(info["version"].as_str().expect("a version").starts_with("0.77"), "{info}");
    assert_eq!(info["org"], "root");
    assert_eq!(info["identities"].as_array().expect("identities").len(), 3, "{info}");
    assert_eq!(info["changes_allowed"], false);
    assert!(!info.to_string().contains("nonce"), "{info}");
}

#[tokio::test]
async fn an_address_that_names_nothing_is_resource_not_found() {
    for uri in [
        "velociraptor://nothing",
        "velociraptor://clients/NO-SUCH-HOST",
        "velociraptor://artifacts/No.Such.Artifact",
        "velociraptor://hunts/H.0000000000000",
        "file:///etc/passwd",
    ] {
        let mut wire = looking().await;
        let error = wire.refused("resources/read", json!({ "uri": uri })).await;
        assert_eq!(error["code"], -32002, "{uri}: {error}");
        assert_eq!(error["data"]["error"]["code"], "not_found", "{uri}: {error}");
        // The newest revision has no code of its own for it.
        let error = wire.refused("resources/read", stateless(json!({ "uri": uri }))).await;
        assert_eq!(error["code"], -32602, "{uri}: {error}");
    }
}

#[tokio::test]
async fn parameters_that_a_resource_does_not_take_are_refused() {
    let mut wire = looking().await;
    for uri in [
        "velociraptor://clients?limit=5",
        "velociraptor://server-info?cursor=x",
        "velociraptor://clients?org=O999",
        "velociraptor://clients/%zz",
        "velociraptor://clients?cursor=m1.broken",
    ] {
        let error = wire.refused("resources/read", json!({ "uri": uri })).await;
        assert_eq!(error["code"], -32602, "{uri}: {error}");
    }
}

#[tokio::test]
async fn where_there_are_two_orgs_addresses_carry_one() {
    let orgs = ["root", lab::SECOND_ORG];
    let mut wire = Wire::ready(services(Switches::default(), &orgs)).await;
    let listed = wire.ask("resources/templates/list", json!({})).await;
    let templates = listed["resourceTemplates"].to_string();
    assert!(templates.contains("velociraptor://clients/{client}{?org}"), "{templates}");
    let uri = format!("velociraptor://server-info?org={}", lab::SECOND_ORG);
    assert_eq!(wire.read_json(&uri).await["org"], lab::SECOND_ORG);
    let error =
        wire.refused("resources/read", json!({ "uri": "velociraptor://clients?org=NONE" })).await;
    assert_eq!(error["code"], -32602, "{error}");
}

#[tokio::test]
async fn the_guide_is_markdown_and_needs_no_server() {
    let mut wire = Wire::ready(mcp_server::services::Services::default()).await;
    let contents = wire.read("velociraptor://vql-guide").await;
    assert_eq!(contents["mimeType"], "text/markdown");
    assert!(contents["text"].as_str().expect("text").starts_with("# VQL"));
    let error =
        wire.refused("resources/read", json!({ "uri": "velociraptor://server-info" })).await;
    assert_eq!(error["code"], -32603, "{error}");
}

#[tokio::test]
async fn d76_prompts_name_only_artifacts_that_the_server_has() {
    let mut wire = looking().await;
    let query = "SELECT name FROM artifact_definitions()";
    let known = wire
        .call("run_vql", json!({ "query": query, "max_rows": 10_000, "max_bytes": 1_000_000 }))
        .await;
    let known: Vec<&str> =
        known["rows"].as_array().expect("rows").iter().filter_map(|r| r["name"].as_str()).collect();
    let clients = wire.call("list_clients", json!({})).await;
    let host_of = |os: &str| {
        let clients = clients["clients"].as_array().expect("clients");
        let client = clients.iter().find(|client| client["os"] == os).expect("a host");
        client["hostname"].as_str().expect("a name").to_owned()
    };
    for (os, own) in [("windows", "Windows."), ("linux", "Linux."), ("darwin", "MacOS.")] {
        let host = host_of(os);
        for (name, arguments) in [
            ("investigate_endpoint", json!({ "client": host })),
            ("triage_incident", json!({ "client": host, "incident_type": "malware" })),
            ("malware_analysis", json!({ "client": host, "target": "/tmp/x" })),
            ("lateral_movement", json!({ "scope": host, "timeframe": "7d" })),
        ] {
            let text = wire.prompt(name, arguments).await;
            assert!(text.contains(&host) && text.contains("SIMULATED"), "{text}");
            for line in text.lines().filter(|line| line.starts_with("   - ")) {
                let artifact = line[5..].split(':').next().unwrap_or_default();
                assert!(known.contains(&artifact), "{name} {os}: {artifact}");
                let fits = artifact.starts_with(own) || artifact.starts_with("Generic.");
                assert!(fits, "{name} {os}: {artifact}");
            }
            assert!(text.len() < 4000, "{name}: {} bytes", text.len());
            assert!(text.contains("Evidence:"), "{name}");
        }
    }
    let text = wire.prompt("threat_hunt", json!({ "indicators": "evil.example" })).await;
    assert!(text.contains("25"), "{text}");
}

#[tokio::test]
async fn d78_prompts_check_their_arguments_and_take_host_names() {
    let mut wire = looking().await;
    let listed = wire.ask("prompts/list", json!({})).await;
    assert_eq!(listed["prompts"].as_array().expect("prompts").len(), 5);
    for (name, arguments, word) in [
        ("investigate_endpoint", json!({}), "client is missing"),
        ("triage_incident", json!({ "client": "x", "incident_type": "odd" }), "ransomware"),
        ("lateral_movement", json!({ "scope": "all", "timeframe": "odd" }), "24h"),
        ("lateral_movement", json!({ "scope": "label:no_such" }), "no_such"),
        ("investigate_endpoint", json!({ "client": "NO-SUCH" }), "NO-SUCH"),
        ("no_such", json!({}), "investigate_endpoint"),
    ] {
        let params = json!({ "name": name, "arguments": arguments });
        let error = wire.refused("prompts/get", params).await;
        assert_eq!(error["code"], -32602, "{name}: {error}");
        assert!(error["message"].as_str().expect("text").contains(word), "{error}");
    }
}

#[tokio::test]
async fn hosts_artifacts_and_words_are_completed() {
    let mut wire = looking().await;
    let prompt = json!({ "type": "ref/prompt", "name": "triage_incident" });
    assert_eq!(wire.completed(&prompt, "incident_type", "r").await[0], "ransomware");
    let hosts = wire.completed(&prompt, "client", "").await;
    assert!(hosts.len() >= 20, "{hosts:?}");
    let host = hosts[3].clone();
    let begun = host[..3].to_lowercase();
    let found = wire.completed(&prompt, "client", &begun).await;
    assert!(found.contains(&host), "{found:?}");
    assert!(found[0].to_lowercase().starts_with(&begun), "{found:?}");
    let ids = wire.completed(&prompt, "client", "C.").await;
    assert!(ids.iter().all(|id| id.starts_with("C.")) && !ids.is_empty(), "{ids:?}");
    let artifact = json!({ "type": "ref/resource", "uri": "velociraptor://artifacts/{name}" });
    let names = wire.completed(&artifact, "name", "pslist").await;
    assert!(names.contains(&String::from("Windows.System.Pslist")), "{names:?}");
    assert!(wire.completed(&artifact, "name", "').* SELECT").await.is_empty());
    assert!(wire.completed(&prompt, "client", "a' OR \"b").await.is_empty());
    let params = json!({ "ref": prompt, "argument": { "name": "odd", "value": "" } });
    assert_eq!(wire.refused("completion/complete", params).await["code"], -32602);
}

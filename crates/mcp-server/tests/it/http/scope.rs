//! What a token does not cover does not exist behind it.

use guard::effect::Effect;
use guard::tokens::Scope;
use serde_json::json;

use super::served::{Served, Setting, everything, only};
use crate::simulated;

async fn product(orgs: &[&str]) -> Served {
    Served::product(simulated::services(simulated::allowing(), orgs), Setting::default()).await
}

fn effect_of(tool: &str) -> Effect {
    let all = mcp_server::tools::FAMILIES.iter().flat_map(|family| family.tools);
    all.into_iter().find(|known| known.name == tool).expect("a tool").effect
}

#[tokio::test]
async fn tools_of_other_effects_are_neither_listed_nor_run() {
    let served = product(&[]).await;
    let all = served.client("all").tools().await;
    assert!(all.iter().any(|tool| effect_of(tool) == Effect::Respond), "{all:?}");
    for effects in [&[Effect::Read][..], &[Effect::Read, Effect::Collect], &[Effect::Respond]] {
        let name = effects.iter().map(|e| e.as_str()).collect::<Vec<_>>().join("-");
        let client = served.scoped(&name, only(effects));
        let listed = client.tools().await;
        let wanted: Vec<_> =
            all.iter().filter(|tool| effects.contains(&effect_of(tool))).cloned().collect();
        assert_eq!(listed, wanted, "{name}");
        for tool in all.iter().filter(|tool| !listed.contains(tool)) {
            let result = client.call(tool, json!({})).await;
            assert_eq!(result["isError"], true, "{name}: {tool}: {result}");
            let error = &result["structuredContent"]["error"];
            assert_eq!(error["code"], "denied", "{name}: {tool}: {error}");
            let wanted =
                format!("the token of this connection does not cover {}: {tool}", effect_of(tool));
            assert_eq!(error["message"], wanted);
        }
    }
}

#[tokio::test]
async fn a_token_for_another_server_sees_none() {
    let served = product(&[]).await;
    let own = Scope { servers: Some(vec![lab::SIMULATED.to_owned()]), ..everything() };
    let result = served.scoped("own", own).call("list_clients", json!({})).await;
    assert_ne!(result["isError"], true, "{result}");
    let other = Scope { servers: Some(vec!["other".to_owned()]), ..everything() };
    let client = served.scoped("other", other);
    let result = client.call("list_clients", json!({})).await;
    let error = &result["structuredContent"]["error"];
    assert_eq!(error["code"], "denied", "{error}");
    let wanted = "the token of this connection covers no server and org that is configured";
    assert_eq!(error["message"], wanted);
    let listed = client.ask("resources/list", json!({})).await.answer();
    for resource in listed["result"]["resources"].as_array().expect("resources") {
        let read = client.ask("resources/read", json!({ "uri": resource["uri"] })).await;
        let text = read.body;
        assert!(!text.contains(lab::SIMULATED), "{text}");
    }
}

#[tokio::test]
async fn a_token_for_one_org_sees_no_other() {
    let served = product(&["root", lab::SECOND_ORG]).await;
    let all = served.client("all").call("list_clients", json!({ "org": lab::SECOND_ORG })).await;
    let error = &all["structuredContent"]["error"]["message"];
    assert!(!error.as_str().is_some_and(|text| text.contains("no org")), "{all}");
    let scope = Scope { orgs: Some(vec!["root".to_owned()]), ..everything() };
    let client = served.scoped("root", scope);
    let result = client.call("list_clients", json!({ "org": lab::SECOND_ORG })).await;
    assert_eq!(result["structuredContent"]["error"]["code"], "invalid_input", "{result}");
    let listed = client.ask("tools/list", json!({})).await.body;
    assert!(!listed.contains(lab::SECOND_ORG), "the other org is named");
}

#[tokio::test]
async fn the_handshake_says_what_the_token_covers() {
    let served = product(&[]).await;
    let looking = served.scoped("looking", only(&[Effect::Read]));
    let found = looking.ask("server/discover", json!({})).await.answer();
    let text = found["result"]["instructions"].as_str().expect("instructions");
    assert!(text.contains("the token of this connection covers no more"), "{text}");
    let all = served.client("all").ask("server/discover", json!({})).await.answer();
    let text = all["result"]["instructions"].as_str().expect("instructions");
    assert!(!text.contains("covers no more"), "{text}");
}

//! The roles that an identity needs: what the documents name, and what is said where one is lacking.

use std::sync::{Arc, Once};

use lab::{Lab, LabOptions, Role};
use mcp_server::services::{Services, Switches, Target};
use serde_json::json;
use velociraptor_api::config::Origin;
use velociraptor_api::{ApiConfig, OrgId, Server};

use crate::wire::Wire;

/// Roles of Velociraptor that may query through the API.
const MAY_QUERY: &[&str] = &["administrator", "api", "investigator"];

/// Role lists in a document, as they stand behind `--role`.
fn role_lists(text: &str) -> Vec<&str> {
    let after = text.split("--role").skip(1);
    let first = after.filter_map(|rest| rest.split_whitespace().next());
    first.map(|word| word.trim_matches(['`', '.', ','])).collect()
}

#[test]
fn d79_every_documented_identity_may_query() {
    let readme = include_str!("../../../../README.md");
    let lists = role_lists(readme);
    assert!(lists.len() >= 3, "{lists:?}");
    // The table of identities: its second column.
    let table: Vec<&str> = ["| reader |", "| investigator |", "| administrator |"]
        .iter()
        .map(|begin| {
            let row = readme.lines().find(|line| line.starts_with(begin)).expect("a row");
            row.split('|').nth(2).expect("a column").trim().trim_matches('`')
        })
        .collect();
    for list in lists.into_iter().chain(table) {
        let may = list.split(',').any(|role| MAY_QUERY.contains(&role));
        assert!(may, "an identity with the roles {list:?} could not even query");
    }
}

#[tokio::test]
async fn d79_a_reader_without_the_api_role_is_told_what_it_lacks() {
    static TLS: Once = Once::new();
    TLS.call_once(|| {
        // Another test's provider is as good.
        let _ = velociraptor_api::tls_provider().install_default();
    });
    let lab = Lab::start(LabOptions::default().speed(200.0)).expect("the lab starts");
    let file = lab.api_config(Role::PlainReader);
    let config = ApiConfig::parse(file, Origin::Memory("the lab")).expect("a good file");
    let server = Server::open("plain", [(None, config)]).expect("it opens");
    let target = Target { server: Arc::new(server), orgs: vec![OrgId::root()], gui: None };
    let mut wire =
        Wire::ready(Services::new(vec![target], Switches::default()).with_lab(lab)).await;
    for (tool, arguments) in [
        ("list_clients", json!({})),
        ("run_vql", json!({ "query": "SELECT 1 AS A FROM scope()" })),
        ("list_hunts", json!({})),
    ] {
        let error = wire.failed(tool, arguments).await;
        assert_eq!(error["code"], "denied", "{tool}: {error}");
        let told = error["message"].as_str().expect("text");
        assert!(told.contains("ANY_QUERY"), "{tool}: {told}");
        assert!(error["next_step"].is_string(), "{tool}: {error}");
    }
}

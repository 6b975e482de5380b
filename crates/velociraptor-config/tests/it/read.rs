//! What is read, and what is told of differences.

use secret::Secret;
use velociraptor_config::{ApiConfig, ClientConfig, ConfigError, ServerConfig, drift};

use crate::support::{changed, config};

fn server(text: &str) -> Result<ServerConfig, ConfigError> {
    ServerConfig::parse(&Secret::new(text.to_owned()))
}

#[test]
fn keys_that_are_not_modelled_are_kept() {
    let text = config().render().expose().clone();
    let more = text.replacen("GUI:\n", "GUI:\n  base_path: /x\n  links: [{text: yes}]\n", 1)
        + "ExtraFrontends:\n- hostname: other\n  bind_port: 0x10\n";
    let read = server(&more).unwrap();
    let again = read.render();
    for kept in ["base_path: \"/x\"", "text: \"yes\"", "hostname: \"other\"", "bind_port: 16"] {
        assert!(again.expose().contains(kept), "{kept}");
    }
}

#[test]
fn differences_are_named_with_both_values_and_without_secrets() {
    let meant = config();
    let found = changed(&meant, "bind_address: \"127.0.0.1\"", "bind_address: \"0.0.0.0\"");
    let found = changed(&found, "FrontendKeyFrontendKey", "StolenKeyStolenKey");
    let found = changed(&found, "expected_clients: 10000", "expected_clients: 5");
    let found = changed(&found, "GUI:\n", "GUI:\n  reverse_proxy: [{url: hunter2}]\n");
    let all = drift(&meant, &found);
    let told: Vec<String> = all.iter().map(ToString::to_string).collect();
    let text = told.join("\n");
    assert!(text.contains("API.bind_address: expected \"127.0.0.1\", found \"0.0.0.0\""), "{text}");
    assert!(
        text.contains("Frontend.resources.expected_clients: expected 10000, found 5"),
        "{text}"
    );
    assert!(
        text.contains("Frontend.private_key: expected (not shown), found (not shown)"),
        "{text}"
    );
    assert!(text.contains("GUI.reverse_proxy: expected nothing, found (not shown)"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("KeyStolen"), "{text}");
    // Addresses of GUI, API and metrics, the key, the number, the proxy.
    assert_eq!(all.len(), 6, "{text}");
}

#[test]
fn what_means_the_same_is_no_difference() {
    let meant = config();
    let found =
        changed(&meant, "use_self_signed_ssl: true", "use_self_signed_ssl: true\n  proxy: \"\"");
    let found = changed(&found, "obfuscation_nonce:", "version: {name: other}\nobfuscation_nonce:");
    assert_eq!(drift(&meant, &found), []);
}

#[test]
fn what_is_not_whole_is_told_by_its_key() {
    let text = config().render().expose().clone();
    let lines = |skip: &str| -> String {
        text.lines().filter(|line| !line.contains(skip)).map(|line| format!("{line}\n")).collect()
    };
    assert_eq!(
        server(&lines("  nonce:")).unwrap_err(),
        ConfigError::Missing { kind: "server", key: "Client.nonce" }
    );
    let error = server(&text.replace("Datastore:", "Store:")).unwrap_err().to_string();
    assert!(error.contains("the key Datastore is missing"), "{error}");
    let error = server(&text.replace("bind_port: 8889", "bind_port: hunter2")).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(server("{}").unwrap_err(), ConfigError::Empty("server"));
}

#[test]
fn files_of_another_kind_are_refused() {
    let whole = config().render();
    let error = ClientConfig::parse(&whole).unwrap_err().to_string();
    assert!(error.contains("private keys"), "{error}");
    let api = |text: &str| ApiConfig::parse(&Secret::new(text.to_owned())).unwrap_err().to_string();
    assert!(api("").contains("without checking anybody's rights"));
    assert!(api("bogus: x\n").contains("the key bogus is missing or unknown"));
    assert!(api("name: x\n").contains("has no ca_certificate"));
}

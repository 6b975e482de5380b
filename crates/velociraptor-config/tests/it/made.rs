//! What is made.

use secret::Secret;
use velociraptor_config::{
    ApiConfig, ClientConfig, ClientPaths, ConfigError, Deployment, Listen, Profile, ServerConfig,
    ServerKeys, drift,
};

use crate::support::{config, deployment, key, keys, pem};

/// The value at a path of a rendered file.
fn at(config: &ServerConfig, path: &str) -> Option<u64> {
    let text = config.render();
    let tree: serde_json::Value = serde_saphyr::from_str(text.expose()).unwrap();
    path.split('.').try_fold(&tree, |tree, key| tree.get(key)).and_then(serde_json::Value::as_u64)
}

#[test]
fn d26_every_declared_number_is_in_the_rendered_file() {
    for profile in Profile::ALL {
        let config = deployment(profile).config().unwrap();
        for (path, value) in profile.file.declared() {
            assert_eq!(at(&config, path), Some(value), "{profile}: {path}");
        }
    }
}

#[test]
fn d20_what_is_rendered_is_read_back() {
    for profile in Profile::ALL {
        let config = deployment(profile).config().unwrap();
        let text = config.render();
        let read = ServerConfig::parse(&text).unwrap();
        assert_eq!(drift(&config, &read), []);
        assert_eq!(read.render().expose(), text.expose());
        assert_eq!(read.listen(), Some(Listen::USUAL));
        assert_eq!(read.server_urls(), ["https://velociraptor.example.org:8000/"]);
        assert_eq!(read.public_url(), "https://localhost:8889/app/index.html");
        assert_eq!(read.datastore(), "/var/lib/velociraptor");
    }
}

fn tree(config: &ServerConfig) -> serde_json::Value {
    serde_saphyr::from_str(config.render().expose()).unwrap()
}

#[test]
fn d21_all_that_a_server_does_not_start_without_is_there() {
    let tree = tree(&config());
    for path in [
        "CA.private_key",
        "Client.ca_certificate",
        "Frontend.certificate",
        "Frontend.private_key",
        "GUI.gw_certificate",
        "GUI.gw_private_key",
        "GUI.authenticator.type",
        "GUI.initial_users",
    ] {
        let there = path.split('.').try_fold(&tree, |tree, key| tree.get(key));
        let there = there.unwrap_or_else(|| panic!("{path} is not there"));
        assert!(there.as_str().is_none_or(|text| !text.is_empty()), "{path} is empty");
        assert!(there.as_array().is_none_or(|all| !all.is_empty()), "{path} is empty");
    }
    for service in ["API", "GUI", "Frontend", "Monitoring"] {
        let (address, port) = (&tree[service]["bind_address"], &tree[service]["bind_port"]);
        assert!(address.is_string() && port.is_u64(), "{service}: {address} {port}");
        assert!(!address.to_string().contains(':'), "{service}: a port is in {address}");
    }
}

#[test]
fn d22_the_api_has_a_port_of_its_own_and_speaks_what_velociraptor_knows() {
    let tree = tree(&config());
    assert_eq!(tree["API"]["bind_scheme"], "tcp");
    assert_ne!(tree["API"]["bind_port"], tree["GUI"]["bind_port"]);
    assert_eq!(tree["API"]["bind_port"], 8001);
}

#[test]
fn what_cannot_work_is_refused_with_its_value() {
    let base = || deployment(&Profile::MINIMAL);
    let with = |change: &dyn Fn(&mut Deployment)| {
        let mut deployment = base();
        change(&mut deployment);
        deployment.config().unwrap_err().to_string()
    };
    assert!(with(&|it| it.datastore = "store".into()).contains("\"store\""));
    assert!(with(&|it| it.logs = Some("logs".into())).contains("folder of logs"));
    assert!(with(&|it| it.labels = vec!["a,b".into()]).contains("\"a,b\""));
    assert!(with(&|it| it.listen.gui.port = 8000).contains("port 8000"));
    assert!(with(&|it| it.agents_at.1 = 0).contains("port 0"));
    let pkcs8 = Secret::new(pem("PRIVATE KEY", "hunter2"));
    let told = with(&|it| it.keys.frontend_key = pkcs8.clone());
    assert!(told.contains("frontend key") && told.contains("PKCS#8") && !told.contains("hunter2"));
}

#[test]
fn new_keys_are_taken_under_the_same_ca_only() {
    let old = config();
    let new = ServerKeys { frontend_key: key("NewNewNew"), ..keys() };
    let rotated = old.with_keys(&new).unwrap();
    let paths: Vec<String> = drift(&old, &rotated).into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["Frontend.private_key"]);
    assert_eq!(rotated.keys().frontend_key.expose(), new.frontend_key.expose());

    let other = ServerKeys { ca_certificate: pem("CERTIFICATE", "Other"), ..keys() };
    assert!(old.with_keys(&other).unwrap_err().to_string().contains("another CA"));
    let paths: Vec<String> =
        drift(&old, &old.without_ca_key()).into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["CA.private_key"]);
}

#[test]
fn agents_get_the_client_part_and_nothing_else() {
    let server = config();
    let client = ClientConfig::of(&server);
    let text = client.render();
    for secret in ["PRIVATE", "password", "Frontend", "Datastore", "obfuscation"] {
        assert!(!text.expose().contains(secret), "{secret}");
    }
    let read = ClientConfig::parse(&text).unwrap();
    assert!(read.belongs_to(&server) && !read.belongs_to(&config()));
    assert_eq!(read.server_urls(), server.server_urls());
    let org = ClientConfig::of_org(&server, &Secret::new("another".into()));
    assert!(!org.belongs_to(&server));

    let paths = ClientPaths {
        writeback: "/srv/a.yaml".into(),
        tempdir: "/srv/tmp".into(),
        buffer: "/srv/buffer".into(),
    };
    let moved = client.with_paths(&paths).render();
    assert!(moved.expose().contains("writeback_linux: \"/srv/a.yaml\""));
    assert!(!moved.expose().contains("/etc/velociraptor.writeback.yaml"));
}

#[test]
fn d22_an_api_file_has_the_published_address() {
    let server = config();
    let host = "192.0.2.7".parse().unwrap();
    let (cert, client_key) = (pem("CERTIFICATE", "Client"), key("ClientKey"));
    let api = ApiConfig::of(&server, "mcp", &cert, &client_key, (&host, 9001)).unwrap();
    assert_eq!((api.address(), api.user()), ("192.0.2.7:9001", "mcp"));
    let read = ApiConfig::parse(&api.render()).unwrap();
    assert_eq!(read.render().expose(), api.render().expose());
    let moved = read.at((&"::1".parse().unwrap(), 1)).unwrap();
    assert_eq!(moved.address(), "[::1]:1");
    assert_eq!(api.at((&host, 0)).unwrap_err(), ConfigError::NoPort("the API"));
    assert!(!format!("{api:?}{server:?}").contains("Key"), "a key is shown");
}

//! A deployment with keys that look like keys. The real ones are tried by the live suite.

use secret::Secret;
use velociraptor_config::{
    Administrator, Deployment, Listen, Nonces, Profile, ServerConfig, ServerKeys,
};

pub(crate) fn pem(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

pub(crate) fn key(body: &str) -> Secret<String> {
    Secret::new(pem("RSA PRIVATE KEY", body))
}

pub(crate) fn keys() -> ServerKeys {
    ServerKeys {
        ca_certificate: pem("CERTIFICATE", "AuthorityCertificate"),
        ca_key: Some(key("AuthorityKeyAuthorityKey")),
        frontend_certificate: pem("CERTIFICATE", "FrontendCertificate"),
        frontend_key: key("FrontendKeyFrontendKey"),
        gateway_certificate: pem("CERTIFICATE", "GatewayCertificate"),
        gateway_key: key("GatewayKeyGatewayKey"),
    }
}

pub(crate) fn deployment(profile: &'static Profile) -> Deployment {
    let (administrator, _) = Administrator::with_random_password("admin").unwrap();
    Deployment {
        profile,
        keys: keys(),
        nonces: Nonces::draw().unwrap(),
        listen: Listen::USUAL,
        agents_at: ("velociraptor.example.org".parse().unwrap(), 8000),
        gui_at: ("localhost".parse().unwrap(), 8889),
        api_at: "localhost".parse().unwrap(),
        datastore: "/var/lib/velociraptor".to_owned(),
        logs: Some("/var/lib/velociraptor/logs".to_owned()),
        administrator: Some(administrator),
        labels: vec!["IR-2026-041".to_owned(), "yes".to_owned()],
    }
}

pub(crate) fn config() -> ServerConfig {
    deployment(&Profile::STANDARD).config().unwrap()
}

pub(crate) fn changed(config: &ServerConfig, from: &str, to: &str) -> ServerConfig {
    let text = config.render().expose().clone();
    assert!(text.contains(from), "{from} is not in the file");
    ServerConfig::parse(&Secret::new(text.replace(from, to))).unwrap()
}

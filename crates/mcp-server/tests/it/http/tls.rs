//! What other machines reach is served with TLS, or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use mcp_server::http::{Bind, Listener, Tls};
use mcp_server::services::Services;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::client::{over, to_end};
use super::served::{Served, Setting};

/// A certificate for `localhost` that signs itself, and its key.
fn pair(folder: &Path, name: &str) -> (PathBuf, PathBuf, rcgen::Certificate) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .and_then(|params| params.self_signed(&key))
        .expect("a certificate");
    let paths = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&paths.0, certificate.pem()).expect("a file");
    std::fs::write(&paths.1, key.serialize_pem()).expect("a file");
    mode(&paths.1, 0o600);
    (paths.0, paths.1, certificate)
}

#[cfg(unix)]
fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

#[cfg(not(unix))]
fn mode(_path: &Path, _mode: u32) {}

#[tokio::test]
async fn an_address_that_others_reach_is_refused_without_a_certificate() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let bind: Bind = address.parse().unwrap();
        let error = Listener::bind(bind, None).await.unwrap_err().to_string();
        assert!(error.contains("can be reached from other machines"), "{error}");
    }
}

#[tokio::test]
async fn with_a_certificate_it_is_spoken_to_in_tls_and_not_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key, own) = pair(folder.path(), "good");
    let tls = Tls::load(&certificate, &key).unwrap();
    let setting = Setting { tls: Some(tls), ..Setting::default() };
    let served = Served::product(Services::default(), setting).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(own.der().clone()).unwrap();
    let provider = Arc::new(velociraptor_api::tls_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(served.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let body = Body::from(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    let accept = "application/json, text/event-stream";
    let request = served.stranger().request("POST", "/mcp", accept, body);
    assert_eq!(over(stream, request).await.status, StatusCode::UNAUTHORIZED);

    let mut clear = TcpStream::connect(served.address).await.unwrap();
    let asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut clear, asked).await.unwrap();
    let reply = to_end(clear).await;
    assert!(!reply.contains("HTTP/1.1") && !reply.contains("alive"), "{reply}");
}

#[test]
fn a_certificate_or_key_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key, _) = pair(folder.path(), "good");
    let (_, other_key, _) = pair(folder.path(), "other");
    let none = folder.path().join("none.pem");
    let load =
        |certificate: &Path, key: &Path| Tls::load(certificate, key).unwrap_err().to_string();
    assert!(load(&none, &key).contains("none.pem has no certificate"));
    assert!(load(&key, &key).contains("good.key has no certificate"));
    assert!(load(&certificate, &none).contains("none.pem has no private key"));
    assert!(load(&certificate, &other_key).contains("cannot be used together"));
    #[cfg(unix)]
    {
        mode(&key, 0o640);
        assert!(load(&certificate, &key).contains("good.key has mode 640"));
    }
}

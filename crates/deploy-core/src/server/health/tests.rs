//! A page under a certificate, of the right one and of another of the same CA.

use jiff::Timestamp;
use pki::{Order, Pair, Pinned, Validity, make_all};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Answers one request with 200, under this certificate.
async fn serve(listener: TcpListener, pair: Pair) {
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.expose().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(velociraptor_api::tls_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (tcp, _) = listener.accept().await.unwrap();
    let mut tls = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.unwrap();
    let mut request = vec![0; 1024];
    assert!(tls.read(&mut request).await.unwrap() > 0);
    tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    tls.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_with_another_certificate_of_the_same_ca_is_not_well() {
    let validity = Validity::days(Timestamp::now(), 5).unwrap();
    let order = Order {
        pinned: Pinned::default(),
        users: Vec::new(),
        gui: Vec::new(),
        authority: validity,
        validity,
    };
    let made = make_all(&order).unwrap();
    let (now, frontend) = (Timestamp::now(), made.frontend.clone());
    let ca = pki::Authority::load(made.authority.certificate(), made.authority.key(), now).unwrap();
    let profile = pki::Profile::frontend(&Pinned::default());
    let earlier = ca.issue(&profile, validity).unwrap();
    let trust = Trust::only(made.authority.certificate()).unwrap();
    let kept = certificates::summary(Role::Frontend, &frontend.certificate).unwrap().sha256;
    for (pair, well) in [(frontend, true), (earlier, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let shown = certificates::summary(Role::Frontend, &pair.certificate).unwrap().sha256;
        let asked = page(&trust, "the agents' port", at, ("/healthz", 200), Some(&kept));
        let ((), sign) = tokio::join!(serve(listener, pair), asked);
        assert_eq!(sign.well, well, "{sign:?}");
        assert!(sign.expected.contains(&kept[..16]), "{sign:?}");
        assert!(well || sign.found.contains(&shown[..16]), "{sign:?}");
    }
}

//! Connections that are refused, and what is said of them.

use rustls::version;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use velociraptor_api::{
    ApiConfig, Call, Connection, HandshakeReason, Limits, OrgId, QueryErrorKind, TlsReason,
    tls_provider,
};

use crate::fake::{Fake, Tls};
use crate::pki::{Ca, SERVER, Says};
use crate::wire::{DATA, END_HEADERS, END_STREAM, HEADERS, frame, http, plain, status};

/// Asks something and returns the failure.
async fn refused(config: ApiConfig) -> QueryErrorKind {
    let connection = Connection::open(config).unwrap();
    let query = vql_builder::Query::constant("probe", "SELECT 1 FROM scope()");
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let limits = Limits::READ;
    match connection.start(&org, &query, &limits, &cancel).await {
        Err(kind) => kind,
        Ok(mut stream) => stream.next().await.unwrap_err(),
    }
}

/// Serves the certificate and returns what a client of the CA says of it.
async fn presented(says: Says, issuer: Option<&Ca>) -> (TlsReason, String) {
    let ca = Ca::new();
    let leaf = match issuer {
        Some(other) => other.issue(&says),
        None => ca.issue(&says),
    };
    refusal(ca, leaf).await
}

async fn refusal(ca: Ca, leaf: crate::pki::Leaf) -> (TlsReason, String) {
    let fake = Fake::start_with(Ca::new(), Tls::with(&ca, leaf)).await;
    let config = ca.api_config("admin", &fake.address.to_string());
    match refused(config).await {
        QueryErrorKind::Tls(refusal) => (refusal.reason, refusal.to_string()),
        other => panic!("{other:?}"),
    }
}

fn assert_tells(told: &str, words: &[&str]) {
    for word in words {
        assert!(told.contains(word), "{word:?} is missing in: {told}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_named() {
    let other = Ca::new();
    let (reason, told) = presented(Says::new(SERVER), Some(&other)).await;
    assert_eq!(reason, TlsReason::WrongCa);
    assert_tells(
        &told,
        &[
            "not issued by the CA",
            "subject O=Velociraptor, CN=VelociraptorServer",
            "issuer O=Velociraptor CA",
            "SHA-256",
            "config api_client",
        ],
    );
    assert_eq!(told.matches("SHA-256").count(), 2, "{told}");
}

#[tokio::test]
async fn an_expired_certificate_is_named() {
    let (reason, told) = presented(Says::new(SERVER).years(2020, 2022), None).await;
    assert_eq!(reason, TlsReason::Expired);
    assert_tells(&told, &["has expired", "2022-01-01", "reissue", "SHA-256"]);
}

#[tokio::test]
async fn a_certificate_of_the_future_is_named() {
    let (reason, told) = presented(Says::new(SERVER).years(2080, 2082), None).await;
    assert_eq!(reason, TlsReason::NotYetValid);
    assert_tells(&told, &["not valid yet", "clock", "2080-01-01"]);
}

#[tokio::test]
async fn a_certificate_without_alternative_names_is_named() {
    let (reason, told) = presented(Says::new(SERVER).names(&[]), None).await;
    assert_eq!(reason, TlsReason::NoSubjectAltName);
    assert_tells(&told, &["no subject alternative name", "CN=VelociraptorServer", "reissue"]);
}

#[tokio::test]
async fn a_certificate_of_another_name_is_named() {
    let (reason, told) = presented(Says::new("other.example"), None).await;
    assert_eq!(reason, TlsReason::WrongName);
    assert_tells(&told, &[SERVER, "other.example", "pinned_server_name"]);
}

#[tokio::test]
async fn a_self_signed_certificate_is_named() {
    let (reason, told) = refusal(Ca::new(), Says::new(SERVER).self_signed()).await;
    assert_eq!(reason, TlsReason::SelfSigned);
    assert_tells(&told, &["self-signed", "api_connection_string", "SHA-256"]);
}

#[tokio::test]
async fn d01_the_pinned_name_counts_and_not_the_address() {
    let ca = Ca::new();
    let leaf = ca.issue(&Says::new("MyServer"));
    let fake = Fake::start_with(Ca::new(), Tls::with(&ca, leaf)).await;
    let user = ca.issue(&Says::new("admin"));
    let text = ca.api_file(&user, &fake.address.to_string()) + "pinned_server_name: MyServer\n";
    let connection = Connection::open(crate::pki::parse(text).unwrap()).unwrap();
    let query = vql_builder::Query::constant("probe", "SELECT 1 FROM scope()");
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let limits = Limits::READ;
    let mut stream = connection.start(&org, &query, &limits, &cancel).await.unwrap();
    assert!(stream.next().await.unwrap().is_none());
}

/// What a client says of a handshake that broke for another reason than the certificate.
async fn handshake(config: ApiConfig) -> (HandshakeReason, String) {
    match refused(config).await {
        kind @ QueryErrorKind::Handshake { reason, .. } => (reason, kind.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_does_not_take_our_certificate_is_told() {
    let ca = Ca::new();
    let mut tls = Tls::good(&ca);
    tls.clients = Some(Ca::new().certificate.der().clone());
    let fake = Fake::start_with(Ca::new(), tls).await;
    let config = ca.api_config("admin", &fake.address.to_string());
    let (reason, told) = handshake(config).await;
    assert_eq!(reason, HandshakeReason::ClientCertificateRefused, "{told}");
    assert_tells(&told, &["does not accept our certificate", "CN=admin", "config api_client"]);
}

#[tokio::test]
async fn a_server_that_speaks_old_tls_only_is_told() {
    let ca = Ca::new();
    let mut tls = Tls::good(&ca);
    tls.versions = vec![&version::TLS12];
    let fake = Fake::start_with(Ca::new(), tls).await;
    let (reason, told) = handshake(ca.api_config("admin", &fake.address.to_string())).await;
    assert_eq!(reason, HandshakeReason::NothingInCommon, "{told}");
    assert_tells(&told, &["TLS 1.3"]);
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_told() {
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x01\x02garbage that goes on for a while",
    ] {
        let address = plain(answer).await;
        let (reason, told) = handshake(Ca::new().api_config("admin", &address.to_string())).await;
        assert_eq!(reason, HandshakeReason::NotTls, "{told}");
        assert_tells(&told, &["does not speak TLS", "api_connection_string"]);
    }
}

#[tokio::test]
async fn the_port_of_the_gui_or_the_frontend_is_recognised() {
    let redirect = frame(HEADERS, END_HEADERS | END_STREAM, &status("307"));
    let missing = [
        frame(HEADERS, END_HEADERS, &status("404")),
        frame(DATA, END_STREAM, b"404 page not found"),
    ]
    .concat();
    for page in [redirect, missing] {
        let ca = Ca::new();
        let address = http(&ca, page).await;
        let (reason, told) = handshake(ca.api_config("admin", &address.to_string())).await;
        assert_eq!(reason, HandshakeReason::NotGrpc, "{told}");
        assert_tells(&told, &["speaks HTTP", "probably the GUI's", "api_connection_string"]);
    }
}

#[tokio::test]
async fn nobody_at_the_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let kind = refused(Ca::new().api_config("admin", &address.to_string())).await;
    assert!(matches!(&kind, QueryErrorKind::Unreachable { .. }), "{kind:?}");
    assert_tells(&kind.to_string(), &["refused", &address.to_string()]);

    let kind = refused(Ca::new().api_config("admin", "no-such-host.invalid:8001")).await;
    assert!(matches!(&kind, QueryErrorKind::Unreachable { .. }), "{kind:?}");
    assert_tells(&kind.to_string(), &["no-such-host.invalid"]);
}

#[tokio::test]
async fn a_port_that_closes_at_once_is_unreachable() {
    let address = plain(b"").await;
    let kind = refused(Ca::new().api_config("admin", &address.to_string())).await;
    assert!(matches!(&kind, QueryErrorKind::Unreachable { .. }), "{kind:?}");
}

/// The server takes NIST curves only; offering X25519 first costs a round trip.
#[tokio::test]
async fn the_provider_saves_the_second_hello() {
    // Another test of this process may have installed it already.
    let _ = tls_provider().install_default();
    let fake = Fake::start().await;
    let server = fake.server();
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let query = vql_builder::Query::constant("probe", "SELECT 1 FROM scope()");
    server.run_as(&server.identities()[0], &query, &call, true).await.unwrap();
    assert_eq!(*fake.state.handshakes.lock().unwrap(), [rustls::HandshakeKind::Full]);
}

#[tokio::test]
async fn a_refusal_is_told_to_each_of_many_callers() {
    let ca = Ca::new();
    let leaf = Ca::new().issue(&Says::new(SERVER));
    let fake = Fake::start_with(Ca::new(), Tls::with(&ca, leaf)).await;
    let config = ca.api_config("admin", &fake.address.to_string());
    let server = velociraptor_api::Server::open("acme", [(None, config)]).unwrap();
    let server = std::sync::Arc::new(server);
    let calls = (0..8).map(|_| {
        let server = std::sync::Arc::clone(&server);
        tokio::spawn(async move {
            let (org, cancel) = (OrgId::root(), CancellationToken::new());
            let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
            let query = vql_builder::Query::constant("probe", "SELECT 1 FROM scope()");
            *server.run_as(&server.identities()[0], &query, &call, true).await.unwrap_err().kind
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let kind = call.await.unwrap();
        assert!(matches!(&kind, QueryErrorKind::Tls(_)), "{kind:?}");
    }
}

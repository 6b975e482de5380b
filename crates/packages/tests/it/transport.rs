//! TLS and proxies.

use std::sync::{Arc, Mutex};

use packages::{Cache, Package, PackageError, PackageSource, Release};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::host::{Host, Reply};
use crate::support::{PATH, bounds, package, stated};

/// A host with a certificate for 127.0.0.1, and the roots that trust it.
async fn tls_host() -> (Host, RootCertStore) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let host = Host::start_tls(TlsAcceptor::from(Arc::new(config))).await;
    host.put(PATH, Reply::File(package()));
    (host, roots)
}

/// A proxy that notes what it is asked, and answers with a status.
async fn proxy(status: &'static str) -> (u16, Arc<Mutex<Vec<String>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&heard);
    let mut running = JoinSet::new();
    running.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let to = head.split(' ').nth(1).unwrap().to_owned();
            shared.lock().unwrap().push(head);
            stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
            if status.starts_with("200") {
                let mut server = TcpStream::connect(to).await.unwrap();
                // The other side may hang up in any way it likes.
                drop(tokio::io::copy_bidirectional(&mut stream, &mut server).await);
            }
        }
    });
    (port, heard, running)
}

async fn fetch(host: &Host, roots: RootCertStore, proxy: &str) -> Result<Package, PackageError> {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path().join("cache")).unwrap();
    let release = Release::on_loopback_tls(cache, bounds(), &host.address(), roots, proxy).unwrap();
    release.fetch(&stated(), &(), &CancellationToken::new()).await
}

#[tokio::test]
async fn tls_is_spoken_with_hosts_that_are_trusted() {
    let (host, roots) = tls_host().await;
    assert!(fetch(&host, roots, "").await.is_ok());
    let (stranger, _) = tls_host().await;
    let (_, roots) = tls_host().await;
    let error = fetch(&stranger, roots, "").await.unwrap_err().to_string();
    assert!(error.contains("TLS") && error.contains("invalid peer certificate"), "{error}");
    assert_eq!(stranger.asked(), []);
}

#[tokio::test]
async fn a_proxy_is_used_with_its_credentials_which_are_never_shown() {
    let (host, roots) = tls_host().await;
    let (port, heard, _running) = proxy("200 Connection established").await;
    let address = format!("http://analyst:opensesame@127.0.0.1:{port}");
    assert!(fetch(&host, roots.clone(), &address).await.is_ok());
    let asked = heard.lock().unwrap()[0].clone();
    assert!(
        asked.starts_with(&format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", host.port())),
        "{asked}"
    );
    assert!(asked.contains("Proxy-Authorization: Basic YW5hbHlzdDpvcGVuc2VzYW1l\r\n"), "{asked}");

    let (port, _, _running) = proxy("407 Proxy Authentication Required").await;
    let address = format!("http://analyst:opensesame@127.0.0.1:{port}");
    let error = fetch(&host, roots.clone(), &address).await.unwrap_err().to_string();
    assert!(error.contains("407") && error.contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(!error.contains("opensesame"), "{error}");

    let address = "socks5://analyst:opensesame@127.0.0.1:1";
    let error = fetch(&host, roots, address).await.unwrap_err().to_string();
    assert!(error.contains("socks5://127.0.0.1:1") && !error.contains("opensesame"), "{error}");
}

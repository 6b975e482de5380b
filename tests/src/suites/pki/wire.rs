//! What a port shows and takes, seen by rustls: full handshakes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use pki::{Pair, Summary};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The bound on one handshake.
const LIMIT: Duration = Duration::from_secs(20);

/// The certificate that a port shows, verified against the CA and for the name.
pub(super) async fn shown(address: SocketAddr, ca: &str, name: &str) -> anyhow::Result<Summary> {
    let stream = connect(address, ca, name, None).await?;
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(<[_]>::first).context("no certificate")?;
    Ok(pki::summaries(&pki::certificate_pem(shown))?.remove(0))
}

/// What the GUI answers to a call of its own API, which its gateway passes on with the gateway's
/// certificate.
pub(super) async fn through_gateway(address: SocketAddr, ca: &str) -> anyhow::Result<String> {
    let mut stream = connect(address, ca, pki::SERVER, None).await?;
    let request = format!(
        "GET /api/v1/GetUserUITraits HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Basic {}\r\n\r\n",
        super::LOOKER_BASIC
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A server may end a connection without the notice that TLS has for it.
    let read = tokio::time::timeout(LIMIT, read).await.context("the GUI did not answer")?;
    ensure!(read.is_ok() || !answer.is_empty(), "{read:?}");
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether the API goes on talking to who shows this certificate. With TLS 1.3 the server's
/// refusal comes after the handshake.
pub(super) async fn is_let_in(address: SocketAddr, ca: &str, pair: &Pair) -> anyhow::Result<()> {
    let mut stream = connect(address, ca, pki::SERVER, Some(pair)).await?;
    let mut first = [0; 9];
    // An HTTP/2 server speaks first: its settings.
    let read = tokio::time::timeout(LIMIT, stream.read_exact(&mut first)).await;
    read.context("the server said nothing")?.context("the server refused")?;
    ensure!(first[3] == 4, "no settings but {first:?}");
    Ok(())
}

async fn connect(
    address: SocketAddr,
    ca: &str,
    name: &str,
    pair: Option<&Pair>,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots);
    let mut config = match pair {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes())?];
            let key = PrivateKeyDer::from_pem_slice(pair.key.expose().as_bytes())?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    // The API speaks HTTP/2 only; the GUI is asked in the older way.
    config.alpn_protocols = match pair {
        None => Vec::new(),
        Some(_) => vec![b"h2".to_vec()],
    };
    let stream = TcpStream::connect(address).await.context("connecting")?;
    let name = ServerName::try_from(name.to_owned())?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    tokio::time::timeout(LIMIT, handshake).await.context("no handshake in time")?.context("TLS")
}

//! One request to the GUI, with the deployment's CA and the pinned name.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Asks for a page and returns the status of the answer.
///
/// # Errors
/// The server is not reached, or is not the one that the CA vouches for.
pub(super) async fn status(port: u16, path: &str, header: &str, ca: &str) -> anyhow::Result<u16> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).context("reading the CA")?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("VelociraptorServer")?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let status = str::from_utf8(&head)?.strip_prefix("HTTP/1.1 ");
    Ok(status.ok_or_else(|| anyhow!("no answer of HTTP: {head:?}"))?.parse()?)
}

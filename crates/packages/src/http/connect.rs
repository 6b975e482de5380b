//! A connection: directly or through a proxy, with or without TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::proxy::matcher::Intercept;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{chain, unreachable};
use crate::error::PackageError;

/// A proxy's answer is a few lines.
const MAX_PROXY_ANSWER: usize = 8 << 10;

/// What HTTP is spoken over.
pub(super) enum Stream {
    /// To this machine, in tests.
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects to a host, through a proxy where one is meant for it.
pub(super) async fn tcp(
    proxy: Option<Intercept>,
    host: &str,
    port: u16,
    uri: &Uri,
) -> Result<TcpStream, PackageError> {
    let Some(proxy) = proxy else {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let failed = |error: io::Error| unreachable(uri, error.to_string());
        return TcpStream::connect((bare, port)).await.map_err(failed);
    };
    let at = proxy.uri();
    let proxy_host = at.host().unwrap_or_default();
    let name = format!("{}:{}", proxy_host, at.port_u16().unwrap_or(80));
    if at.scheme_str() != Some("http") {
        let scheme = at.scheme_str().unwrap_or_default();
        return Err(PackageError::Proxy { proxy: format!("{scheme}://{name}") });
    }
    let failed = |error: io::Error| unreachable(uri, format!("the proxy {name}: {error}"));
    let mut stream = TcpStream::connect(&name).await.map_err(failed)?;
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(credentials) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credentials.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(failed)?;
    let status = proxy_status(&mut stream).await.map_err(failed)?;
    if status.split(' ').nth(1) == Some("200") {
        return Ok(stream);
    }
    let status: String = status.chars().take(100).flat_map(char::escape_default).collect();
    Err(unreachable(uri, format!("the proxy {name} refused: {status}")))
}

/// The first line of the proxy's answer. Read byte by byte: what follows the answer is not ours.
async fn proxy_status(stream: &mut TcpStream) -> io::Result<String> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_PROXY_ANSWER {
            return Err(io::Error::other("its answer has no end"));
        }
        answer.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}

/// The certificates that this machine trusts.
pub(super) async fn system_trust() -> Result<Arc<ClientConfig>, PackageError> {
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let loaded = loaded.map_err(|_| PackageError::NoRoots)?;
    for error in &loaded.errors {
        tracing::warn!("a CA certificate of this machine cannot be read: {error}");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        return Err(PackageError::NoRoots);
    }
    config(roots).map(Arc::new)
}

/// TLS 1.3 to hosts that one of `roots` vouches for.
pub(crate) fn config(roots: RootCertStore) -> Result<ClientConfig, PackageError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| PackageError::NoRoots)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

pub(super) async fn tls(
    config: Arc<ClientConfig>,
    tcp: TcpStream,
    host: &str,
    uri: &Uri,
) -> Result<Stream, PackageError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|error| unreachable(uri, error.to_string()))?;
    let connected = TlsConnector::from(config).connect(name, tcp).await;
    let stream = connected.map_err(|error| unreachable(uri, format!("TLS: {}", chain(&error))))?;
    Ok(Stream::Tls(Box::new(stream)))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

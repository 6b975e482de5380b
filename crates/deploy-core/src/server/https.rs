//! One request to a server of ours: its CA alone vouches for it, under the name that it has in its
//! certificate, wherever it is reached.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Who vouches for the server.
#[derive(Clone)]
pub(super) struct Trust(TlsConnector);

impl Trust {
    /// Nobody but this CA, given as PEM.
    pub(super) fn only(ca: &str) -> Result<Self, String> {
        let words = |error: &dyn std::fmt::Display| format!("the CA cannot be used: {error}");
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(ca.as_bytes()).map_err(|error| words(&error))?;
        roots.add(ca).map_err(|error| words(&error))?;
        let config =
            ClientConfig::builder_with_provider(Arc::new(velociraptor_api::tls_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| words(&error))?
                .with_root_certificates(roots)
                .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Asks for a page, and returns the status of the answer.
    pub(super) async fn status(&self, at: SocketAddr, path: &str) -> Result<u16, String> {
        let tcp = TcpStream::connect(at).await.map_err(|error| plain(&error))?;
        let name = ServerName::try_from(pki::SERVER).map_err(|error| error.to_string())?;
        let tls = self.0.connect(name, tcp).await.map_err(|error| plain(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
            .await
            .map_err(|error| error.to_string())?;
        let request = hyper::Request::get(path)
            .header(HOST, at.to_string())
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        // The connection is driven beside the request, and ends with it.
        let answer = tokio::select! {
            answer = sender.send_request(request) => answer.map_err(|error| error.to_string())?,
            ended = connection => return Err(ended.map_or_else(
                |error| error.to_string(),
                |()| String::from("it closed the connection without an answer"),
            )),
        };
        Ok(answer.status().as_u16())
    }
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => String::from("nobody listens"),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            String::from("it closes the connection")
        }
        _ => error.to_string(),
    }
}

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

/// What was answered, and under which certificate.
pub(super) struct Answered {
    pub(super) status: u16,
    /// The certificate, as PEM.
    pub(super) served: String,
}

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

    /// Asks for a page.
    pub(super) async fn ask(&self, at: SocketAddr, path: &str) -> Result<Answered, String> {
        let tcp = TcpStream::connect(at).await.map_err(|error| plain(&error))?;
        let name = ServerName::try_from(pki::SERVER).map_err(|error| error.to_string())?;
        let tls = self.0.connect(name, tcp).await.map_err(|error| plain(&error))?;
        let served = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let served = served.map(|der| pki::certificate_pem(der)).unwrap_or_default();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
            .await
            .map_err(|error| error.to_string())?;
        let request = hyper::Request::get(path)
            .header(HOST, at.to_string())
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let mut answer = std::pin::pin!(sender.send_request(request));
        // The connection is driven beside the request. A server may close it with its answer, which
        // is there then all the same.
        let answer = tokio::select! {
            answer = &mut answer => answer.map_err(|error| error.to_string())?,
            ended = connection => answer.await.map_err(|_| ended.map_or_else(
                |error| error.to_string(),
                |()| String::from("it closed the connection without an answer"),
            ))?,
        };
        Ok(Answered { status: answer.status().as_u16(), served })
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

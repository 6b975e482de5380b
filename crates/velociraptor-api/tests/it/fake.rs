//! A server with real TLS and scripted answers, which remembers what it was asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use velociraptor_api::generated::api_server::ApiServer;
use velociraptor_api::{ApiConfig, IdentityKind, Server};

use crate::pki::Ca;

mod connection;
mod service;
mod state;
mod tls;

use service::Service;
pub(crate) use state::{Reply, State, log, raw, rows};
pub(crate) use tls::Tls;

/// A running server. It stops when it is dropped.
pub(crate) struct Fake {
    pub(crate) ca: Ca,
    pub(crate) state: Arc<State>,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.cancel();
        self.state.break_connections();
    }
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let ca = Ca::new();
        let tls = Tls::good(&ca);
        Self::start_with(ca, tls).await
    }

    pub(crate) async fn start_with(ca: Ca, tls: Tls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::new());
        let stop = CancellationToken::new();
        let acceptor = TlsAcceptor::from(Arc::new(tls.config()));
        let incoming = connection::accept(listener, acceptor, Arc::clone(&state), stop.clone());
        let service = ApiServer::new(Service { state: Arc::clone(&state) })
            .max_encoding_message_size(usize::MAX)
            .max_decoding_message_size(4 << 20);
        let server = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(Box::pin(incoming));
        let until = stop.clone();
        tokio::spawn(async move { until.run_until_cancelled(server).await });
        Self { ca, state, address, stop }
    }

    /// A configuration for a user of this server.
    pub(crate) fn config(&self, user: &'static str) -> ApiConfig {
        self.ca.api_config(user, &self.address.to_string())
    }

    /// The server as a client sees it, with an administrator only.
    pub(crate) fn server(&self) -> Server {
        self.state.grant("admin", &["any_query", "read_results", "server_admin", "collect_client"]);
        Server::open("acme", [(Some(IdentityKind::Administrator), self.config("admin"))]).unwrap()
    }
}

/// Waits until a condition holds, and says what was last seen where it never does.
pub(crate) async fn until<T: std::fmt::Debug>(
    what: &str,
    mut look: impl FnMut() -> T,
    mut holds: impl FnMut(&T) -> bool,
) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let seen = look();
        if holds(&seen) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: last seen {seen:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

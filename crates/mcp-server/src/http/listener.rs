//! Connections: accepted, counted, and ended.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Bind, Limits, Stop, Tls};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long to wait where the system gives no more connections, before asking again.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// How long connections may take to close once nothing is at work on them.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// An address that is listened at.
#[derive(Debug)]
pub struct Listener {
    pub(super) address: SocketAddr,
    listener: TcpListener,
    tls: Option<Tls>,
}

impl Listener {
    /// Listens there.
    ///
    /// # Errors
    ///
    /// Another machine could reach the address and there is no TLS, or the system refuses it.
    pub async fn bind(bind: Bind, tls: Option<Tls>) -> io::Result<Self> {
        bind.check(tls.is_some())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let listener = TcpListener::bind(bind.0).await?;
        Ok(Self { address: listener.local_addr()?, listener, tls })
    }

    /// The scheme under which it is called.
    pub const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// Serves until told to stop, then until `finished`, but not longer than the grace.
pub(super) async fn run<F: Future<Output = ()>>(
    listener: Listener,
    routes: Router,
    limits: &Limits,
    stop: &Stop,
    finished: impl FnOnce() -> F,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(limits.connections));
    let tls = listener.tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.0)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.listener.accept() => accepted,
            // Ended connections are forgotten.
            Some(_) = connections.join_next() => continue,
            () = stop.soon.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) if is_of_the_caller(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            turn_away(&stream, tls.is_some());
            continue;
        };
        let (routes, tls) = (routes.clone(), tls.clone());
        let (head_time, stop) = (limits.head_time, stop.clone());
        connections.spawn(async move {
            let _place = place;
            // Answers are small and wanted at once.
            let _ = stream.set_nodelay(true);
            match tls {
                None => converse(stream, routes, head_time, stop).await,
                Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, routes, head_time, stop).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                },
            }
        });
    }
    // Nobody is to wait for an answer that does not come.
    drop(listener);
    tokio::select! {
        () = finished() => {}
        () = tokio::time::sleep(limits.grace) => {
            tracing::warn!("calls were at work longer than {:?}; they are cancelled", limits.grace);
        }
        () = stop.now.cancelled() => {}
    }
    stop.now.cancel();
    let closed = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WORDS, closed).await.is_err() {
        tracing::debug!("connections were cut");
    }
    Ok(())
}

/// One connection, from its first request to its last.
async fn converse<S>(stream: S, routes: Router, head_time: Duration, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.soon.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.now.cancelled() => {
                    // What was cancelled is answered, if it is answered soon.
                    match tokio::time::timeout(LAST_WORDS / 2, connection).await {
                        Ok(ended) => ended,
                        Err(_) => Ok(()),
                    }
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Says that there is no place. Nobody waits for the caller to read it.
fn turn_away(stream: &TcpStream, is_tls: bool) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    tracing::warn!("no place for another connection");
    if !is_tls {
        // A fresh connection has room for it; one that has not is gone.
        let _ = stream.try_write(FULL);
    }
}

/// Whether the caller went away before it was accepted.
fn is_of_the_caller(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

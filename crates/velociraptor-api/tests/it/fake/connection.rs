//! Connections that can be cut.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt, stream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::State;

/// Takes connections until the server stops.
pub(super) fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    state: Arc<State>,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Broken, std::io::Error>> {
    let handshakes = stream::unfold((listener, stop), |(listener, stop)| async move {
        let stream = stop.run_until_cancelled(listener.accept()).await?;
        Some((stream.unwrap().0, (listener, stop)))
    });
    handshakes.filter_map(move |stream| {
        let acceptor = acceptor.clone();
        let state = Arc::clone(&state);
        async move {
            state.connections.fetch_add(1, Ordering::SeqCst);
            let kill = state.kill.lock().unwrap().clone();
            let tls = acceptor.accept(stream).await.ok()?;
            let kind = tls.get_ref().1.handshake_kind().unwrap();
            state.handshakes.lock().unwrap().push(kind);
            Some(Ok(Broken { tls, killed: Box::pin(kill.cancelled_owned()), dead: false }))
        }
    })
}

/// A connection that can be cut.
pub(super) struct Broken {
    tls: TlsStream<TcpStream>,
    killed: Pin<Box<tokio_util::sync::WaitForCancellationFutureOwned>>,
    dead: bool,
}

impl Broken {
    fn check(&mut self, cx: &mut Context<'_>) -> Result<(), std::io::Error> {
        self.dead = self.dead || self.killed.as_mut().poll(cx).is_ready();
        if self.dead { Err(std::io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.tls).poll_read(cx, buf)
    }
}

impl tokio::io::AsyncWrite for Broken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

impl tonic::transport::server::Connected for Broken {
    type ConnectInfo = TlsConnectInfo<TcpConnectInfo>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.tls.connect_info()
    }
}

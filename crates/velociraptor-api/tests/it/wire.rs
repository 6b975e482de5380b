//! Servers that answer with bytes of the test's own.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fake::Tls;
use crate::pki::Ca;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A block of headers with the status only: name 8 of the static table, and a literal.
pub(crate) fn status(code: &str) -> Vec<u8> {
    [&[8, 3], code.as_bytes()].concat()
}

/// A frame of HTTP/2 on stream 1, or on the connection where it is a SETTINGS frame.
pub(crate) fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let stream = u8::from(kind != SETTINGS);
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Answers the first call with these frames, and asks for no client certificate.
pub(crate) async fn http(ca: &Ca, page: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tls = Tls::good(ca);
    tls.clients = None;
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(tls.config()));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        stream.write_all(&frame(SETTINGS, 0, &[])).await.unwrap();
        let mut seen = Vec::new();
        // The request has been sent once a HEADERS frame (1) follows the preface.
        while !seen.windows(4).any(|at| at == [HEADERS, END_HEADERS, 0, 0]) {
            assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
        }
        stream.write_all(&page).await.unwrap();
        while stream.read_buf(&mut seen).await.is_ok_and(|read| read > 0) {}
    });
    address
}

/// Answers each connection with the bytes, after it has read something.
pub(crate) async fn plain(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            if stream.read(&mut buffer).await.is_ok() && stream.write_all(answer).await.is_ok() {
                // The answer is read before the connection ends; how it ends is the client's affair.
                let _ = stream.shutdown().await;
            }
        }
    });
    address
}

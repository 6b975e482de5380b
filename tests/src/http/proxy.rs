//! A caller's token for programs that cannot send one.

use std::net::SocketAddr;

use anyhow::Context;
use secret::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The longest head of a request.
const HEAD_LIMIT: usize = 64 << 10;

/// Listens on loopback and passes each request on, with a token and otherwise as it is. Dropping
/// it ends it.
#[derive(Debug)]
pub struct TokenProxy {
    address: SocketAddr,
    listener: Option<TcpListener>,
    task: Option<JoinHandle<()>>,
}

impl TokenProxy {
    /// Takes a port. Requests wait until there is somewhere to pass them on to: the server must
    /// know the proxy's name, and the proxy the server's address.
    ///
    /// # Errors
    /// There is no port.
    pub async fn listen() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the proxy")?;
        let address = listener.local_addr()?;
        Ok(Self { address, listener: Some(listener), task: None })
    }

    /// Host and port, as clients call it.
    pub fn name(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Passes requests on from now.
    ///
    /// # Errors
    /// It does so already.
    pub fn pass_on(&mut self, to: &str, token: &Secret<String>) -> anyhow::Result<()> {
        let listener = self.listener.take().context("requests are passed on already")?;
        let (to, token) = (to.to_owned(), token.clone());
        self.task = Some(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (to, token) = (to.clone(), token.clone());
                // A client that goes away is no fault of the proxy.
                tokio::spawn(async move { pass(client, &to, &token).await.ok() });
            }
        }));
        Ok(())
    }
}

impl Drop for TokenProxy {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn pass(mut client: TcpStream, to: &str, token: &Secret<String>) -> anyhow::Result<()> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        anyhow::ensure!(read.len() < HEAD_LIMIT, "a head without an end");
        anyhow::ensure!(client.read_buf(&mut read).await? > 0, "no whole head came");
    };
    let mut server = TcpStream::connect(to).await?;
    server.write_all(&with_token(&read[..end], token)).await?;
    server.write_all(&read[end + 4..]).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// The head with a token. One request a connection: the next head would go by unseen.
fn with_token(head: &[u8], token: &Secret<String>) -> Vec<u8> {
    let head = String::from_utf8_lossy(head);
    let mut lines: Vec<&str> = head
        .split("\r\n")
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    let authorization = format!("Authorization: Bearer {}", token.expose());
    lines.extend(["Connection: close", &authorization, "", ""]);
    lines.join("\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gets_its_token_and_ends_its_connection() {
        let token = Secret::new("mgr_1".to_owned());
        let head = b"POST /mcp HTTP/1.1\r\nHost: evil.example\r\nconnection: keep-alive";
        assert_eq!(
            String::from_utf8(with_token(head, &token)).unwrap(),
            "POST /mcp HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nAuthorization: Bearer mgr_1\r\n\r\n"
        );
    }
}

//! A daemon that is another than it is: in front of a real one, with words of its answers changed.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// The daemon of this machine.
const REAL: &str = "/var/run/docker.sock";

/// Listens on a socket of its own until it is dropped.
pub(super) struct Proxy {
    folder: TempDir,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// In front of the real daemon, with each first text of its answers replaced by the second.
    pub(super) fn changing(words: &'static [(&'static str, &'static str)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let listener = UnixListener::bind(folder.path().join("docker.sock"))?;
        let serving = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(async move {
                    // A caller who goes away is none of its business.
                    drop(answer(caller, words).await);
                });
            }
        });
        Ok(Self { folder, serving })
    }

    pub(super) fn host(&self) -> String {
        let path: PathBuf = self.folder.path().join("docker.sock");
        format!("unix://{}", path.display())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One request for each connection: the question is asked in HTTP/1.0, so that the answer ends with
/// the connection and can be of another length.
async fn answer(mut caller: UnixStream, words: &[(&str, &str)]) -> anyhow::Result<()> {
    let asked = head(&mut caller).await?;
    let line = asked.lines().next().context("no request")?;
    let asked = format!("{}\r\nHost: docker\r\n\r\n", line.replace("HTTP/1.1", "HTTP/1.0"));
    let mut real = UnixStream::connect(Path::new(REAL)).await?;
    real.write_all(asked.as_bytes()).await?;
    let mut said = String::new();
    real.read_to_string(&mut said).await?;
    let (head, body) = said.split_once("\r\n\r\n").context("no answer")?;
    let body = words.iter().fold(body.to_owned(), |body, (from, to)| body.replace(from, to));
    let head: Vec<&str> = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("content-length"))
        .collect();
    let length = body.len();
    let said = format!(
        "{}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}",
        head.join("\r\n").replace("HTTP/1.0", "HTTP/1.1")
    );
    caller.write_all(said.as_bytes()).await?;
    Ok(caller.shutdown().await?)
}

/// What stands before the first empty line. Nothing that is asked here has a body.
async fn head(caller: &mut UnixStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(caller.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

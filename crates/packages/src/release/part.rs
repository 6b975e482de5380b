//! What has come of a download so far, so that it can be continued.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::digest::Digest;
use crate::error::PackageError;

/// The beginning of a file, with the sum of its bytes.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    sum: Sha256,
    length: u64,
    origin: Option<Origin>,
}

/// What the beginning is of. Only the same file, by the host's own mark, is continued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) url: String,
    /// The host's strong mark of that very file.
    pub(super) etag: String,
}

fn note(path: &Path) -> PathBuf {
    path.with_extension("part.json")
}

/// Removes what is left of a download.
pub(super) fn forget(path: &Path) -> Result<(), PackageError> {
    for path in [path, &note(path)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(PackageError::io("removing", path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Part {
    /// Takes up what is there, where it is known what it is of.
    pub(super) async fn open(path: PathBuf) -> Result<Self, PackageError> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&path).await;
        let file = file.map_err(|error| PackageError::io("opening", &path, error))?;
        let origin = match tokio::fs::read(note(&path)).await {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(_) => None,
        };
        let mut part = Self { path, file, sum: Sha256::new(), length: 0, origin };
        if part.origin.is_none() {
            part.restart(None).await?;
        } else {
            part.take_up().await.map_err(|error| part.io("reading", error))?;
        }
        Ok(part)
    }

    async fn take_up(&mut self) -> io::Result<()> {
        let mut block = vec![0; 128 << 10];
        loop {
            let read = self.file.read(&mut block).await?;
            if read == 0 {
                return Ok(());
            }
            self.sum.update(&block[..read]);
            self.length += read as u64;
        }
    }

    fn io(&self, what: &'static str, error: io::Error) -> PackageError {
        PackageError::io(what, &self.path, error)
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// The mark to continue with, where the beginning is of this address.
    pub(super) fn continues(&self, url: &str) -> Option<&str> {
        let origin = self.origin.as_ref().filter(|origin| origin.url == url && self.length > 0);
        origin.map(|origin| origin.etag.as_str())
    }

    /// Begins anew.
    pub(super) async fn restart(&mut self, origin: Option<Origin>) -> Result<(), PackageError> {
        self.sum = Sha256::new();
        self.length = 0;
        let emptied = async {
            self.file.set_len(0).await?;
            self.file.rewind().await
        };
        emptied.await.map_err(|error| self.io("emptying", error))?;
        let path = note(&self.path);
        match &origin {
            Some(origin) => {
                let written = match serde_json::to_vec(origin) {
                    Ok(bytes) => tokio::fs::write(&path, bytes).await,
                    Err(error) => Err(error.into()),
                };
                written.map_err(|error| PackageError::io("writing", &path, error))?;
            }
            None => match tokio::fs::remove_file(&path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(PackageError::io("removing", &path, error));
                }
                _ => {}
            },
        }
        self.origin = origin;
        Ok(())
    }

    pub(super) async fn add(&mut self, bytes: &[u8]) -> Result<(), PackageError> {
        self.file.write_all(bytes).await.map_err(|error| self.io("writing", error))?;
        self.sum.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// The first bytes.
    pub(super) async fn first(&mut self, count: usize) -> Result<Vec<u8>, PackageError> {
        let mut first = Vec::new();
        let read = async {
            self.file.flush().await?;
            self.file.rewind().await?;
            (&mut self.file).take(count as u64).read_to_end(&mut first).await?;
            self.file.seek(io::SeekFrom::End(0)).await
        };
        read.await.map_err(|error| self.io("reading", error))?;
        Ok(first)
    }

    /// The sum of all that is here.
    pub(super) fn digest(&self) -> Digest {
        Digest::finish(self.sum.clone())
    }

    /// Writes out what is buffered and returns where it is.
    pub(super) async fn close(&mut self) -> Result<PathBuf, PackageError> {
        let written = async {
            self.file.flush().await?;
            self.file.sync_all().await
        };
        written.await.map_err(|error| self.io("writing", error))?;
        Ok(self.path.clone())
    }
}

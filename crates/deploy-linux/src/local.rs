//! This very host.

use std::fs;
use std::io;

use async_trait::async_trait;
use deploy_core::evidence::Pipe;
use deploy_core::transport::{Command, Ended, NewFile, Stat, Transport, TransportError};
use secret::Secret;

mod files;
mod process;

/// Does everything on this very host, as the user of this program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

const HOST: &str = "this host";

#[async_trait]
impl Transport for Local {
    fn host(&self) -> &str {
        HOST
    }

    async fn run(&self, command: &Command<'_>) -> Result<Ended, TransportError> {
        process::run(command).await
    }

    async fn pour(&self, command: &Command<'_>, into: &Pipe) -> Result<Ended, TransportError> {
        process::pour(command, into).await
    }

    async fn put(&self, file: &NewFile<'_>) -> Result<(), TransportError> {
        let (path, rights) = (file.path.to_owned(), file.rights);
        let content = files::Source::of(&file.content);
        blocking(move || files::put(&path, &content, rights)).await
    }

    async fn read(
        &self,
        path: &str,
        most: usize,
    ) -> Result<Option<Secret<Vec<u8>>>, TransportError> {
        let path = path.to_owned();
        blocking(move || files::read(&path, most)).await
    }

    async fn sha256(&self, path: &str) -> Result<Option<String>, TransportError> {
        let path = path.to_owned();
        blocking(move || files::sha256(&path)).await
    }

    async fn stat(&self, path: &str) -> Result<Option<Stat>, TransportError> {
        let path = path.to_owned();
        blocking(move || files::stat(&path)).await
    }

    async fn remove(&self, path: &str) -> Result<(), TransportError> {
        let path = path.to_owned();
        blocking(move || {
            let removed = match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
                Ok(_) => fs::remove_file(&path),
                Err(error) => Err(error),
            };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(failed(&format!("removing {path}"), &error))
                }
                _ => Ok(()),
            }
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TransportError> + Send + 'static,
) -> Result<T, TransportError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(failed("working on files", &error)),
    }
}

fn failed(doing: &str, cause: &dyn std::fmt::Display) -> TransportError {
    TransportError::Failed { doing: doing.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        deploy_core::contract::transport(&Local, path).await;
    }
}

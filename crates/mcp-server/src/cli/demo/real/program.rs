//! The binary in the folder, run once and waited for.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use deploy_core::StepError;
use deploy_core::server::Program;
use deploy_core::transport::Ended;
use secret::Secret;

use super::children::command;

/// Where the binary is in the folder.
pub(super) fn binary(folder: &Path) -> PathBuf {
    folder.join("velociraptor")
}

/// Where the server's configuration is in the folder.
pub(super) fn server_config(folder: &Path) -> PathBuf {
    folder.join("server.config.yaml")
}

/// Where the agent's configuration is in the folder.
pub(super) fn client_config(folder: &Path) -> PathBuf {
    folder.join("client.config.yaml")
}

/// Global arguments of the binary.
pub(super) fn arguments(config: &Path, more: &[&str]) -> Vec<String> {
    let mut all = vec![String::from("--nobanner"), String::from("--config")];
    all.push(config.display().to_string());
    all.extend(more.iter().map(ToString::to_string));
    all
}

/// The binary beside the server's data.
pub(super) struct Beside<'a>(pub(super) &'a Path);

#[async_trait]
impl Program for Beside<'_> {
    async fn run(&self, more: &[&str]) -> Result<Ended, StepError> {
        let folder = self.0;
        let ended = command(&binary(folder), folder)
            .args(arguments(&server_config(folder), more))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .await;
        let ended = ended.map_err(|error| {
            let what = format!("the binary does not start: {error}");
            StepError::failed(what, "look whether it runs by itself: velociraptor version")
        })?;
        Ok(Ended {
            code: ended.status.code().map_or(-1, i64::from),
            out: Secret::new(ended.stdout),
            err: String::from_utf8_lossy(&ended.stderr).into_owned(),
        })
    }
}

//! Megaraptor as a server over HTTP, with a state folder and a token of its own.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use secret::Secret;
use tempfile::TempDir;

use crate::real::Process;
use crate::wait;

mod connection;
mod proxy;

pub use connection::Connection;
pub use proxy::TokenProxy;

/// The program takes some tenths of a second to start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The name of its token.
const NAME: &str = "integration-tests";

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct HttpServer {
    process: Process,
    address: String,
    token: Secret<String>,
    folder: TempDir,
}

impl HttpServer {
    /// Makes a token with these effects, and serves with these arguments at a free port.
    ///
    /// # Errors
    /// The token cannot be made, or the program does not say in time that it serves.
    pub async fn start<S: AsRef<OsStr>>(
        program: &Path,
        effects: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a folder for the state")?;
        let token = make_token(program, folder.path(), NAME, effects)?;
        let mut command = Command::new(program);
        command.env("MEGARAPTOR_HOME", folder.path());
        command.args(["serve", "--http", "127.0.0.1:0"]).args(arguments);
        let log = folder.path().join("megaraptor.log");
        let mut process = Process::start("megaraptor", &mut command, &log)?;
        let address = wait::until("the address that is served", START_LIMIT, || {
            let seen = process.check_running().and_then(|()| served_at(&process.log_text()?));
            std::future::ready(seen)
        })
        .await?;
        Ok(Self { process, address, token, folder })
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where MCP is served.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub fn token(&self) -> &Secret<String> {
        &self.token
    }

    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Another token of the same server.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn another_token(&self, program: &Path, name: &str) -> anyhow::Result<Secret<String>> {
        make_token(program, self.folder.path(), name, "read")
    }

    /// Revokes its token on the command line, while it runs.
    ///
    /// # Errors
    /// The command fails.
    pub fn revoke(&self, program: &Path) -> anyhow::Result<()> {
        let done = Command::new(program)
            .env("MEGARAPTOR_HOME", self.folder.path())
            .args(["token", "revoke", NAME])
            .output()
            .context("revoking the token")?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// Asks it to end, which it does with exit code 0.
    ///
    /// # Errors
    /// It does not end, or ends otherwise.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let status = self.process.stop()?;
        ensure!(status.success(), "it ended with {status}:\n{}", self.process.log_end());
        Ok(())
    }
}

fn make_token(
    program: &Path,
    home: &Path,
    name: &str,
    effects: &str,
) -> anyhow::Result<Secret<String>> {
    let made = Command::new(program)
        .env("MEGARAPTOR_HOME", home)
        .args(["token", "create", name, "--effects", effects, "--expires", "1h"])
        .output()
        .context("making a token")?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let token = String::from_utf8(made.stdout).context("the token is no text")?;
    Ok(Secret::new(token.trim().to_owned()))
}

fn served_at(log: &str) -> anyhow::Result<String> {
    let address = log.lines().find_map(|line| {
        line.strip_prefix("serving MCP at http://")?.strip_suffix("/mcp").map(str::to_owned)
    });
    address.with_context(|| format!("its log: {log}"))
}

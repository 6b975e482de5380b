//! Programs of the npm registry, in pinned versions, in a folder beside the program under test.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::suite::Halt;

/// Pinned: another version may check other things, or nothing under the same name.
const PACKAGES: &[&str] = &[
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector@2.12.0",
    // Both want a newer Node than many systems have.
    "node@22.23.3",
];

/// Downloading takes a minute, on a slow line some.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);

const LOOK_LIMIT: Duration = Duration::from_secs(30);

/// The folder that has them.
#[derive(Debug)]
pub struct Node(PathBuf);

impl Node {
    /// The programs, installed beside `program` where they are not.
    ///
    /// # Errors
    /// [`Halt::Skip`] where npm is not on this machine, or reaches no registry.
    pub async fn prepare(program: &Path) -> Result<Self, Halt> {
        let folder = program.parent().context("the program has no folder")?.join("node-tools");
        let node = Self(folder);
        // Named after what is in it: another list of packages is installed anew.
        let installed = node.0.join("installed");
        let wanted = PACKAGES.join("\n");
        if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
            return Ok(node);
        }
        std::fs::create_dir_all(&node.0).context("a folder for npm")?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&node.0).args(PACKAGES);
        let output = match run(&mut npm, INSTALL_LIMIT).await {
            Ok(output) => output,
            Err(error) => return Err(Halt::Skip(format!("no npm: {error:#}"))),
        };
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let reason =
                errors.lines().find(|line| line.starts_with("npm error")).unwrap_or(&errors);
            return Err(Halt::Skip(format!("npm installs nothing: {reason}")));
        }
        let found = run(node.command("node").arg("--version"), LOOK_LIMIT).await?;
        let found = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        if !found.starts_with("v22.") {
            return Err(Halt::Skip(format!("npm gives no Node 22 here, but {found:?}")));
        }
        std::fs::write(&installed, wanted).context("noting what was installed")?;
        Ok(node)
    }

    /// A file of a package, such as `PACKAGE/README.md`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn text_of(&self, file: &str) -> anyhow::Result<String> {
        let path = self.0.join("node_modules").join(file);
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    }

    /// One of the programs.
    pub fn command(&self, program: &str) -> Command {
        let programs = self.0.join("node_modules/.bin");
        let mut command = Command::new(programs.join(program));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(programs).chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(paths) {
            command.env("PATH", path);
        }
        command
    }
}

/// Runs a program to its end.
///
/// # Errors
/// It does not start, or does not end in time.
pub async fn run(command: &mut Command, limit: Duration) -> anyhow::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(limit, command.output()).await;
    Ok(output.with_context(|| format!("no end within {limit:?}"))??)
}

/// What a program printed, where it ended well.
///
/// # Errors
/// It did not.
pub fn printed(output: Output) -> anyhow::Result<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it ended with {}: {errors}", output.status);
    String::from_utf8(output.stdout).context("its output is no text")
}

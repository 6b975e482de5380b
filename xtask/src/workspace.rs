//! Where things are in the work tree, and which crates it has.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::cargo;

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map_or_else(|| xtask.to_path_buf(), Path::to_path_buf)
}

/// A crate of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line of a crate's manifest.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev`, `build`, or nothing for an ordinary one.
    pub(crate) kind: Option<String>,
}

/// # Errors
/// Cargo cannot read the workspace.
pub(crate) fn packages() -> anyhow::Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let metadata: Metadata = metadata()?;
    Ok(metadata.packages)
}

/// The folder that cargo builds into.
///
/// # Errors
/// Cargo cannot read the workspace.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let metadata: Metadata = metadata()?;
    Ok(metadata.target_directory)
}

/// Nothing is downloaded for it: only the workspace's own manifests are read.
fn metadata<T: serde::de::DeserializeOwned>() -> anyhow::Result<T> {
    let text = cargo::output(&["metadata", "--format-version=1", "--no-deps"])?;
    serde_json::from_str(&text).context("reading cargo's metadata")
}

/// The file name of a program that was built into `folder`.
pub(crate) fn executable(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Every file that is part of the project, relative to the root: those that git tracks, and those
/// that are new and not ignored.
///
/// # Errors
/// This is no git work tree, or there is no git.
pub(crate) fn files() -> anyhow::Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
        .current_dir(root())
        .output()
        .context("starting git")?;
    ensure!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr).trim());
    let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    // A tracked file that was just removed is still listed.
    let there = |name: &&str| !name.is_empty() && root().join(name).is_file();
    Ok(names.split('\0').filter(there).map(str::to_owned).collect())
}

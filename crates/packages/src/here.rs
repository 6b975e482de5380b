//! A `velociraptor` that is already on this machine.

use std::env;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::digest::Digest;
use crate::error::PackageError;
use crate::local::{look, off_the_executor, prove, signature_beside};
use crate::pinned;
use crate::source::{Fetching, PackageSource, Progress};
use crate::wanted::{Proof, Wanted};

/// Names the binary.
pub const VARIABLE: &str = "VELOCIRAPTOR_BINARY";

/// A binary on this machine.
///
/// One that was only found (in the variable, or in a folder of `PATH`) counts as little as any other
/// file: its SHA-256 has to be pinned, stated or signed. One that a person named for this very
/// purpose is taken at their word, where the wanted proof is [`Proof::Named`], and the package says so.
#[derive(Debug, Clone)]
pub struct Here {
    path: PathBuf,
    named: bool,
}

/// What was found, for a person to look at.
#[derive(Debug, Clone)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its size.
    pub size: u64,
}

impl Here {
    /// The binary that [`VARIABLE`] names, else the first `velociraptor` in a folder of `PATH`.
    ///
    /// # Errors
    ///
    /// [`PackageError::NotHere`] with every place that was looked at.
    pub fn find() -> Result<Self, PackageError> {
        let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folders = env::var_os("PATH").unwrap_or_default();
        Self::find_in(variable, env::split_paths(&folders))
    }

    fn find_in(
        variable: Option<PathBuf>,
        folders: impl Iterator<Item = PathBuf>,
    ) -> Result<Self, PackageError> {
        let name = format!("velociraptor{}", env::consts::EXE_SUFFIX);
        // A wrong variable is a mistake to be told, not a reason to take another binary.
        let places: Vec<PathBuf> = match variable {
            Some(path) => vec![path],
            None => folders
                .filter(|folder| folder.is_absolute())
                .map(|folder| folder.join(&name))
                .collect(),
        };
        match places.iter().find(|path| path.is_file()) {
            Some(path) => Ok(Self { path: path.clone(), named: false }),
            None => Err(PackageError::NotHere { asset: name, looked: places }),
        }
    }

    /// A binary that a person named.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), named: true }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its SHA-256, to be shown to the person who is to vouch for it. Blocking.
    ///
    /// # Errors
    ///
    /// [`PackageError`] where it cannot be read or is for another platform.
    pub fn look(&self, wanted: &Wanted) -> Result<Found, PackageError> {
        let looked = look(&self.path, wanted)?;
        Ok(Found { path: looked.path, sha256: looked.sha256, size: looked.size })
    }
}

impl PackageSource for Here {
    fn describe(&self) -> String {
        self.path.display().to_string()
    }

    fn fetch<'a>(
        &'a self,
        wanted: &'a Wanted,
        progress: &'a dyn Progress,
        cancel: &'a CancellationToken,
    ) -> Fetching<'a> {
        Box::pin(async move {
            let asset = wanted.asset();
            if !self.path.is_file() {
                return Err(PackageError::NotHere { asset, looked: vec![self.path.clone()] });
            }
            let (path, named, wanted) = (self.path.clone(), self.named, wanted.clone());
            let package = off_the_executor(asset.clone(), cancel, move || {
                let looked = look(&path, &wanted)?;
                let pinned = pinned::digest(&wanted.version, wanted.platform);
                let proof = match wanted.proof {
                    Proof::Named if pinned == Some(looked.sha256) => Proof::Pinned,
                    // The right answer to a binary that is merely there is to ask for its digest.
                    Proof::Named if !named => {
                        let found = looked.sha256;
                        return Err(PackageError::Unproved { path, asset, found });
                    }
                    ref proof => proof.clone(),
                };
                let wanted = Wanted { proof, ..wanted };
                prove(looked, &wanted, || signature_beside(&path, &asset))
            })
            .await?;
            progress.bytes(package.size, Some(package.size));
            Ok(package)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_and_its_mistakes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join(format!("velociraptor{}", env::consts::EXE_SUFFIX));
        std::fs::write(&binary, b"x").unwrap();
        let folders = || [PathBuf::from("relative"), folder.path().to_path_buf()].into_iter();
        assert_eq!(Here::find_in(None, folders()).unwrap().path(), binary);
        let error = Here::find_in(Some("/nowhere/v".into()), folders()).unwrap_err();
        assert!(error.is_missing() && error.to_string().contains("/nowhere/v"), "{error}");
    }
}

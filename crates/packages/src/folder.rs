//! Packages that were carried here: a file, or a folder of files under their release names.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::error::PackageError;
use crate::local::{look, off_the_executor, prove, signature_beside};
use crate::source::{Fetching, PackageSource, Progress};
use crate::wanted::{Proof, Wanted};

/// A file, or a folder that holds files under the names of the release's assets, each with its
/// `.sig` where the signature is to prove it. For sites without internet.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A file or a folder; it is looked at when a package is fetched.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl PackageSource for Folder {
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
            if matches!(wanted.proof, Proof::Named) {
                let source_name = self.describe();
                return Err(PackageError::NeedsProof { asset, source_name });
            }
            // Before anything is read: what nothing can prove need not be.
            wanted.digest()?;
            let (path, wanted) = (self.path.clone(), wanted.clone());
            let package = off_the_executor(asset.clone(), cancel, move || {
                let path = place(&path, &asset)?;
                let looked = look(&path, &wanted)?;
                prove(looked, &wanted, || signature_beside(&path, &asset))
            })
            .await?;
            progress.bytes(package.size, Some(package.size));
            Ok(package)
        })
    }
}

fn place(path: &Path, asset: &str) -> Result<PathBuf, PackageError> {
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    let inside = path.join(asset);
    if inside.is_file() {
        return Ok(inside);
    }
    let looked = if path.is_dir() { vec![inside] } else { vec![path.to_path_buf()] };
    Err(PackageError::NotHere { asset: asset.to_owned(), looked })
}

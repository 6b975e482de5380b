//! A source for tests: packages that are in memory.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::digest::Digest;
use crate::error::PackageError;
use crate::local::{look, prove};
use crate::source::{Fetching, PackageSource, Progress};
use crate::wanted::{Proof, Wanted};

/// Packages that were put in. It keeps the contract like every other source: what it gives out was
/// compared with what the caller wanted.
#[derive(Debug, Default)]
pub struct Fixed {
    folder: PathBuf,
    assets: HashMap<String, (Vec<u8>, Option<Vec<u8>>)>,
}

impl Fixed {
    /// An empty source, whose packages will be put into a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), assets: HashMap::new() }
    }

    /// Puts in an asset with its signature, and returns its SHA-256.
    pub fn put(&mut self, asset: String, bytes: Vec<u8>, signature: Option<Vec<u8>>) -> Digest {
        let digest = Digest::of(&bytes);
        self.assets.insert(asset, (bytes, signature));
        digest
    }
}

impl PackageSource for Fixed {
    fn describe(&self) -> String {
        format!("{} packages in memory", self.assets.len())
    }

    fn fetch<'a>(
        &'a self,
        wanted: &'a Wanted,
        progress: &'a dyn Progress,
        cancel: &'a CancellationToken,
    ) -> Fetching<'a> {
        Box::pin(async move {
            let asset = wanted.asset();
            if cancel.is_cancelled() {
                return Err(PackageError::Cancelled { asset });
            }
            if matches!(wanted.proof, Proof::Named) {
                let source_name = self.describe();
                return Err(PackageError::NeedsProof { asset, source_name });
            }
            wanted.digest()?;
            let Some((bytes, signature)) = self.assets.get(&asset) else {
                let tried = vec![self.describe()];
                return Err(PackageError::NotPublished { asset, tried });
            };
            let path = self.folder.join(&asset);
            let io = |error| PackageError::io("writing", &path, error);
            let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(io)?;
            file.write_all(bytes).map_err(io)?;
            file.persist(&path).map_err(|error| io(error.error))?;
            let package = prove(look(&path, wanted)?, wanted, || {
                let missing = || PackageError::Unsigned {
                    asset: asset.clone(),
                    signature: format!("{asset}.sig"),
                };
                signature.clone().ok_or_else(missing)
            })?;
            progress.bytes(package.size, Some(package.size));
            Ok(package)
        })
    }
}

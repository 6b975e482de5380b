//! Files on this machine, read and proved.

use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::digest::Digest;
use crate::error::PackageError;
use crate::executable;
use crate::package::{Package, Proven};
use crate::wanted::{Proof, Wanted};

/// No package comes near this.
pub(crate) const MAX_BYTES: u64 = 1 << 30;

/// No signature comes near this.
pub(crate) const MAX_SIGNATURE: u64 = 64 << 10;

/// A file, with what was found out about it.
pub(crate) struct Looked {
    pub(crate) path: PathBuf,
    pub(crate) sha256: Digest,
    pub(crate) size: u64,
}

/// Reads a file as a package for a platform. Blocking.
pub(crate) fn look(path: &Path, wanted: &Wanted) -> Result<Looked, PackageError> {
    let io = |error| PackageError::io("reading", path, error);
    let mut file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(io(std::io::ErrorKind::InvalidInput.into()));
    }
    if metadata.len() > MAX_BYTES {
        let from = path.display().to_string();
        return Err(PackageError::TooLarge { from, limit: MAX_BYTES });
    }
    let mut first = Vec::new();
    file.by_ref().take(executable::LOOKED_AT as u64).read_to_end(&mut first).map_err(io)?;
    executable::check(&path.display().to_string(), &first, wanted.platform)?;
    let mut whole = first.chain(file.take(MAX_BYTES));
    let (sha256, size) = Digest::read(&mut whole).map_err(io)?;
    Ok(Looked { path: path.to_path_buf(), sha256, size })
}

/// Compares a file with what has to prove it; the signature is read where it is needed. Blocking.
pub(crate) fn prove(
    looked: Looked,
    wanted: &Wanted,
    signature: impl FnOnce() -> Result<Vec<u8>, PackageError>,
) -> Result<Package, PackageError> {
    let expected = wanted.digest()?;
    if let Some(expected) = expected.filter(|expected| *expected != looked.sha256) {
        let what = looked.path.display().to_string();
        return Err(PackageError::WrongHash { what, expected, found: looked.sha256 });
    }
    let proven = match &wanted.proof {
        Proof::Pinned => Proven::Pinned,
        Proof::Stated(_) => Proven::Stated,
        Proof::Named => Proven::Named,
        Proof::Signed(key) => {
            let what = looked.path.display().to_string();
            let io = |error| PackageError::io("reading", &looked.path, error);
            let file = BufReader::with_capacity(128 << 10, File::open(&looked.path).map_err(io)?);
            let mut summed = Summed { inner: file, sum: sha2::Digest::new() };
            key.verify(&signature()?, &mut summed)
                .map_err(|source| PackageError::Signature { what: what.clone(), source })?;
            // What was signed has to be what was looked at, also if the file changed in between.
            let found = Digest::finish(summed.sum);
            if found != looked.sha256 {
                return Err(PackageError::WrongHash { what, expected: looked.sha256, found });
            }
            Proven::Signed(key.fingerprint().clone())
        }
    };
    Ok(Package {
        path: looked.path,
        version: wanted.version.clone(),
        platform: wanted.platform,
        sha256: looked.sha256,
        size: looked.size,
        proven,
        set_aside: None,
    })
}

struct Summed<R> {
    inner: R,
    sum: sha2::Sha256,
}

impl<R: std::io::Read> std::io::Read for Summed<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(into)?;
        sha2::Digest::update(&mut self.sum, &into[..read]);
        Ok(read)
    }
}

/// Reads the signature that lies beside a file. Blocking.
pub(crate) fn signature_beside(path: &Path, asset: &str) -> Result<Vec<u8>, PackageError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    let beside = PathBuf::from(name);
    let io = |error| PackageError::io("reading", &beside, error);
    match fs::metadata(&beside) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let signature = beside.display().to_string();
            Err(PackageError::Unsigned { asset: asset.to_owned(), signature })
        }
        Err(error) => Err(io(error)),
        Ok(found) if found.len() > MAX_SIGNATURE => {
            Err(PackageError::TooLarge { from: beside.display().to_string(), limit: MAX_SIGNATURE })
        }
        Ok(_) => fs::read(&beside).map_err(io),
    }
}

/// Runs work on files off the executor. Cancelling ends the waiting; the work reads and no more.
pub(crate) async fn off_the_executor<T: Send + 'static>(
    asset: String,
    cancel: &CancellationToken,
    work: impl FnOnce() -> Result<T, PackageError> + Send + 'static,
) -> Result<T, PackageError> {
    if cancel.is_cancelled() {
        return Err(PackageError::Cancelled { asset });
    }
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(PackageError::Cancelled { asset }),
        done = tokio::task::spawn_blocking(work) => match done {
            Ok(done) => done,
            Err(error) => {
                let error = std::io::Error::other(error);
                Err(PackageError::Io { what: "reading", path: asset.into(), source: error })
            }
        },
    }
}

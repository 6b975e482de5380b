//! Packages that were downloaded before.
//!
//! Files are kept under their SHA-256 and read as a whole before each use: a name is a hint where to
//! look and proves nothing. A file that is no longer what it was is set aside, for a person to look
//! at, and fetched anew.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::PackageError;
use crate::local::{self, Looked};
use crate::package::sync_folder;
use crate::wanted::Wanted;

/// A folder of packages, its owner's alone.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// What the cache has.
pub(crate) enum Hit {
    Have(Looked),
    Absent,
    /// It was damaged, and is here now.
    SetAside(PathBuf),
}

impl Cache {
    /// Opens a folder, and makes it where it is missing.
    ///
    /// # Errors
    ///
    /// [`PackageError::OpenCache`] where others could change it; or it cannot be made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, PackageError> {
        let folder = folder.into();
        let io = |error| PackageError::io("making the cache", &folder, error);
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(io)?;
        }
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
            _ => {}
        }
        check_owner(&folder)?;
        Ok(Self { folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks for bytes of this digest. Blocking.
    pub(crate) fn find(&self, digest: Digest, wanted: &Wanted) -> Result<Hit, PackageError> {
        let path = self.place(digest);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Hit::Absent),
            Err(error) => return Err(PackageError::io("looking at", &path, error)),
            // Nobody but us makes files here, and we make no links.
            Ok(metadata) if !metadata.is_file() => return self.put_aside(&path).map(Hit::SetAside),
            Ok(_) => {}
        }
        match local::look(&path, wanted) {
            Ok(looked) if looked.sha256 == digest => Ok(Hit::Have(looked)),
            Ok(_)
            | Err(
                PackageError::NotAPackage { .. }
                | PackageError::OtherMachine { .. }
                | PackageError::TooLarge { .. },
            ) => self.put_aside(&path).map(Hit::SetAside),
            Err(error) => Err(error),
        }
    }

    fn put_aside(&self, path: &Path) -> Result<PathBuf, PackageError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = (1_u32..)
            .map(|number| self.folder.join(format!("{name}.damaged-{number}")))
            .find(|aside| fs::symlink_metadata(aside).is_err())
            .unwrap_or_else(|| self.folder.join("damaged"));
        fs::rename(path, &aside).map_err(|error| PackageError::io("setting aside", path, error))?;
        tracing::warn!(file = %aside.display(), "a damaged package in the cache was set aside");
        Ok(aside)
    }

    /// Takes over a file that was proved to have this digest. Blocking.
    pub(crate) fn keep(&self, part: &Path, digest: Digest) -> Result<PathBuf, PackageError> {
        let path = self.place(digest);
        let io = |error| PackageError::io("keeping", &path, error);
        fs::rename(part, &path).map_err(io)?;
        sync_folder(&self.folder).map_err(io)?;
        Ok(path)
    }

    fn place(&self, digest: Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }

    /// The digest and the signature under which an asset was kept. Both are checked by whoever asks.
    pub(crate) fn recall(&self, asset: &str) -> Option<(Digest, Vec<u8>)> {
        let digest = fs::read_to_string(self.folder.join(format!("{asset}.sha256"))).ok()?;
        let signature = fs::read(self.folder.join(format!("{asset}.sig"))).ok()?;
        Some((digest.parse().ok()?, signature))
    }

    /// Notes the digest and the signature of an asset. Blocking.
    pub(crate) fn remember(
        &self,
        asset: &str,
        digest: Digest,
        signature: &[u8],
    ) -> Result<(), PackageError> {
        for (ending, bytes) in [("sig", signature), ("sha256", digest.to_string().as_bytes())] {
            let path = self.folder.join(format!("{asset}.{ending}"));
            let io = |error| PackageError::io("writing", &path, error);
            let file = tempfile::NamedTempFile::new_in(&self.folder).map_err(io)?;
            fs::write(file.path(), bytes).map_err(io)?;
            file.persist(&path).map_err(|error| io(error.error))?;
        }
        Ok(())
    }

    /// Where the bytes of an asset are put while they come.
    pub(crate) fn part(&self, asset: &str) -> PathBuf {
        self.folder.join(format!("{asset}.part"))
    }

    /// The lock of one who downloads an asset, where nobody else has it.
    pub(crate) fn try_lock(&self, asset: &str) -> Result<Option<File>, PackageError> {
        let path = self.folder.join(format!("{asset}.lock"));
        let io = |error| PackageError::io("locking", &path, error);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options.open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(io(error)),
        }
    }
}

#[cfg(unix)]
fn check_owner(folder: &Path) -> Result<(), PackageError> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = fs::symlink_metadata(folder)
        .map_err(|error| PackageError::io("looking at the cache", folder, error))?;
    let path = folder.to_path_buf();
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    if !metadata.is_dir() {
        return Err(PackageError::OpenCache { path, why: "it is no folder of its own".to_owned() });
    }
    if owner != rustix::process::geteuid().as_raw() {
        return Err(PackageError::OpenCache { path, why: format!("it belongs to user {owner}") });
    }
    if mode & 0o077 != 0 {
        return Err(PackageError::OpenCache { path, why: format!("its mode is {mode:o}") });
    }
    Ok(())
}

/// The folder is in the user's own profile, which others do not write to; its list of access rights
/// is not read here.
#[cfg(not(unix))]
fn check_owner(_: &Path) -> Result<(), PackageError> {
    Ok(())
}

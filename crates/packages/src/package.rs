//! A verified package.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use memchr::memmem;
use sha2::{Digest as _, Sha256};

use crate::digest::{Digest, each_block};
use crate::error::PackageError;
use crate::platform::Platform;
use crate::signature::Fingerprint;
use crate::version::Version;

/// The Go module that Velociraptor is built from.
const MODULE: &[u8] = b"www.velocidex.com/golang/velociraptor";

/// What proved a package.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proven {
    /// Its SHA-256 is the one that this build knows.
    Pinned,
    /// Its SHA-256 is the one that a person stated.
    Stated,
    /// The key of this fingerprint signed it.
    Signed(Fingerprint),
    /// Nothing but the word of the person who named the file. Plans and records have to say so.
    Named,
}

/// Bytes at a path that were proved to be the wanted package.
///
/// There is no constructor outside this crate. The file can change after it was proved, so what
/// is to run is taken with [`Package::place`] or [`Package::copy_to`], which compare again.
#[derive(Debug, Clone)]
pub struct Package {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
    pub(crate) platform: Platform,
    pub(crate) sha256: Digest,
    pub(crate) size: u64,
    pub(crate) proven: Proven,
    pub(crate) set_aside: Option<PathBuf>,
}

impl Package {
    /// Where the bytes are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version that was asked for. A file that was only named may be another one: ask it.
    pub const fn version(&self) -> &Version {
        &self.version
    }

    /// What it is made for.
    pub const fn platform(&self) -> Platform {
        self.platform
    }

    /// The SHA-256 of the bytes.
    pub const fn sha256(&self) -> Digest {
        self.sha256
    }

    /// How many bytes there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether the bytes name Velociraptor's own Go module, as each build of it does, a stripped one
    /// too. Proves nothing: it finds a file that was named by mistake. Blocking.
    ///
    /// # Errors
    ///
    /// [`PackageError::Io`] where it cannot be read.
    pub fn names_velociraptor(&self) -> Result<bool, PackageError> {
        let io = |error| PackageError::io("reading", &self.path, error);
        let finder = memmem::Finder::new(MODULE);
        let mut file = File::open(&self.path).map_err(io)?;
        let (mut seen, mut found) = (Vec::new(), false);
        each_block(&mut file, |block| {
            // The end of one block and the beginning of the next can share the name.
            seen.drain(..seen.len().saturating_sub(MODULE.len()));
            seen.extend_from_slice(block);
            found = found || finder.find(&seen).is_some();
            Ok(())
        })
        .map_err(io)?;
        Ok(found)
    }

    /// What proved it.
    pub const fn proven(&self) -> &Proven {
        &self.proven
    }

    /// Where a damaged file of the cache was put, when this package had to be fetched anew.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// Copies the bytes and compares them on the way. Blocking.
    ///
    /// # Errors
    ///
    /// [`PackageError::WrongHash`] where they are no longer what was proved: what was written is
    /// then worth nothing.
    pub fn copy_to(&self, to: &mut dyn Write) -> Result<(), PackageError> {
        let io = |error| PackageError::io("reading", &self.path, error);
        let mut sum = Sha256::new();
        let mut file = File::open(&self.path).map_err(io)?;
        each_block(&mut file, |block| {
            sum.update(block);
            to.write_all(block)
        })
        .map_err(io)?;
        let found = Digest::finish(sum);
        if found == self.sha256 {
            Ok(())
        } else {
            let what = self.path.display().to_string();
            Err(PackageError::WrongHash { what, expected: self.sha256, found })
        }
    }

    /// Puts a copy to a path, to be run by everybody: whole and compared, or not at all. Blocking.
    ///
    /// # Errors
    ///
    /// [`PackageError::WrongHash`], or the file system refuses.
    pub fn place(&self, target: &Path) -> Result<(), PackageError> {
        let io = |error| PackageError::io("writing", target, error);
        let folder = target.parent().ok_or_else(|| io(io::ErrorKind::InvalidInput.into()))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        self.copy_to(file.as_file_mut())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o755)).map_err(io)?;
        }
        file.as_file().sync_all().map_err(io)?;
        file.persist(target).map_err(|error| io(error.error))?;
        sync_folder(folder).map_err(io)
    }
}

/// Makes a rename survive a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { fs::metadata(folder).map(drop) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::BLOCK;

    #[test]
    fn the_module_is_found_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let names = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let package = Package {
                path: path.clone(),
                version: crate::DEFAULT_VERSION,
                platform: "linux-amd64".parse().unwrap(),
                sha256: Digest::of(bytes),
                size: bytes.len() as u64,
                proven: Proven::Named,
                set_aside: None,
            };
            package.names_velociraptor().unwrap()
        };
        for before in [0, 1, BLOCK - MODULE.len(), BLOCK - 5, BLOCK - 1, BLOCK, 3 * BLOCK - 7] {
            let mut bytes = vec![b'w'; before];
            bytes.extend(MODULE);
            assert!(names(&bytes), "{before}");
            bytes.truncate(bytes.len() - 1);
            assert!(!names(&bytes), "{before}, cut");
        }
        assert!(!names(b""));
    }
}

//! Files and folders that only their owner may read, from the moment they are made.
//!
//! On Unix that is the mode (0600, 0700), on Windows an access list of their own that names the
//! owner and the system, given at creation. Nothing is made first and protected afterwards: what was
//! open for a moment was open. What exists already is checked when it is opened, by its handle, and
//! refused where others can reach it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[cfg(any(windows, test))]
mod sddl;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// How the name of a file begins that is being written. One that stays behind is what a writer left
/// that was killed, and nobody ever relied on it.
pub const UNFINISHED: &str = ".new-";

/// Why a file or folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What was found.
        source: io::Error,
    },
    /// Somebody else can reach it.
    #[error("{} is not its owner's alone: {found}; {next}", path.display())]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Who else, and by what.
        found: String,
        /// What to do.
        next: String,
    },
}

impl Error {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether a file of this name is there already.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }

    fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    fn exposed(path: &Path, exposed: Exposed) -> Self {
        Self::Exposed { path: path.to_owned(), found: exposed.found, next: exposed.next }
    }
}

/// What a look at the rights found.
struct Exposed {
    found: String,
    next: String,
}

/// Makes a folder for its owner only, where there is none, and checks the one that is there.
/// Parents that are missing are made too, for their owner only; those that are there may have any
/// rights.
///
/// # Errors
///
/// [`Error::Exposed`] where others can reach the folder, [`Error::Io`] where it cannot be made.
pub fn make_folder(path: &Path) -> Result<(), Error> {
    make_with_parents(path)?;
    check_folder(path)
}

fn make_with_parents(path: &Path) -> Result<(), Error> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty())
        && !parent.exists()
    {
        make_with_parents(parent)?;
    }
    match system::create_folder(path) {
        // Another process was faster, or it was there before.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(Error::io("making", path)),
    }
}

/// Checks that a folder is its owner's alone.
///
/// # Errors
///
/// [`Error::Exposed`], or [`Error::Io`] where there is no such folder.
pub fn check_folder(path: &Path) -> Result<(), Error> {
    match system::check_folder(path).map_err(Error::io("looking at", path))? {
        None => Ok(()),
        Some(exposed) => Err(Error::exposed(path, exposed)),
    }
}

/// Makes a file that is not there yet, to be read and written by its owner only.
///
/// # Errors
///
/// [`Error::Io`], with `AlreadyExists` where there is a file of this name.
pub fn create(path: &Path) -> Result<File, Error> {
    system::create(path).map_err(Error::io("making", path))
}

/// Opens a file for reading, if it is its owner's alone. A link is not followed.
///
/// # Errors
///
/// [`Error::Exposed`], or [`Error::Io`] where there is no such file.
pub fn open(path: &Path) -> Result<File, Error> {
    checked(path, system::open(path, false))
}

/// Opens a file that is written in place, such as one that is there to be locked, and makes it
/// where there is none.
///
/// # Errors
///
/// As [`open`].
pub fn open_or_create(path: &Path) -> Result<File, Error> {
    match system::open(path, true) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match system::create(path) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                checked(path, system::open(path, true))
            }
            made => made.map_err(Error::io("making", path)),
        },
        opened => checked(path, opened),
    }
}

fn checked(path: &Path, opened: io::Result<File>) -> Result<File, Error> {
    let file = opened.map_err(Error::io("opening", path))?;
    match system::check(&file).map_err(Error::io("looking at", path))? {
        None => Ok(file),
        Some(exposed) => Err(Error::exposed(path, exposed)),
    }
}

/// Writes a file whole or not at all, onto the disk, and never in the place of another.
///
/// # Errors
///
/// [`Error::Io`], with `AlreadyExists` where there is a file of this name: it is left as it is.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = written_beside(path, bytes)?;
    written.persist_noclobber(path).map_err(|error| Error::io("writing", path)(error.error))?;
    sync_folder(folder_of(path))
}

/// Writes a file whole or not at all, onto the disk, in the place of the one that is there: a
/// reader sees the old one or the new one.
///
/// # Errors
///
/// [`Error::Io`]: then the old one is there as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = written_beside(path, bytes)?;
    written.persist(path).map_err(|error| Error::io("writing", path)(error.error))?;
    sync_folder(folder_of(path))
}

/// Removes a file, and puts its absence onto the disk. One that is not there is no error.
///
/// # Errors
///
/// [`Error::Io`].
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("removing", path)(error)),
        Ok(()) => sync_folder(folder_of(path)),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file of this content in the same folder. It is gone again where anything fails.
fn written_beside(path: &Path, bytes: &[u8]) -> Result<tempfile::NamedTempFile, Error> {
    let io = |error| Error::io("writing", path)(error);
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .make_in(folder_of(path), system::create)
        .map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    Ok(file)
}

/// Puts the names in a folder onto the disk.
///
/// # Errors
///
/// [`Error::Io`].
pub fn sync_folder(folder: &Path) -> Result<(), Error> {
    // Windows writes names with the file, and opens no folder as a file.
    #[cfg(unix)]
    File::open(folder).and_then(|file| file.sync_all()).map_err(Error::io("writing", folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests;

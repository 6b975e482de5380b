//! The state folder: what Megaraptor keeps between runs.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

/// Names the state folder; wins over the platform's own place.
pub const VARIABLE: &str = "MEGARAPTOR_HOME";

/// There is no state folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// Neither the variable nor the platform names one.
    #[error("no state folder: this account has no home folder; set {VARIABLE}")]
    Nowhere,
    /// The variable holds a relative path, which would mean another folder in each working folder.
    #[error("{VARIABLE} is {0:?}; expected an absolute path")]
    Relative(PathBuf),
    /// It cannot be made.
    #[error("the state folder {} cannot be made: {error}", folder.display())]
    Unmade {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Where the state folder is: [`VARIABLE`], else the platform's folder for data. It need not exist.
///
/// # Errors
///
/// [`HomeError`] where no place is known.
pub fn find() -> Result<PathBuf, HomeError> {
    if let Some(named) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        return if named.is_absolute() { Ok(named) } else { Err(HomeError::Relative(named)) };
    }
    platform().map(|folder| folder.join("megaraptor")).ok_or(HomeError::Nowhere)
}

#[cfg(windows)]
fn platform() -> Option<PathBuf> {
    env::var_os("LOCALAPPDATA").map(PathBuf::from).filter(|folder| folder.is_absolute())
}

#[cfg(target_os = "macos")]
fn platform() -> Option<PathBuf> {
    env::home_dir().map(|home| home.join("Library/Application Support"))
}

#[cfg(not(any(windows, target_os = "macos")))]
fn platform() -> Option<PathBuf> {
    let named = env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    named
        .filter(|folder| folder.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".local/share")))
}

/// Makes a folder that its owner alone may enter, and its parents, where they are missing.
///
/// # Errors
///
/// [`HomeError::Unmade`].
pub fn make(folder: &Path) -> Result<(), HomeError> {
    let unmade = |error| HomeError::Unmade { folder: folder.to_path_buf(), error };
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(unmade)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made.map_err(unmade),
    }
}

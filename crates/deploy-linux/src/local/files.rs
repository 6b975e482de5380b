//! Files of this host.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use deploy_core::digest;
use deploy_core::transport::{Content, FileKind, Rights, Stat, TransportError};
use rustix::fs::OFlags;
use secret::Secret;
use sha2::{Digest, Sha256};

use super::failed;

/// How much is read at a time.
const PIECE: usize = 256 * 1024;

/// What is to be in a file.
pub(super) enum Source {
    Bytes(Secret<Vec<u8>>),
    File { path: PathBuf, sha256: String },
}

impl Source {
    pub(super) fn of(content: &Content<'_>) -> Self {
        match *content {
            Content::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Content::File { path, sha256 } => {
                Self::File { path: path.to_owned(), sha256: sha256.to_owned() }
            }
        }
    }

    /// Copies it, and says what its SHA-256 has to be.
    fn copy(&self, to: &mut File, path: &str) -> Result<String, TransportError> {
        let writing = |error: io::Error| failed(&format!("writing {path}"), &error);
        match self {
            Self::Bytes(bytes) => {
                to.write_all(bytes.expose()).map_err(writing)?;
                Ok(digest::sha256(bytes.expose()))
            }
            Self::File { path: from, sha256 } => {
                let reading =
                    |error: io::Error| failed(&format!("reading {}", from.display()), &error);
                let mut from = File::open(from).map_err(reading)?;
                let mut piece = vec![0; PIECE];
                loop {
                    match from.read(&mut piece).map_err(reading)? {
                        0 => return Ok(sha256.clone()),
                        read => to.write_all(&piece[..read]).map_err(writing)?,
                    }
                }
            }
        }
    }
}

/// A file that is written beside its place; it is gone unless it was finished.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Once it was renamed there is nothing of that name.
        let _ = fs::remove_file(&self.0);
    }
}

pub(super) fn put(path: &str, source: &Source, rights: Rights) -> Result<(), TransportError> {
    let writing = |error: io::Error| failed(&format!("writing {path}"), &error);
    let place = Path::new(path);
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(failed(&format!("writing {path}"), &"this is no name of a file"));
    };
    // The name is known, so that what a killed program left is replaced by the next one.
    let part = folder.join(format!(".{}.part", name.to_string_lossy()));
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(writing(error)),
        _ => {}
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(writing)?;
    let part = Part(part);
    let expected = source.copy(&mut file, path)?;
    file.sync_all().map_err(writing)?;
    fchown(&file, Some(rights.uid), Some(rights.gid)).map_err(writing)?;
    file.set_permissions(fs::Permissions::from_mode(rights.mode)).map_err(writing)?;
    drop(file);
    let found = sha256(&part.0.to_string_lossy())?.unwrap_or_default();
    if found != expected {
        return Err(TransportError::Differs { path: path.to_owned(), expected, found });
    }
    fs::rename(&part.0, place).map_err(writing)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(writing)
}

/// Opens a file, and nothing else that may have its name: no link, no pipe that would be waited for.
fn open(path: &str) -> Result<Option<File>, TransportError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let reading = |error: io::Error| failed(&format!("reading {path}"), &error);
    match opened {
        // A process that ended is not found in /proc in another way.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(reading(error)),
        Ok(file) if file.metadata().map_err(reading)?.is_file() => Ok(Some(file)),
        Ok(_) => Err(failed(&format!("reading {path}"), &"this is no file")),
    }
}

pub(super) fn read(path: &str, most: usize) -> Result<Option<Secret<Vec<u8>>>, TransportError> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = file.take(bound).read_to_end(&mut bytes);
    let bytes = Secret::new(bytes);
    match read {
        // A process that ended while its file in /proc was open.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
            Ok(None)
        }
        Err(error) => Err(failed(&format!("reading {path}"), &error)),
        Ok(length) if length > most => Err(TransportError::TooMuch { what: path.to_owned(), most }),
        Ok(_) => Ok(Some(bytes)),
    }
}

pub(super) fn sha256(path: &str) -> Result<Option<String>, TransportError> {
    let Some(mut file) = open(path)? else { return Ok(None) };
    let mut piece = vec![0; PIECE];
    let mut hash = Sha256::new();
    loop {
        let read = file.read(&mut piece);
        match read.map_err(|error| failed(&format!("reading {path}"), &error))? {
            0 => return Ok(Some(digest::hex(&hash.finalize()))),
            read => hash.update(&piece[..read]),
        }
    }
}

pub(super) fn stat(path: &str) -> Result<Option<Stat>, TransportError> {
    let found = match fs::symlink_metadata(path) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        found => found.map_err(|error| failed(&format!("looking at {path}"), &error))?,
    };
    let kind = if found.is_dir() {
        FileKind::Folder
    } else if found.is_file() {
        FileKind::File
    } else {
        FileKind::Other
    };
    let rights = Rights { uid: found.uid(), gid: found.gid(), mode: found.mode() & 0o777 };
    Ok(Some(Stat { kind, rights, size: found.size() }))
}

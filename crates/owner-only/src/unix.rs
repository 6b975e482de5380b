//! Unix: the mode and the owner.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::Exposed;

/// What the group and everybody else may do.
const OTHERS: u32 = 0o077;

pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

pub(crate) fn open(path: &Path, write: bool) -> io::Result<File> {
    // A named pipe would hold whoever opens it for reading.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).write(write).custom_flags(flags.bits().cast_signed()).open(path)
}

pub(crate) fn check(file: &File) -> io::Result<Option<Exposed>> {
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(look(&found, "chmod 600 it"))
}

pub(crate) fn check_folder(path: &Path) -> io::Result<Option<Exposed>> {
    let found = std::fs::metadata(path)?;
    if !found.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(look(&found, "chmod 700 it"))
}

fn look(found: &Metadata, cure: &str) -> Option<Exposed> {
    let (owner, user) = (found.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Some(Exposed {
            found: format!("it belongs to uid {owner}, and this program runs as uid {user}"),
            next: format!("run it as uid {owner}, or find out who put it there"),
        });
    }
    let mode = found.mode() & 0o777;
    (mode & OTHERS != 0).then(|| Exposed {
        found: format!("its mode is {mode:03o}"),
        next: format!("{cure}, after a look at who can have read or changed it"),
    })
}

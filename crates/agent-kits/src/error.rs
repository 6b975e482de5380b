//! Why there is no kit.

use std::io;
use std::path::{Path, PathBuf};

use packages::PackageError;
use systemd_units::Unfit;

use crate::Format;

/// Why there is no kit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// There is no such form.
    #[error("{found:?} is no form of a kit for Linux; expected {}", names())]
    Format {
        /// What was asked for.
        found: String,
    },
    /// The program is no longer what was verified, or cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It is no program for Linux.
    #[error("{what} is no program for Linux: {why}")]
    NoProgram {
        /// The file.
        what: String,
        /// What was found.
        why: String,
    },
    /// It is for another processor.
    #[error("{what} is a program for {found}, and the kit is to be for {expected}")]
    OtherProcessor {
        /// The file.
        what: String,
        /// The kit's.
        expected: String,
        /// The program's own.
        found: String,
    },
    /// A value cannot stand where it belongs.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// There is a file of that name.
    #[error("{} is there already, and stays as it is", .0.display())]
    Taken(PathBuf),
    /// Another run writes it at this moment, or one was killed while it did.
    #[error("{} is there: another run is writing it, or was killed while it did", .0.display())]
    Unfinished(PathBuf),
    /// The file cannot be kept for its owner only.
    #[error(transparent)]
    Owner(#[from] owner_only::Error),
    /// What was written is not what is on the disk.
    #[error("{} has not the bytes that were written to it", .0.display())]
    Changed(PathBuf),
    /// The file system refused.
    #[error("{what} {}: {error}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What was found.
        error: io::Error,
    },
}

impl KitError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| Self::Io { what, path, error }
    }

    /// What a person can do about it.
    pub const fn next(&self) -> &'static str {
        match self {
            Self::Format { .. } => "name one of these",
            Self::Package(_) => "look who changed it, then name a verified binary",
            Self::NoProgram { .. } | Self::OtherProcessor { .. } => {
                "name the binary that is made for those endpoints"
            }
            Self::Unfit(_) => "the record was edited: restore it from a copy",
            Self::Taken(_) => "name another file, or move that one away",
            Self::Unfinished(_) => "wait for that run, or delete the file; nobody relies on it",
            Self::Owner(_) => "name a file in a folder of yours, on a disk that keeps rights",
            Self::Changed(_) => "look at the disk, then write it anew",
            Self::Io { .. } => "make room, or name a file in another folder that is there",
        }
    }
}

fn names() -> String {
    Format::ALL.map(Format::as_str).join(" or ")
}

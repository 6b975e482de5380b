//! What is in an image: the binary, and for one that is linked dynamically its loader and libraries.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use goblin::elf::Elf;

/// Where libraries are, as Linux systems have them.
const FOLDERS: &[&str] = &[
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// Why an image cannot be made of a binary.
#[derive(Debug, thiserror::Error)]
pub enum RootFsError {
    /// It is no program for Linux.
    #[error("{} is no program for Linux: {why}", path.display())]
    NoProgram {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It is for another processor than the daemon's.
    #[error("{} is a program for {found}, and the daemon's machine is {expected}", path.display())]
    OtherProcessor {
        /// The file.
        path: PathBuf,
        /// The daemon's.
        expected: String,
        /// The program's.
        found: String,
    },
    /// It needs a library that is not on this machine.
    #[error("{} needs {library}, which is not on this machine; take the release that is linked statically (musl)", path.display())]
    NoLibrary {
        /// The file.
        path: PathBuf,
        /// What it needs.
        library: String,
    },
    /// It is not the binary that was verified.
    #[error("{} has the SHA-256 {found}, and {expected} was verified: it was changed since", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What was verified.
        expected: String,
        /// What it has now.
        found: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was found.
        error: io::Error,
    },
}

/// A file of this machine, and where it stands in the image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) from: PathBuf,
    pub(super) to: String,
}

pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> RootFsError + use<> {
    let path = path.to_owned();
    move |error| RootFsError::Io { path, error }
}

/// What a program needs beside itself. A statically linked one needs nothing.
pub(super) fn needed(
    path: &Path,
    program: &[u8],
    architecture: &str,
) -> Result<Vec<Needed>, RootFsError> {
    let elf = parse(path, program)?;
    let found = match elf.header.e_machine {
        goblin::elf::header::EM_X86_64 => "x86_64",
        goblin::elf::header::EM_AARCH64 => "aarch64",
        _ => "another processor",
    };
    if found != architecture {
        let (expected, found) = (architecture.to_owned(), found.to_owned());
        return Err(RootFsError::OtherProcessor { path: path.to_owned(), expected, found });
    }
    let Some(loader) = elf.interpreter else { return Ok(Vec::new()) };
    let missing = |library: &str| RootFsError::NoLibrary {
        path: path.to_owned(),
        library: library.to_owned(),
    };
    let real = fs::canonicalize(loader).map_err(|_| missing(loader))?;
    let mut all = vec![Needed { from: real, to: loader.to_owned() }];
    let mut open: Vec<String> = elf.libraries.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = open.pop() {
        let there = |needed: &Needed| needed.to.rsplit('/').next() == Some(name.as_str());
        if all.iter().any(there) {
            continue;
        }
        let found = FOLDERS.iter().map(|folder| Path::new(folder).join(&name));
        let from = found.into_iter().find(|path| path.is_file()).ok_or_else(|| missing(&name))?;
        let bytes = fs::read(&from).map_err(io(&from))?;
        open.extend(parse(&from, &bytes)?.libraries.iter().map(|name| (*name).to_owned()));
        // The loader comes from this machine, and looks for it where it is here.
        let to = from.to_string_lossy().into_owned();
        all.push(Needed { from, to });
    }
    Ok(all)
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Elf<'a>, RootFsError> {
    let no_program = |why: String| RootFsError::NoProgram { path: path.to_owned(), why };
    if !bytes.starts_with(goblin::elf::header::ELFMAG) {
        return Err(no_program(String::from("it does not begin as one")));
    }
    Elf::parse(bytes).map_err(|error| no_program(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_program_is_refused() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"<html>404</html>", b"\x7fELF"] {
            let refused = needed(Path::new("x"), bytes, "x86_64").unwrap_err();
            assert!(matches!(refused, RootFsError::NoProgram { .. }), "{refused}");
        }
    }

    #[test]
    fn this_test_finds_what_it_needs_itself() {
        let path = std::env::current_exe().unwrap();
        let bytes = fs::read(&path).unwrap();
        let needed_here = needed(&path, &bytes, std::env::consts::ARCH).unwrap();
        assert!(needed_here.iter().any(|file| file.to.contains("ld-linux")), "{needed_here:?}");
        assert!(needed_here.iter().any(|file| file.to.ends_with("/libc.so.6")), "{needed_here:?}");
        let refused = needed(&path, &bytes, "riscv64").unwrap_err();
        assert!(matches!(refused, RootFsError::OtherProcessor { .. }), "{refused}");
    }
}

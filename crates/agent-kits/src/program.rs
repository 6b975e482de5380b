//! What a program says of itself: for which processor it is, and which library it needs.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use goblin::elf::Elf;
use goblin::elf::header::{EM_386, EM_AARCH64, EM_X86_64};
use packages::Arch;

use crate::KitError;

/// The header is shorter than this.
const HEADER: u64 = 64;

/// How the versions of the C library are called.
const VERSION: &str = "GLIBC_";

/// A program for Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// For which processor.
    pub arch: Arch,
    /// The oldest version of the GNU C library that it runs with; nothing where it needs none.
    pub libc: Option<(u32, u32)>,
}

/// Reads the header of a program.
///
/// # Errors
///
/// [`KitError::NoProgram`] where it is none for Linux.
pub fn look(what: &Path, bytes: &[u8]) -> Result<Program, KitError> {
    let none = |why: String| KitError::NoProgram { what: what.display().to_string(), why };
    let elf = Elf::parse(bytes).map_err(|error| none(error.to_string()))?;
    let arch = machine(elf.header.e_machine).map_err(none)?;
    let needs = elf.verneed.iter().flat_map(|versions| versions.iter());
    let names = needs.flat_map(|need| {
        need.iter().filter_map(|version| elf.dynstrtab.get_at(version.vna_name)).collect::<Vec<_>>()
    });
    Ok(Program { arch, libc: names.filter_map(version).max() })
}

/// For which processor the program in a file is, by its first bytes.
///
/// # Errors
///
/// [`KitError`] where it cannot be read, or is no program for Linux.
pub fn arch_of(path: &Path) -> Result<Arch, KitError> {
    let mut first = Vec::new();
    let file = File::open(path).map_err(KitError::io("opening", path))?;
    file.take(HEADER).read_to_end(&mut first).map_err(KitError::io("reading", path))?;
    let none = |why: String| KitError::NoProgram { what: path.display().to_string(), why };
    let header = Elf::parse_header(&first).map_err(|error| none(error.to_string()))?;
    machine(header.e_machine).map_err(none)
}

fn machine(number: u16) -> Result<Arch, String> {
    match number {
        EM_X86_64 => Ok(Arch::Amd64),
        EM_AARCH64 => Ok(Arch::Arm64),
        EM_386 => Ok(Arch::X86),
        other => Err(format!("it is for a processor with the number {other}")),
    }
}

fn version(name: &str) -> Option<(u32, u32)> {
    let mut numbers = name.strip_prefix(VERSION)?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let all = ["GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_PRIVATE", "GCC_3.0"];
        assert_eq!(all.into_iter().filter_map(version).max(), Some((2, 34)));
    }

    #[test]
    fn a_page_is_no_program() {
        let error = look(Path::new("v"), b"<html>not found</html>").unwrap_err().to_string();
        assert!(error.contains("v is no program for Linux"), "{error}");
    }
}

//! What a package looks like from the outside.
//!
//! This proves nothing about a file: it finds pages, and programs for another machine, before
//! anybody wonders about a hash.

use crate::error::PackageError;
use crate::platform::{Arch, Build, Os, Platform};

/// How many bytes are looked at.
pub(crate) const LOOKED_AT: usize = 20;

/// Looks at the first bytes of what should be a package.
pub(crate) fn check(from: &str, first: &[u8], platform: Platform) -> Result<(), PackageError> {
    let little = |at: usize| Some(u16::from_le_bytes([*first.get(at)?, *first.get(at + 1)?]));
    let fits = match (platform.os(), platform.build()) {
        (Os::Linux | Os::Freebsd, _) => {
            let machine = match platform.arch() {
                Arch::Amd64 => 0x3e,
                Arch::Arm64 => 0xb7,
                Arch::X86 => 0x03,
            };
            first.starts_with(b"\x7fELF") && little(18) == Some(machine)
        }
        (Os::Windows, Build::Msi) => first.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        (Os::Windows, _) => first.starts_with(b"MZ"),
        // Thin or fat.
        (Os::Darwin, _) => {
            first.starts_with(b"\xcf\xfa\xed\xfe") || first.starts_with(b"\xca\xfe\xba\xbe")
        }
    };
    if fits {
        return Ok(());
    }
    Err(PackageError::NotAPackage {
        from: from.to_owned(),
        expected: format!("a package for {platform}"),
        begins: begins(first),
    })
}

fn begins(first: &[u8]) -> String {
    if first.is_empty() {
        return "nothing: it is empty".to_owned();
    }
    format!("\"{}\"", first[..first.len().min(LOOKED_AT)].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_for_one_system_and_processor() {
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(18, 0);
        elf.extend(0x3e_u16.to_le_bytes());
        assert!(check("x", &elf, "linux-amd64-musl".parse().unwrap()).is_ok());
        for other in ["linux-arm64", "windows-amd64.exe", "windows-amd64.msi", "darwin-arm64"] {
            assert!(check("x", &elf, other.parse().unwrap()).is_err(), "{other}");
        }
        assert!(check("x", &elf[..18], "linux-amd64".parse().unwrap()).is_err());
    }

    #[test]
    fn a_page_is_shown_without_its_control_characters() {
        let linux = "linux-amd64".parse().unwrap();
        let error = check("the proxy", b"<html>\x1b[2J", linux).unwrap_err().to_string();
        assert!(error.contains(r"<html>\x1b[2J") && error.contains("sign-in page"), "{error}");
    }
}

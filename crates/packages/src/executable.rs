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
    let (from, expected) = (from.to_owned(), format!("a package for {platform}"));
    match program(first, little(18)) {
        Some(found) => Err(PackageError::OtherMachine { from, expected, found }),
        None => Err(PackageError::NotAPackage { from, expected, begins: begins(first) }),
    }
}

/// What a program is for, where it is one.
fn program(first: &[u8], machine: Option<u16>) -> Option<String> {
    let system = match first {
        [0x7f, b'E', b'L', b'F', ..] => {
            return machine.map(|machine| match machine {
                0x3e => String::from("a program for x86_64 (amd64)"),
                0xb7 => String::from("a program for aarch64 (arm64)"),
                0x03 => String::from("a program for i686 (386)"),
                other => format!("a program for a processor with the number {other}"),
            });
        }
        [b'M', b'Z', ..] => "Windows",
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "Windows (MSI)",
        [0xcf, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => "macOS",
        _ => return None,
    };
    Some(format!("a program for {system}"))
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
            let told = check("x", &elf, other.parse().unwrap()).unwrap_err().to_string();
            assert!(told.contains("a program for x86_64") && told.contains(other), "{told}");
        }
        let linux = "linux-amd64".parse().unwrap();
        let told = check("x", b"MZ\x90\x00", linux).unwrap_err().to_string();
        assert!(told.contains("a program for Windows"), "{told}");
        assert!(check("x", &elf[..18], "linux-amd64".parse().unwrap()).is_err());
    }

    #[test]
    fn a_page_is_shown_without_its_control_characters() {
        let linux = "linux-amd64".parse().unwrap();
        let error = check("the proxy", b"<html>\x1b[2J", linux).unwrap_err().to_string();
        assert!(error.contains(r"<html>\x1b[2J") && error.contains("sign-in page"), "{error}");
    }
}

//! What a package is made for.

use std::fmt;
use std::str::FromStr;

use crate::version::Version;

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Os {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
    /// macOS.
    Darwin,
    /// FreeBSD.
    Freebsd,
}

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit x86.
    X86,
}

/// Which of the builds for one system and processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Build {
    /// The ordinary program; on Linux it needs a recent glibc.
    Native,
    /// Static: runs on any Linux. Preferred for agents.
    Musl,
    /// Static, with every extra. Preferred by the vendor for servers.
    SumoMusl,
    /// A Windows installer package.
    Msi,
    /// For Windows 7 and 2008 R2.
    Legacy,
}

/// A system, a processor and a build that releases exist for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Platform {
    os: Os,
    arch: Arch,
    build: Build,
    /// The end of the asset's name.
    suffix: &'static str,
}

/// There are no packages for that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no Velociraptor for {wanted:?}; there is: {}", Platform::names())]
pub struct PlatformError {
    wanted: String,
}

const fn platform(os: Os, arch: Arch, build: Build, suffix: &'static str) -> Platform {
    Platform { os, arch, build, suffix }
}

impl Platform {
    /// Every platform that a release may have an asset for.
    pub const ALL: &[Self] = &[
        platform(Os::Linux, Arch::Amd64, Build::Native, "linux-amd64"),
        platform(Os::Linux, Arch::Amd64, Build::Musl, "linux-amd64-musl"),
        platform(Os::Linux, Arch::Amd64, Build::SumoMusl, "linux-amd64-sumo-musl"),
        platform(Os::Linux, Arch::Arm64, Build::Native, "linux-arm64"),
        platform(Os::Windows, Arch::Amd64, Build::Native, "windows-amd64.exe"),
        platform(Os::Windows, Arch::Amd64, Build::Msi, "windows-amd64.msi"),
        platform(Os::Windows, Arch::Amd64, Build::Legacy, "windows-amd64-legacy.exe"),
        platform(Os::Windows, Arch::X86, Build::Native, "windows-386.exe"),
        platform(Os::Windows, Arch::X86, Build::Msi, "windows-386.msi"),
        platform(Os::Windows, Arch::X86, Build::Legacy, "windows-386-legacy.exe"),
        platform(Os::Darwin, Arch::Amd64, Build::Native, "darwin-amd64"),
        platform(Os::Darwin, Arch::Arm64, Build::Native, "darwin-arm64"),
        platform(Os::Freebsd, Arch::Amd64, Build::Native, "freebsd-amd64"),
    ];

    /// The one with these properties.
    ///
    /// # Errors
    ///
    /// [`PlatformError`] where no release has such an asset.
    pub fn find(os: Os, arch: Arch, build: Build) -> Result<Self, PlatformError> {
        let same = |it: &&Self| (it.os, it.arch, it.build) == (os, arch, build);
        let wanted = || PlatformError { wanted: format!("{os:?} {arch:?} {build:?}") };
        Self::ALL.iter().find(same).copied().ok_or_else(wanted)
    }

    /// The machine that this program runs on, with the ordinary build.
    ///
    /// # Errors
    ///
    /// [`PlatformError`] where no release is made for it.
    pub fn here() -> Result<Self, PlatformError> {
        Self::of_machine(std::env::consts::OS, std::env::consts::ARCH)
    }

    /// From the names that Rust and `uname` give to systems and processors.
    ///
    /// # Errors
    ///
    /// [`PlatformError`] where no release is made for it.
    pub fn of_machine(os: &str, arch: &str) -> Result<Self, PlatformError> {
        let unknown = || PlatformError { wanted: format!("{os} {arch}") };
        let os = match os.to_ascii_lowercase().as_str() {
            "linux" => Os::Linux,
            "windows" => Os::Windows,
            "macos" | "darwin" => Os::Darwin,
            "freebsd" => Os::Freebsd,
            _ => return Err(unknown()),
        };
        let arch = match arch.to_ascii_lowercase().as_str() {
            "x86_64" | "amd64" => Arch::Amd64,
            "aarch64" | "arm64" => Arch::Arm64,
            "x86" | "i386" | "i686" | "386" => Arch::X86,
            _ => return Err(unknown()),
        };
        Self::find(os, arch, Build::Native).map_err(|_| unknown())
    }

    /// The operating system.
    pub const fn os(&self) -> Os {
        self.os
    }

    /// The processor.
    pub const fn arch(&self) -> Arch {
        self.arch
    }

    /// The build.
    pub const fn build(&self) -> Build {
        self.build
    }

    /// The name of the asset in a release.
    pub fn asset(&self, version: &Version) -> String {
        format!("velociraptor-v{version}-{}", self.suffix)
    }

    /// The version in the name of an asset for this platform.
    pub(crate) fn version_of(&self, asset: &str) -> Option<Version> {
        let rest = asset.strip_prefix("velociraptor-v")?.strip_suffix(self.suffix)?;
        rest.strip_suffix('-')?.parse().ok()
    }

    fn names() -> String {
        Self::ALL.iter().map(|it| it.suffix).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.suffix)
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let wanted = || PlatformError { wanted: text.chars().take(60).collect() };
        Self::ALL.iter().find(|it| it.suffix == text).copied().ok_or_else(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_is_found_by_its_name_and_by_its_properties() {
        let version = Version::released(0, 77, 2);
        for platform in Platform::ALL {
            assert_eq!(platform.to_string().parse(), Ok(*platform));
            assert_eq!(Platform::find(platform.os, platform.arch, platform.build), Ok(*platform));
            assert_eq!(platform.version_of(&platform.asset(&version)), Some(version.clone()));
        }
        // The name of one platform is the beginning of another's.
        let linux = Platform::of_machine("linux", "x86_64").unwrap();
        assert_eq!(linux.asset(&version), "velociraptor-v0.77.2-linux-amd64");
        assert_eq!(linux.version_of("velociraptor-v0.77.2-linux-amd64-musl"), None);
    }

    #[test]
    fn an_unknown_platform_is_told_what_there_is() {
        let error = Platform::of_machine("linux", "riscv64").unwrap_err().to_string();
        assert!(error.contains("\"linux riscv64\"") && error.contains("linux-arm64"), "{error}");
        assert!("linux-amd64/../x".parse::<Platform>().is_err());
        assert!(Platform::find(Os::Darwin, Arch::Amd64, Build::Msi).is_err());
    }
}

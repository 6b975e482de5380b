//! The operating systems that Velociraptor tells apart.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An operating system of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Os {
    /// Windows.
    Windows,
    /// Linux.
    Linux,
    /// macOS, which agents call `darwin`.
    Darwin,
    /// FreeBSD.
    FreeBsd,
}

impl Os {
    /// The word that agents report and queries compare with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Linux => "linux",
            Self::Darwin => "darwin",
            Self::FreeBsd => "freebsd",
        }
    }

    /// Reads the word in any case; `macos`, `mac` and `osx` mean [`Os::Darwin`].
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "windows" | "win" => Some(Self::Windows),
            "linux" => Some(Self::Linux),
            "darwin" | "macos" | "mac" | "osx" => Some(Self::Darwin),
            "freebsd" => Some(Self::FreeBsd),
            _ => None,
        }
    }
}

impl fmt::Display for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

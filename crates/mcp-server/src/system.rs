//! The `os` argument of the tools.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::Os;

/// darwin is macOS
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(description = "darwin is macOS")]
pub enum System {
    Windows,
    Linux,
    #[serde(alias = "macos")]
    Darwin,
    FreeBsd,
}

impl From<System> for Os {
    fn from(system: System) -> Self {
        match system {
            System::Windows => Self::Windows,
            System::Linux => Self::Linux,
            System::Darwin => Self::Darwin,
            System::FreeBsd => Self::FreeBsd,
        }
    }
}

/// The word for the clients of a system.
pub const fn word(os: Os) -> &'static str {
    match os {
        Os::Windows => "windows clients",
        Os::Linux => "linux clients",
        Os::Darwin => "macOS clients",
        Os::FreeBsd => "FreeBSD clients",
    }
}

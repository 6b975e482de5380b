//! What a person carries to endpoints to make them agents: a *kit*.
//!
//! A kit has the verified program, the configuration that the live server's own CA and nonce are in,
//! and the unit that every agent of ours has. It is made here, without any other program, and the same
//! wish makes the same bytes. Nothing in its scripts is a value: those are in the configuration.
//!
//! Whoever has a kit can enrol agents. It is written to a new file of its owner only, whole or not
//! at all.

#![warn(missing_docs)]

mod archive;
mod deb;
mod error;
mod keep;
mod layout;
mod program;
mod tarball;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use deploy_core::DeploymentId;
use jiff::Timestamp;
use packages::Package;
use velociraptor_config::ClientConfig;

pub use error::KitError;
pub use keep::Written;
pub use layout::{CONFIG, KEPT, PROGRAM, SERVICE, UNIT, WRITEBACK, name};
pub use program::{Program, arch_of, look};

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A package of Debian and its kin.
    #[default]
    Deb,
    /// An archive with two scripts, for any Linux that systemd leads.
    Tarball,
}

impl Format {
    /// Every form that there is.
    pub const ALL: [Self; 2] = [Self::Deb, Self::Tarball];

    /// Its name, as callers write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Tarball => "tarball",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = KitError;

    fn from_str(text: &str) -> Result<Self, KitError> {
        let unknown = || KitError::Format { found: text.chars().take(40).collect() };
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or_else(unknown)
    }
}

/// All that is decided about a kit.
#[derive(Debug)]
pub struct Kit<'a> {
    /// In which form.
    pub format: Format,
    /// Whose agents they will be.
    pub deployment: &'a DeploymentId,
    /// The time that its files carry. The same wish makes the same bytes, so it is no clock's.
    pub time: Timestamp,
    /// Until when agents know the server by its CA.
    pub ca_ends: Timestamp,
    /// The program.
    pub package: &'a Package,
    /// What agents need to know.
    pub client: &'a ClientConfig,
}

impl Kit<'_> {
    /// The name of its file where none is said.
    pub fn file_name(&self) -> String {
        match self.format {
            Format::Deb => deb::file_name(self),
            Format::Tarball => format!("{}.tar.gz", tarball::folder(self)),
        }
    }

    /// Writes it to a new file of its owner only. Blocking; some seconds, and memory for the program.
    ///
    /// # Errors
    ///
    /// [`KitError`]; then there is no file.
    pub fn write(&self, out: &Path) -> Result<Written, KitError> {
        let content = layout::Contents::of(self)?;
        keep::keep(out, |to| match self.format {
            Format::Deb => deb::write(self, &content, to),
            Format::Tarball => tarball::write(self, &content, to),
        })
    }
}

#[cfg(test)]
mod tests;

//! What is asked of a source.

use std::sync::Arc;

use crate::digest::Digest;
use crate::error::PackageError;
use crate::pinned::{self, DEFAULT_VERSION};
use crate::platform::Platform;
use crate::signature::ReleaseKey;
use crate::version::Version;

/// What has to prove that the bytes are the right ones.
#[derive(Debug, Clone)]
pub enum Proof {
    /// The SHA-256 that this build knows.
    Pinned,
    /// A SHA-256 that a person states.
    Stated(Digest),
    /// The release's OpenPGP signature, by this key.
    Signed(Arc<ReleaseKey>),
    /// A person named the very file on this machine. Only [`Here`](crate::Here) takes this.
    Named,
}

/// A package that is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which version.
    pub version: Version,
    /// For which platform.
    pub platform: Platform,
    /// What has to prove it.
    pub proof: Proof,
}

impl Wanted {
    /// The default version, by its pinned SHA-256.
    pub fn default_for(platform: Platform) -> Self {
        Self { version: DEFAULT_VERSION, platform, proof: Proof::Pinned }
    }

    /// The name of the release's asset.
    pub fn asset(&self) -> String {
        self.platform.asset(&self.version)
    }

    /// The SHA-256 that the bytes must have, where that is known beforehand.
    pub(crate) fn digest(&self) -> Result<Option<Digest>, PackageError> {
        match &self.proof {
            Proof::Pinned => match pinned::digest(&self.version, self.platform) {
                Some(digest) => Ok(Some(digest)),
                None => Err(PackageError::NotPinned { asset: self.asset() }),
            },
            Proof::Stated(digest) => Ok(Some(*digest)),
            Proof::Signed(_) | Proof::Named => Ok(None),
        }
    }
}

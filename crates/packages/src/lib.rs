//! Where Velociraptor binaries come from.
//!
//! A *package* is a binary (or MSI) of one version for one platform. A [`Package`] is only made by a
//! [`PackageSource`], after its bytes were compared with a pinned SHA-256, with one that a person
//! stated, or with the release's OpenPGP signature; its fields are read and not written, and
//! [`Package::place`] compares once more while it copies. Nothing else gives out a path to run.
//!
//! Sources: [`Release`] (downloads, with a cache), [`Folder`] (a file or folder that was carried
//! here), [`Here`] (a `velociraptor` that is already on this machine) and [`Fixed`] (for tests).
//! All keep the same [`contract`].

mod cache;
pub mod contract;
mod digest;
mod error;
mod executable;
mod fixed;
mod folder;
mod here;
mod http;
mod local;
mod package;
mod pinned;
mod platform;
mod release;
mod signature;
mod source;
mod version;
mod wanted;

pub use cache::Cache;
pub use digest::{Digest, DigestError};
pub use error::PackageError;
pub use fixed::Fixed;
pub use folder::Folder;
pub use here::{Found, Here, VARIABLE};
pub use http::Bounds;
pub use package::{Package, Proven};
pub use pinned::{DEFAULT_VERSION, versions as pinned_versions};
pub use platform::{Arch, Build, Os, Platform, PlatformError};
pub use release::{Latest, Release};
pub use signature::{Fingerprint, RELEASE_FINGERPRINT, ReleaseKey, SignatureError};
pub use source::{Fetching, PackageSource, Progress};
pub use version::{Version, VersionError};
pub use wanted::{Proof, Wanted};

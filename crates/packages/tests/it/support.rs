//! What the tests fetch, and from where.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use packages::{Bounds, Cache, Digest, Package, PackageError, PackageSource, Platform, Proof};
use packages::{Release, ReleaseKey, Wanted};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::host::Host;

pub(crate) const FINGERPRINT: &str = "87BBC691CF797F6B88EB5A9842D35BDABE0FACB8";

pub(crate) fn linux() -> Platform {
    "linux-amd64".parse().unwrap()
}

/// Looks like a program for 64-bit Linux. `data/*.sig` are signatures of it.
pub(crate) fn package() -> Vec<u8> {
    let pattern = |i: u32| i.wrapping_mul(i).wrapping_add(i / 251).to_le_bytes()[0];
    let mut bytes: Vec<u8> = (0..300_000).map(pattern).collect();
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[18..20].copy_from_slice(&0x3e_u16.to_le_bytes());
    bytes
}

pub(crate) fn data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

pub(crate) fn key(name: &str, fingerprint: &str) -> Arc<ReleaseKey> {
    let fingerprint = fingerprint.parse().unwrap();
    Arc::new(ReleaseKey::with_fingerprint(&data(name), &fingerprint).unwrap())
}

pub(crate) fn wanted(proof: Proof) -> Wanted {
    Wanted { version: "9.9.1".parse().unwrap(), platform: linux(), proof }
}

pub(crate) fn stated() -> Wanted {
    wanted(Proof::Stated(Digest::of(&package())))
}

pub(crate) const PATH: &str = "/download/v9.9.1/velociraptor-v9.9.1-linux-amd64";

/// Bounds under which a test does not wait for long.
pub(crate) fn bounds() -> Bounds {
    Bounds {
        bytes: 10 << 20,
        answer: Duration::from_secs(20),
        silence: Duration::from_secs(20),
        whole: Duration::from_secs(60),
        attempts: 3,
        pause: Duration::from_millis(1),
    }
}

/// A source with its cache.
pub(crate) struct Bed {
    pub(crate) host: Host,
    pub(crate) folder: TempDir,
    pub(crate) release: Release,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(bounds(), &[]).await
    }

    pub(crate) async fn with(bounds: Bounds, also: &[&str]) -> Self {
        let host = Host::start().await;
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("cache")).unwrap();
        let release = Release::on_loopback(cache, bounds, &host.address(), also);
        Self { host, folder, release }
    }

    pub(crate) async fn fetch(&self, wanted: &Wanted) -> Result<Package, PackageError> {
        self.release.fetch(wanted, &(), &CancellationToken::new()).await
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// The names in the cache, without the locks.
    pub(crate) fn kept(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.cache()).unwrap();
        let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
        names.sort();
        names
    }
}

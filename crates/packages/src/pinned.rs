//! The SHA-256 of releases that are known to this build.
//!
//! `data/releases.tsv` says where its values come from.

use crate::digest::Digest;
use crate::platform::Platform;
use crate::version::Version;

const TABLE: &str = include_str!("../data/releases.tsv");

/// What is deployed unless another version is asked for.
pub const DEFAULT_VERSION: Version = Version::released(0, 77, 2);

/// The digest of one asset.
pub(crate) fn digest(version: &Version, platform: Platform) -> Option<Digest> {
    let wanted = (version.to_string(), platform.to_string());
    let mut lines = lines();
    lines.find(|(version, asset, _)| (*version, *asset) == (&wanted.0, &wanted.1))?.2.parse().ok()
}

/// The versions of which anything is pinned, the newest first.
pub fn versions() -> Vec<Version> {
    let mut all: Vec<Version> = lines().filter_map(|(version, ..)| version.parse().ok()).collect();
    all.sort();
    all.dedup();
    all.reverse();
    all
}

fn lines() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut parts = line.split('\t');
        Some((parts.next()?, parts.next()?, parts.next()?))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_says_something_and_no_digest_stands_twice() {
        let wanted = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        let mut digests = HashSet::new();
        for (version, asset, text) in lines() {
            let version: Version = version.parse().unwrap();
            let platform: Platform = asset.parse().unwrap();
            let digest: Digest = text.parse().unwrap();
            assert_eq!(super::digest(&version, platform), Some(digest));
            assert!(digests.insert(digest), "{version} {asset}");
        }
        assert_eq!(digests.len(), wanted);
    }

    #[test]
    fn the_default_version_is_the_newest_and_has_what_deployments_need() {
        assert_eq!(versions().first(), Some(&DEFAULT_VERSION));
        for name in ["linux-amd64", "linux-amd64-musl", "linux-arm64", "windows-amd64.exe"] {
            assert!(digest(&DEFAULT_VERSION, name.parse().unwrap()).is_some(), "{name}");
        }
    }
}

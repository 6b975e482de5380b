//! The cache is read before it is believed.

use packages::{Cache, Digest, PackageError, Proof, Proven};

use crate::host::Reply;
use crate::support::{Bed, FINGERPRINT, PATH, data, key, package, stated, wanted};

#[tokio::test]
async fn a_package_is_fetched_once() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::File(package()));
    for _ in 0..2 {
        let got = bed.fetch(&stated()).await.unwrap();
        assert_eq!((got.size(), got.proven(), got.set_aside()), (300_000, &Proven::Stated, None));
    }
    assert_eq!(bed.host.asked().len(), 1);
    assert_eq!(bed.kept(), [Digest::of(&package()).to_string()]);
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_fetched_anew() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::File(package()));
    let path = bed.fetch(&stated()).await.unwrap().path().to_path_buf();
    let mut changed = package();
    changed[150_000] ^= 1;
    for (round, damage) in [changed, b"#!/bin/sh\n".to_vec(), Vec::new()].into_iter().enumerate() {
        std::fs::write(&path, &damage).unwrap();
        let got = bed.fetch(&stated()).await.unwrap();
        assert_eq!(std::fs::read(got.path()).unwrap(), package());
        assert_eq!(std::fs::read(got.set_aside().unwrap()).unwrap(), damage);
        assert_eq!(bed.host.asked().len(), round + 2);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_cache_is_not_followed() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::File(package()));
    let elsewhere = bed.folder.path().join("elsewhere");
    std::fs::write(&elsewhere, package()).unwrap();
    let place = bed.cache().join(Digest::of(&package()).to_string());
    std::os::unix::fs::symlink(&elsewhere, &place).unwrap();
    let got = bed.fetch(&stated()).await.unwrap();
    assert!(got.set_aside().is_some() && got.path().symlink_metadata().unwrap().is_file());
}

#[tokio::test]
async fn a_signed_package_is_proved_again_from_the_cache() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::File(package()));
    bed.host.put(&format!("{PATH}.sig"), Reply::File(data("release.sig")));
    let signed = wanted(Proof::Signed(key("release.asc", FINGERPRINT)));
    let got = bed.fetch(&signed).await.unwrap();
    assert_eq!(got.proven(), &Proven::Signed(FINGERPRINT.parse().unwrap()));
    assert!(bed.fetch(&signed).await.is_ok());
    assert_eq!(bed.host.asked().len(), 2);

    // Somebody who can write there puts another program under the name that is looked up.
    let mut other = package();
    other[200_000] ^= 1;
    let asset = stated().asset();
    std::fs::write(bed.cache().join(Digest::of(&other).to_string()), &other).unwrap();
    std::fs::write(bed.cache().join(format!("{asset}.sha256")), Digest::of(&other).to_string())
        .unwrap();
    let got = bed.fetch(&signed).await.unwrap();
    assert_eq!(got.sha256(), Digest::of(&package()));
    assert_eq!(bed.host.asked().len(), 4);
}

#[cfg(unix)]
#[test]
fn a_cache_that_others_may_change_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache");
    Cache::open(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o770)).unwrap();
    let error = Cache::open(&path).unwrap_err();
    assert!(
        matches!(&error, PackageError::OpenCache { why, .. } if why == "its mode is 770"),
        "{error}"
    );
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    assert!(matches!(Cache::open(&link), Err(PackageError::OpenCache { .. })));
}

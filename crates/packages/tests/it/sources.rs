//! Every source keeps the contract; what is special about each.

use packages::contract::{self, Subject};
use packages::{Digest, Fixed, Folder, Here, PackageError, PackageSource, Proof, Proven, Wanted};
use tokio_util::sync::CancellationToken;

use crate::host::Reply;
use crate::support::FINGERPRINT;
use crate::support::{Bed, PATH, data, key, package, stated, wanted};

async fn holds(source: &dyn PackageSource, lacks: bool) {
    let elsewhere = Proof::Stated(Digest::of(b"elsewhere"));
    let missing = Wanted { version: "9.9.2".parse().unwrap(), ..wanted(elsewhere) };
    for proof in [stated().proof, Proof::Signed(key("release.asc", FINGERPRINT))] {
        let subject = Subject {
            source,
            has: wanted(proof),
            digest: Digest::of(&package()),
            lacks: lacks.then(|| missing.clone()),
        };
        for (clause, verdict) in contract::check(&subject).await {
            assert_eq!(verdict, Ok(()), "{}: {clause}", source.describe());
        }
    }
}

#[tokio::test]
async fn every_source_keeps_the_contract() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::File(package()));
    bed.host.put(&format!("{PATH}.sig"), Reply::File(data("release.sig")));
    holds(&bed.release, true).await;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(stated().asset());
    std::fs::write(&file, package()).unwrap();
    std::fs::write(folder.path().join(format!("{}.sig", stated().asset())), data("armoured.sig"))
        .unwrap();
    holds(&Folder::new(folder.path()), true).await;
    holds(&Folder::new(&file), false).await;

    let mut fixed = Fixed::new(folder.path());
    fixed.put(stated().asset(), package(), Some(data("release.sig")));
    holds(&fixed, true).await;
}

#[tokio::test]
async fn a_binary_that_was_only_found_has_to_be_vouched_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("velociraptor");
    std::fs::write(&path, package()).unwrap();
    let named = Here::named(&path);
    assert_eq!(named.look(&stated()).unwrap().sha256, Digest::of(&package()));
    let cancel = CancellationToken::new();
    let fetch = async |here: &Here, proof: Proof| here.fetch(&wanted(proof), &(), &cancel).await;

    let package = fetch(&named, Proof::Named).await.unwrap();
    assert_eq!(package.proven(), &Proven::Named);
    assert_eq!(fetch(&named, stated().proof).await.unwrap().proven(), &Proven::Stated);
    // A stated digest counts even where the file was named.
    let wrong = fetch(&named, Proof::Stated(Digest::of(b""))).await;
    assert!(matches!(wrong, Err(PackageError::WrongHash { .. })), "{wrong:?}");
    let error = fetch(&named, Proof::Pinned).await.unwrap_err().to_string();
    assert!(error.contains("knows no SHA-256 of velociraptor-v9.9.1-linux-amd64"), "{error}");
    let gone = Here::named(folder.path().join("gone"));
    assert!(fetch(&gone, Proof::Named).await.unwrap_err().is_missing());
}

#[tokio::test]
async fn a_place_without_the_package_is_told_with_the_name_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    for path in [folder.path().to_path_buf(), folder.path().join("nowhere")] {
        let error = Folder::new(&path).fetch(&stated(), &(), &cancel).await.unwrap_err();
        assert!(error.is_missing(), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    std::fs::write(folder.path().join(stated().asset()), package()).unwrap();
    let signed = wanted(Proof::Signed(key("release.asc", FINGERPRINT)));
    let error = Folder::new(folder.path()).fetch(&signed, &(), &cancel).await.unwrap_err();
    assert!(matches!(error, PackageError::Unsigned { .. }), "{error}");
}

#[tokio::test]
async fn what_changed_after_it_was_proved_is_not_placed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(stated().asset());
    std::fs::write(&file, package()).unwrap();
    let cancel = CancellationToken::new();
    let proved = Folder::new(&file).fetch(&stated(), &(), &cancel).await.unwrap();
    let target = folder.path().join("run");
    proved.place(&target).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), package());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    }
    let mut changed = package();
    changed[100_000] ^= 1;
    std::fs::write(&file, changed).unwrap();
    let other = folder.path().join("other");
    let error = proved.place(&other).unwrap_err();
    assert!(matches!(error, PackageError::WrongHash { .. }), "{error}");
    assert!(!other.exists());
}

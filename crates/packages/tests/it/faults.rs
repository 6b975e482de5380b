//! What a bad network and a bad host do, and what a person is told.

use std::net::TcpListener;
use std::time::Duration;

use packages::{Bounds, Cache, Digest, PackageError, PackageSource, Proof, Release, Wanted};
use tokio_util::sync::CancellationToken;

use crate::host::{Host, Reply};
use crate::support::{Bed, PATH, bounds, linux, package, stated, wanted};

/// What came of a download that failed for good is not kept; an empty beginning is no trace.
fn forget_empty(bed: &Bed) {
    for name in bed.kept() {
        let path = bed.cache().join(name);
        if path.metadata().unwrap().len() == 0 {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[tokio::test]
async fn a_wrong_hash_names_both_and_leaves_nothing() {
    let bed = Bed::new().await;
    let mut other = package();
    other[200_000] ^= 1;
    bed.host.put(PATH, Reply::File(other.clone()));
    let error = bed.fetch(&stated()).await.unwrap_err().to_string();
    for part in [Digest::of(&package()), Digest::of(&other)] {
        assert!(error.contains(&part.to_string()), "{error}");
    }
    assert!(error.contains("download page"), "{error}");
    forget_empty(&bed);
    assert!(bed.kept().is_empty(), "{:?}", bed.kept());
}

#[tokio::test]
async fn a_file_that_is_short_by_its_own_account_is_a_wrong_hash() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::File(package()[..250_000].to_vec()));
    let error = bed.fetch(&stated()).await.unwrap_err();
    assert!(matches!(error, PackageError::WrongHash { .. }), "{error}");
}

#[tokio::test]
async fn d37_a_page_instead_of_a_package_is_told_as_such() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::Page("<html>Please sign in</html>"));
    let error = bed.fetch(&stated()).await.unwrap_err().to_string();
    assert!(error.contains("a web page") && error.contains("sign-in page"), "{error}");
    // Also where it does not say that it is one, and where it is for another machine.
    bed.host.put(PATH, Reply::File(b"<!DOCTYPE html><html>Blocked by policy</html>".to_vec()));
    let error = bed.fetch(&stated()).await.unwrap_err().to_string();
    assert!(error.contains("<!DOCTYPE html>"), "{error}");
    let mut arm = package();
    arm[18] = 0xb7;
    bed.host.put(PATH, Reply::File(arm));
    let error = bed.fetch(&stated()).await.unwrap_err().to_string();
    let wanted = error.contains("a package for linux-amd64 is needed");
    assert!(wanted && error.contains("a program for aarch64"), "{error}");
}

#[tokio::test]
async fn what_is_not_published_is_told_with_every_place_that_was_looked_at() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::Status(404, "<html>Not Found</html>"));
    let error = bed.fetch(&stated()).await.unwrap_err();
    assert!(error.is_missing(), "{error}");
    let text = error.to_string();
    assert!(text.contains("/v9.9.1/") && text.contains("/v9.9/"), "{text}");
    assert!(bed.kept().is_empty());
    // A tag of the minor version carries it now and then.
    bed.host.put("/download/v9.9/velociraptor-v9.9.1-linux-amd64", Reply::File(package()));
    assert!(bed.fetch(&stated()).await.is_ok());
}

#[tokio::test]
async fn a_host_in_trouble_is_asked_again_and_one_that_refuses_is_not() {
    let bed = Bed::new().await;
    let busy = || Reply::Status(503, "busy");
    bed.host.then(PATH, [busy(), busy(), Reply::File(package())]);
    assert!(bed.fetch(&stated()).await.is_ok());
    assert_eq!(bed.host.asked().len(), 3);

    let bed = Bed::new().await;
    bed.host.put(PATH, busy());
    let error = bed.fetch(&stated()).await.unwrap_err();
    assert!(error.to_string().contains("answered 503"), "{error}");
    assert_eq!(bed.host.asked().len(), 3);

    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::Status(403, "no"));
    let error = bed.fetch(&stated()).await.unwrap_err();
    assert!(error.to_string().contains("answered 403"), "{error}");
    assert_eq!(bed.host.asked().len(), 1);
}

#[tokio::test]
async fn redirects_lead_to_the_release_hosts_own_and_nowhere_else() {
    let (other, stranger) = (Host::start().await, Host::start().await);
    let bed = Bed::with(bounds(), &[&other.address()]).await;
    other.put("/assets/1", Reply::File(package()));
    stranger.put("/assets/1", Reply::File(package()));

    let at = |host: &Host| format!("http://{}/assets/1?token=hidden", host.address());
    bed.host.put(PATH, Reply::Redirect(at(&stranger)));
    let error = bed.fetch(&stated()).await.unwrap_err().to_string();
    assert!(error.contains(&stranger.address()) && error.contains("not a host of the"), "{error}");
    assert!(!error.contains("hidden"), "{error}");
    assert_eq!(stranger.asked(), []);

    for elsewhere in ["file:///etc/passwd", "https://github.com.example/x", "", "//x/y", "\u{7f}"] {
        bed.host.put(PATH, Reply::Redirect(elsewhere.to_owned()));
        let error = bed.fetch(&stated()).await.unwrap_err();
        let refused =
            matches!(error, PackageError::Redirect { .. } | PackageError::Unreachable { .. });
        assert!(refused, "{elsewhere}: {error}");
    }
    bed.host.put(PATH, Reply::Redirect(PATH.to_owned()));
    let error = bed.fetch(&stated()).await.unwrap_err().to_string();
    assert!(error.contains("again and again"), "{error}");

    bed.host.put("/assets/1", Reply::File(Vec::new()));
    other.put("/assets/1?token=hidden", Reply::File(package()));
    bed.host.put(PATH, Reply::Redirect(at(&other)));
    assert!(bed.fetch(&stated()).await.is_ok());
}

#[tokio::test]
async fn a_size_beyond_the_bound_is_refused_before_and_while_it_comes() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::Announces(1 << 40));
    let error = bed.fetch(&stated()).await.unwrap_err();
    assert!(
        matches!(error, PackageError::TooLarge { limit, .. } if limit == bounds().bytes),
        "{error}"
    );
    bed.host.put(PATH, Reply::Endless(package()));
    let error = bed.fetch(&stated()).await.unwrap_err();
    assert!(matches!(error, PackageError::TooLarge { .. }), "{error}");
    forget_empty(&bed);
    assert!(bed.kept().is_empty(), "{:?}", bed.kept());
}

#[tokio::test]
async fn no_network_is_told_with_the_number_of_attempts() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path().join("cache")).unwrap();
    let release = Release::on_loopback(cache, bounds(), &address, &[]);
    let error = release.fetch(&stated(), &(), &CancellationToken::new()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&address) && text.contains("in 3 attempts"), "{text}");
    assert!(text.contains("HTTPS_PROXY") && text.contains("file or folder"), "{text}");
}

#[tokio::test]
async fn silence_ends_and_is_told() {
    let short = Bounds { silence: Duration::from_millis(50), attempts: 2, ..bounds() };
    let bed = Bed::with(short, &[]).await;
    bed.host.put(PATH, Reply::Stalls(package(), 1000));
    let error = bed.fetch(&stated()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("1000 of 300000 bytes") && text.contains("2 attempts"), "{text}");

    let short = Bounds { whole: Duration::from_millis(50), ..bounds() };
    let bed = Bed::with(short, &[]).await;
    bed.host.put(PATH, Reply::Stalls(package(), 1000));
    let error = bed.fetch(&stated()).await.unwrap_err().to_string();
    assert!(error.contains("did not come within"), "{error}");
}

#[tokio::test]
async fn a_version_that_is_not_pinned_is_not_even_asked_for() {
    let bed = Bed::new().await;
    let error = bed.fetch(&wanted(Proof::Pinned)).await.unwrap_err();
    assert!(matches!(error, PackageError::NotPinned { .. }), "{error}");
    let default = Wanted::default_for(linux());
    assert!(bed.host.asked().is_empty());
    // What is pinned is not what this host has.
    let path = format!("/download/v0.77.2/{}", default.asset());
    bed.host.put(&path, Reply::File(package()));
    let error = bed.fetch(&default).await.unwrap_err().to_string();
    assert!(
        error.contains("6c4c23c466d892788ff56ddcd3a31f844e4c0d797ade454c5e2625eb9e427077"),
        "{error}"
    );
}

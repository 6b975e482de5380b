//! The newest release is asked for on purpose, and proved like any other.

use packages::PackageError;
use tokio_util::sync::CancellationToken;

use crate::host::Reply;
use crate::support::{Bed, linux};

#[tokio::test]
async fn the_newest_release_is_named_by_the_host() {
    let bed = Bed::new().await;
    let list = br#"{"tag_name": "v9.9", "assets": [{"name": "velociraptor-v9.9.3-linux-amd64"}]}"#;
    let busy = Reply::Status(502, "");
    bed.host.then("/latest", [busy, Reply::File(list.to_vec())]);
    let cancel = CancellationToken::new();
    let latest = bed.release.latest(linux(), &cancel).await.unwrap();
    assert_eq!((latest.version.to_string().as_str(), latest.tag.as_str()), ("9.9.3", "v9.9"));

    bed.host.put("/latest", Reply::Page("<html>"));
    let error = bed.release.latest(linux(), &cancel).await.unwrap_err();
    assert!(matches!(error, PackageError::Listing { .. }), "{error}");
    bed.host.put("/latest", Reply::Endless(vec![b' '; 64 << 10]));
    let error = bed.release.latest(linux(), &cancel).await.unwrap_err();
    assert!(matches!(error, PackageError::TooLarge { .. }), "{error}");
    cancel.cancel();
    let error = bed.release.latest(linux(), &cancel).await.unwrap_err();
    assert!(matches!(error, PackageError::Cancelled { .. }), "{error}");
}

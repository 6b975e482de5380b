//! Downloads that break off are continued, in the same run and in the next.

use std::sync::{Arc, Mutex};

use packages::{PackageError, PackageSource};
use tokio_util::sync::CancellationToken;

use crate::host::Reply;
use crate::support::{Bed, PATH, package, stated};

#[tokio::test]
async fn what_breaks_off_is_continued_where_it_was() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::Breaks(package(), 70_000));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&seen);
    let progress = move |done, total| listener.lock().unwrap().push((done, total));
    let got = bed.release.fetch(&stated(), &progress, &CancellationToken::new()).await.unwrap();
    assert_eq!(std::fs::read(got.path()).unwrap(), package());
    let ranges: Vec<_> = bed.host.asked().into_iter().map(|(_, range)| range).collect();
    let from = |from: u32| Some(format!("bytes={from}-"));
    assert_eq!(ranges, [None, from(70_000), from(140_000), from(210_000), from(280_000)]);
    let seen = seen.lock().unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&(300_000, Some(300_000))), "{seen:?}");
}

#[tokio::test]
async fn what_always_breaks_off_at_the_same_byte_is_told() {
    let bed = Bed::new().await;
    bed.host.then(PATH, [Reply::Breaks(package(), 70_000), Reply::Breaks(package(), 0)]);
    let error = bed.fetch(&stated()).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, PackageError::Truncated { .. }), "{text}");
    assert!(
        text.contains("70000 of 300000 bytes") && text.contains("continues from there"),
        "{text}"
    );

    // The next run, of another process too, does.
    bed.host.put(PATH, Reply::File(package()));
    assert!(bed.fetch(&stated()).await.is_ok());
    assert_eq!(bed.host.asked().last().unwrap().1.as_deref(), Some("bytes=70000-"));
}

#[tokio::test]
async fn a_host_that_gives_no_pieces_is_asked_for_the_whole() {
    let bed = Bed::new().await;
    bed.host.then(PATH, [Reply::Breaks(package(), 70_000), Reply::Plain(package())]);
    assert_eq!(bed.fetch(&stated()).await.unwrap().size(), 300_000);
}

#[tokio::test]
async fn a_damaged_beginning_is_thrown_away() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::Breaks(package(), 70_000));
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let progress = move |done: u64, _: Option<u64>| {
        if done >= 70_000 {
            stop.cancel();
        }
    };
    let stopped = bed.release.fetch(&stated(), &progress, &cancel).await;
    assert!(matches!(stopped, Err(PackageError::Cancelled { .. })), "{stopped:?}");
    let part = bed.cache().join(format!("{}.part", stated().asset()));
    let mut begun = std::fs::read(&part).unwrap();
    assert!(begun.len() > 100, "{}", begun.len());
    begun[100] ^= 1;
    std::fs::write(&part, &begun).unwrap();

    bed.host.put(PATH, Reply::File(package()));
    let got = bed.fetch(&stated()).await.unwrap();
    assert_eq!(std::fs::read(got.path()).unwrap(), package());
    let asked = bed.host.asked();
    let last: Vec<_> = asked[asked.len() - 2..].iter().map(|(_, range)| range.as_deref()).collect();
    assert_eq!(last, [Some(format!("bytes={}-", begun.len()).as_str()), None]);
    assert!(!part.exists());
}

#[tokio::test]
async fn a_beginning_longer_than_the_file_is_thrown_away() {
    let bed = Bed::new().await;
    bed.host.then(PATH, [Reply::Breaks(package(), 70_000), Reply::Breaks(package(), 0)]);
    assert!(bed.fetch(&stated()).await.is_err());
    let part = bed.cache().join(format!("{}.part", stated().asset()));
    std::fs::write(&part, vec![0; 400_000]).unwrap();
    bed.host.put(PATH, Reply::File(package()));
    assert!(bed.fetch(&stated()).await.is_ok());
}

#[tokio::test]
async fn two_who_want_the_same_download_it_once() {
    let bed = Bed::new().await;
    bed.host.put(PATH, Reply::File(package()));
    let wanted = stated();
    let (one, other) = tokio::join!(bed.fetch(&wanted), bed.fetch(&wanted));
    assert_eq!(one.unwrap().path(), other.unwrap().path());
    assert_eq!(bed.host.asked().len(), 1);
}

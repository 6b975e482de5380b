//! What keeping, listing and opening secrets costs, as figures of one run.
//!
//! `cargo bench -p credstore`. A list is made of stores of different sizes: its cost for each item
//! is to stay the same.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use credstore::{
    CredentialRef, CredentialStore, Expired, FileStore, Kind, NewCredential, Options, PageRequest,
    StoreError,
};
use secret::Secret;

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("credentials");
    let (store, mut report) = (FileStore::new(&path, Options::default()), String::new());
    let mut there = 0;
    for size in [10, 100, 1000] {
        let start = Instant::now();
        for number in there..size {
            store.put(new(number)?, &Secret::new(b"Summer2026!Summer2026!".to_vec()))?;
        }
        let put = each(start.elapsed(), size - there);
        there = size;
        // Each on a store of its own: as a process that does this and nothing else.
        let all = best(|| {
            let page = fresh(&path).list(None, &PageRequest::first(size))?;
            assert_eq!(page.items.len(), size, "all are on the page");
            Ok(())
        })?;
        let page = best(|| fresh(&path).list(None, &PageRequest::first(50)).map(drop))?;
        let named = new(size / 2)?.credential;
        let open = best(|| fresh(&path).open(&named, Expired::Refused).map(drop))?;
        let _ = writeln!(
            report,
            "{size} secrets: put {:.2} ms each; all listed in {:.2} ms, {:.2} µs each; \
             a page of 50 in {:.2} ms; one opened in {:.2} ms",
            put * 1e3,
            all.as_secs_f64() * 1e3,
            each(all, size) * 1e6,
            page.as_secs_f64() * 1e3,
            open.as_secs_f64() * 1e3,
        );
    }
    println!("{report}");
    Ok(())
}

fn new(number: usize) -> Result<NewCredential, Box<dyn std::error::Error>> {
    let credential: CredentialRef = format!("cred:D-{:02}/s-{number}", number % 50).parse()?;
    Ok(NewCredential { credential, kind: Kind::Password, expires: None })
}

fn fresh(path: &std::path::Path) -> FileStore {
    FileStore::new(path, Options::default())
}

fn each(took: Duration, items: usize) -> f64 {
    took.as_secs_f64() / items as f64
}

fn best(mut act: impl FnMut() -> Result<(), StoreError>) -> Result<Duration, StoreError> {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        act()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

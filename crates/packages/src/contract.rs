//! What holds for every source of packages. A source of one's own is tested with [`check`].

use std::sync::Mutex;

use tokio_util::sync::CancellationToken;

use crate::digest::Digest;
use crate::error::PackageError;
use crate::package::{Package, Proven};
use crate::source::PackageSource;
use crate::wanted::{Proof, Wanted};

/// A source, with what the suite has to know of it.
#[expect(missing_debug_implementations, reason = "a source need not be shown")]
pub struct Subject<'a> {
    /// The source.
    pub source: &'a dyn PackageSource,
    /// A package that it has; the proof is a right one.
    pub has: Wanted,
    /// The SHA-256 of that package.
    pub digest: Digest,
    /// A package that it lacks, with a stated SHA-256; none for a source that is a single file.
    pub lacks: Option<Wanted>,
}

/// One clause, and how it was broken.
pub type Verdict = (&'static str, Result<(), String>);

/// Tries every clause.
pub async fn check(subject: &Subject<'_>) -> Vec<Verdict> {
    vec![
        ("what is given out is what was wanted", gives(subject).await),
        ("a second time gives the same", gives(subject).await),
        ("a wrong SHA-256 is refused with both values", refuses_wrong(subject).await),
        ("nothing is given out without a proof", refuses_unproved(subject).await),
        ("what is not there is said to be missing", says_missing(subject).await),
        ("cancelling ends it", ends(subject).await),
        ("progress ends at the size", progresses(subject).await),
    ]
}

async fn fetch(subject: &Subject<'_>, wanted: &Wanted) -> Result<Package, PackageError> {
    subject.source.fetch(wanted, &(), &CancellationToken::new()).await
}

fn hold(holds: bool, found: impl std::fmt::Debug) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("found {found:?}")) }
}

async fn gives(subject: &Subject<'_>) -> Result<(), String> {
    let package = fetch(subject, &subject.has).await.map_err(|error| error.to_string())?;
    hold(package.sha256() == subject.digest, package.sha256())?;
    hold(package.version() == &subject.has.version, package.version())?;
    hold(package.platform() == subject.has.platform, package.platform())?;
    hold(package.proven() != &Proven::Named, package.proven())?;
    let mut bytes = Vec::new();
    package.copy_to(&mut bytes).map_err(|error| error.to_string())?;
    hold(Digest::of(&bytes) == subject.digest, bytes.len())?;
    hold(bytes.len() as u64 == package.size(), package.size())
}

async fn refuses_wrong(subject: &Subject<'_>) -> Result<(), String> {
    let wrong = Digest::of(b"something else");
    let wanted = Wanted { proof: Proof::Stated(wrong), ..subject.has.clone() };
    match fetch(subject, &wanted).await {
        Err(PackageError::WrongHash { expected, found, .. }) => {
            hold((expected, found) == (wrong, subject.digest), (expected, found))
        }
        other => hold(false, other),
    }
}

async fn refuses_unproved(subject: &Subject<'_>) -> Result<(), String> {
    let wanted = Wanted { proof: Proof::Named, ..subject.has.clone() };
    match fetch(subject, &wanted).await {
        Err(PackageError::NeedsProof { .. } | PackageError::Unproved { .. }) => Ok(()),
        other => hold(false, other),
    }
}

async fn says_missing(subject: &Subject<'_>) -> Result<(), String> {
    let Some(lacks) = &subject.lacks else { return Ok(()) };
    match fetch(subject, lacks).await {
        Err(error) if error.is_missing() => Ok(()),
        other => hold(false, other),
    }
}

async fn ends(subject: &Subject<'_>) -> Result<(), String> {
    let cancel = CancellationToken::new();
    cancel.cancel();
    match subject.source.fetch(&subject.has, &(), &cancel).await {
        Err(PackageError::Cancelled { .. }) => Ok(()),
        other => hold(false, other),
    }
}

async fn progresses(subject: &Subject<'_>) -> Result<(), String> {
    let heard = Mutex::new(None);
    let listen = |done, _: Option<u64>| {
        if let Ok(mut heard) = heard.lock() {
            *heard = Some(done);
        }
    };
    let cancel = CancellationToken::new();
    let package = subject.source.fetch(&subject.has, &listen, &cancel).await;
    let size = package.map_err(|error| error.to_string())?.size();
    let last = heard.lock().map_err(|error| error.to_string())?.to_owned();
    hold(last == Some(size), (last, size))
}

//! The Velociraptor of this machine, taken as a package: vouched for, placed, and run.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use packages::{DEFAULT_VERSION, Here, PackageError, PackageSource as _, Platform, Proof, Wanted};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::real::find_binary;
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "packages",
    about: "the Velociraptor of this machine is vouched for, placed and run",
    run,
};

/// Some 80 MB are hashed in tenths of a second; a busy machine and a debug build are given more.
const HASH_LIMIT: Duration = Duration::from_secs(30);

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let binary = find_binary()?;
    cases.case("what was only found is refused with its SHA-256", found()).await;
    cases.case("what was vouched for is placed and runs", placed(&binary)).await;
    cases.case("one changed byte is refused", changed(&binary)).await;
    Ok(())
}

fn wanted(proof: Proof) -> anyhow::Result<Wanted> {
    Ok(Wanted { version: DEFAULT_VERSION, platform: Platform::here()?, proof })
}

async fn found() -> anyhow::Result<()> {
    let here = Here::find()?;
    let wanted = wanted(Proof::Named)?;
    let seen = here.look(&wanted)?.sha256;
    match here.fetch(&wanted, &(), &CancellationToken::new()).await {
        Err(PackageError::Unproved { found, .. }) => ensure!(found == seen, "{found} {seen}"),
        // The vendor's own file proves itself.
        Ok(package) => ensure!(package.proven() == &packages::Proven::Pinned, "{package:?}"),
        Err(error) => bail!("{error}"),
    }
    Ok(())
}

async fn placed(binary: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let here = Here::named(binary);
    let begun = Instant::now();
    let seen = here.look(&wanted(Proof::Named)?)?;
    ensure!(begun.elapsed() < HASH_LIMIT, "hashing took {:?}", begun.elapsed());
    let wanted = wanted(Proof::Stated(seen.sha256))?;
    let package = here.fetch(&wanted, &(), &CancellationToken::new()).await?;
    let target = folder.path().join("velociraptor");
    package.place(&target)?;
    let mut command = Command::new(&target);
    command.args(["--nobanner", "version"]).env("GORACE", "exitcode=0");
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(text.contains(&format!("version: {}", wanted.version)), "{text}");
    Ok(())
}

async fn changed(binary: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stated = Here::named(binary).look(&wanted(Proof::Named)?)?.sha256;
    let mut bytes = tokio::fs::read(binary).await?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let copy = folder.path().join("velociraptor");
    tokio::fs::write(&copy, bytes).await?;
    let wanted = wanted(Proof::Stated(stated))?;
    match Here::named(&copy).fetch(&wanted, &(), &CancellationToken::new()).await {
        Err(PackageError::WrongHash { expected, .. }) => ensure!(expected == stated),
        other => bail!("{other:?}"),
    }
    Ok(())
}

//! What is tried inside of the container.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use deploy_core::contract;
use deploy_linux::Local;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::site::order;
use super::{listing, refused, server, standing};
use crate::real::find_binary;
use crate::suite::{Cases, Halt};

/// A case that deploys: some ten seconds each, and several in one case.
pub(super) const LIMIT: Duration = Duration::from_secs(420);

/// The contract deploys two dozen times.
const CONTRACT: Duration = Duration::from_secs(600);

/// The verified binary.
pub(super) struct Bed {
    pub(super) binary: PathBuf,
    pub(super) sha256: String,
}

pub(super) async fn suite(cases: &mut Cases, verdicts: &Path) -> Result<(), Halt> {
    let binary = find_binary()?;
    let bytes = std::fs::read(&binary).with_context(|| binary.display().to_string())?;
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let bed = Bed { binary, sha256 };
    cases
        .case("this very host is reached as the contract says", async {
            let folder = tempfile::Builder::new().tempdir_in("/var/tmp")?;
            let path = folder.path().to_str().context("a path that is no text")?;
            contract::transport(&Local, path).await;
            Ok(())
        })
        .await;
    server::cases(cases, &bed).await;
    standing::cases(cases, &bed).await;
    refused::cases(cases, &bed).await;
    cases
        .case_within(CONTRACT, "each step is stopped, resumed and taken back", async {
            let before = listing::taken().await?;
            let order = order(&bed)?;
            let deployer = super::site::deployer();
            contract::deployer(&deployer, |id| order.plan(id).expect("a plan")).await;
            before.is_still_so().await
        })
        .await;
    tell(cases, verdicts)?;
    Ok(())
}

fn tell(cases: &Cases, verdicts: &Path) -> anyhow::Result<()> {
    let passed = cases.passed().iter().map(|name| json!({ "name": name }));
    let failed = cases.failed().iter();
    let failed = failed.map(|(name, why)| json!({ "name": name, "failed": format!("{why:#}") }));
    let skipped = cases.skipped().iter();
    let skipped = skipped.map(|(name, why)| json!({ "name": name, "skipped": why }));
    let all: Vec<_> = passed.chain(failed).chain(skipped).collect();
    Ok(std::fs::write(verdicts, serde_json::to_vec(&all)?)?)
}

/// What a command of the host says, which has to end well.
pub(super) async fn says(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let ended = Command::new(program).args(arguments).output().await.context(program.to_owned())?;
    let err = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{program} {}: {err}", arguments.join(" "));
    Ok(String::from_utf8(ended.stdout)?)
}

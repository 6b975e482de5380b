//! A server that is up, looked at from all sides, and its evidence.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, ensure};
use deploy_core::preflight::{Check, Verdict};
use deploy_core::{Record, Silent, Status};
use deploy_linux::{AgentOrder, LinuxOrder};

use tokio::process::Command;

use super::inside::{Bed, LIMIT, says};
use super::listing;
use super::site::{Site, order};
use crate::suite::Cases;

pub(super) async fn cases(cases: &mut Cases, bed: &Bed) {
    let checked = "a server and an agent are checked, and what was changed is seen";
    cases.case_within(LIMIT, checked, async { checked_case(bed).await }).await;
    let copied = "evidence is copied, and only then a server is taken down";
    cases.case_within(LIMIT, copied, async { copied_case(bed).await }).await;
}

fn with_agent(bed: &Bed) -> anyhow::Result<LinuxOrder> {
    Ok(LinuxOrder { agent: Some(AgentOrder::default()), ..order(bed)? })
}

fn unlike(checks: &[Check], verdict: Verdict) -> Vec<String> {
    let others = checks.iter().filter(|check| check.verdict != verdict);
    others.map(|it| format!("{}: {} / {}", it.what, it.expected, it.found)).collect()
}

async fn checked_case(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let site = Site::planned(&with_agent(bed)?).await?;
    let record = site.up(&Silent).await?;
    let seen = checked(&site, &record).await;
    site.down().await?;
    seen?;
    before.is_still_so().await
}

async fn checked(site: &Site, record: &Record) -> anyhow::Result<()> {
    let name = site.owner().name("");
    let good = site.checks(record).await;
    ensure!(unlike(&good, Verdict::Fits).is_empty(), "{:?}", unlike(&good, Verdict::Fits));
    ensure!(good.len() >= 19, "{} checks: {good:?}", good.len());

    // Each thing that somebody changes is seen, at its own place and at no other.
    let config = format!("/etc/{name}/server.config.yaml");
    let mode = |mode: u32| std::fs::set_permissions(&config, std::fs::Permissions::from_mode(mode));
    mode(0o644)?;
    seen_only(site, record, &[&format!("the configuration {config}")]).await?;
    mode(0o600)?;
    let kept = std::fs::read_to_string(&config)?;
    std::fs::write(&config, kept.replace("concurrency: 4", "concurrency: 5"))?;
    let found = site.checks(record).await;
    let drifted = found.iter().find(|it| it.what.contains("server.config.yaml"));
    let drifted = drifted.context("no check of the configuration")?;
    ensure!(drifted.found.contains("concurrency"), "{drifted:?}");
    std::fs::write(&config, kept)?;

    let unit = format!("{name}-server.service");
    let folder = format!("/etc/systemd/system/{unit}.d");
    std::fs::create_dir(&folder)?;
    std::fs::write(format!("{folder}/more.conf"), "[Service]\nMemoryMax=1G\nProtectHome=no\n")?;
    says("systemctl", &["daemon-reload"]).await?;
    let overridden = site.checks(record).await;
    std::fs::remove_dir_all(&folder)?;
    says("systemctl", &["daemon-reload"]).await?;
    for what in ["what overrides the unit", "limits", "confinement"] {
        let check = overridden.iter().find(|it| it.what == what).context(what)?;
        ensure!(check.verdict == Verdict::Unfit, "{check:?}");
    }
    let agent = format!("{name}-agent.service");
    says("systemctl", &["stop", &agent]).await?;
    seen_only(site, record, &[&format!("the unit {agent}")]).await?;
    says("systemctl", &["stop", &unit]).await?;
    let stopped = site.checks(record).await;
    for what in
        [&*format!("the unit {unit}"), "its ports", "the agents' port", "the GUI", "the API"]
    {
        let check = stopped.iter().find(|it| it.what == what).context(what.to_owned())?;
        ensure!(check.verdict == Verdict::Unfit, "{check:?}");
    }
    // A record of another host: what is not here is not looked at, and not missing.
    let mut elsewhere = record.clone();
    elsewhere.facts.insert(String::from("target"), "0123456789abcdef".into());
    let far = site.checks(&elsewhere).await;
    ensure!(far.len() == 1 && far[0].verdict == Verdict::NotLooked, "{far:?}");
    Ok(())
}

async fn seen_only(site: &Site, record: &Record, wanted: &[&str]) -> anyhow::Result<()> {
    let found = site.checks(record).await;
    let unfit = found.iter().filter(|check| check.verdict == Verdict::Unfit);
    let unfit: Vec<&str> = unfit.map(|check| check.what.as_str()).collect();
    ensure!(unfit == wanted, "{unfit:?}, wanted {wanted:?}");
    Ok(())
}

async fn copied_case(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let site = Site::planned(&with_agent(bed)?).await?;
    site.up(&Silent).await?;
    let folder = tempfile::Builder::new().tempdir_in("/var/tmp")?;
    let seen = copied(&site, folder.path()).await;
    if seen.is_err() {
        site.down().await?;
    }
    seen?;
    drop(folder);
    site.no_secrets().await?;
    before.is_still_so().await
}

async fn copied(site: &Site, folder: &Path) -> anyhow::Result<()> {
    let name = site.owner().name("");
    let inside = format!("/var/lib/{name}/data/copy.tar.gz");
    let error = site.down_copied(Path::new(&inside)).await.err().context("it was copied")?;
    ensure!(error.to_string().contains("would go with it"), "{error}");
    // A disk that is too small: nothing is taken down, and nothing is left there.
    let filler = Path::new("/small/filler");
    std::fs::write(filler, vec![1; 63 << 20])?;
    let error = site.down_copied(Path::new("/small/copy.tar.gz")).await;
    std::fs::remove_file(filler)?;
    let error = error.err().context("it was copied to a full disk")?;
    ensure!(error.to_string().contains("MiB free"), "{error}");
    ensure!(std::fs::read_dir("/small")?.next().is_none(), "something is left in /small");
    ensure!(Path::new(&format!("/var/lib/{name}/data")).exists(), "the data are gone");

    let file = folder.join("copy.tar.gz");
    let path = file.display().to_string();
    let record = site.down_copied(&file).await?;
    ensure!(record.status() == Status::Gone, "{:?}", record.status());
    let copy = record.copies.first().context("no copy on record")?;
    let said = says("sha256sum", &[&path]).await?;
    ensure!(said.starts_with(&copy.sha256), "{copy:?}: {said}");
    ensure!(std::fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600, "others read it");
    let names = says("tar", &["-tzf", &path]).await?;
    let rows = names.lines().find(|name| {
        name.contains("/artifacts/Generic.Client.Info/") && name.ends_with("/BasicInformation.json")
    });
    let rows = rows.with_context(|| format!("no rows in {names}"))?;
    let packed = Command::new("tar").args(["-xzOf", &path, rows]).output().await?;
    let mut content = String::new();
    flate2::read::ZlibDecoder::new(packed.stdout.as_slice()).read_to_string(&mut content)?;
    ensure!(content.contains("linuxhost"), "{rows}: {content}");
    Ok(())
}

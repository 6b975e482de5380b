//! The package that the vendor's own program makes, beside ours.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use tokio::process::Command;

use super::host::Host;
use super::{KITS, Site};

const NAME: &str = "vendorshost";

/// Paths, names and modes are those of the package that the vendor's program makes.
pub(super) async fn is_alike(site: &Site<'_>) -> anyhow::Result<()> {
    site.kit_at("ours.deb", &[]).await?;
    let folder = site.home.folder.path();
    let config = folder.join("for-the-vendor.yaml").display().to_string();
    let show = ["deployments", "config", &site.id, "--what", "client", "--out", &config];
    site.home.json(&show).await?;
    let output = folder.join("vendor");
    std::fs::create_dir(&output)?;
    let made = Command::new(&site.binary)
        .args(["--nobanner", "--config", &config, "debian", "client", "--output"])
        .arg(&output)
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let vendors = output.join("velociraptor_client_0.77.2_amd64.deb");
    std::fs::copy(&vendors, site.kits.join("vendors.deb"))?;
    let ours = site.kits.join("ours.deb");
    for field in ["Package", "Version", "Architecture", "Homepage"] {
        let (one, other) = (of(&ours, field).await?, of(&vendors, field).await?);
        ensure!(one == other, "{field}: {one:?} and {other:?}");
    }
    let (ours, vendors) = (files(&ours).await?, files(&vendors).await?);
    let paths = |files: &BTreeSet<(String, String)>| -> BTreeSet<String> {
        files.iter().map(|(path, _)| path.clone()).collect()
    };
    ensure!(paths(&ours) == paths(&vendors), "{ours:?} and {vendors:?}");
    // On purpose: others never read the configuration; the vendor's script takes that back later.
    // The vendor's program is made executable by its script; here it is so from the beginning.
    let differs: Vec<_> = ours.difference(&vendors).collect();
    let wanted = [
        ("etc/velociraptor/client.config.yaml", "-rw-------"),
        ("usr/local/bin/velociraptor_client", "-rwxr-xr-x"),
    ];
    let found: Vec<_> = differs.iter().map(|(path, mode)| (path.as_str(), mode.as_str())).collect();
    ensure!(found == wanted, "{differs:?}");
    Ok(())
}

async fn said(arguments: &[&str]) -> anyhow::Result<String> {
    let ended = Command::new("dpkg-deb").args(arguments).output().await.context("dpkg-deb")?;
    let err = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "dpkg-deb {}: {err}", arguments.join(" "));
    Ok(String::from_utf8(ended.stdout)?)
}

async fn of(package: &Path, field: &str) -> anyhow::Result<String> {
    said(&["--field", &package.display().to_string(), field]).await
}

/// The files that are no folders, with their modes.
async fn files(package: &Path) -> anyhow::Result<BTreeSet<(String, String)>> {
    let listed = said(&["--contents", &package.display().to_string()]).await?;
    let lines = listed.lines().filter(|line| !line.starts_with('d'));
    lines
        .map(|line| {
            let mode = line.split_whitespace().next().context("a mode")?;
            let path = line.split_whitespace().last().context("a path")?;
            Ok((path.trim_start_matches("./").to_owned(), mode.to_owned()))
        })
        .collect()
}

/// Where the vendor's package is, ours takes its place, and the client is the same.
pub(super) async fn takes_its_place(site: &Site<'_>) -> anyhow::Result<()> {
    let host = site.host(NAME).await?;
    let seen = replaced(site, &host).await;
    host.remove().await?;
    seen
}

async fn replaced(site: &Site<'_>, host: &Host) -> anyhow::Result<()> {
    let (before, begun) = (host.listing().await?, Timestamp::now());
    host.says(&["dpkg", "-i", &format!("{KITS}/vendors.deb")]).await?;
    let agent = site.enrolled(NAME, begun).await.context("the vendor's")?;
    host.says(&["dpkg", "-i", &format!("{KITS}/ours.deb")]).await?;
    host.is("/etc/velociraptor/client.config.yaml", "root root 600").await?;
    site.answers(&agent).await?;
    let all = site.agents(NAME).await?;
    ensure!(all == [agent.clone()], "{agent:?} became {all:?}");
    host.says(&["dpkg", "--purge", "velociraptor-client"]).await?;
    // The vendor's agent keeps its buffer where everybody writes, and nobody removes that.
    host.says(&["rm", "-f", "/var/tmp/Velociraptor_Buffer.bin"]).await?;
    host.is_as(&before).await
}

//! The tarball and its scripts.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use jiff::Timestamp;

use super::host::Host;
use super::{KITS, Site};

const NAME: &str = "tarhost";

/// Where it is unpacked.
pub(super) const FOLDER: &str = "/tmp/velociraptor_client_0.77.2_amd64";

pub(super) async fn walk(site: &Site<'_>) -> anyhow::Result<()> {
    site.kit_at("one.tar.gz", &["--format", "tarball", "--label", "kit-tar"]).await?;
    let host = site.host(NAME).await?;
    let seen = installed(site, &host).await;
    host.remove().await?;
    seen
}

pub(super) async fn unpack(host: &Host) -> anyhow::Result<()> {
    host.says(&["tar", "-C", "/tmp", "-xzf", &format!("{KITS}/one.tar.gz")]).await.map(drop)
}

async fn installed(site: &Site<'_>, host: &Host) -> anyhow::Result<()> {
    let before = host.listing().await?;
    unpack(host).await?;
    host.is(&format!("{FOLDER}/client.config.yaml"), "root root 600").await?;
    let (begun, install) = (Timestamp::now(), format!("{FOLDER}/install.sh"));
    host.says(&["sh", &install]).await?;
    let agent = site.enrolled(NAME, begun).await.context("installed for the first time")?;
    site.answers(&agent).await?;
    let labels = site.labels(&agent).await?;
    ensure!(labels.iter().any(|label| label == "kit-tar"), "{labels:?}");
    for (path, wanted) in [
        ("/usr/local/bin/velociraptor_client", "root root 755"),
        ("/etc/velociraptor", "root root 711"),
        ("/etc/velociraptor/client.config.yaml", "root root 600"),
        ("/etc/systemd/system/velociraptor_client.service", "root root 644"),
        ("/var/lib/velociraptor_client", "root root 700"),
    ] {
        host.is(path, wanted).await?;
    }
    let process = host.process().await?;
    host.says(&["sh", &install]).await?;
    let again = host.process().await?;
    ensure!(again != process && again != "0", "process {process} became {again}");
    site.answers(&agent).await.context("installed again")?;

    let uninstall = "/var/lib/velociraptor_client/uninstall.sh";
    host.says(&["sh", uninstall, "--keep-identity"]).await?;
    let now = host.listing().await?;
    let left: BTreeSet<_> = now.difference(&before).filter(|line| !unpacked(line)).collect();
    let identity = |line: &&String| line.starts_with("/etc/velociraptor.writeback.yaml");
    ensure!(!left.is_empty() && left.iter().all(identity), "{left:#?}");
    host.says(&["sh", &install]).await?;
    site.answers(&agent).await.context("removed and installed again")?;
    let all = site.agents(NAME).await?;
    ensure!(all == [agent.clone()], "{agent:?} became {all:?}");

    host.says(&["sh", uninstall]).await?;
    host.says(&["rm", "-rf", FOLDER]).await?;
    host.is_as(&before).await
}

fn unpacked(line: &str) -> bool {
    line.starts_with(FOLDER)
}

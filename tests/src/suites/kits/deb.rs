//! The package of Debian.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::host::Host;
use super::{KITS, Site};

const NAME: &str = "debhost";

pub(super) async fn walk(site: &Site<'_>) -> anyhow::Result<()> {
    let written = site.kit_at("one.deb", &["--label", "kit-deb"]).await?;
    is_told_and_kept(site, "one.deb", &written)?;
    let host = site.host(NAME).await?;
    let seen = installed(site, &host).await;
    host.remove().await?;
    seen
}

/// The answer is true of the file, and has nothing of what is in it.
fn is_told_and_kept(
    site: &Site<'_>,
    name: &str,
    written: &serde_json::Value,
) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = site.kits.join(name);
    let bytes = std::fs::read(&path)?;
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(written["sha256"] == sha256.as_str(), "{written}");
    ensure!(written["size"] == bytes.len(), "{written}");
    ensure!(std::fs::metadata(&path)?.permissions().mode() & 0o777 == 0o600, "others can read it");
    let said = written.to_string();
    ensure!(!said.contains("nonce") && !said.contains("CERTIFICATE"), "{said}");
    Ok(())
}

async fn installed(site: &Site<'_>, host: &Host) -> anyhow::Result<()> {
    let before = host.listing().await?;
    let (begun, kit) = (Timestamp::now(), format!("{KITS}/one.deb"));
    host.says(&["dpkg", "-i", &kit]).await?;
    let agent = site.enrolled(NAME, begun).await.context("installed for the first time")?;
    site.answers(&agent).await?;
    let labels = site.labels(&agent).await?;
    for label in ["case-17", "kit-deb"] {
        ensure!(labels.iter().any(|found| found == label), "no {label} in {labels:?}");
    }
    for (path, wanted) in [
        ("/usr/local/bin/velociraptor_client", "root root 755"),
        ("/etc/velociraptor", "root root 711"),
        ("/etc/velociraptor/client.config.yaml", "root root 600"),
        ("/etc/systemd/system/velociraptor_client.service", "root root 644"),
        ("/var/lib/velociraptor_client", "root root 700"),
        ("/etc/velociraptor.writeback.yaml", "root root 600"),
    ] {
        host.is(path, wanted).await?;
    }
    // What dpkg compares is what is there.
    let changed = host.says(&["dpkg", "--verify", "velociraptor-client"]).await?;
    ensure!(changed.trim().is_empty(), "{changed}");
    let audit = host.says(&["dpkg", "--audit"]).await?;
    ensure!(audit.trim().is_empty(), "{audit}");

    // The same again, and a newer one: another process, the same client.
    let process = host.process().await?;
    host.says(&["dpkg", "-i", &kit]).await?;
    let again = host.process().await?;
    ensure!(again != process && again != "0", "process {process} became {again}");
    is_still(site, &agent).await.context("installed again")?;
    newer(host, &kit).await?;
    let version =
        host.says(&["dpkg-query", "-W", "-f", "${Version}", "velociraptor-client"]).await?;
    ensure!(version == "0.77.3", "{version}");
    is_still(site, &agent).await.context("upgraded")?;
    below_itself(host, &kit).await?;
    is_still(site, &agent).await.context("installed below itself")?;

    // Removed and installed again it is the same client; purged, nothing is left.
    host.says(&["dpkg", "-r", "velociraptor-client"]).await?;
    let left: BTreeSet<_> = host.listing().await?.difference(&before).cloned().collect();
    let identity = |line: &String| line.starts_with("/etc/velociraptor.writeback.yaml");
    let kept = |line: &String| line.starts_with("/var/lib/velociraptor_client");
    ensure!(left.iter().all(|line| identity(line) || kept(line)), "{left:#?}");
    ensure!(left.iter().any(identity), "the identity is gone: {left:#?}");
    host.says(&["dpkg", "-i", &kit]).await?;
    is_still(site, &agent).await.context("removed and installed again")?;
    host.says(&["dpkg", "--purge", "velociraptor-client"]).await?;
    host.is_as(&before).await
}

/// The one agent of that host is the one that it was, and answers.
async fn is_still(site: &Site<'_>, agent: &super::Agent) -> anyhow::Result<()> {
    site.answers(agent).await?;
    let all = site.agents(NAME).await?;
    ensure!(all == [agent.clone()], "{agent:?} became {all:?}");
    Ok(())
}

/// The same package with a newer number, as a later release has it.
async fn newer(host: &Host, kit: &str) -> anyhow::Result<()> {
    host.says(&["dpkg-deb", "--raw-extract", kit, "/newer"]).await?;
    let number = "s/^Version: .*/Version: 0.77.3/";
    host.says(&["sed", "-i", number, "/newer/DEBIAN/control"]).await?;
    host.says(&["dpkg-deb", "-Zgzip", "-z1", "--build", "/newer", "/newer.deb"]).await?;
    host.says(&["dpkg", "-i", "/newer.deb"]).await?;
    host.says(&["rm", "-rf", "/newer", "/newer.deb"]).await.map(drop)
}

/// An agent that installs the package itself is not ended in the middle.
async fn below_itself(host: &Host, kit: &str) -> anyhow::Result<()> {
    let process = host.process().await?;
    let script = "for group in $(find /sys/fs/cgroup -type d -name velociraptor_client.service); do
            echo $$ > $group/cgroup.procs
        done
        grep -q velociraptor_client.service /proc/self/cgroup || exit 9
        exec dpkg -i \"$1\"";
    let said = host.says(&["sh", "-c", script, "sh", kit]).await?;
    ensure!(said.contains("installed by the agent itself"), "{said}");
    let now = host.process().await?;
    ensure!(now == process, "process {process} became {now}");
    Ok(())
}

//! Hosts and servers for which there is no agent.

use anyhow::ensure;

use super::host::Host;
use super::tarball::{FOLDER, unpack};
use super::{KITS, Site};

pub(super) async fn hosts(site: &Site<'_>) -> anyhow::Result<()> {
    let host = site.host("refusedhost").await?;
    let seen = refuses(&host).await;
    host.remove().await?;
    seen
}

async fn refuses(host: &Host) -> anyhow::Result<()> {
    unpack(host).await?;
    let install = format!("{FOLDER}/install.sh");
    // Somebody who is not root, and may read it all.
    host.says(&["chmod", "-R", "a+rX", FOLDER]).await?;
    let before = host.listing().await?;
    let nobody =
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", &install];
    says_no(host, &nobody, "only root can install").await?;
    // No systemd to be seen.
    let hidden = format!("mount -t tmpfs none /run/systemd && exec sh {install}");
    says_no(host, &["unshare", "--mount", "sh", "-c", &hidden], "systemd does not lead").await?;
    // Another processor than the program's.
    let other = format!("PATH=/tmp/other:$PATH exec sh {install}");
    host.says(&["mkdir", "/tmp/other"]).await?;
    host.says(&[
        "sh",
        "-c",
        "printf '#!/bin/sh\\necho aarch64\\n' > /tmp/other/uname; chmod +x /tmp/other/uname",
    ])
    .await?;
    says_no(host, &["sh", "-c", &other], "another processor").await?;
    host.says(&["rm", "-r", "/tmp/other"]).await?;
    // Something was changed on the way.
    host.says(&["sh", "-c", &format!("echo '# x' >> {FOLDER}/client.config.yaml")]).await?;
    says_no(host, &["sh", &install], "not the one that was packed").await?;
    host.is_as(&before).await?;
    // The package is there already, and stays.
    host.says(&["rm", "-rf", FOLDER]).await?;
    unpack(host).await?;
    host.says(&["dpkg", "-i", &format!("{KITS}/one.deb")]).await?;
    let process = host.process().await?;
    says_no(host, &["sh", &install], "is installed on this host").await?;
    let uninstall = format!("{FOLDER}/uninstall.sh");
    says_no(host, &["sh", &uninstall], "dpkg --purge").await?;
    ensure!(host.process().await? == process, "the agent was touched");
    Ok(())
}

async fn says_no(host: &Host, arguments: &[&str], why: &str) -> anyhow::Result<()> {
    let (code, said) = host.run(arguments).await?;
    ensure!(code != 0, "{} ended well: {said}", arguments.join(" "));
    ensure!(said.contains(why) && said.contains("next: "), "{said}");
    Ok(())
}

/// Nothing is written for a server that is not there, and nothing is written over.
pub(super) async fn servers(site: &Site<'_>) -> anyhow::Result<()> {
    let there = site.kits.join("one.deb");
    let before = std::fs::read(&there)?;
    let (file, id) = (there.display().to_string(), site.id.as_str());
    let (code, said) = site.home.run(&["deployments", "installer", id, "--out", &file]).await?;
    ensure!(code != 0 && said.to_string().contains("is there already"), "{said}");
    ensure!(std::fs::read(&there)? == before, "it was written over");
    let out = site.kits.join("none.deb").display().to_string();
    let name = format!("megaraptor-{}-server", id.to_lowercase());
    super::docker(&["stop", &name]).await?;
    let (code, said) = site.home.run(&["deployments", "installer", id, "--out", &out]).await?;
    super::docker(&["start", &name]).await?;
    crate::wait::until("the server to answer again", super::ENROL, || site.agents("")).await?;
    ensure!(code != 0 && said["error"]["code"] == "unavailable", "{said}");
    ensure!(!std::path::Path::new(&out).exists(), "{out} was written");
    Ok(())
}

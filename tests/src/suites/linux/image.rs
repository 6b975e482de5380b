//! An image with systemd: the one that is named, the one that is there, or one made from packages.

use std::env;

use anyhow::Context;
use tokio::process::Command;

use super::docker;
use crate::suite::Halt;

/// Names an image whose `/sbin/init` is systemd.
const NAMED: &str = "MEGARAPTOR_SYSTEMD_IMAGE";

/// The image that is made here. It stays, since making it takes half a minute.
const OURS: &str = "megaraptor-testbed/systemd:bookworm";

/// What it has beside the bare minimum.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,iproute2,procps";

/// The image.
///
/// # Errors
/// [`Halt::Skip`] where there is none and none can be made.
pub async fn find() -> Result<String, Halt> {
    let daemon = Command::new("docker").args(["version", "--format", "{{.Server.Os}}"]).output();
    match daemon.await {
        Ok(ended) if ended.status.success() => {}
        Ok(ended) => {
            let why = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            return Err(Halt::Skip(format!("no Docker daemon answers: {why}")));
        }
        Err(error) => return Err(Halt::Skip(format!("docker does not start: {error}"))),
    }
    if let Ok(named) = env::var(NAMED) {
        docker(&["image", "inspect", &named]).await.with_context(|| format!("{NAMED}={named}"))?;
        return Ok(named);
    }
    if docker(&["image", "inspect", OURS]).await.is_ok() {
        return Ok(OURS.to_owned());
    }
    made().await
}

async fn made() -> Result<String, Halt> {
    let skip = |why: String| {
        Halt::Skip(format!("no image with systemd: set {NAMED}, or make mmdebstrap work: {why}"))
    };
    let folder = tempfile::tempdir()?;
    let packed = folder.path().join("root.tar");
    let built = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=minbase", "--include", PACKAGES, "bookworm"])
        .arg(&packed)
        .arg("http://deb.debian.org/debian")
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| skip(error.to_string()))?;
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr).into_owned();
        return Err(skip(said.lines().last().unwrap_or("it failed").to_owned()));
    }
    let packed = packed.to_string_lossy();
    let changes = ["-c", "CMD [\"/sbin/init\"]", "-c", "ENV container docker"];
    docker(&[&["import"][..], &changes, &[&packed, OURS]].concat()).await?;
    Ok(OURS.to_owned())
}

//! Hosts on which a deployment cannot be: nothing of it is left, and nothing of others is touched.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use deploy_core::preflight::Verdict;
use deploy_core::transport::{Content, NewFile, Rights, Transport};
use deploy_core::{Progress, Silent};
use deploy_linux::{LinuxOrder, Local};
use tokio::net::TcpListener;

use super::inside::{Bed, LIMIT, says};
use super::listing;
use super::site::{Site, order};
use crate::suite::Cases;

pub(super) async fn cases(cases: &mut Cases, bed: &Bed) {
    cases
        .case("a port that is taken is found before anything is made", async {
            port_taken(bed).await
        })
        .await;
    cases
        .case("a disk without room is found before anything is made", async { no_room(bed).await })
        .await;
    cases
        .case("a file for which there is no room leaves nothing", async {
            no_room_for_a_file(bed).await
        })
        .await;
    cases
        .case("a binary for another architecture is refused", async {
            other_architecture(bed).await
        })
        .await;
    cases
        .case_within(LIMIT, "what is not ours is in the way and is not touched", async {
            what_is_not_ours_stays(bed).await
        })
        .await;
    cases
        .case_within(LIMIT, "a server that never serves fails it with its journal", async {
            d34_d38_never_well(bed).await
        })
        .await;
}

async fn port_taken(bed: &Bed) -> anyhow::Result<()> {
    for service in ["the metrics", "the GUI"] {
        let order = order(bed)?;
        let bind = if service == "the GUI" { order.listen.gui } else { order.listen.monitoring };
        let taken = TcpListener::bind((bind.address, bind.port)).await?;
        let before = listing::taken().await?;
        let text = Site::planned(&order).await?.refused(&Silent).await?;
        let port = format!("127.0.0.1:{}", bind.port);
        ensure!(text.contains("step host") && text.contains(&port), "{service}: {text}");
        before.is_still_so().await?;
        drop(taken);
    }
    Ok(())
}

async fn no_room(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let order = LinuxOrder { data_under: String::from("/small"), ..order(bed)? };
    let checks = order.checks(&Local).await?;
    let unfit = checks.iter().filter(|check| check.verdict != Verdict::Fits);
    let unfit: Vec<&str> = unfit.map(|check| check.what.as_str()).collect();
    ensure!(unfit == ["free disk at /small"], "{checks:?}");
    let text = Site::planned(&order).await?.refused(&Silent).await?;
    let wanted = "free disk at /small: at least 2.0 GiB, found 64 MiB";
    ensure!(text.contains(wanted), "{text}");
    let order = LinuxOrder { data_under: String::from("/not/there"), ..order };
    let text = Site::planned(&order).await?.refused(&Silent).await?;
    ensure!(text.contains("/not/there: a folder, found none"), "{text}");
    before.is_still_so().await
}

async fn no_room_for_a_file(bed: &Bed) -> anyhow::Result<()> {
    let content = Content::File { path: &bed.binary, sha256: &bed.sha256 };
    let file = NewFile { path: "/small/binary", content, rights: Rights::root(0o755) };
    let error = Local.put(&file).await.err().context("82 MiB are in 64")?.to_string();
    ensure!(error.contains("/small/binary") && error.contains("No space left"), "{error}");
    let left = says("ls", &["-A", "/small"]).await?;
    ensure!(left.is_empty(), "left: {left}");
    Ok(())
}

async fn other_architecture(bed: &Bed) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let binary: PathBuf = folder.path().join("velociraptor");
    let mut head = [0_u8; 64];
    head.copy_from_slice(&std::fs::read(&bed.binary)?[..64]);
    // RISC-V, and whatever this is not.
    head[18] = if head[18] == 62 { 183 } else { 62 };
    std::fs::write(&binary, head)?;
    let order = LinuxOrder { binary, ..order(bed)? };
    let text = Site::planned(&order).await?.refused(&Silent).await?;
    ensure!(text.contains("the binary: one for"), "{text}");
    Ok(())
}

async fn what_is_not_ours_stays(bed: &Bed) -> anyhow::Result<()> {
    let untouched = listing::taken().await?;
    for what in ["user", "group", "folder", "unit"] {
        let site = Site::planned(&order(bed)?).await?;
        let name = site.owner().name("");
        let folder = PathBuf::from(format!("/opt/{name}"));
        let unit = PathBuf::from(format!("/etc/systemd/system/{name}-server.service"));
        match what {
            "user" => drop(says("useradd", &["--system", "--comment", "theirs", &name]).await?),
            "group" => drop(says("groupadd", &["--system", &name]).await?),
            "folder" => {
                std::fs::create_dir(&folder)?;
                std::fs::write(folder.join("theirs"), "theirs")?;
            }
            _ => {
                std::fs::write(&unit, "[Service]\nExecStart=/bin/true\n")?;
                says("systemctl", &["daemon-reload"]).await?;
            }
        }
        let before = listing::taken().await?;
        let text = site.refused(&Silent).await.with_context(|| what.to_owned())?;
        ensure!(text.contains(&format!("a {what} of that name")), "{what}: {text}");
        before.is_still_so().await.with_context(|| what.to_owned())?;
        // Nor is it when what was never made is taken down.
        site.down().await?;
        before.is_still_so().await.with_context(|| what.to_owned())?;
        match what {
            "user" => drop(says("userdel", &[&name]).await?),
            "group" => drop(says("groupdel", &[&name]).await?),
            "folder" => std::fs::remove_dir_all(&folder)?,
            _ => {
                std::fs::remove_file(&unit)?;
                says("systemctl", &["daemon-reload"]).await?;
            }
        }
    }
    untouched.is_still_so().await
}

async fn d34_d38_never_well(bed: &Bed) -> anyhow::Result<()> {
    /// Somebody takes the configuration away before the server starts.
    struct Spoil(PathBuf);
    impl Progress for Spoil {
        fn say(&self, step: usize, _of: usize, what: &str) {
            if step == 8 && what.starts_with("starts") {
                let _ = std::fs::write(&self.0, "version: 1\n");
            }
        }
    }
    let before = listing::taken().await?;
    let order = LinuxOrder { health: Duration::from_secs(30), ..order(bed)? };
    let site = Site::planned(&order).await?;
    let file = Path::new("/etc").join(site.owner().name("")).join("server.config.yaml");
    let text = site.refused(&Spoil(file)).await?;
    // What the program itself says is why, not that it was started again.
    let why = text.split("its log ends: ").nth(1).unwrap_or_default();
    ensure!(text.contains("step server") && why.contains("rror"), "{text}");
    before.is_still_so().await
}

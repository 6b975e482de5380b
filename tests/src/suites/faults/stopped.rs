//! A daemon that stops, and a disk that fills, on a daemon of the suite's own.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::sync::Mutex;

use super::dockerd::Dockerd;
use super::home;
use crate::home::{Home, Refused};
use crate::suite::Cases;

const LIMIT: Duration = Duration::from_secs(300);

/// Enough for a small server, in MiB: what its profile asks for, an image, and a container of it.
const ENOUGH: u64 = 2700;

pub(super) async fn cases(cases: &mut Cases) {
    let root = rustix::process::geteuid().is_root();
    let there = std::process::Command::new("dockerd").arg("--version").output().is_ok();
    if !root || !there {
        let why = "it needs root and dockerd, for a daemon and a disk of its own";
        for name in [SMALL, FULL, HALFWAY, RUNNING] {
            cases.skip(name, why);
        }
        return;
    }
    cases.case_within(LIMIT, SMALL, small()).await;
    cases.case_within(LIMIT, FULL, d27_full()).await;
    cases.case_within(LIMIT, HALFWAY, d44_halfway()).await;
    cases.case_within(LIMIT, RUNNING, d44_running()).await;
}

const SMALL: &str = "a disk without room is found before anything is made";
const FULL: &str = "a disk that fills half way is named, and all is taken back";
const HALFWAY: &str = "a daemon that stops half way is named, and the rest is done when it is back";
const RUNNING: &str =
    "a disk that fills while it runs is seen, and nothing is forgotten while its daemon is away";

fn home_on(daemon: &Dockerd) -> anyhow::Result<Home> {
    Ok(home()?.with("DOCKER_HOST", daemon.host()))
}

async fn small() -> anyhow::Result<()> {
    let daemon = Dockerd::start(300).await?;
    let home = home_on(&daemon)?;
    let said = home.refused(&home.deploy_docker("minimal", &[])).await?;
    said.says("conflict", &["nothing was done", "free disk at", "at least 2.0 GiB"], "another")?;
    home.is_empty().await?;
    let left = daemon.all()?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

async fn d27_full() -> anyhow::Result<()> {
    let daemon = Dockerd::start(ENOUGH).await?;
    let home = home_on(&daemon)?;
    let deploy = home.deploy_docker("minimal", &[]);
    let fill = || async { daemon.leave(20) };
    let (code, data) = home.when_said(&deploy, "2/9 ", fill).await?;
    let said = Refused::of(code, &data)?;
    said.says("server_failed", &["step image", "no space left on device", "taken back"], "resume")?;
    let left = daemon.all()?;
    ensure!(left.is_empty(), "left: {left:?}");
    let secrets = home.json(&["credential", "list"]).await?;
    ensure!(secrets["total"] == 0, "secrets are left: {secrets}");
    Ok(())
}

async fn d44_halfway() -> anyhow::Result<()> {
    let daemon = Mutex::new(Dockerd::start(ENOUGH).await?);
    let home = home_on(&*daemon.lock().await)?;
    let deploy = home.deploy_docker("minimal", &[]);
    let stop = || async { daemon.lock().await.stop() };
    let (code, data) = home.when_said(&deploy, "7/9 ", stop).await?;
    let said = Refused::of(code, &data)?;
    let host = daemon.lock().await.host();
    let why = ["step server failed", "the Docker daemon at", &host, "does not answer"];
    said.says("unavailable", &why, "make it reachable")?;
    // It is on record, with its keys.
    let listed = home.json(&["deployments", "list"]).await?;
    let id = listed["deployments"][0]["id"].as_str().context("it is not on record")?.to_owned();
    ensure!(kept(&home).await? > 0, "its keys are gone");
    daemon.lock().await.again().await?;
    let gone = home.destroy(&id).await;
    let left = daemon.lock().await.all()?;
    gone?;
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

async fn d44_running() -> anyhow::Result<()> {
    let daemon = Mutex::new(Dockerd::start(ENOUGH).await?);
    let home = home_on(&*daemon.lock().await)?;
    let id = home.deployed("minimal").await?;
    let room = |data: &Value| data["room"]["verdict"].as_str().unwrap_or_default().to_owned();
    let show = ["deployments", "show", &id];
    let (_, shown) = home.run(&show).await?;
    ensure!(room(&shown) == "fits", "{shown}");

    // Its health stays as it was, and it takes nothing from agents any more.
    daemon.lock().await.leave(50)?;
    let (code, shown) = home.run(&show).await?;
    ensure!(code == 9 && room(&shown) == "unfit", "{code} {shown}");
    let warned = shown["warnings"].to_string();
    ensure!(warned.contains("free disk at") && warned.contains("make room"), "{shown}");
    daemon.lock().await.grow(ENOUGH)?;

    daemon.lock().await.stop()?;
    let before = kept(&home).await?;
    let said = home.refused(&["deployments", "destroy", &id, "--discard-evidence"]).await?;
    said.says("unavailable", &["does not answer"], "")?;
    ensure!(kept(&home).await? == before && before > 0, "of {before} secrets some are gone");
    let listed = home.json(&["deployments", "list"]).await?;
    ensure!(listed["deployments"][0]["id"] == id.as_str(), "{listed}");
    daemon.lock().await.again().await?;
    home.destroy(&id).await?;
    home.destroy(&id).await.context("destroyed twice")?;
    let left = daemon.lock().await.all()?;
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

async fn kept(home: &Home) -> anyhow::Result<u64> {
    let secrets = home.json(&["credential", "list"]).await?;
    secrets["total"].as_u64().with_context(|| secrets.to_string())
}

//! Daemons on which a server cannot be deployed.

use anyhow::ensure;

use super::home;
use super::proxy::Proxy;
use crate::home::Refused;
use crate::suite::Cases;

pub(super) async fn cases(cases: &mut Cases) {
    cases.case("a daemon that is not there is said to be down", down()).await;
    cases.case("an address that is none is refused", address()).await;
    cases.case("a daemon that is too old is refused", too_old()).await;
    cases.case("a daemon with containers of Windows is refused", windows()).await;
    cases.case("a clock that is far off is found before anything is made", clock()).await;
}

async fn refused(host: &str) -> anyhow::Result<Refused> {
    let home = home()?.with("DOCKER_HOST", host);
    let refused = home.refused(&home.deploy_docker("minimal", &[])).await?;
    ensure!(refused.message.contains(host), "it does not name {host}: {refused:?}");
    home.is_empty().await?;
    Ok(refused)
}

async fn down() -> anyhow::Result<()> {
    let said = refused("unix:///nowhere/docker.sock").await?;
    said.says("unavailable", &["does not answer"], "DOCKER_HOST")
}

async fn address() -> anyhow::Result<()> {
    for host in ["docker.sock", "tcp://dock.example.org:2375"] {
        refused(host).await?.says("invalid_input", &["expected unix:///PATH"], "DOCKER_HOST")?;
    }
    Ok(())
}

async fn too_old() -> anyhow::Result<()> {
    let proxy =
        Proxy::changing(&[("\"ApiVersion\":\"1.", "\"ApiVersion\":\"1.24\",\"Was\":\"1.")])?;
    refused(&proxy.host()).await?.says("conflict", &["1.24", "1.41", "Docker 20.10"], "newer")
}

async fn windows() -> anyhow::Result<()> {
    let proxy = Proxy::changing(&[("\"OSType\":\"linux\"", "\"OSType\":\"windows\"")])?;
    refused(&proxy.host()).await?.says("conflict", &["windows", "Linux containers"], "switch")
}

async fn clock() -> anyhow::Result<()> {
    let proxy = Proxy::changing(&[("\"SystemTime\":\"2", "\"SystemTime\":\"1")])?;
    let home = home()?.with("DOCKER_HOST", proxy.host());
    let said = home.refused(&home.deploy_docker("minimal", &[])).await?;
    home.is_empty().await?;
    said.says("conflict", &["nothing was done", "clock"], "set the clock")
}

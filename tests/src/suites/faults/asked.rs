//! Orders that cannot be carried out: refused before anything is made.

use std::path::PathBuf;

use anyhow::ensure;
use tokio::net::TcpListener;

use super::home;
use crate::home::Home;
use crate::suite::Cases;

pub(super) async fn cases(cases: &mut Cases) {
    cases.case("a bad host name is refused", d28_d29_host_names()).await;
    cases.case("a package that is not what it is said to be is refused", packages()).await;
    cases.case("a package for another architecture is refused", architecture()).await;
    cases.case("a port that is taken is found before anything is made", d36_port()).await;
}

async fn refused(home: &Home, more: &[&str]) -> anyhow::Result<crate::home::Refused> {
    let refused = home.refused(&home.deploy_docker("minimal", more)).await?;
    home.is_empty().await?;
    Ok(refused)
}

async fn d28_d29_host_names() -> anyhow::Result<()> {
    let home = home()?;
    for bad in [
        "bad host:8000",
        "vr..example.org:8000",
        "https://vr.example.org:8000",
        "vr.example.org:0",
        "vr.example.org:70000",
        "vr.example.org",
    ] {
        let said = refused(&home, &["--agents-at", bad]).await?;
        said.says("invalid_input", &[bad, "expected"], "")?;
        ensure!(!said.next.is_empty(), "{said:?}");
    }
    Ok(())
}

async fn packages() -> anyhow::Result<()> {
    let home = home()?;
    let file = |name: &str, bytes: &[u8]| -> anyhow::Result<String> {
        let path: PathBuf = home.folder.path().join(name);
        std::fs::write(&path, bytes)?;
        Ok(path.display().to_string())
    };
    let whole = std::fs::read(&home.binary)?;
    let page = file("page", b"<html>404 Not Found</html>")?;
    let cut = file("cut", &whole[..whole.len() / 2])?;
    let empty = file("empty", b"")?;
    let missing = home.folder.path().join("missing").display().to_string();
    let wrong = "0".repeat(64);
    for (file, more, says) in [
        (&page, None, "page"),
        (&empty, None, "empty"),
        (&cut, Some(wrong.as_str()), "SHA-256"),
        (&missing, None, "missing"),
    ] {
        let mut options = vec!["--binary", file];
        options.extend(more.into_iter().flat_map(|sha256| ["--sha256", sha256]));
        let said = refused(&home, &options).await?;
        ensure!(said.message.contains(says), "{file}: {said:?}");
        ensure!(said.next.contains("--binary"), "{file}: {said:?}");
    }
    Ok(())
}

async fn architecture() -> anyhow::Result<()> {
    let home = home()?;
    let mut bytes = std::fs::read(&home.binary)?;
    let (other, own) = match bytes[18] {
        62 => ((183, "aarch64"), "linux-amd64"),
        _ => ((62, "x86_64"), "linux-arm64"),
    };
    bytes[18] = other.0;
    let file = home.folder.path().join("other");
    std::fs::write(&file, bytes)?;
    let file = file.display().to_string();
    let said = refused(&home, &["--binary", &file]).await?;
    ensure!(said.message.contains(other.1) && said.message.contains(own), "{said:?}");
    Ok(())
}

async fn d36_port() -> anyhow::Result<()> {
    let home = home()?;
    for (what, port) in [("the GUI", home.ports.gui), ("the agents' port", home.ports.frontend)] {
        let taken = TcpListener::bind(("127.0.0.1", port)).await?;
        let said = refused(&home, &[]).await?;
        let at = format!("127.0.0.1:{port}");
        said.says("conflict", &[what, &at, "nothing was done"], &port.to_string())?;
        drop(taken);
    }
    Ok(())
}

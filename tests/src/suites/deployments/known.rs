//! What is said of a deployment that is up is so: checks, configuration, agents, documents.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};

use super::{Bed, Home, docker, text};

/// How long an agent may take to enrol: one that misses the server's first word comes back after
/// its own back-off.
const ENROL: Duration = Duration::from_secs(240);

impl Bed {
    pub(super) async fn known(&self) -> anyhow::Result<()> {
        let home = self.home()?;
        let up = home.json(&home.deploy(&["--label", "case-17"])).await?;
        let id = text(&up["deployment"]["id"])?;
        let seen = self.seen(&home, &id).await;
        home.destroy(&id).await?;
        seen?;
        let (code, gone) = home.run(&["deployments", "validate", &id]).await?;
        ensure!(code == 9 && gone["valid"] == false, "{gone}");
        Ok(())
    }

    async fn seen(&self, home: &Home<'_>, id: &str) -> anyhow::Result<()> {
        let folder = home.folder.path();
        let checked = home.json(&["deployments", "validate", id]).await?;
        ensure!(checked["valid"] == true && checked["counts"]["fits"] == 27, "{checked}");
        let shown = home.json(&["deployments", "config", id, "--differences"]).await?;
        ensure!(shown["differences"].as_array().is_some_and(Vec::is_empty), "{shown}");

        let client = folder.join("client.config.yaml");
        let path = client.display().to_string();
        let write = ["deployments", "config", id, "--what", "client", "--out", &path];
        home.json(&write).await?;
        ensure!(mode(&client)? == 0o600, "others can read {path}");
        let kept = std::fs::read_to_string(&client)?;
        let (code, twice) = home.run(&write).await?;
        ensure!(code != 0 && std::fs::read_to_string(&client)? == kept, "{twice}");

        let agent = self.agent(folder, &kept)?;
        let deadline = Instant::now() + ENROL;
        let list = ["deployments", "agents", id, "--label", "case-17"];
        let there = loop {
            let there = home.json(&list).await?;
            if there["parts"]["online"] == 1 {
                break there;
            }
            ensure!(Instant::now() < deadline, "no agent enrolled: {there}");
        };
        drop(agent);
        let host = text(&there["agents"][0]["host"])?;
        let wanted = ["deployments", "agents", id, "--host", &host, "--host", "no-such-host"];
        let found = home.json(&wanted).await?;
        ensure!(found["parts"]["wanted"] == 2 && found["parts"]["not_enrolled"] == 1, "{found}");

        let docs = folder.join("docs").display().to_string();
        let written = home.json(&["deployments", "docs", id, "--folder", &docs]).await?;
        let certificate = self.fingerprint(home).await?;
        for file in written["files"].as_array().context("files")? {
            let file = text(file)?;
            let said = std::fs::read_to_string(&file)?;
            ensure!(mode(Path::new(&file))? == 0o600, "others can read {file}");
            ensure!(said.contains(&certificate), "{file} has not {certificate}");
            ensure!(!said.contains("PRIVATE KEY"), "a key is in {file}");
        }
        self.spoilt(home, id).await
    }

    /// What somebody changed is seen, by its place.
    async fn spoilt(&self, home: &Home<'_>, id: &str) -> anyhow::Result<()> {
        let name = format!("megaraptor-{}-server", id.to_lowercase());
        let more = ["update", "--memory", "600m", "--memory-swap", "600m", &name];
        docker(&more).await?;
        docker(&["stop", &name]).await?;
        let (code, found) = home.run(&["deployments", "validate", id]).await?;
        ensure!(code == 9 && found["valid"] == false, "{code} {found}");
        let unfit: Vec<&str> = found["checks"]
            .as_array()
            .context("checks")?
            .iter()
            .filter(|check| check["verdict"] == "unfit")
            .filter_map(|check| check["what"].as_str())
            .collect();
        let container = format!("the container {name}");
        let wanted = [container.as_str(), "limits", "the agents' port", "the GUI", "the API"];
        ensure!(unfit == wanted, "{found}");
        Ok(())
    }

    /// An agent with that configuration, whose files are in a folder of the test.
    fn agent(&self, folder: &Path, config: &str) -> anyhow::Result<Child> {
        let own = |name: &str| folder.join(name).display().to_string();
        let config = config
            .replace("/etc/velociraptor.writeback.yaml", &own("writeback.yaml"))
            .replace("/var/tmp/Velociraptor_Buffer.bin", &own("buffer.bin"));
        let file = own("agent.config.yaml");
        std::fs::write(&file, config)?;
        let mut command = Command::new(&self.binary);
        command.args(["--nobanner", "--config", &file, "client"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn().context("starting an agent")
    }

    /// The SHA-256 of the certificate that the GUI shows.
    async fn fingerprint(&self, home: &Home<'_>) -> anyhow::Result<String> {
        let at = format!("127.0.0.1:{}", home.ports.gui);
        let line = format!(
            "openssl s_client -connect {at} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
        );
        let done = Command::new("sh").args(["-c", &line]).output().await?;
        let said = String::from_utf8(done.stdout)?;
        let (_, hex) = said.trim().split_once('=').with_context(|| said.clone())?;
        Ok(hex.replace(':', "").to_lowercase())
    }
}

fn mode(path: &Path) -> anyhow::Result<u32> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
}

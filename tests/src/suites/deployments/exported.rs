//! Limits that somebody chose, and evidence that is copied before a server is taken down.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::process::Command;

use super::{Bed, Home, docker, everything, text};
use crate::wait;

/// Its rows are of the agent's own host.
const ARTIFACT: &str = "Generic.Client.Info";

impl Bed {
    pub(super) async fn exported(&self) -> anyhow::Result<()> {
        let home = self.home()?;
        let chosen = ["--memory", "600MiB", "--processors", "0.75"];
        let up = home.json(&home.deploy(&chosen)).await?;
        let id = text(&up["deployment"]["id"])?;
        let seen = self.copied(&home, &id).await;
        if let Err(error) = seen {
            home.destroy(&id).await?;
            return Err(error);
        }
        let left: Vec<String> = everything()
            .await?
            .into_iter()
            .filter(|line| line.contains(&id.to_lowercase()))
            .collect();
        ensure!(left.is_empty(), "left: {left:?}");
        Ok(())
    }

    async fn copied(&self, home: &Home<'_>, id: &str) -> anyhow::Result<()> {
        let name = format!("megaraptor-{}-server", id.to_lowercase());
        let limits =
            ["inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", &name];
        let found = docker(&limits).await?;
        ensure!(found.trim() == format!("{} 750000000", 600_u64 << 20), "{found}");
        let agent = home.agent(id).await?;
        let clients = home.json(&["call", "list_clients"]).await?;
        let client = text(&clients["clients"][0]["client_id"])?;
        let wish = json!({ "clients": [client], "artifacts": [ARTIFACT] }).to_string();
        let collect = ["--policy", "collect=allow", "call", "collect_artifact", "--json", &wish];
        let done = home.json(&collect).await?;
        let outcome = &done["outcomes"][0];
        ensure!(outcome["state"] == "finished", "{done}");
        let flow = text(&outcome["flow_id"])?;

        // By itself: the server serves again afterwards, and what it has is in the file.
        let first = home.folder.path().join("first.tar.gz");
        let out = first.display().to_string();
        let copied = home.json(&["deployments", "export", id, "--out", &out]).await?;
        ensure!(copied["status"] == "up", "{copied}");
        self.is_whole(&first, &copied["copy"], &flow).await?;
        let checked = home.json(&["deployments", "validate", id]).await?;
        ensure!(checked["valid"] == true, "{checked}");
        let before = std::fs::read(&first)?;
        let (code, again) = home.run(&["deployments", "export", id, "--out", &out]).await?;
        ensure!(code != 0 && again.to_string().contains("is there already"), "{again}");
        ensure!(std::fs::read(&first)? == before, "the copy was written over");

        // Nothing is taken down where the copy cannot be made.
        let nowhere = home.folder.path().join("nowhere").display().to_string();
        let destroy = ["deployments", "destroy", id, "--export-to"];
        let (code, refused) = home.run(&[&destroy[..], &[&nowhere]].concat()).await?;
        ensure!(code != 0 && refused.to_string().contains("folder is not there"), "{refused}");
        let listed = home.json(&["deployments", "list"]).await?;
        ensure!(listed["deployments"][0]["status"] == "up", "{listed}");
        // Full after some megabytes: the disk is a file system of its own.
        let small = Small::mount(home.folder.path()).await?;
        let (code, refused) = home.run(&[&destroy[..], &[&small.path()]].concat()).await?;
        let said = refused.to_string();
        ensure!(
            code != 0 && said.contains("MiB free") && said.contains("nothing of it was"),
            "{said}"
        );
        ensure!(small.is_empty()?, "something is left on the small disk");
        drop(small);
        // It was started again, and needs a moment.
        let serves = || async {
            let listed = home.json(&["call", "list_clients"]).await?;
            ensure!(listed["state"] != "empty", "{listed}");
            Ok(())
        };
        wait::until("the server to serve again", Duration::from_secs(60), serves).await?;

        let folder = home.folder.path().display().to_string();
        let gone = home.json(&[&destroy[..], &[&folder]].concat()).await?;
        drop(agent);
        ensure!(gone["status"] == "gone", "{gone}");
        let file = home.folder.path().join(format!("{id}-evidence.tar.gz"));
        self.is_whole(&file, &gone["copy"], &flow).await?;
        // What it came to stays on record.
        let shown = home.json(&["deployments", "list", "--all"]).await?;
        ensure!(shown["deployments"][0]["status"] == "gone", "{shown}");
        Ok(())
    }

    /// The file is its owner's, has the SHA-256 that was said, and the rows of the flow.
    async fn is_whole(
        &self,
        file: &Path,
        copy: &serde_json::Value,
        flow: &str,
    ) -> anyhow::Result<()> {
        let path = file.display().to_string();
        let mode = std::fs::metadata(file)?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "others can read {path}");
        let said = output("sha256sum", &[&path]).await?;
        ensure!(said.split_whitespace().next() == copy["sha256"].as_str(), "{copy}: {said}");
        let names = output("tar", &["-tzf", &path]).await?;
        let rows = names
            .lines()
            .find(|name| name.contains(flow) && name.contains(ARTIFACT) && name.ends_with(".json"));
        let rows = rows.with_context(|| format!("no rows of {flow} in {path}: {names}"))?;
        let packed = Command::new("tar").args(["-xzOf", &path, rows]).output().await?;
        let content = unpacked(&packed.stdout)?;
        ensure!(content.contains("Hostname"), "{rows}: {content}");
        let count = u64::try_from(names.lines().count())?;
        ensure!(copy["entries"] == count, "{copy}: {count} names");
        Ok(())
    }
}

async fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let done = Command::new(program).args(arguments).output().await?;
    let err = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{program} {arguments:?}: {err}");
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The first chunk of rows, which the server keeps compressed.
fn unpacked(rows: &[u8]) -> anyhow::Result<String> {
    let mut content = String::new();
    flate2::read::ZlibDecoder::new(rows).read_to_string(&mut content)?;
    Ok(content)
}

/// A small file system of its own; gone with this.
struct Small(std::path::PathBuf);

impl Small {
    async fn mount(under: &Path) -> anyhow::Result<Self> {
        let path = under.join("small");
        std::fs::create_dir(&path)?;
        let at = path.display().to_string();
        output("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs", &at]).await?;
        Ok(Self(path))
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }

    fn is_empty(&self) -> anyhow::Result<bool> {
        Ok(std::fs::read_dir(&self.0)?.next().is_none())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg(&self.0).output());
    }
}

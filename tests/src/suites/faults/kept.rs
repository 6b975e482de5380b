//! What is kept of a deployment, when somebody or something changed it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::home;
use crate::home::Home;
use crate::suite::Cases;

const LIMIT: Duration = Duration::from_secs(300);

pub(super) async fn cases(cases: &mut Cases) {
    let site = match Site::deployed().await {
        Ok(site) => site,
        Err(error) => {
            cases.record("a deployment to spoil", Err(error));
            return;
        }
    };
    cases.case_within(LIMIT, "a record that was cut off is said so, and stays", site.cut()).await;
    cases.case_within(LIMIT, "a record of a newer version is left to it", site.newer()).await;
    cases
        .case_within(LIMIT, "a record that was edited touches nothing of others", site.edited())
        .await;
    cases.case_within(LIMIT, "a store of secrets without its key is said so", site.locked()).await;
    cases.case_within(LIMIT, "two at work on one deployment are told apart", site.twice()).await;
    cases
        .case_within(LIMIT, "a container of others with its name is never touched", site.foreign())
        .await;
    cases.case_within(LIMIT, "a certificate that ends soon is said so", site.ends_soon()).await;
    let swept = "one that is past its time says so, stays, and is swept on a person's word";
    if !cases.case_within(LIMIT, swept, site.d25_swept()).await {
        cases.record("all of it goes in the end", site.home.destroy(&site.id).await);
    }
}

/// A deployment, and what of it is spoilt and mended.
struct Site {
    home: Home,
    id: String,
}

impl Site {
    async fn deployed() -> anyhow::Result<Self> {
        let home = home()?;
        let id = home.deployed("minimal").await?;
        Ok(Self { home, id })
    }

    fn record(&self) -> PathBuf {
        self.home.folder.path().join("deployments").join(format!("{}.json", self.id))
    }

    fn container(&self) -> String {
        format!("megaraptor-{}-server", self.id.to_lowercase())
    }

    fn on(&self, what: &str) -> Vec<String> {
        let more = (what == "destroy").then(|| String::from("--discard-evidence"));
        let all = ["deployments", what, &self.id].map(String::from);
        all.into_iter().chain(more).collect()
    }

    /// With the record spoilt, everything that reads it refuses, and says which file it is.
    async fn spoilt(&self, text: &str, says: &str, next: &str) -> anyhow::Result<()> {
        let (file, whole) = (self.record(), std::fs::read_to_string(self.record())?);
        std::fs::write(&file, text)?;
        let seen = async {
            let path = file.display().to_string();
            for what in ["show", "resume", "destroy", "validate", "rotate"] {
                let refused = self.home.refused(&self.on(what)).await.context(what)?;
                refused.says("conflict", &[&path, says], next).context(what)?;
            }
            let listed = self.home.json(&["deployments", "list"]).await?;
            let first = &listed["deployments"][0];
            ensure!(first["id"] == self.id.as_str() && first["status"] == "unreadable", "{listed}");
            ensure!(std::fs::read_to_string(&file)? == text, "it was overwritten");
            ensure!(running(&self.container()).await?, "its container was touched");
            Ok(())
        };
        let seen = seen.await;
        std::fs::write(&file, whole)?;
        seen
    }

    async fn cut(&self) -> anyhow::Result<()> {
        let whole = std::fs::read_to_string(self.record())?;
        self.spoilt(&whole[..whole.len() / 2], "is no record", "from a copy").await?;
        self.spoilt("", "is no record", "from a copy").await
    }

    async fn newer(&self) -> anyhow::Result<()> {
        let whole = std::fs::read_to_string(self.record())?;
        let newer = whole.replacen("\"version\": 1", "\"version\": 99", 1);
        ensure!(newer != whole, "{whole}");
        self.spoilt(&newer, "version 99", "newer").await
    }

    /// The names in the plan are turned to something that somebody else has.
    async fn edited(&self) -> anyhow::Result<()> {
        let theirs = format!("theirs-{}", self.id.to_lowercase());
        docker(&["volume", "create", &theirs]).await?;
        let (file, whole) = (self.record(), std::fs::read_to_string(self.record())?);
        let data = format!("\"megaraptor-{}-data\"", self.id.to_lowercase());
        let edited = whole.replace(&data, &format!("\"{theirs}\""));
        let seen = async {
            ensure!(edited != whole, "{data} is not in {whole}");
            std::fs::write(&file, &edited)?;
            let (code, shown) = self.home.run(&self.on("show")).await?;
            let live = shown["live"].to_string();
            ensure!(code == 9 && live.contains("in the way"), "{code} {shown}");
            let refused = self.home.refused(&self.on("resume")).await?;
            ensure!(refused.message.contains(&theirs), "{refused:?}");
            docker(&["volume", "inspect", &theirs]).await?;
            Ok(())
        };
        let seen = seen.await;
        std::fs::write(&file, whole)?;
        docker(&["volume", "rm", &theirs]).await?;
        seen?;
        let up = self.home.json(&self.on("resume")).await?;
        ensure!(up["deployment"]["status"] == "up", "{up}");
        Ok(())
    }

    async fn locked(&self) -> anyhow::Result<()> {
        let all = names(&self.home.folder.path().join("credentials"));
        let is_key = |path: &&PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("key-"))
        };
        let key = all.iter().find(is_key).with_context(|| format!("no key file in {all:?}"))?;
        let aside = self.home.folder.path().join("key-aside");
        std::fs::rename(key, &aside)?;
        let seen = async {
            let path = key.display().to_string();
            for what in ["resume", "rotate"] {
                let refused = self.home.refused(&self.on(what)).await.context(what)?;
                ensure!(refused.message.contains(&path), "{what}: {refused:?}");
                ensure!(refused.message.contains("copy"), "{what}: {refused:?}");
            }
            let (code, checked) = self.home.run(&self.on("validate")).await?;
            ensure!(code == 9 && checked["valid"] == false, "{checked}");
            ensure!(checked.to_string().contains(&path), "{checked}");
            let listed = self.home.json(&["credential", "list"]).await?;
            ensure!(listed["total"].as_u64() > Some(0), "{listed}");
            ensure!(running(&self.container()).await?, "its container was touched");
            Ok(())
        };
        let seen = seen.await;
        std::fs::rename(&aside, key)?;
        seen
    }

    async fn twice(&self) -> anyhow::Result<()> {
        docker(&["rm", "--force", &self.container()]).await?;
        let other = || async {
            for what in ["resume", "destroy", "show"] {
                let refused = self.home.refused(&self.on(what)).await.context(what)?;
                refused.says("conflict", &["another process", &self.id], "show").context(what)?;
            }
            Ok(())
        };
        let (code, up) = self.home.when_said(&self.on("resume"), "7/9 ", other).await?;
        ensure!(code == 0 && up["deployment"]["status"] == "up", "{code} {up}");
        Ok(())
    }

    async fn foreign(&self) -> anyhow::Result<()> {
        let name = self.container();
        let image = format!("megaraptor/{}:server", self.id.to_lowercase());
        docker(&["rm", "--force", &name]).await?;
        // From an image of ours it has the labels of ours, so it gets others.
        let label = "--label=io.megaraptor.deployment=theirs";
        docker(&["create", "--name", &name, label, &image, "version"]).await?;
        let seen = async {
            let refused = self.home.refused(&self.on("resume")).await?;
            ensure!(refused.message.contains(&name), "{refused:?}");
            let seen = docker(&["inspect", "--format", "{{.Config.Cmd}}", &name]).await?;
            ensure!(seen.trim() == "[version]", "it is another one now: {seen}");
            Ok(())
        };
        let seen = seen.await;
        docker(&["rm", "--force", &name]).await?;
        seen?;
        let up = self.home.json(&self.on("resume")).await?;
        ensure!(up["deployment"]["status"] == "up", "{up}");
        Ok(())
    }

    async fn ends_soon(&self) -> anyhow::Result<()> {
        let mut rotate = self.on("rotate");
        rotate.extend(["--days", "2"].map(String::from));
        let rotated = self.home.json(&rotate).await?;
        ensure!(rotated["status"] == "up", "{rotated}");
        let checked = self.home.json(&self.on("validate")).await?;
        let checks = checked["checks"].as_array().context("checks")?;
        let soon: Vec<&Value> = checks
            .iter()
            .filter(|check| check["found"].to_string().contains(" ends in "))
            .collect();
        ensure!(soon.len() == 5, "{checked}");
        ensure!(soon.iter().all(|check| check["verdict"] == "doubtful"), "{checked}");
        ensure!(
            soon.iter().all(|it| it["next"].to_string().contains("deployments rotate")),
            "{checked}"
        );
        Ok(())
    }
}

impl Site {
    async fn d25_swept(&self) -> anyhow::Result<()> {
        let (file, whole) = (self.record(), std::fs::read_to_string(self.record())?);
        let past = whole.replacen("\"due\": null", "\"due\": \"2026-01-01T00:00:00Z\"", 1);
        ensure!(past != whole, "{whole}");
        std::fs::write(&file, past)?;
        let listed = self.home.json(&["deployments", "list"]).await?;
        ensure!(listed["deployments"][0]["overdue"] == true, "{listed}");
        let (code, checked) = self.home.run(&self.on("validate")).await?;
        let time = checked["checks"].as_array().context("checks")?;
        let time = time.iter().find(|check| check["what"] == "its time").context("its time")?;
        ensure!(code == 9 && time["verdict"] == "unfit", "{checked}");
        ensure!(time["next"].to_string().contains("sweep"), "{checked}");
        // Nothing of that took it down.
        ensure!(running(&self.container()).await?, "it was taken down without a word");
        self.home.json(&["deployments", "sweep", "--discard-evidence"]).await?;
        let listed = self.home.json(&["deployments", "list"]).await?;
        ensure!(listed["state"] == "empty", "{listed}");
        let secrets = self.home.json(&["credential", "list"]).await?;
        ensure!(secrets["total"] == 0, "secrets are left: {secrets}");
        Ok(())
    }
}

async fn running(container: &str) -> anyhow::Result<bool> {
    let seen = docker(&["inspect", "--format", "{{.State.Running}}", container]).await?;
    Ok(seen.trim() == "true")
}

fn names(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

async fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let ended = Command::new("docker").args(arguments).output().await.context("running docker")?;
    let err = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "docker {}: {err}", arguments.join(" "));
    Ok(String::from_utf8(ended.stdout)?)
}

//! The program deploys on a real daemon, is killed at every step, and leaves nothing.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use credstore::{Expired, FileStore, Options};
use deploy_docker::{Daemon, DaemonError, DockerHost};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use velociraptor_config::{ClientConfig, ClientPaths, ServerConfig};

use crate::mcp::find_megaraptor;
use crate::real::{Ports, Process, find_binary};
use crate::suite::{Cases, Halt, Running, Suite};
use crate::wait;

mod exported;
mod known;

pub(super) const SUITE: Suite = Suite {
    name: "deployments",
    about: "the program on a real daemon: deployed, asked, killed at every step, resumed, destroyed",
    run,
};

const LIMIT: Duration = Duration::from_secs(300);

/// Steps of the plan of a server in containers.
const STEPS: usize = 9;

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let (megaraptor, binary) = (find_megaraptor()?, find_binary()?);
    match Daemon::connect(DockerHost::default()).await {
        Ok(_) => {}
        Err(error @ DaemonError::Down { .. }) => return Err(Halt::Skip(error.to_string())),
        Err(error) => return Err(error.into()),
    }
    let bed = Bed { megaraptor, binary };
    let walk = "deployed, asked by its id, shown, and destroyed, and nothing is left";
    cases.case_within(LIMIT, walk, bed.d41_walk()).await;
    let rotation = "rotated with an agent still talking, also when it is killed in the middle";
    cases.case_within(LIMIT, rotation, bed.d47_d48_rotation()).await;
    cases.case_within(LIMIT, "validate-only changes nothing", bed.validate_only()).await;
    cases.case_within(LIMIT, "two at once work on two deployments", bed.two_at_once()).await;
    let known = "checked, shown, its agents asked, written down, and what was changed is seen";
    cases.case_within(LIMIT, known, bed.known()).await;
    let exported = "with limits that were chosen, and its evidence copied before it is taken down";
    cases.case_within(LIMIT, exported, bed.exported()).await;
    for step in 1..=STEPS {
        let name = format!("killed in step {step}, resumed, killed again, destroyed");
        cases.case_within(LIMIT, name, bed.killed(step)).await;
    }
    Ok(())
}

pub(super) struct Bed {
    pub(super) megaraptor: PathBuf,
    pub(super) binary: PathBuf,
}

/// A state folder with what is deployed from it.
pub(super) struct Home<'a> {
    bed: &'a Bed,
    pub(super) folder: TempDir,
    pub(super) ports: Ports,
}

impl Bed {
    pub(super) fn home(&self) -> anyhow::Result<Home<'_>> {
        Ok(Home { bed: self, folder: tempfile::tempdir()?, ports: Ports::choose()? })
    }

    async fn d41_walk(&self) -> anyhow::Result<()> {
        let home = self.home()?;
        let up = home.json(&home.deploy(&[])).await?;
        let id = text(&up["deployment"]["id"])?;
        let seen = async {
            ensure!(up["deployment"]["status"] == "up", "{up}");
            ensure!(up["deployment"]["version"] == "0.77.2", "{up}");
            let said = up.to_string();
            ensure!(!said.contains("PRIVATE KEY") && said.contains("cred:"), "{said}");
            // A deployed server is at once one that is asked.
            let clients = home.json(&["call", "list_clients"]).await?;
            ensure!(clients["server"] == id.as_str() && clients["state"] == "empty", "{clients}");
            let found = home.json(&["deployments", "show", &id]).await?;
            let live = found["live"].as_array().context("live")?;
            ensure!(live.len() == STEPS, "{found}");
            ensure!(live.iter().all(|step| step["found"] == "done"), "{found}");
            // A container that was taken away is seen, and made anew.
            docker(&["rm", "-f", &format!("megaraptor-{}-server", id.to_lowercase())]).await?;
            let (code, found) = home.run(&["deployments", "show", &id]).await?;
            ensure!(code == 9 && found["state"] == "partial", "{code} {found}");
            let again = home.json(&["deployments", "resume", &id]).await?;
            ensure!(again["deployment"]["status"] == "up", "{again}");
            Ok(())
        };
        let seen = seen.await;
        home.destroy(&id).await?;
        seen?;
        let twice = home.destroy(&id).await;
        twice.context("destroyed twice")?;
        let (_, clients) = home.run(&["call", "list_clients"]).await?;
        ensure!(clients["error"]["code"] == "unavailable", "it is still asked: {clients}");
        let record = home.json(&["audit", "verify"]).await?;
        ensure!(record["verified"] != false, "{record}");
        Ok(())
    }

    async fn d47_d48_rotation(&self) -> anyhow::Result<()> {
        let home = self.home()?;
        let up = home.json(&home.deploy(&[])).await?;
        let id = text(&up["deployment"]["id"])?;
        let seen = async {
            let mut agent = home.agent(&id).await?;
            let before = home.heard_of().await?;
            let user = ["deployments", "api-user", &id, "siem", "--days", "7"];
            let made = home.json(&user).await?;
            ensure!(made["reference"] == format!("cred:{id}/user-siem"), "{made}");
            let (code, refused) = home.run(&user).await?;
            ensure!(code != 0 && refused.to_string().contains("another name"), "{refused}");
            let rotated = home.json(&["deployments", "rotate", &id, "--days", "9"]).await?;
            let count = rotated["replaced"].as_array().map_or(0, Vec::len);
            ensure!(count == 5 && rotated["status"] == "up", "{rotated}");
            let replaced = rotated["replaced"].as_array().context("replaced")?;
            ensure!(
                replaced.iter().all(|it| it["new"].is_string() && it["new"] != it["old"]),
                "{rotated}"
            );
            // The server itself shows the new one: that is one of the checks.
            let (_, valid) = home.run(&["deployments", "validate", &id]).await?;
            let valid = valid.to_string();
            let new = replaced[0]["new"].as_str().and_then(|new| new.get(..16)).context("new")?;
            ensure!(valid.contains(&format!("under the certificate {new}")), "{new}: {valid}");
            home.heard_after(&before).await.context("after the rotation")?;
            // Killed while the server is started anew; what was staged is ended by resuming.
            let again = ["deployments", "rotate", &id].map(String::from);
            home.killed_at(&again, &format!("7/{STEPS} ")).await?;
            let before = home.heard_of().await;
            let up = home.json(&["deployments", "resume", &id]).await?;
            ensure!(up["deployment"]["status"] == "up", "{up}");
            let before = before.or_else(|_| jiff::Timestamp::now().to_string().parse())?;
            home.heard_after(&before).await.context("after the second rotation")?;
            let kept = home.json(&["credential", "list"]).await?.to_string();
            ensure!(kept.contains("server-config-1") && kept.contains("server-config-2"), "{kept}");
            ensure!(!kept.contains("-next"), "something staged is left: {kept}");
            agent.check_running()
        };
        let seen = seen.await;
        home.destroy(&id).await?;
        seen
    }

    async fn validate_only(&self) -> anyhow::Result<()> {
        let home = self.home()?;
        let before = everything().await?;
        let planned = home.json(&home.deploy(&["--validate-only"])).await?;
        ensure!(planned["planned_only"] == true, "{planned}");
        let checks = planned["checks"].as_array().context("checks")?;
        ensure!(
            checks.len() > 5 && checks.iter().all(|it| it["expected"].is_string()),
            "{planned}"
        );
        ensure!(everything().await? == before, "something was made");
        let listed = home.json(&["deployments", "list", "--all"]).await?;
        ensure!(listed["state"] == "empty", "{listed}");
        Ok(())
    }

    async fn two_at_once(&self) -> anyhow::Result<()> {
        let (one, other) = (self.home()?, self.home()?);
        let (deploy_one, deploy_other) = (one.deploy(&[]), other.deploy(&[]));
        let (up, up_too) = tokio::join!(one.json(&deploy_one), other.json(&deploy_other));
        for (home, up) in [(&one, &up), (&other, &up_too)] {
            if let Ok(up) = up {
                home.destroy(&text(&up["deployment"]["id"])?).await?;
            }
        }
        up?;
        up_too?;
        Ok(())
    }

    async fn killed(&self, step: usize) -> anyhow::Result<()> {
        let home = self.home()?;
        let deploy = home.deploy(&[]);
        home.killed_at(&deploy, &format!("{step}/{STEPS} ")).await?;
        let listed = home.json(&["deployments", "list"]).await?;
        let id = text(&listed["deployments"][0]["id"])?;
        let seen = async {
            let resume = ["deployments", "resume", &id].map(String::from);
            home.killed_at(&resume, &format!("{step}/{STEPS} ")).await?;
            let up = home.json(&["deployments", "resume", &id]).await?;
            ensure!(up["deployment"]["status"] == "up", "{up}");
            // On the way down, too.
            let destroy = ["deployments", "destroy", &id, "--discard-evidence"].map(String::from);
            home.killed_at(&destroy, &format!("{step}/{STEPS} takes back")).await
        };
        let seen = seen.await;
        home.destroy(&id).await?;
        seen
    }
}

impl Home<'_> {
    pub(super) fn deploy(&self, more: &[&str]) -> Vec<String> {
        let Ports { frontend, gui, api, .. } = self.ports;
        let mut arguments: Vec<String> =
            ["deploy", "docker", "--profile", "minimal", "--case", "IR-17", "--binary"]
                .map(String::from)
                .to_vec();
        arguments.push(self.bed.binary.display().to_string());
        for (name, value) in [
            ("--agents-at", format!("localhost:{frontend}")),
            ("--gui-on", format!("127.0.0.1:{gui}")),
            ("--api-on", format!("127.0.0.1:{api}")),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        arguments.extend(more.iter().map(ToString::to_string));
        arguments
    }

    fn command<S: AsRef<str>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.bed.megaraptor);
        command
            .env("MEGARAPTOR_HOME", self.folder.path())
            .env_remove("VELOCIRAPTOR_CONFIG_PATH")
            .env_remove("VELOCIRAPTOR_API_URL")
            .current_dir(self.folder.path())
            .args(["-o", "json", "--policy", "deploy=allow", "--policy", "destroy=allow"])
            .args(arguments.iter().map(AsRef::as_ref))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(super) async fn run<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<(i32, Value)> {
        let done = self.command(arguments).output().await.context("running megaraptor")?;
        let said = if done.stdout.is_empty() { &done.stderr } else { &done.stdout };
        let said = String::from_utf8_lossy(said);
        // Progress stands before an error.
        let data = said.find("{").map_or("", |at| &said[at..]);
        let data = serde_json::from_str(data).with_context(|| said.clone().into_owned())?;
        Ok((done.status.code().unwrap_or(-1), data))
    }

    pub(super) async fn json<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<Value> {
        let (code, data) = self.run(arguments).await?;
        ensure!(code == 0, "exit code {code}: {data}");
        Ok(data)
    }

    /// Starts an agent with the deployment's own client configuration.
    async fn agent(&self, id: &str) -> anyhow::Result<Process> {
        let store = FileStore::new(self.folder.path().join("credentials"), Options::default());
        let reference = format!("cred:{id}/server-config").parse()?;
        let config = credstore::open_text(&store, &reference, Expired::Refused)?;
        let folder = self.folder.path().join("agent");
        std::fs::create_dir(&folder)?;
        let path = |name: &str| folder.join(name).display().to_string();
        let paths = ClientPaths {
            writeback: path("writeback.yaml"),
            tempdir: path("tmp"),
            buffer: path("buffer"),
        };
        let client = ClientConfig::of(&ServerConfig::parse(&config)?).with_paths(&paths);
        let file = folder.join("client.config.yaml");
        std::fs::write(&file, client.render().expose())?;
        let mut command = std::process::Command::new(&self.bed.binary);
        command.args(["--nobanner", "-v", "--config"]).arg(&file).arg("client");
        command.current_dir(&folder);
        let agent = Process::start("velociraptor client", &mut command, &folder.join("log"))?;
        wait::until("the agent to enrol", LIMIT, || self.heard_of())
            .await
            .with_context(|| agent.log_end())?;
        Ok(agent)
    }

    /// When the one agent was last heard of.
    async fn heard_of(&self) -> anyhow::Result<jiff::Timestamp> {
        let clients = self.json(&["call", "list_clients"]).await?;
        Ok(text(&clients["clients"][0]["last_seen"])?.parse()?)
    }

    /// Waits until it was heard of later than that.
    async fn heard_after(&self, before: &jiff::Timestamp) -> anyhow::Result<()> {
        wait::until("a sign of the agent", LIMIT, || async {
            let now = self.heard_of().await?;
            ensure!(now > *before, "last heard of at {now}, as before");
            Ok(())
        })
        .await
    }

    /// Kills the program as soon as it says so.
    async fn killed_at(&self, arguments: &[String], line: &str) -> anyhow::Result<()> {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stderr.take().context("no output")?).lines();
        let mut said = Vec::new();
        while let Some(told) = lines.next_line().await? {
            if told.trim_start().starts_with(line) {
                child.kill().await?;
                return Ok(());
            }
            said.push(told);
        }
        let status = child.wait().await?;
        // Resuming tells only of steps that are not done.
        if status.success() && arguments[1] == "resume" {
            return Ok(());
        }
        bail!("it ended with {status} and never said {line:?}: {}", said.join("\n"))
    }

    /// Destroys it, and lists what is left.
    pub(super) async fn destroy(&self, id: &str) -> anyhow::Result<()> {
        let gone = self.json(&["deployments", "destroy", id, "--discard-evidence"]).await?;
        ensure!(gone["status"] == "gone", "{gone}");
        let name = format!("megaraptor-{}", id.to_lowercase());
        let left: Vec<String> = everything()
            .await?
            .into_iter()
            .filter(|line| line.contains(&name) || line.contains(&name.replacen('-', "/", 1)))
            .collect();
        ensure!(left.is_empty(), "left: {left:?}");
        let secrets = self.json(&["credential", "list"]).await?;
        ensure!(secrets["total"] == 0, "secrets are left: {secrets}");
        Ok(())
    }
}

/// Every object of the daemon that is named as ours are.
async fn everything() -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for (kind, arguments) in [
        ("container", &["container", "ls", "--all", "--format", "{{.Names}}"]),
        ("volume", &["volume", "ls", "--quiet", "--format", "{{.Name}}"]),
        ("network", &["network", "ls", "--no-trunc", "--format", "{{.Name}}"]),
        ("image", &["image", "ls", "--no-trunc", "--format", "{{.Repository}}"]),
    ] {
        let listed = docker(arguments).await?;
        let ours =
            |line: &&str| ["megaraptor-d-", "megaraptor/d-"].iter().any(|it| line.contains(it));
        all.extend(listed.lines().filter(ours).map(|line| format!("{kind} {line}")));
    }
    all.sort();
    Ok(all)
}

async fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let ended = Command::new("docker").args(arguments).output().await.context("running docker")?;
    let err = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "docker {}: {err}", arguments.join(" "));
    Ok(String::from_utf8(ended.stdout)?)
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).with_context(|| value.to_string())
}

//! What a deployed server takes of memory, as its control group counts it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use integration_tests::home::Home;
use integration_tests::real::Process;
use integration_tests::suite::Halt;
use integration_tests::wait;

use crate::figures::Row;

const AGENTS: usize = 50;
const ENROL: Duration = Duration::from_secs(240);

/// The smallest is for machines that have no more to give.
const MOST: f64 = 512.0;

/// The minimal profile idle, and with agents; the others idle.
pub(crate) async fn profiles() -> Result<Vec<Row>, Halt> {
    let mut rows = Vec::new();
    for profile in ["minimal", "rapid", "standard", "enterprise"] {
        let home = Home::new()?;
        // A machine can be too small for the larger ones, which is then said.
        let id = match home.deployed(profile).await {
            Ok(id) => id,
            Err(error)
                if profile != "minimal" && error.to_string().contains("nothing was done") =>
            {
                eprintln!("bench: {profile} is left out: {error:#}");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let seen = seen(&home, &id, profile, &mut rows).await;
        home.destroy(&id).await?;
        seen?;
    }
    Ok(rows)
}

async fn seen(home: &Home, id: &str, profile: &str, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let group = Group::of(&format!("megaraptor-{}-server", id.to_lowercase()))?;
    rows.push(group.row(&format!("{profile}, idle"))?);
    if profile != "minimal" {
        return Ok(());
    }
    let fleet = fleet(home, id)?;
    wait::until("all agents to be online", ENROL, || async {
        let found = home.json(&["deployments", "agents", id]).await?;
        ensure!(found["parts"]["online"] == AGENTS, "{}", found["parts"]);
        anyhow::Ok(())
    })
    .await
    .with_context(|| fleet.log_end())?;
    rows.push(group.row(&format!("{profile}, with {AGENTS} agents"))?);
    Ok(())
}

/// Many agents in one process, with the deployment's own configuration.
fn fleet(home: &Home, id: &str) -> anyhow::Result<Process> {
    let folder = home.folder.path().join("fleet");
    std::fs::create_dir(&folder)?;
    let file = folder.join("client.config.yaml");
    let out = file.display().to_string();
    let written = home
        .command(&["deployments", "config", id, "--what", "client", "--out", &out])
        .as_std_mut()
        .output()?;
    let err = String::from_utf8_lossy(&written.stderr);
    ensure!(written.status.success(), "{err}");
    let mut command = Command::new(&home.binary);
    command
        .args(["--nobanner", "--config", &out, "pool_client"])
        .arg(format!("--number={AGENTS}"))
        .arg(format!("--writeback_dir={}", folder.display()))
        .current_dir(&folder);
    Process::start("velociraptor pool_client", &mut command, &folder.join("log"))
}

/// The control group of a container, of either version of the kernel's interface.
struct Group {
    folder: PathBuf,
    old: bool,
}

impl Group {
    fn of(container: &str) -> anyhow::Result<Self> {
        let arguments = ["inspect", "--format", "{{.State.Pid}}", container];
        let pid = Command::new("docker").args(arguments).output()?;
        let pid = String::from_utf8(pid.stdout)?;
        let text = std::fs::read_to_string(format!("/proc/{}/cgroup", pid.trim()))?;
        let line = |part: &str| text.lines().find_map(|line| line.split_once(part));
        if let Some((_, path)) = line(":memory:/") {
            return Ok(Self {
                folder: PathBuf::from("/sys/fs/cgroup/memory").join(path),
                old: true,
            });
        }
        let (_, path) = line("0::/").with_context(|| text.clone())?;
        Ok(Self { folder: PathBuf::from("/sys/fs/cgroup").join(path), old: false })
    }

    fn file(&self, name: &str) -> anyhow::Result<String> {
        let path = self.folder.join(name);
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// MiB that its processes hold, most that was ever charged to it, and how often it ran out.
    fn row(&self, what: &str) -> anyhow::Result<Row> {
        let number = |text: &str, key: &str| -> anyhow::Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
            let bytes: f64 = line.with_context(|| format!("no {key} in {text}"))?.trim().parse()?;
            Ok(bytes)
        };
        let (held, peak, out) = if self.old {
            ("total_rss", "memory.max_usage_in_bytes", ("memory.oom_control", "oom_kill"))
        } else {
            ("anon", "memory.peak", ("memory.events", "oom_kill"))
        };
        let held = number(&self.file("memory.stat")?, held)? / f64::from(1 << 20);
        let peak: f64 = self.file(peak)?.trim().parse::<f64>()? / f64::from(1 << 20);
        let out = number(&self.file(out.0)?, out.1)?;
        Ok(Row {
            what: format!("memory, {what}"),
            product: format!("{held:.0} MiB"),
            baseline: format!("peak {peak:.0} MiB"),
            result: format!("{held:.0} MiB"),
            wanted: if what.starts_with("minimal") { "under 512 MiB" } else { "-" },
            reached: out == 0.0 && (held < MOST || !what.starts_with("minimal")),
        })
    }
}

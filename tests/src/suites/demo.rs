//! `megaraptor demo --real`: run to its end, interrupted at every step, and nothing is left.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::mcp::find_megaraptor;
use crate::real::find_binary;
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "demo",
    about: "demo --real: to its end, interrupted at every step, with a child killed, and nothing is left",
    run,
};

const LIMIT: Duration = Duration::from_secs(300);

/// It takes some twenty seconds in a debug build on two shared cores.
const LIKELY: Duration = Duration::from_secs(120);

/// Steps of the plan.
const STEPS: usize = 9;

/// The exit code of what was interrupted.
const CANCELLED: i32 = 130;

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let bed = Bed { megaraptor: find_megaraptor()?, binary: find_binary()? };
    if !cfg!(target_os = "linux") {
        return Err(Halt::Skip("processes are listed by /proc".into()));
    }
    cases.case_within(LIMIT, "to its end, and nothing is left", bed.to_its_end()).await;
    for step in 1..=STEPS {
        let name = format!("interrupted in step {step}, and nothing is left");
        cases.case_within(LIMIT, name, bed.interrupted(&format!("{step}/{STEPS} "), "INT")).await;
    }
    for signal in ["INT", "TERM", "HUP"] {
        let name = format!("SIG{signal} in the walk, and nothing is left");
        cases.case_within(LIMIT, name, bed.in_the_walk(signal)).await;
    }
    for (role, config) in [("server", "server.config.yaml"), ("agent", "client.config.yaml")] {
        let name = format!("its {role} is killed: an error, and nothing is left");
        cases.case_within(LIMIT, name, bed.loses(config)).await;
    }
    Ok(())
}

struct Bed {
    megaraptor: PathBuf,
    binary: PathBuf,
}

/// A demo that runs, with a folder for temporary files that is its alone.
struct Demo {
    child: Child,
    folder: TempDir,
}

impl Bed {
    fn start(&self) -> anyhow::Result<Demo> {
        let folder = tempfile::tempdir()?;
        let child = Command::new(&self.megaraptor)
            .args(["demo", "--real", "--binary"])
            .arg(&self.binary)
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the demo")?;
        Ok(Demo { child, folder })
    }

    async fn to_its_end(&self) -> anyhow::Result<()> {
        let (mut demo, begun) = (self.start()?, Instant::now());
        let (code, said, told) = demo.end().await?;
        ensure!(code == 0, "exit code {code}: {said}{told}");
        for line in ["TRUTH", "found, stacked; hunt complete; label taken back", "GONE"] {
            ensure!(said.contains(line), "no {line:?} in {said}");
        }
        ensure!(said.contains("nothing on it is changed"), "{said}");
        demo.leaves_nothing()?;
        let took = begun.elapsed();
        ensure!(took < LIKELY, "it took {took:?}");
        Ok(())
    }

    /// Interrupted as soon as standard error has this line.
    async fn interrupted(&self, line: &str, signal: &str) -> anyhow::Result<()> {
        let mut demo = self.start()?;
        let mut lines = BufReader::new(demo.child.stderr.take().context("no output")?).lines();
        let mut said = Vec::new();
        loop {
            let Some(told) = lines.next_line().await? else {
                bail!("it never said {line:?}: {}", said.join("\n"));
            };
            if told.starts_with(line) {
                break;
            }
            said.push(told);
        }
        demo.signal(signal).await?;
        while let Some(told) = lines.next_line().await? {
            said.push(told);
        }
        let code = demo.child.wait().await?.code();
        let said = said.join("\n");
        ensure!(code == Some(CANCELLED), "{code:?}: {said}");
        ensure!(said.contains("interrupted") && said.contains("gone: "), "{said}");
        demo.leaves_nothing()
    }

    async fn in_the_walk(&self, signal: &str) -> anyhow::Result<()> {
        let mut demo = self.start()?;
        demo.until("3 collect_artifact").await?;
        ensure!(demo.processes()?.len() == 2, "server and agent: {:?}", demo.processes()?);
        demo.signal(signal).await?;
        let (code, said, told) = demo.end().await?;
        ensure!(code == CANCELLED && told.contains("interrupted"), "{code}: {said}{told}");
        demo.leaves_nothing()
    }

    async fn loses(&self, config: &str) -> anyhow::Result<()> {
        let mut demo = self.start()?;
        demo.until("1 list_clients").await?;
        let all = demo.processes()?;
        let lost = all.iter().find(|(_, command)| command.contains(config));
        let (id, _) = lost.with_context(|| format!("no {config} among {all:?}"))?;
        send("KILL", &id.to_string()).await?;
        let (code, said, told) = demo.end().await?;
        ensure!(code == 8 && told.contains("is lost"), "{code}: {said}{told}");
        demo.leaves_nothing()
    }
}

impl Demo {
    /// Reads standard output until a line begins so.
    async fn until(&mut self, begins: &str) -> anyhow::Result<()> {
        let out = self.child.stdout.as_mut().context("no output")?;
        let (mut said, mut byte) = (Vec::new(), [0]);
        while !said.split(|byte| *byte == b'\n').any(|line| line.starts_with(begins.as_bytes())) {
            // One by one: what follows is left in the pipe for whoever reads on.
            if out.read(&mut byte).await? == 0 {
                bail!("it never said {begins:?}: {}", String::from_utf8_lossy(&said));
            }
            said.push(byte[0]);
        }
        Ok(())
    }

    async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        send(signal, &self.child.id().context("it has ended")?.to_string()).await
    }

    /// Waits for its end: exit code and both outputs.
    async fn end(&mut self) -> anyhow::Result<(i32, String, String)> {
        let mut out = self.child.stdout.take().context("no output")?;
        let mut errors = self.child.stderr.take().context("no errors")?;
        let (mut said, mut told) = (String::new(), String::new());
        tokio::try_join!(out.read_to_string(&mut said), errors.read_to_string(&mut told))?;
        let status = self.child.wait().await?;
        Ok((status.code().unwrap_or(-1), said, told))
    }

    /// Velociraptor's processes of this demo, by what is in their command line.
    fn processes(&self) -> anyhow::Result<Vec<(u32, String)>> {
        let place = self.folder.path().to_str().context("the folder's name")?;
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // It may have ended since it was listed.
            let Ok(command) = fs::read(entry.path().join("cmdline")) else { continue };
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            if command.starts_with(place) {
                found.push((id, command));
            }
        }
        Ok(found)
    }

    fn leaves_nothing(&self) -> anyhow::Result<()> {
        let running = self.processes()?;
        ensure!(running.is_empty(), "still running: {running:?}");
        let left: Vec<_> = fs::read_dir(self.folder.path())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        ensure!(left.is_empty(), "left: {left:?}");
        Ok(())
    }
}

async fn send(signal: &str, id: &str) -> anyhow::Result<()> {
    let sent = Command::new("kill").args(["-s", signal, id]).status().await?;
    ensure!(sent.success(), "kill -s {signal} {id}: {sent}");
    Ok(())
}

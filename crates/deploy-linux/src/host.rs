//! Whether a host will do, looked at before anything is made on it.

use std::net::SocketAddr;
use std::path::PathBuf;

use deploy_core::preflight::{Check, Verdict};
use deploy_core::transport::{FileKind, HostFacts, Transport, clock_ahead, free_disk};
use deploy_core::{Found, StepCx, StepError};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;

use crate::on::On;
use crate::ports::listeners;

/// The fact with what the host says of itself.
pub const HOST: &str = "host";

/// The oldest systemd that knows what units of ours say of the file system.
const OLDEST: u32 = 232;

/// Architectures by their number in a binary, and as the kernel calls them.
const MACHINES: [(u16, &str); 3] = [(62, "x86_64"), (183, "aarch64"), (3, "i686")];

/// What is asked of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSpec {
    /// Bytes of memory that the server may use.
    pub memory: u64,
    /// Processors that it may use, in thousandths.
    pub millicpus: u64,
    /// Bytes that have to be free.
    pub disk: u64,
    /// The folder below which the data will be.
    pub data_under: String,
    /// Folders that are there already.
    pub folders: Vec<String>,
    /// Where the server will listen.
    pub listen: [SocketAddr; 4],
    /// The verified binary on this machine.
    pub binary: PathBuf,
}

impl HostSpec {
    /// It is done once it was found to do: afterwards the ports are our own.
    pub(crate) async fn look(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<Found, StepError> {
        if cx.has_fact(HOST) {
            return Ok(Found::Done);
        }
        let checks = self.checks(on.host).await?;
        let unfit = checks.into_iter().find(|check| check.verdict == Verdict::Unfit);
        Ok(unfit.map_or(Found::Absent, |check| Found::Refused {
            expected: format!("{}: {}", check.what, check.expected),
            found: format!("{} on {}", check.found, on.host.host()),
            next: check.next.unwrap_or_default(),
        }))
    }

    pub(crate) async fn make(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<(), StepError> {
        cx.note_all(HOST, &HostFacts::of_linux(on.host).await?)
    }

    /// Looks at everything, and changes nothing.
    pub(crate) async fn checks(&self, host: &dyn Transport) -> Result<Vec<Check>, StepError> {
        let facts = HostFacts::of_linux(host).await?;
        let machine = self.machine().await?;
        let smaller = "take a smaller profile, or another host";
        let judged = |what: &str, expected: String, found: String, fits: bool, next: &str| {
            let verdict = if fits { Verdict::Fits } else { Verdict::Unfit };
            let check = Check::new(what, expected, found, verdict);
            if fits { check } else { check.next(next) }
        };
        let mut checks = vec![
            judged(
                "the system",
                String::from("Linux"),
                format!("{}, {}", facts.kernel, facts.system),
                facts.kernel == "Linux",
                "this is for Linux; another kind of deployment is for other systems",
            ),
            judged(
                "the user",
                String::from("0, the administrator"),
                facts.uid.to_string(),
                facts.uid == 0,
                "run it as root: it makes a user and units",
            ),
            judged(
                "systemd",
                format!("{OLDEST} or newer"),
                facts.systemd.map_or_else(|| String::from("none"), |version| version.to_string()),
                facts.systemd.is_some_and(|version| version >= OLDEST),
                "take a host that systemd leads, or deploy in a container",
            ),
            judged(
                "the binary",
                format!("one for {}", facts.architecture),
                format!("one for {machine}"),
                machine == facts.architecture,
                "take the package for this architecture",
            ),
            Check::amount("memory", self.memory, Some(facts.memory), smaller),
            self.processors(facts.processors),
            Check::clock(Some(clock_ahead(host).await?)),
        ];
        for folder in &self.folders {
            let there = host.stat(folder).await?.is_some_and(|it| it.kind == FileKind::Folder);
            let found = if there { "there" } else { "none" };
            let next = "make it, or name another one";
            checks.push(judged(folder, String::from("a folder"), found.to_owned(), there, next));
        }
        let free = free_disk(host, &self.data_under).await?;
        let what = format!("free disk at {}", self.data_under);
        checks.push(Check::amount(&what, self.disk, Some(free), smaller));
        let listening = listeners(host).await?;
        let services = ["the agents' port", "the GUI", "the API", "the metrics"];
        for (service, at) in services.into_iter().zip(self.listen) {
            let by = listening.iter().find(|listener| listener.takes(at));
            let found = by.map_or_else(
                || String::from("free"),
                |by| format!("a process of user {} listens at {}", by.uid, by.at),
            );
            let next = "end it (ss -ltnp shows it), or take another port";
            checks.push(judged(service, format!("{at} is free"), found, by.is_none(), next));
        }
        Ok(checks)
    }

    /// Fewer processors make a server slow, and keep none from serving.
    fn processors(&self, there: u64) -> Check {
        let wanted = self.millicpus.div_ceil(1000);
        let found = there.to_string();
        if there >= wanted {
            return Check::new("processors", wanted.to_string(), found, Verdict::Fits);
        }
        Check::new("processors", wanted.to_string(), found, Verdict::Doubtful)
            .next("expect it to be slower than its profile says")
    }

    /// The architecture that the binary is made for.
    async fn machine(&self) -> Result<&'static str, StepError> {
        let failed = |cause: String| {
            let path = self.binary.display();
            StepError::failed(format!("{path}: {cause}"), "name the verified binary again")
        };
        let mut head = [0_u8; 20];
        let read = async {
            let mut file = tokio::fs::File::open(&self.binary).await?;
            file.read_exact(&mut head).await
        };
        read.await.map_err(|error| failed(error.to_string()))?;
        if head[..4] != *b"\x7fELF" {
            return Err(failed(String::from("this is no program for Linux")));
        }
        let number = u16::from_le_bytes([head[18], head[19]]);
        let machine = MACHINES.iter().find(|(known, _)| *known == number);
        machine
            .map(|(_, name)| *name)
            .ok_or_else(|| failed(format!("it is for an unknown architecture, {number}")))
    }
}

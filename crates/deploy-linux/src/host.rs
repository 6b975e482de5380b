//! Whether a host will do, looked at before anything is made on it.

use std::net::SocketAddr;
use std::path::PathBuf;

use deploy_core::transport::{HostFacts, free_disk};
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
        let facts = HostFacts::of_linux(on.host).await?;
        Ok(self.refused(on, &facts).await?.unwrap_or(Found::Absent))
    }

    pub(crate) async fn make(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<(), StepError> {
        cx.note_all(HOST, &HostFacts::of_linux(on.host).await?)
    }

    async fn refused(&self, on: On<'_>, facts: &HostFacts) -> Result<Option<Found>, StepError> {
        let refused = |expected: String, found: String, next: &str| {
            let host = on.host.host();
            let next = next.to_owned();
            Ok(Some(Found::Refused { expected, found: format!("{found} on {host}"), next }))
        };
        if facts.kernel != "Linux" {
            let next = "this is for Linux; another kind of deployment is for other systems";
            return refused(String::from("Linux"), facts.kernel.clone(), next);
        }
        if facts.uid != 0 {
            let next = "run it as the administrator (root): it makes a user and units";
            return refused(String::from("the user 0"), format!("the user {}", facts.uid), next);
        }
        let next = "take a host that systemd leads, or deploy in a container";
        match facts.systemd {
            Some(version) if version >= OLDEST => {}
            Some(version) => {
                let found = format!("systemd {version}");
                return refused(format!("systemd {OLDEST} or newer"), found, next);
            }
            None => return refused(String::from("systemd"), String::from("no systemd"), next),
        }
        let machine = self.machine().await?;
        if machine != facts.architecture {
            let expected = format!("a binary for {}", facts.architecture);
            let next = "take the package for this architecture";
            return refused(expected, format!("one for {machine} to be run"), next);
        }
        if facts.memory < self.memory {
            let expected = format!("{} MiB of memory", self.memory >> 20);
            let found = format!("{} MiB", facts.memory >> 20);
            return refused(expected, found, "take a smaller profile, or a larger host");
        }
        for folder in &self.folders {
            if on.host.stat(folder).await?.is_none() {
                let next = "make it, or name another one";
                return refused(format!("a folder {folder}"), String::from("none"), next);
            }
        }
        let free = free_disk(on.host, &self.data_under).await?;
        if free < self.disk {
            let expected = format!("{} MiB free where {} is", self.disk >> 20, self.data_under);
            let next = "make room, take a smaller profile, or name another folder";
            return refused(expected, format!("{} MiB", free >> 20), next);
        }
        let taken = listeners(on).await?;
        let taken = self.listen.iter().find_map(|at| {
            taken.iter().find(|listener| listener.takes(*at)).map(|listener| (at, listener))
        });
        if let Some((at, by)) = taken {
            let found = format!("a process of user {} that listens at {}", by.uid, by.at);
            let next = "end it (ss -ltnp shows it), or take another port";
            return refused(format!("nobody who listens at {at}"), found, next);
        }
        Ok(None)
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

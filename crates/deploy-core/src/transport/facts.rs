//! What a Linux host says of itself, over any transport.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Command, Transport, TransportError};

/// More than any of the files that are read here has.
const MOST: usize = 64 * 1024;

/// What a host says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its name.
    pub name: String,
    /// The kernel, as in `Linux`.
    pub kernel: String,
    /// The system, as in `Debian GNU/Linux 12 (bookworm)`.
    pub system: String,
    /// The architecture, as in `x86_64`.
    pub architecture: String,
    /// Bytes of memory.
    pub memory: u64,
    /// Processors that can be used.
    pub processors: u64,
    /// The number of the user as whom programs run.
    pub uid: u32,
    /// The version of systemd, where it leads this host.
    pub systemd: Option<u32>,
}

/// By how much the clock of a host is ahead of this machine's.
///
/// # Errors
///
/// [`TransportError`], also where the answer cannot be read.
pub async fn clock_ahead(host: &dyn Transport) -> Result<SignedDuration, TransportError> {
    let said = said(host, "date", &["+%s"]).await?;
    let there = said.trim().parse().ok().and_then(|it| Timestamp::from_second(it).ok());
    let there = there.ok_or_else(|| unread("date", &said))?;
    Ok(there.duration_since(Timestamp::now()))
}

impl HostFacts {
    /// Asks a Linux host.
    ///
    /// # Errors
    ///
    /// [`TransportError`], also where an answer cannot be read.
    pub async fn of_linux(host: &dyn Transport) -> Result<Self, TransportError> {
        let uname = said(host, "uname", &["-s", "-m", "-n"]).await?;
        let words: Vec<&str> = uname.split_whitespace().collect();
        // The order is the kernel's, whatever the order of the options.
        let &[kernel, name, architecture] = words.as_slice() else {
            return Err(unread("uname", &uname));
        };
        let release = file(host, "/usr/lib/os-release").await?.unwrap_or_default();
        let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let memory = file(host, "/proc/meminfo").await?.unwrap_or_default();
        let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kilobytes = total.and_then(|total| total.trim().strip_suffix(" kB"));
        let kilobytes: u64 = kilobytes
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| unread("/proc/meminfo", total.unwrap_or_default()))?;
        let processors = said(host, "nproc", &[]).await?;
        let uid = said(host, "id", &["-u"]).await?;
        Ok(Self {
            name: name.to_owned(),
            kernel: kernel.to_owned(),
            system: system.unwrap_or("unknown").trim_matches('"').to_owned(),
            architecture: architecture.to_owned(),
            memory: kilobytes * 1024,
            processors: processors.trim().parse().map_err(|_| unread("nproc", &processors))?,
            uid: uid.trim().parse().map_err(|_| unread("id", &uid))?,
            systemd: systemd(host).await?,
        })
    }
}

/// The version of systemd, where it is process 1: only then can units be started.
async fn systemd(host: &dyn Transport) -> Result<Option<u32>, TransportError> {
    if host.stat("/run/systemd/system").await?.is_none() {
        return Ok(None);
    }
    let version = said(host, "systemctl", &["--version"]).await?;
    let number = version.split_whitespace().nth(1).and_then(|number| {
        number.split(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse().ok())
    });
    number.map(Some).ok_or_else(|| unread("systemctl", &version))
}

/// Bytes that are free where a folder is, or will be.
///
/// # Errors
///
/// [`TransportError`], also where the answer cannot be read.
pub async fn free_disk(host: &dyn Transport, folder: &str) -> Result<u64, TransportError> {
    let mut there = folder.trim_end_matches('/');
    while !there.is_empty() && host.stat(there).await?.is_none() {
        there = there.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    let there = if there.is_empty() { "/" } else { there };
    let said = said(host, "df", &["-P", "-k", "--", there]).await?;
    let line = said.lines().nth(1).unwrap_or_default();
    let kilobytes: Option<u64> = line.split_whitespace().nth(3).and_then(|it| it.parse().ok());
    kilobytes.map(|number| number * 1024).ok_or_else(|| unread("df", &said))
}

async fn said(
    host: &dyn Transport,
    program: &str,
    arguments: &[&str],
) -> Result<String, TransportError> {
    let ended = host.run(&Command::new(program, arguments).most(MOST)).await?;
    if ended.code == 0 {
        return Ok(ended.text());
    }
    let cause = format!("it ended with {}: {}", ended.code, ended.why());
    Err(TransportError::Failed { doing: program.to_owned(), cause })
}

async fn file(host: &dyn Transport, path: &str) -> Result<Option<String>, TransportError> {
    let read = host.read(path, MOST).await?;
    Ok(read.map(|bytes| String::from_utf8_lossy(bytes.expose()).into_owned()))
}

fn unread(what: &str, said: &str) -> TransportError {
    let said: String = said.chars().take(100).collect();
    TransportError::Failed {
        doing: format!("reading what {what} says"),
        cause: format!("found {said:?}"),
    }
}

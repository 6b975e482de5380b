//! One connection to one daemon.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use deploy_core::StepError;
use deploy_core::retry::{Pauses, tried};
use jiff::{SignedDuration, Timestamp};

/// How long one request may take. Loading an image over a slow line is one request.
const REQUEST: Duration = Duration::from_secs(600);

/// How often the first connection is tried, and the pauses between: a daemon that is just being
/// started again is back within a second.
const TRIES: usize = 4;
const PAUSES: Pauses = Pauses::new(Duration::from_millis(100), Duration::from_millis(400));

/// The oldest interface that has all that is used here: that of Docker 20.10.
const OLDEST: (usize, usize) = (1, 41);

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerHost {
    /// A socket of this machine.
    Socket(PathBuf),
}

/// Why a daemon cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The address is none.
    #[error(
        "{given:?} is no address of a Docker daemon; expected unix:///PATH: a daemon of this machine"
    )]
    Address {
        /// What was given.
        given: String,
    },
    /// It does not answer.
    #[error(
        "the Docker daemon at {host} does not answer: {cause}; is it running, and may this account use it?"
    )]
    Down {
        /// Where.
        host: DockerHost,
        /// What was seen.
        cause: String,
    },
    /// It is older than what is used here.
    #[error("the Docker daemon at {host} speaks version {found} of its interface; {}.{} is needed (Docker 20.10)", OLDEST.0, OLDEST.1)]
    TooOld {
        /// Where.
        host: DockerHost,
        /// Its version.
        found: String,
    },
    /// It runs containers of another system.
    #[error(
        "the Docker daemon at {host} runs {found} containers; a Velociraptor server needs Linux containers"
    )]
    OtherSystem {
        /// Where.
        host: DockerHost,
        /// Its system.
        found: String,
    },
}

/// What a daemon says of its machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonFacts {
    /// Its version.
    pub version: String,
    /// The processor, as in `x86_64`.
    pub architecture: String,
    /// What tells it from all other daemons; empty where it does not say.
    pub id: String,
    /// The folder of its images and volumes, on its own machine.
    pub root: PathBuf,
    /// Memory of the machine in bytes.
    pub memory: u64,
    /// Processors.
    pub cpus: u64,
    /// Limits of memory take effect.
    pub limits_memory: bool,
    /// Limits of processors take effect.
    pub limits_cpu: bool,
    /// Limits of swap take effect.
    pub limits_swap: bool,
    /// By how much its clock is ahead of this machine's; nothing where it does not say.
    pub ahead: Option<SignedDuration>,
}

/// A daemon that answers and fits.
#[derive(Clone)]
pub struct Daemon {
    pub(crate) docker: Docker,
    host: DockerHost,
    facts: DaemonFacts,
}

impl DockerHost {
    /// Reads an address as `DOCKER_HOST` has it.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Address`], also for a machine elsewhere.
    pub fn parse(address: &str) -> Result<Self, DaemonError> {
        match address.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
            Some(path) => Ok(Self::Socket(PathBuf::from(path))),
            None => Err(DaemonError::Address { given: address.to_owned() }),
        }
    }
}

impl DaemonError {
    /// What a person can do about it.
    pub const fn next(&self) -> &'static str {
        match self {
            Self::Address { .. } => {
                "set DOCKER_HOST=unix:///PATH, or unset it for the usual socket"
            }
            Self::Down { .. } => {
                "start the daemon (systemctl start docker), or name another with DOCKER_HOST=unix:///PATH"
            }
            Self::TooOld { .. } => {
                "bring that daemon to a newer version, or name another with DOCKER_HOST=unix:///PATH"
            }
            Self::OtherSystem { .. } => {
                "switch the daemon to Linux containers, or name another with DOCKER_HOST=unix:///PATH"
            }
        }
    }
}

impl Default for DockerHost {
    fn default() -> Self {
        Self::Socket(PathBuf::from("/var/run/docker.sock"))
    }
}

impl fmt::Display for DockerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Socket(path) = self;
        write!(f, "unix://{}", path.display())
    }
}

impl Daemon {
    /// Connects, agrees on a version, and looks whether the daemon fits.
    ///
    /// # Errors
    ///
    /// [`DaemonError`].
    pub async fn connect(host: DockerHost) -> Result<Self, DaemonError> {
        let down = |error: Error| DaemonError::Down { host: host.clone(), cause: words(&error) };
        let seconds = REQUEST.as_secs();
        let DockerHost::Socket(path) = &host;
        let path = path
            .to_str()
            .ok_or_else(|| DaemonError::Address { given: path.to_string_lossy().into_owned() })?;
        let docker = Docker::connect_with_unix(path, seconds, API_DEFAULT_VERSION);
        let docker = docker.map_err(&down)?;
        // It asks for the version only.
        let agreed = tried(TRIES, PAUSES, is_transient, || docker.clone().negotiate_version());
        let docker = agreed.await.map_err(&down)?;
        let version = docker.version().await.map_err(&down)?;
        let spoken = version.api_version.unwrap_or_default();
        if !is_new_enough(&spoken) {
            return Err(DaemonError::TooOld { host, found: spoken });
        }
        let info = docker.info().await.map_err(&down)?;
        let system = info.os_type.unwrap_or_default();
        if system != "linux" {
            return Err(DaemonError::OtherSystem { host, found: system });
        }
        let facts = DaemonFacts {
            version: info.server_version.unwrap_or_default(),
            architecture: info.architecture.unwrap_or_default(),
            id: info.id.unwrap_or_default(),
            root: PathBuf::from(info.docker_root_dir.unwrap_or_default()),
            memory: info.mem_total.and_then(|n| n.try_into().ok()).unwrap_or_default(),
            cpus: info.ncpu.and_then(|n| n.try_into().ok()).unwrap_or_default(),
            limits_memory: info.memory_limit.unwrap_or_default(),
            limits_cpu: info.cpu_cfs_quota.unwrap_or_default(),
            limits_swap: info.swap_limit.unwrap_or_default(),
            ahead: info.system_time.and_then(|said| ahead(&said)),
        };
        Ok(Self { docker, host, facts })
    }

    /// What it says of its machine.
    pub const fn facts(&self) -> &DaemonFacts {
        &self.facts
    }

    /// Where it is.
    pub const fn host(&self) -> &DockerHost {
        &self.host
    }

    /// What a failed request means for a step.
    pub(crate) fn failed(&self, doing: &str) -> impl FnOnce(Error) -> StepError + use<> {
        let (host, doing) = (self.host.to_string(), doing.to_owned());
        move |error| match error {
            Error::DockerResponseServerError { status_code, message } => StepError::failed(
                format!("{doing}: the Docker daemon says {message} ({status_code})"),
                "mend what it names, then resume",
            ),
            Error::DockerStreamError { error } => StepError::failed(
                format!("{doing}: the Docker daemon says {error}"),
                "mend what it names, then resume",
            ),
            Error::HyperLegacyError { .. }
            | Error::HyperResponseError { .. }
            | Error::IOError { .. }
            | Error::RequestTimeoutError
            | Error::SocketNotFoundError(_) => {
                let target = format!("the Docker daemon at {host}");
                StepError::Unreachable { target, cause: format!("{doing}: {}", words(&error)) }
            }
            other => StepError::failed(format!("{doing}: {}", words(&other)), "report this"),
        }
    }
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon").field("host", &self.host).field("facts", &self.facts).finish()
    }
}

/// What is there, or nothing where the daemon says that there is no such thing.
pub(crate) fn present<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it may pass: somebody was there, or is about to be. A socket that is not there is not, nor
/// is one that this account may not use.
fn is_transient(error: &Error) -> bool {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted,
        UnexpectedEof, WouldBlock,
    };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return matches!(
                io.kind(),
                BrokenPipe
                    | ConnectionAborted
                    | ConnectionRefused
                    | ConnectionReset
                    | Interrupted
                    | UnexpectedEof
                    | WouldBlock
            );
        }
        cause = inner.source();
    }
    false
}

/// An error with what caused it: the outer one alone often says nothing.
fn words(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let text = inner.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        source = inner.source();
    }
    words
}

fn ahead(said: &str) -> Option<SignedDuration> {
    let there: Timestamp = said.parse().ok()?;
    Some(there.duration_since(Timestamp::now()))
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<usize>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => false,
    }
}

#[cfg(test)]
impl Daemon {
    /// One that says that it has this id, and that is never asked.
    pub(crate) fn known_as(id: &str, socket: &std::path::Path) -> Self {
        let path = socket.to_str().unwrap();
        let docker = Docker::connect_with_unix(path, 1, API_DEFAULT_VERSION).unwrap();
        let facts = DaemonFacts {
            version: String::new(),
            architecture: String::from("x86_64"),
            id: id.to_owned(),
            root: PathBuf::from("/"),
            memory: 0,
            cpus: 0,
            limits_memory: true,
            limits_cpu: true,
            limits_swap: true,
            ahead: None,
        };
        Self { docker, host: DockerHost::Socket(socket.to_owned()), facts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let socket = DockerHost::parse("unix:///run/docker.sock").unwrap();
        assert_eq!(socket.to_string(), "unix:///run/docker.sock");
        for bad in ["", "/run/docker.sock", "unix://", "unix://run", "tcp://dock:2375"] {
            assert!(DockerHost::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, fits) in
            [("1.41", true), ("1.5", false), ("1.100", true), ("2.0", true), ("", false)]
        {
            assert_eq!(is_new_enough(version), fits, "{version}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_socket_where_nobody_listens_any_longer_may_be_listened_at_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let docker = || Docker::connect_with_unix(path.to_str().unwrap(), 5, API_DEFAULT_VERSION);
        let missing = docker().unwrap_err();
        assert!(!is_transient(&missing), "{missing:?}");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let refused = docker().unwrap().negotiate_version().await.unwrap_err();
        assert!(is_transient(&refused), "{refused:?}");
    }

    #[tokio::test]
    async fn a_daemon_that_is_not_there_is_said_to_be_down() {
        let nowhere = DockerHost::Socket(PathBuf::from("/nowhere/docker.sock"));
        let error = Daemon::connect(nowhere).await.unwrap_err().to_string();
        assert!(error.contains("unix:///nowhere/docker.sock does not answer"), "{error}");
    }
}

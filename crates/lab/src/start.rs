//! Starting and stopping a lab.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secret::Secret;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::SECOND_ORG;
use crate::certificates::Authority;
use crate::fleet::{Fleet, built_in};
use crate::options::{LabOptions, Role};
use crate::server::{Service, Tls, serve};
use crate::world::accounts::Account;
use crate::world::{Definition, ROOT, Repository, World};

/// Why a lab did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No thread, no port, or a file could not be written.
    #[error("the lab could not be set up: {0}")]
    Io(#[from] io::Error),
    /// The certificates could not be made.
    #[error("the lab's certificates could not be made: {0}")]
    Certificates(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("the lab's TLS could not be set up: {0}")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The lab's own data is wrong.
    #[error("the lab's data is wrong: {0}")]
    Data(String),
}

/// A running lab. It ends when it is dropped: connections are cut, as by a server that dies.
pub struct Lab {
    address: SocketAddr,
    world: Arc<World>,
    files: HashMap<Role, Secret<String>>,
    tls: Tls,
    /// The threads of the server. `None` while it is stopped.
    runtime: Option<Runtime>,
}

/// A listener and its connections close within milliseconds; the rest is for a loaded machine.
const STOP_LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

impl Lab {
    /// Starts a lab. It has threads of its own, so it may be called with or without an executor.
    ///
    /// # Errors
    /// No free port or thread, or certificates that cannot be made.
    pub fn start(options: LabOptions) -> Result<Self, Error> {
        let mut fleet =
            Fleet::load(Timestamp::now()).map_err(|error| Error::Data(error.to_string()))?;
        if let Some(name) = &options.strange_host {
            fleet.add_strange(name, Timestamp::now());
        }
        let mut repository = Repository::default();
        for definition in built_in().map_err(Error::Data)? {
            repository.insert(definition);
        }
        let world = Arc::new(World::new(Arc::new(fleet), repository, options.speed));
        for role in Role::ALL.iter().filter(|role| !role.roles().is_empty()) {
            let account = Account::with_roles(role.roles());
            world.add_user(role.user(), ROOT, account.clone());
            // In the second org only the reader and the administrator hold something.
            if matches!(role, Role::Reader | Role::Administrator) {
                world.add_user(role.user(), SECOND_ORG, account);
            }
        }
        let authority = Authority::new()?;
        let tls = Tls::new(&authority, &authority.server()?).map_err(Error::Tls)?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", options.port))?;
        let address = listener.local_addr()?;
        let mut files = HashMap::new();
        for role in Role::ALL {
            files.insert(*role, authority.api_client(role.user(), &address.to_string())?);
        }
        let mut lab = Self { address, world, files, tls, runtime: None };
        lab.listen(listener)?;
        Ok(lab)
    }

    fn listen(&mut self, listener: std::net::TcpListener) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("lab")
            .enable_all()
            .build()?;
        listener.set_nonblocking(true)?;
        let service = Service { world: Arc::clone(&self.world) };
        {
            let _inside = runtime.enter();
            let listener = TcpListener::from_std(listener)?;
            // It ends with the runtime, which drops it.
            drop(runtime.spawn(serve(listener, self.tls.clone(), service)));
        }
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Stops the server as if it had died: connections are cut. Its data stays. Blocks until the
    /// port is free again, for five seconds at most.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime that waits may not end inside another one, so it ends on a thread of its
            // own. One that cannot be waited for leaves the port taken, which `resume` reports.
            let ended = std::thread::spawn(move || runtime.shutdown_timeout(STOP_LIMIT));
            drop(ended.join());
        }
    }

    /// Serves again after [`Lab::stop`], at the same address and with the same certificates.
    ///
    /// # Errors
    /// The port has been taken by somebody else, or there is no thread to be had.
    pub fn resume(&mut self) -> Result<(), Error> {
        if self.runtime.is_none() {
            self.listen(std::net::TcpListener::bind(self.address)?)?;
        }
        Ok(())
    }

    /// Where the server listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API client file of an identity, as text.
    ///
    /// # Panics
    /// Never: there is a file for each role.
    #[expect(clippy::indexing_slicing, reason = "there is a file for each role")]
    pub fn api_config(&self, role: Role) -> &Secret<String> {
        &self.files[&role]
    }

    /// Writes the API client files `reader.yaml`, `investigator.yaml` and `administrator.yaml`
    /// into a folder that exists; only the owner may read them. Returns their paths.
    ///
    /// # Errors
    /// A file that exists already or cannot be written.
    pub fn write_configs(&self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        [
            (Role::Reader, "reader.yaml"),
            (Role::Investigator, "investigator.yaml"),
            (Role::Administrator, "administrator.yaml"),
        ]
        .into_iter()
        .map(|(role, name)| {
            let path = folder.join(name);
            write_private(&path, self.api_config(role).expose())?;
            Ok(path)
        })
        .collect()
    }

    /// The offline host of that name connects again. Returns whether there is one.
    pub fn bring_back(&self, hostname: &str) -> bool {
        self.world.bring_back(hostname)
    }

    /// Adds an artifact, as somebody with another client of the server does.
    ///
    /// # Errors
    /// What is wrong with the definition.
    pub fn define(&self, definition: &str) -> Result<(), String> {
        let definition = Definition::parse(definition, false)?;
        self.world.state().repository.insert(definition);
        Ok(())
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lab").field("address", &self.address).finish_non_exhaustive()
    }
}

//! Endpoints of a real server: one agent that looks at this machine, or many simulated ones.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::{Process, RealServer, Role};
use crate::wait;

/// Enrolment takes some four seconds, and a big fleet enrols at its start rate.
const ENROL_LIMIT: Duration = Duration::from_secs(60);

/// `velociraptor client` on this machine.
///
/// It belongs to the server's folder: drop it first.
#[derive(Debug)]
pub struct RealAgent {
    process: Process,
    client_id: String,
}

impl RealAgent {
    /// Starts an agent of `org` and waits until the server knows its host name.
    ///
    /// # Errors
    /// It does not enrol in time, twice; both times are told with what was seen.
    pub async fn enrol(server: &RealServer, org: &str) -> anyhow::Result<Self> {
        let before = clients(server, org).await?;
        let name = format!("agent-{org}-{}", before.len());
        let config = server.agent_config(org, &name).await?;
        let log = server.folder().join(format!("{name}.log"));
        let mut command = Command::new(server.binary());
        command
            .args(["--nobanner", "-v"])
            .arg(format!("--config={}", config.display()))
            .arg("client")
            .current_dir(server.folder());
        let enrolled = || async {
            let mut fresh = clients(server, org).await?;
            fresh.retain(|id| !before.contains(id));
            match fresh.into_iter().next() {
                Some(id) => Ok(id),
                None => bail!("no new client with a host name; {}", silent(server, org).await?),
            }
        };
        let (process, client_id) =
            twice("velociraptor client", &mut command, &log, server, org, enrolled).await?;
        Ok(Self { process, client_id })
    }

    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Ends the agent: the client is known to the server still, and offline.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop().map(drop)
    }
}

/// `velociraptor pool_client`: many clients in one process, which all report this machine.
///
/// It belongs to the server's folder: drop it first.
#[derive(Debug)]
pub struct Fleet {
    _process: Process,
    client_ids: Vec<String>,
}

impl Fleet {
    /// Starts `size` clients and waits until the server knows the host name of each.
    ///
    /// # Errors
    /// As [`RealAgent::enrol`].
    pub async fn enrol(server: &RealServer, org: &str, size: usize) -> anyhow::Result<Self> {
        let before = clients(server, org).await?;
        let name = format!("fleet-{org}-{}", before.len());
        let config = server.agent_config(org, &name).await?;
        let folder = config.parent().context("a file has a folder")?;
        let log = server.folder().join(format!("{name}.log"));
        let mut command = Command::new(server.binary());
        command
            .arg("--nobanner")
            .arg(format!("--config={}", config.display()))
            .arg("pool_client")
            .arg(format!("--number={size}"))
            .arg(format!("--writeback_dir={}", folder.display()))
            .current_dir(folder);
        let enrolled = || async {
            let mut fresh = clients(server, org).await?;
            fresh.retain(|id| !before.contains(id));
            if fresh.len() != size {
                bail!("{} of {size} clients; {}", fresh.len(), silent(server, org).await?);
            }
            anyhow::Ok(fresh.into_iter().collect())
        };
        let (process, client_ids) =
            twice("velociraptor pool_client", &mut command, &log, server, org, enrolled).await?;
        Ok(Self { _process: process, client_ids })
    }

    /// In the order of the ids.
    pub fn client_ids(&self) -> &[String] {
        &self.client_ids
    }
}

/// The clients that were interrogated: only then are they ready for work.
async fn clients(server: &RealServer, org: &str) -> anyhow::Result<BTreeSet<String>> {
    let vql = "SELECT client_id FROM clients() WHERE os_info.hostname";
    let rows = server.query(Role::Administrator, org, vql, &[]).await?;
    rows.rows
        .iter()
        .map(|row| row["client_id"].as_str().map(str::to_owned).context("a client without an id"))
        .collect()
}

/// Starts clients and waits until `enrolled` tells that the server knows their host names.
///
/// The server asks a new client for its name once, and under load that one time can be lost: then
/// it is asked for again, as an analyst would, and the same clients are started once more.
async fn twice<T, F>(
    name: &'static str,
    command: &mut Command,
    log: &Path,
    server: &RealServer,
    org: &str,
    enrolled: impl Fn() -> F,
) -> anyhow::Result<(Process, T)>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let mut first = None;
    loop {
        let mut process = Process::start(name, command, log)?;
        let found = wait::until("enrolment", ENROL_LIMIT, &enrolled).await;
        process.check_running()?;
        match (found, first) {
            (Ok(found), _) => return Ok((process, found)),
            (Err(error), None) => {
                first = Some(format!("{error:#}; the log ends:\n{}", process.log_end()));
                process.stop()?;
                let vql = "SELECT collect_client(client_id=client_id,
                    artifacts='Generic.Client.Info') AS Flow
                    FROM clients() WHERE NOT os_info.hostname";
                server.query(Role::Administrator, org, vql, &[]).await?;
            }
            (Err(error), Some(first)) => bail!(
                "{error:#}; the log ends:\n{}\nbefore it was started once more: {first}",
                process.log_end()
            ),
        }
    }
}

/// What the server knows of clients that have no host name yet.
async fn silent(server: &RealServer, org: &str) -> anyhow::Result<String> {
    let vql = "SELECT client_id, last_seen_at, last_interrogate_flow_id, { SELECT session_id,
        state, request.artifacts AS Artifacts FROM flows(client_id=client_id) } AS Flows
        FROM clients() WHERE NOT os_info.hostname";
    let rows = server.query(Role::Administrator, org, vql, &[]).await?.rows;
    Ok(format!("known without one: {rows:?}"))
}

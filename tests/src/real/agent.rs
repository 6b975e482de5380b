//! Endpoints of a real server: one agent that looks at this machine, or many simulated ones.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::{Process, RealServer, Role};
use crate::wait;

/// Enrolment takes some four seconds, and a big fleet enrols at its start rate.
const ENROL_LIMIT: Duration = Duration::from_secs(90);

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
    /// It does not enrol in time; the message holds the end of its log.
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
        let mut process = Process::start("velociraptor client", &mut command, &log)?;
        let enrolled = wait::until("the agent to enrol", ENROL_LIMIT, || async {
            let mut fresh = clients(server, org).await?;
            fresh.retain(|id| !before.contains(id));
            fresh.into_iter().next().context("no new client with a host name")
        })
        .await;
        process.check_running()?;
        let client_id = enrolled.with_context(|| process.log_end())?;
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
    /// Starts `size` clients and waits until the server knows the host name of each. Under load one
    /// of them can miss its turn: the process is then started once more, with the same clients.
    ///
    /// # Errors
    /// They do not all enrol in time, twice; both times are told with what was seen.
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
                let vql =
                    "SELECT client_id, os_info, last_interrogate_flow_id, { SELECT session_id,
                    state, request.artifacts AS Artifacts FROM flows(client_id=client_id) } AS Flows
                    FROM clients() WHERE NOT os_info.hostname";
                let silent = server.query(Role::Administrator, org, vql, &[]).await?.rows;
                bail!("{} of them; known without a host name: {silent:?}", fresh.len());
            }
            anyhow::Ok(fresh.into_iter().collect())
        };
        let what = format!("{size} clients to enrol");
        let mut first = None;
        loop {
            let mut process = Process::start("velociraptor pool_client", &mut command, &log)?;
            let found = wait::until(&what, ENROL_LIMIT, enrolled).await;
            process.check_running()?;
            match (found, first) {
                (Ok(client_ids), _) => return Ok(Self { _process: process, client_ids }),
                (Err(error), None) => {
                    first = Some(format!("{error:#}; the log ends:\n{}", process.log_end()));
                    process.stop()?;
                }
                (Err(error), Some(first)) => bail!(
                    "{error:#}; the log ends:\n{}\nbefore it was started once more: {first}",
                    process.log_end()
                ),
            }
        }
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

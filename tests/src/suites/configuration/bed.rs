//! A server, an API client and an agent that run on files of ours alone.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secret::Secret;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Limits, OrgId, Server};
use velociraptor_config::{
    Administrator, ApiConfig, Bind, ClientConfig, ClientPaths, Deployment, Listen, Nonces, Profile,
    ServerConfig, ServerKeys,
};
use vql_builder::{Query, RawVql};

use super::{https, velociraptor};
use crate::real::{Ports, Process};
use crate::wait;

const LIMIT: Duration = Duration::from_secs(60);

/// An agent that misses the server's first word comes back after its own back-off.
const ENROL: Duration = Duration::from_secs(240);

/// A deployment on loopback in a folder, with its administrator's password.
pub(super) fn deployment(
    profile: &'static Profile,
    keys: ServerKeys,
    folder: &Path,
) -> anyhow::Result<(Deployment, Secret<String>)> {
    let (administrator, password) = Administrator::with_random_password("admin")?;
    let ports = Ports::choose()?;
    let here = |port| Bind { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port };
    let text = |path: PathBuf| path.to_str().map(str::to_owned).context("the folder's name");
    let deployment = Deployment {
        profile,
        keys,
        nonces: Nonces::draw()?,
        listen: Listen {
            frontend: here(ports.frontend),
            gui: here(ports.gui),
            api: here(ports.api),
            monitoring: here(ports.monitoring),
        },
        agents_at: ("localhost".parse()?, ports.frontend),
        gui_at: ("localhost".parse()?, ports.gui),
        api_at: "localhost".parse()?,
        datastore: text(folder.join("store"))?,
        logs: Some(text(folder.join("logs"))?),
        administrator: Some(administrator),
        labels: vec!["no".to_owned()],
    };
    Ok((deployment, password))
}

pub(super) struct Bed {
    /// Dropped before the server and the folder.
    agent: Option<Process>,
    server: Process,
    binary: PathBuf,
    config: ServerConfig,
    listen: Listen,
    password: Secret<String>,
    folder: TempDir,
}

impl Bed {
    /// Starts the server, with one API client that was minted before.
    pub(super) async fn start(
        binary: &Path,
        profile: &'static Profile,
        keys: ServerKeys,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (deployment, password) = deployment(profile, keys, folder.path())?;
        let (config, listen) = (deployment.config()?, deployment.listen);
        let file = folder.path().join("server.config.yaml");
        fs::write(&file, config.render().expose())?;
        fs::create_dir(folder.path().join("store"))?;
        let flag = format!("--config={}", file.display());
        let minted = folder.path().join("minted.yaml").display().to_string();
        let role = "--role=administrator,api";
        let mint = [&flag, "config", "api_client", "--name=mcp", role, &minted];
        let output = velociraptor(binary, folder.path(), &mint).await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "minting: {}", errors.trim());

        let mut command = std::process::Command::new(binary);
        command.args(["--nobanner", "-v", &flag, "frontend", "--disable-panic-guard"]);
        command.current_dir(folder.path());
        let log = folder.path().join("server.log");
        let server = Process::start("velociraptor frontend", &mut command, &log)?;
        let binary = binary.to_path_buf();
        Ok(Self { agent: None, server, binary, config, listen, password, folder })
    }

    pub(super) fn password(&self) -> &str {
        self.password.expose()
    }

    /// Tries to log in to the GUI, and returns the status of the answer.
    pub(super) async fn log_in(&self, password: &str) -> anyhow::Result<u16> {
        let user = STANDARD.encode(format!("admin:{password}"));
        let header = format!("Authorization: Basic {user}\r\n");
        let (port, ca) = (self.listen.gui.port, self.config.keys().ca_certificate);
        wait::until("the GUI to answer", LIMIT, || {
            https::status(port, "/app/index.html", &header, &ca)
        })
        .await
        .with_context(|| self.server.log_end())
    }

    /// Bytes of memory that the server has.
    pub(super) fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kilobytes.context("no VmRSS")?.trim().parse::<u64>()? << 10)
    }

    /// Asks through an API file that we read, moved to the published address and wrote anew.
    pub(super) async fn answers_a_query(&mut self) -> anyhow::Result<()> {
        let asked = wait::until("an answered query", LIMIT, || async {
            let users = self.query("SELECT whoami() AS Value FROM scope()").await?;
            ensure!(users == ["mcp"], "{users:?}");
            anyhow::Ok(())
        })
        .await;
        self.server.check_running()?;
        asked.with_context(|| self.server.log_end())
    }

    async fn query(&self, vql: &str) -> anyhow::Result<Vec<String>> {
        let minted = fs::read_to_string(self.folder.path().join("minted.yaml"))?;
        let api = ApiConfig::parse(&Secret::new(minted))?;
        let api = api.at((&"127.0.0.1".parse()?, self.listen.api.port))?;
        let file = self.folder.path().join("api.yaml");
        fs::write(&file, api.render().expose())?;
        let server = Server::open("ours", vec![(None, velociraptor_api::ApiConfig::load(&file)?)])?;
        let identity = server.identities().first().context("no identity")?;
        let (org, cancel) = (OrgId::parse("root")?, CancellationToken::new());
        let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
        let query = Query::raw("configuration", RawVql::from_caller(vql));
        let rows = server.run_as(identity, &query, &call, false).await?;
        ensure!(rows.failures.is_empty(), "{:?}", rows.failures);
        let values = rows.rows.iter().map(|row| row["Value"].as_str().map(str::to_owned));
        values.map(|value| value.ok_or_else(|| anyhow!("a row without a text"))).collect()
    }

    /// Starts an agent with our file, and waits until it is known by name and has its label.
    pub(super) async fn enrols_an_agent(&mut self) -> anyhow::Result<()> {
        let in_folder = |name: &str| self.folder.path().join(name).display().to_string();
        let client = ClientConfig::of(&self.config).with_paths(&ClientPaths {
            writeback: in_folder("writeback.yaml"),
            tempdir: in_folder(""),
            buffer: in_folder("buffer"),
        });
        let file = self.folder.path().join("client.config.yaml");
        fs::write(&file, client.render().expose())?;
        let mut command = std::process::Command::new(&self.binary);
        command.args(["--nobanner", "-v", &format!("--config={}", file.display()), "client"]);
        command.current_dir(self.folder.path());
        let log = self.folder.path().join("agent.log");
        self.agent = Some(Process::start("velociraptor client", &mut command, &log)?);
        let vql = "SELECT os_info.hostname AS Value FROM clients() WHERE os_info.hostname AND 'no' IN labels";
        wait::until("the agent to enrol", ENROL, || async {
            let known = self.query(vql).await?;
            ensure!(known.len() == 1, "{known:?}");
            anyhow::Ok(())
        })
        .await
        .with_context(|| self.agent.as_ref().map_or_else(String::new, Process::log_end))
    }
}

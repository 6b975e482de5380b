//! A server of this suite's own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use velociraptor_api::{ApiConfig, Call, Limits, OrgId, Rows, Server};
use vql_builder::{Query, RawVql};

use super::config::{ConfigFiles, Ports, Role};
use super::{Process, find_binary};
use crate::suite::Halt;
use crate::wait;

/// A first start takes some two seconds; a busy machine is given much more.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A chosen port can be taken by somebody else before the server binds it.
const START_ATTEMPTS: usize = 3;

/// A running Velociraptor server with three users.
///
/// Fields are dropped in order: the process ends before its folder goes.
#[derive(Debug)]
pub struct RealServer {
    process: Process,
    binary: PathBuf,
    ports: Ports,
    folder: TempDir,
}

/// A query sent by Velociraptor's own command line: the witness that our client is compared with.
#[derive(Debug, Clone, Copy)]
pub struct VendorQuery<'a> {
    pub role: Role,
    /// `root`, or the id of another org.
    pub org: &'a str,
    pub vql: &'a str,
    pub env: &'a [(&'a str, &'a str)],
}

impl RealServer {
    /// Starts a server and waits until it answers a query of each user.
    ///
    /// # Errors
    /// [`Halt::Skip`] without a `velociraptor` on this machine, [`Halt::Fail`] when it is there and
    /// does not come up.
    pub async fn start() -> Result<Self, Halt> {
        Self::start_with(&Value::Null).await
    }

    /// Like [`RealServer::start`], with `change` over the configuration.
    ///
    /// # Errors
    /// As [`RealServer::start`], and Velociraptor does not take a key of the change.
    pub async fn start_with(change: &Value) -> Result<Self, Halt> {
        let binary = find_binary()?;
        let mut last = anyhow!("no attempt was made");
        for _ in 0..START_ATTEMPTS {
            match Self::start_once(&binary, change).await {
                Ok(server) => return Ok(server),
                Err(error) if format!("{error:#}").contains("address already in use") => {
                    last = error;
                }
                Err(error) => return Err(Halt::Fail(error)),
            }
        }
        Err(Halt::Fail(last.context("every attempt met a port that was just taken")))
    }

    async fn start_once(binary: &Path, change: &Value) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("megaraptor-server-").tempdir()?;
        let ports = Ports::choose()?;
        let files = ConfigFiles { binary, folder: folder.path() };
        files.generate_server(ports, change).await?;
        // A running server learns of such users minutes later.
        for role in Role::ALL {
            files.mint(role).await?;
        }
        let process = frontend(binary, &files)?;
        let mut server = Self { process, binary: binary.to_path_buf(), ports, folder };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Waits for the answers of all users and for the port of the agents.
    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        for role in Role::ALL {
            let what = format!("an answer to {}'s query", role.user());
            let end = tokio::time::Instant::now() + START_LIMIT;
            // The process is looked at between the questions: one that ended never answers.
            loop {
                self.process.check_running()?;
                match self.whoami(role).await {
                    Ok(user) => {
                        ensure!(user == role.user(), "{} is taken for {user}", role.user());
                        break;
                    }
                    Err(error) if tokio::time::Instant::now() >= end => {
                        return Err(error.context(format!(
                            "waited {START_LIMIT:?} for {what}; the log ends:\n{}",
                            self.process.log_end()
                        )));
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        }
        let address = self.address(self.ports.frontend);
        wait::until("the agents' port to open", START_LIMIT, || TcpStream::connect(address))
            .await
            .with_context(|| self.process.log_end())?;
        // Only the API port fails loudly: a taken one of the others is just a line in the log.
        let log = self.process.log_text()?;
        let taken = log.lines().find(|line| line.contains("address already in use"));
        ensure!(taken.is_none(), "{}", taken.unwrap_or_default());
        Ok(())
    }

    async fn whoami(&self, role: Role) -> anyhow::Result<String> {
        let rows = self.query(role, "root", "SELECT whoami() AS User FROM scope()", &[]).await?;
        let user = rows.rows.first().and_then(|row| row["User"].as_str());
        user.map(str::to_owned).ok_or_else(|| anyhow!("no row: {rows:?}"))
    }

    /// Our own client of this server, with the API files of `roles`.
    ///
    /// # Errors
    /// Our reading of an API file refuses what Velociraptor wrote.
    pub fn open(&self, roles: &[Role]) -> anyhow::Result<Server> {
        let configs = roles.iter().map(|role| {
            let config = ApiConfig::load(&self.api_file(*role))
                .with_context(|| format!("loading the API file of {}", role.user()))?;
            Ok((Some(role.identity()), config))
        });
        let configs = configs.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Server::open("real", configs)?)
    }

    /// Runs one query through our own client. `org` is `root` or the id of another org.
    ///
    /// # Errors
    /// The query fails, also where the server tells so in a log line only.
    pub async fn query(
        &self,
        role: Role,
        org: &str,
        vql: &str,
        env: &[(&'static str, &str)],
    ) -> anyhow::Result<Rows> {
        Self::query_of(&self.open(&[role])?, org, vql, env).await
    }

    /// Runs one query with an API file that is not one of the three.
    ///
    /// # Errors
    /// As [`RealServer::query`].
    pub async fn query_with(
        &self,
        config: ApiConfig,
        vql: &str,
        env: &[(&'static str, &str)],
    ) -> anyhow::Result<Rows> {
        Self::query_of(&Server::open("real", [(None, config)])?, "root", vql, env).await
    }

    async fn query_of(
        server: &Server,
        org: &str,
        vql: &str,
        env: &[(&'static str, &str)],
    ) -> anyhow::Result<Rows> {
        let identity = server.identities().first().context("no identity")?;
        let org = OrgId::parse(org)?;
        let cancel = CancellationToken::new();
        let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
        let query = env
            .iter()
            .fold(Query::raw("harness", RawVql::from_caller(vql)), |query, (name, value)| {
                query.bind(*name, *value)
            });
        let rows = server.run_as(identity, &query, &call, false).await?;
        ensure!(rows.failures.is_empty(), "{vql}: {:?}", rows.failures);
        Ok(rows)
    }

    /// Runs a query with Velociraptor's own command line and returns its rows.
    ///
    /// # Errors
    /// The command fails. A failing *query* is not seen here: that command ends well, with fewer
    /// rows, and so does this function.
    pub async fn vendor_query(&self, query: VendorQuery<'_>) -> anyhow::Result<Vec<Value>> {
        let mut command = tokio::process::Command::new(&self.binary);
        command
            .arg("--nobanner")
            .arg(format!("--api_config={}", self.api_file(query.role).display()))
            .args(["query", "--format=jsonl"])
            .arg(format!("--org={}", query.org));
        for (key, value) in query.env {
            command.arg(format!("--env={key}={value}"));
        }
        command
            .env("GORACE", "exitcode=0")
            .arg("--")
            .arg(query.vql)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.context("starting velociraptor")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "velociraptor query: {}", errors.trim());
        output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).context("a row is not JSON"))
            .collect()
    }

    /// The queries with `word` in their text that the server is working on, by its own account.
    ///
    /// Of a query that came through the API it lists only the artifacts within: to be seen, a
    /// query reads from an artifact (`SELECT * FROM Artifact.X()`) whose source holds the word.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn running(&self, word: &str) -> anyhow::Result<Vec<String>> {
        let vql = "SELECT Query FROM profile(type='ActiveQueries')";
        let rows = self.query(Role::Administrator, "root", vql, &[]).await?.rows;
        let texts = rows.into_iter().filter_map(|row| Some(row["Query"].as_str()?.to_owned()));
        Ok(texts.filter(|text| text.contains(word)).collect())
    }

    /// Waits until the server works on a query with `word` in its text, or until it does no more
    /// (which proves something only after it was seen to begin).
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn wait_running(&self, word: &str, wanted: bool) -> anyhow::Result<()> {
        let what = if wanted { "to begin" } else { "to end" };
        let what = format!("the query with {word} {what} on the server");
        wait::until(&what, Duration::from_secs(20), || async {
            let running = self.running(word).await?;
            ensure!(running.is_empty() != wanted, "running: {running:?}");
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// Creates an org in which the three users have the roles that they have in the root org.
    ///
    /// Returns its id.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn create_org(&self, name: &str) -> anyhow::Result<String> {
        let vql = "SELECT org_create(name=HarnessOrgName).id AS Id FROM scope()";
        let admin = Role::Administrator;
        let rows = self.query(admin, "root", vql, &[("HarnessOrgName", name)]).await?;
        let id = rows.rows.first().and_then(|row| row["Id"].as_str());
        let id = id.with_context(|| format!("no org was created: {rows:?}"))?.to_owned();
        // Not even its creator has rights in a new org.
        for role in Role::ALL {
            let vql = "SELECT user_grant(user=HarnessUser, \
                       roles=split(string=HarnessRoles, sep=','), orgs=HarnessOrg) FROM scope()";
            let roles = role.roles().join(",");
            let env = [
                ("HarnessUser", role.user()),
                ("HarnessRoles", roles.as_str()),
                ("HarnessOrg", id.as_str()),
            ];
            self.query(admin, "root", vql, &env).await?;
            let vql = "SELECT whoami() AS User, org().id AS Org FROM scope()";
            let what = format!("{} to be let into org {id}", role.user());
            wait::until(&what, Duration::from_secs(30), || async {
                let rows = self.query(role, &id, vql, &[]).await?;
                let row = rows.rows.first().context("no row")?;
                ensure!(row["User"] == role.user() && row["Org"] == id.as_str(), "{row:?}");
                Ok::<_, anyhow::Error>(())
            })
            .await?;
        }
        Ok(id)
    }

    /// Writes the configuration of an agent of `org` and returns its place.
    ///
    /// # Errors
    /// Velociraptor fails.
    pub async fn agent_config(&self, org: &str, name: &str) -> anyhow::Result<PathBuf> {
        self.files().generate_agent(org, name).await
    }

    /// The server's configuration as Velociraptor reads it, keys and all.
    ///
    /// # Errors
    /// Velociraptor fails.
    pub async fn configuration(&self) -> anyhow::Result<Value> {
        self.files().show_server().await
    }

    /// Puts `change` over the server's configuration. It takes effect with the next start.
    ///
    /// # Errors
    /// Velociraptor fails, or does not take a key.
    pub async fn change(&self, change: &Value) -> anyhow::Result<()> {
        self.files().change_server(change).await
    }

    /// Ends the server in good order and starts it again on the same ports and data.
    ///
    /// # Errors
    /// It does not end or does not come up.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process.stop()?;
        self.start_again().await
    }

    /// Ends the server as a crash would.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()
    }

    /// Starts a server that was stopped or killed, on the same ports and data.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.process = frontend(&self.binary, &self.files())?;
        self.wait_until_ready().await
    }

    fn files(&self) -> ConfigFiles<'_> {
        ConfigFiles { binary: &self.binary, folder: self.folder.path() }
    }

    /// The API file of one of the three users.
    pub fn api_file(&self, role: Role) -> PathBuf {
        self.files().api(role)
    }

    /// The folder of the server's data.
    pub fn datastore(&self) -> PathBuf {
        self.files().store()
    }

    /// Where the API listens.
    pub fn api_address(&self) -> SocketAddr {
        self.address(self.ports.api)
    }

    /// Where agents connect.
    pub fn frontend_address(&self) -> SocketAddr {
        self.address(self.ports.frontend)
    }

    /// Where browsers connect.
    pub fn gui_address(&self) -> SocketAddr {
        self.address(self.ports.gui)
    }

    fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// A private folder that goes with the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All that the server has written so far.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log_text(&self) -> anyhow::Result<String> {
        self.process.log_text()
    }

    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

fn frontend(binary: &Path, files: &ConfigFiles<'_>) -> anyhow::Result<Process> {
    let mut command = Command::new(binary);
    command
        .args(["--nobanner", "-v"])
        .arg(format!("--config={}", files.server().display()))
        // The guard would start a second process that outlives the first.
        .args(["frontend", "--disable-panic-guard"])
        .current_dir(files.folder);
    Process::start("velociraptor frontend", &mut command, &files.folder.join("server.log"))
}

//! The typed facade on a real server: every function, in the states that it can meet.

mod artifacts;
mod clients;
mod collections;
mod flow_results;
mod hunts;
mod kept;
mod looked;
mod offline;
mod orgs;
mod quarantine;
mod server;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use velociraptor_api::{ApiConfig, ClientId, IdentityKind, OrgId, Server, Session};

use crate::real::{Fleet, RealAgent, RealServer, Role, VendorQuery};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "facade",
    about: "clients, artifacts, collections, flows, hunts, labels and more, by typed functions",
    run,
};

/// Simulated clients beside the one real agent. They all carry this machine's host name.
const FLEET: usize = 6;

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let server = RealServer::start().await?;
    let agent = RealAgent::enrol(&server, "root").await?;
    let fleet = Fleet::enrol(&server, "root", FLEET).await?;
    let bench = Bench::new(&server, &agent, &fleet)?;
    define(&server, flow_results::DEFINITION).await?;
    clients::run(cases, &bench).await;
    artifacts::run(cases, &bench).await;
    collections::run(cases, &bench).await;
    flow_results::run(cases, &bench).await;
    hunts::run(cases, &bench).await;
    looked::run(cases, &bench).await;
    server::run(cases, &bench).await;
    quarantine::run(cases, &bench).await;
    offline::run(cases, &bench).await;
    orgs::run(cases, &bench).await;
    kept::run(cases, &bench).await;
    Ok(())
}

/// What the cases work on.
struct Bench<'a> {
    server: &'a RealServer,
    agent: &'a RealAgent,
    fleet: &'a Fleet,
    api: Server,
    org: OrgId,
    cancel: CancellationToken,
}

impl<'a> Bench<'a> {
    fn new(server: &'a RealServer, agent: &'a RealAgent, fleet: &'a Fleet) -> anyhow::Result<Self> {
        let api = open(server, &Role::ALL)?;
        let (org, cancel) = (OrgId::root(), CancellationToken::new());
        Ok(Self { server, agent, fleet, api, org, cancel })
    }

    fn agent_id(&self) -> anyhow::Result<ClientId> {
        Ok(ClientId::parse(self.agent.client_id())?)
    }

    /// The same server, where nobody holds more than an investigator.
    fn without_administrator(&self) -> anyhow::Result<Server> {
        open(self.server, &[Role::Reader, Role::Investigator])
    }

    fn session_of<'b>(&'b self, api: &'b Server) -> Session<'b> {
        Session::new(api, &self.org, &self.cancel)
    }

    fn session(&self) -> Session<'_> {
        Session::new(&self.api, &self.org, &self.cancel)
    }
}

/// The server under some of its users.
fn open(server: &RealServer, roles: &[Role]) -> anyhow::Result<Server> {
    let configs = roles
        .iter()
        .map(|role| {
            let kind = match role {
                Role::Reader => IdentityKind::Reader,
                Role::Investigator => IdentityKind::Investigator,
                Role::Administrator => IdentityKind::Administrator,
            };
            Ok((Some(kind), ApiConfig::load(&server.api_file(*role))?))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    Server::open("suite", configs).context("opening the channels")
}

/// Gives the server an artifact of the suite's own.
async fn define(server: &RealServer, definition: &str) -> anyhow::Result<()> {
    let vql = "SELECT artifact_set(definition=SuiteDefinition).name AS Name FROM scope()";
    let env = [("SuiteDefinition", definition)];
    let query = VendorQuery { role: Role::Administrator, org: "root", vql, env: &env };
    let rows = server.vendor_query(query).await?;
    anyhow::ensure!(rows.iter().any(|row| row["Name"].is_string()), "not taken: {rows:?}");
    Ok(())
}

//! A whole server on a systemd host, as a plan.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use deploy_core::preflight::{Check, Verdict};
use deploy_core::server::{HEALTH_TIMEOUT, Place, Probes, ServerOrder, ServerStep, reached};
use deploy_core::transport::Transport;
use deploy_core::{DeploymentId, Grants, Plan, PlanError, Step, StepError, StepName, apart};
use systemd_units::{Confinement, agent_command};
use velociraptor_config::{Bind, Listen, PlanNumbers, Profile};

use crate::agent::AgentSpec;
use crate::beside::SERVER;
use crate::configuration::ConfigurationSpec;
use crate::deployer::LinuxStep;
use crate::folder::{FolderSpec, OpenTo};
use crate::host::HostSpec;
use crate::owner::Owner;
use crate::serving::Serving;
use crate::unit::{self, UnitSpec};

mod site;

use site::Site;

/// Where data are, unless it is said otherwise.
const DATA_UNDER: &str = "/var/lib";

/// Where programs are.
const PROGRAMS_UNDER: &str = "/opt";

/// Where configurations are.
const CONFIGURED_UNDER: &str = "/etc";

/// Processes and threads of a server; it has some dozens.
const TASKS: u64 = 1024;

/// How long a step may take beyond the wait for the server.
const BESIDE: Duration = Duration::from_secs(120);

/// How long an agent may take to enrol, and then to answer: by hand it took 4 s. Where the server's word
/// that there is something to do comes before the agent listens, nothing happens until its next turn,
/// some ninety seconds later.
const ENROL: Duration = Duration::from_secs(240);

/// What is decided about a server on a systemd host.
#[derive(Clone, Debug)]
pub struct LinuxOrder {
    /// The size.
    pub profile: &'static Profile,
    /// What it may use of the host.
    pub grants: Grants,
    /// Where agents reach it.
    pub agents_at: Place,
    /// Where it listens.
    pub listen: Listen,
    /// Who logs in to the GUI first.
    pub gui_user: String,
    /// Labels that agents get when they enrol, beside the deployment's id.
    pub labels: Vec<String>,
    /// The verified binary.
    pub binary: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// The folder below which the data are.
    pub data_under: String,
    /// How long the server may take to be well.
    pub health: Duration,
    /// An agent on the same host.
    pub agent: Option<AgentOrder>,
}

/// What is decided about an agent on the server's host.
#[derive(Clone, Debug)]
pub struct AgentOrder {
    /// How long it may take to enrol, and then to answer.
    pub within: Duration,
}

impl Default for AgentOrder {
    fn default() -> Self {
        Self { within: ENROL }
    }
}

impl LinuxOrder {
    /// A server with the usual ports: agents may come from anywhere, all else is for its own host.
    pub fn new(
        profile: &'static Profile,
        agents_at: Place,
        binary: PathBuf,
        sha256: String,
    ) -> Self {
        Self {
            profile,
            grants: Grants::of(profile),
            agents_at,
            listen: Listen::USUAL,
            gui_user: String::from("admin"),
            labels: Vec::new(),
            binary,
            sha256,
            data_under: DATA_UNDER.to_owned(),
            health: HEALTH_TIMEOUT,
            agent: None,
        }
    }

    /// The plan. Its names say to which deployment they belong.
    ///
    /// # Errors
    ///
    /// [`PlanError::Unfit`] naming the wish that cannot be met.
    pub fn plan(&self, id: &DeploymentId) -> Result<Plan, PlanError> {
        let [agents, gui, api, metrics] = self.listens();
        apart(&[
            ("the agents' port", agents),
            ("the GUI", gui),
            ("the API", api),
            ("the metrics", metrics),
        ])?;
        let owner = Owner::new(id.clone());
        let site = Site::new(&owner, self)?;
        let order = self.server(&owner, &site)?;
        let days = order.days()?;
        let api = order.api_at.clone();
        let server = |step| LinuxStep::Server { step, beside: site.beside.clone() };
        let mut steps = vec![
            ("host", LinuxStep::Host(self.host())),
            ("keys", server(ServerStep::Keys(Box::new(order)))),
            ("user", LinuxStep::User(site.user.clone())),
            ("program", LinuxStep::Program(site.program.clone())),
            ("data", LinuxStep::Datastore(site.beside.datastore.clone())),
            ("configuration", LinuxStep::Configuration(site.configuration.clone())),
            ("administrator", server(ServerStep::Administrator { api: api.clone() })),
            ("server", LinuxStep::Serving(self.serving(&owner, &site))),
            ("users", server(ServerStep::Users { api, days })),
            ("answer", server(ServerStep::Answer)),
        ];
        if let Some(agent) = &self.agent {
            let agent = self.agent(&owner, &site, agent);
            steps.push(("agent-files", LinuxStep::AgentFiles(agent.clone())));
            steps.push(("agent", LinuxStep::Agent(agent.clone())));
            steps.push(("agent-answer", LinuxStep::AgentAnswer(agent)));
        }
        // Twice: a server that ran and is not well is started again, and waited for again.
        let server = self.health.saturating_mul(2);
        let most = self.agent.as_ref().map_or(server, |it| server.max(it.within));
        let step = |(name, step): (&str, LinuxStep)| -> Result<Step, PlanError> {
            let name = StepName::new(name).map_err(|error| PlanError::Unfit {
                what: String::from("the name of a step"),
                expected: error.expected.to_owned(),
                found: error.text,
                next: String::from("report this"),
            })?;
            Ok(step.step(name)?.within(most + BESIDE))
        };
        let plan = Plan::new(steps.into_iter().map(step).collect::<Result<_, _>>()?)?;
        Ok(self.warned(plan))
    }

    /// Looks at the host, and changes nothing.
    ///
    /// # Errors
    ///
    /// Where the host does not say, or the binary cannot be read.
    pub async fn checks(&self, host: &dyn Transport) -> Result<Vec<Check>, StepError> {
        let mut checks = self.host().checks(host).await?;
        // A host takes a limit that it cannot give, and says nothing.
        let chosen = self.grants.millicpus > Grants::of(self.profile).millicpus;
        for check in checks.iter_mut().filter(|check| chosen && check.what == "processors") {
            if check.verdict == Verdict::Doubtful {
                check.verdict = Verdict::Unfit;
                check.next = Some(String::from("give it no more than the host has"));
            }
        }
        checks.extend(self.grants.checks(self.profile));
        Ok(checks)
    }

    fn warned(&self, mut plan: Plan) -> Plan {
        for exposure in self.listen.exposures() {
            plan = plan.warn(exposure.to_string());
        }
        if self.agents_at.host().is_loopback() {
            plan = plan.warn(format!(
                "agents are told to connect to {}: only those on the server's host reach it",
                self.agents_at
            ));
        } else if self.listen.frontend.address.is_loopback() {
            plan = plan.warn(format!(
                "agents are told to connect to {}, and the agents' port listens on {} only",
                self.agents_at, self.listen.frontend.address
            ));
        }
        if self.agent.is_some() {
            plan = plan.warn(
                "the agent runs as root: whoever may collect through this server may run programs on its host",
            );
        }
        plan
    }

    fn listens(&self) -> [SocketAddr; 4] {
        let Listen { frontend, gui, api, monitoring } = self.listen;
        [frontend, gui, api, monitoring]
            .map(|Bind { address, port }| SocketAddr::new(address, port))
    }

    fn host(&self) -> HostSpec {
        let PlanNumbers { memory_limit: _, cpu_millis: _, disk_free, open_files: _, due_after: _ } =
            self.profile.plan;
        let folders = [&self.data_under, PROGRAMS_UNDER, CONFIGURED_UNDER];
        HostSpec {
            memory: self.grants.memory,
            millicpus: self.grants.millicpus,
            disk: disk_free,
            data_under: self.data_under.clone(),
            folders: folders.map(str::to_owned).to_vec(),
            listen: self.listens(),
            binary: self.binary.clone(),
        }
    }

    fn server(&self, owner: &Owner, site: &Site) -> Result<ServerOrder, PlanError> {
        let data = site.beside.datastore.data();
        let [_, gui, api, _] = self.listens();
        let mut labels = self.labels.clone();
        labels.push(owner.label());
        let order = ServerOrder {
            profile: self.profile.name.to_owned(),
            agents_at: self.agents_at.clone(),
            gui_at: reached(gui).to_string().parse()?,
            api_at: reached(api).to_string().parse()?,
            listen: self.listens(),
            logs: Some(format!("{data}/logs")),
            datastore: data,
            gui_user: self.gui_user.clone(),
            labels,
        };
        order.check()?;
        Ok(order)
    }

    fn serving(&self, owner: &Owner, site: &Site) -> Serving {
        let PlanNumbers { memory_limit: _, cpu_millis: _, open_files, disk_free: _, due_after: _ } =
            self.profile.plan;
        let listen = self.listens();
        let [agents, gui, ..] = listen;
        let unit = UnitSpec {
            name: unit::named(owner, SERVER),
            about: String::from("the server"),
            command: site.beside.command(&["-v", "frontend", "--disable-panic-guard"]),
            confinement: Confinement::Server {
                user: site.user.name.clone(),
                writable: site.beside.datastore.data(),
                memory: self.grants.memory,
                millicpus: self.grants.millicpus,
                tasks: TASKS,
                open_files,
                low_ports: listen.iter().any(|at| at.port() < 1024),
            },
        };
        Serving {
            unit,
            probes: Probes { agents: reached(agents), gui: reached(gui) },
            listen,
            user: site.user.name.clone(),
            within: self.health,
        }
    }

    fn agent(&self, owner: &Owner, site: &Site, order: &AgentOrder) -> AgentSpec {
        let path = format!("{}/{}", self.data_under, owner.name("agent"));
        let folder = FolderSpec { path, open_to: OpenTo::Nobody };
        let file = String::from("client.config.yaml");
        let configuration = ConfigurationSpec { folder, file, user: None };
        let command = agent_command(&site.beside.program, &configuration.path());
        let unit = UnitSpec {
            name: unit::named(owner, "agent"),
            about: String::from("the agent"),
            command,
            confinement: Confinement::Agent,
        };
        AgentSpec { configuration, unit, label: owner.label(), within: order.within }
    }
}

#[cfg(test)]
mod tests;

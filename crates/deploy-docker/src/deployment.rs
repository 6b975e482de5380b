//! A whole server in containers, as a plan.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use deploy_core::server::{Place, Probes, ServerOrder, ServerStep, reached};
use deploy_core::{DeploymentId, Grants, Plan, PlanError, Step, StepName, apart};
use velociraptor_config::{Bind, Listen, PlanNumbers, Profile};

use crate::container::{ContainerSpec, Limits, MountedVolume, Published};
use crate::deployer::DockerStep;
use crate::image::ImageSpec;
use crate::inside::{CONFIG, DATA, Inside, SERVER, USER};
use crate::network::NetworkSpec;
use crate::owner::Owner;
use crate::serving::Serving;
use crate::volume::VolumeSpec;

/// Processes and threads of a server; it has some dozens.
const PROCESSES: u64 = 1024;

/// How long a step may take beyond the wait for the server.
const BESIDE: Duration = Duration::from_secs(120);

/// What is decided about a server in containers.
#[derive(Clone, Debug)]
pub struct DockerOrder {
    /// The size.
    pub profile: &'static Profile,
    /// What it may use of the machine.
    pub grants: Grants,
    /// Where agents reach it.
    pub agents_at: Place,
    /// Where the agents' port is published.
    pub agents_on: SocketAddr,
    /// Where the GUI is published.
    pub gui_on: SocketAddr,
    /// Where the API is published.
    pub api_on: SocketAddr,
    /// Who logs in to the GUI first.
    pub gui_user: String,
    /// Labels that agents get when they enrol.
    pub labels: Vec<String>,
    /// The verified binary.
    pub binary: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// How long the server may take to be well.
    pub health: Duration,
}

impl DockerOrder {
    /// The plan. Its names say to which deployment they belong.
    ///
    /// # Errors
    ///
    /// [`PlanError::Unfit`] naming the wish that cannot be met.
    pub fn plan(&self, id: &DeploymentId) -> Result<Plan, PlanError> {
        apart(&[
            ("the agents' port", self.agents_on),
            ("the GUI", self.gui_on),
            ("the API", self.api_on),
        ])?;
        let owner = Owner::new(id.clone());
        let inside = Inside {
            image: format!("{}:server", owner.name("").replacen("megaraptor-", "megaraptor/", 1)),
            data: owner.name("data"),
            config: owner.name("config"),
        };
        let network = owner.name("net");
        let order = self.server()?;
        let days = order.days()?;
        let api = order.api_at.clone();
        let server = |step| DockerStep::Server { step, inside: inside.clone() };
        let steps = [
            ("keys", server(ServerStep::Keys(Box::new(order)))),
            ("image", DockerStep::Image(self.image(&inside))),
            ("network", DockerStep::Network(NetworkSpec { name: network.clone(), isolated: true })),
            ("data", DockerStep::Datastore(VolumeSpec { name: inside.data.clone() })),
            ("configuration", DockerStep::Configuration(inside.clone())),
            ("administrator", server(ServerStep::Administrator { api: api.clone() })),
            ("server", DockerStep::Serving(self.serving(&owner, &inside, network))),
            ("users", server(ServerStep::Users { api, days })),
            ("answer", server(ServerStep::Answer)),
        ];
        let step = |(name, step): (&str, DockerStep)| -> Result<Step, PlanError> {
            let name = StepName::new(name).map_err(|error| PlanError::Unfit {
                what: String::from("the name of a step"),
                expected: error.expected.to_owned(),
                found: error.text,
                next: String::from("report this"),
            })?;
            // Twice: a server that ran and is not well is started again, and waited for again.
            Ok(step.step(name)?.within(self.health.saturating_mul(2) + BESIDE))
        };
        let mut plan = Plan::new(steps.into_iter().map(step).collect::<Result<_, _>>()?)?;
        for exposure in self.published_as().exposures() {
            plan = plan.warn(exposure.to_string());
        }
        if self.agents_at.host().is_loopback() {
            plan = plan.warn(format!(
                "agents are told to connect to {}: only those on this machine reach it",
                self.agents_at
            ));
        } else if self.agents_on.ip().is_loopback() {
            plan = plan.warn(format!(
                "agents are told to connect to {}, and the agents' port listens on {} only",
                self.agents_at,
                self.agents_on.ip()
            ));
        }
        Ok(plan)
    }

    fn server(&self) -> Result<ServerOrder, PlanError> {
        let Listen { frontend, gui, api, monitoring } = Listen::CONTAINER;
        let listen = [frontend, gui, api, monitoring]
            .map(|Bind { address, port }| SocketAddr::new(address, port));
        let order = ServerOrder {
            profile: self.profile.name.to_owned(),
            agents_at: self.agents_at.clone(),
            gui_at: reached(self.gui_on).to_string().parse()?,
            api_at: reached(self.api_on).to_string().parse()?,
            listen,
            datastore: DATA.to_owned(),
            logs: Some(format!("{DATA}/logs")),
            gui_user: self.gui_user.clone(),
            labels: self.labels.clone(),
        };
        order.check()?;
        Ok(order)
    }

    fn image(&self, inside: &Inside) -> ImageSpec {
        ImageSpec {
            tag: inside.image.clone(),
            binary: self.binary.clone(),
            sha256: self.sha256.clone(),
            user: USER,
            folders: vec![DATA.to_owned(), CONFIG.to_owned()],
        }
    }

    fn serving(&self, owner: &Owner, inside: &Inside, network: String) -> Serving {
        // Every number of a profile has a reader: the others are read by the checks before a plan,
        // and by whoever decides on the grants.
        let PlanNumbers { memory_limit: _, cpu_millis: _, open_files, disk_free: _, due_after: _ } =
            self.profile.plan;
        let Listen { frontend, gui, api, monitoring: _ } = Listen::CONTAINER;
        let volume = |volume: &str, at: &str, read_only| MountedVolume {
            volume: volume.to_owned(),
            at: at.to_owned(),
            read_only,
        };
        let published = [(frontend, self.agents_on), (gui, self.gui_on), (api, self.api_on)];
        let arguments = ["-v", "frontend", "--disable-panic-guard"].map(String::from);
        let container = ContainerSpec {
            name: owner.name(SERVER),
            image: self.image(inside).tag,
            arguments: Inside::arguments().into_iter().chain(arguments).collect(),
            network,
            volumes: vec![volume(&inside.data, DATA, false), volume(&inside.config, CONFIG, true)],
            published: published
                .map(|(bind, outside)| Published { inside: bind.port, outside })
                .to_vec(),
            limits: Limits {
                memory: self.grants.memory,
                millicpus: self.grants.millicpus,
                processes: PROCESSES,
                open_files,
            },
        };
        let probes = Probes { agents: reached(self.agents_on), gui: reached(self.gui_on) };
        Serving { container, probes, within: self.health }
    }

    /// What others can reach once it is published.
    fn published_as(&self) -> Listen {
        let bind = |at: SocketAddr| Bind { address: at.ip(), port: at.port() };
        Listen {
            frontend: bind(self.agents_on),
            gui: bind(self.gui_on),
            api: bind(self.api_on),
            ..Listen::USUAL
        }
    }
}

#[cfg(test)]
mod tests;

//! What a plan says of its platform, as it is written down.

use deploy_core::server::ServerOrder;
use deploy_core::{Processors, Record};
use deploy_docker::DockerStep;
use deploy_linux::{Confinement, LinuxDeployer, LinuxStep};

use super::page::code;
use crate::deployments::order;

/// What a server runs on, in words.
pub(super) struct Site {
    pub(super) order: ServerOrder,
    pub(super) binary_sha256: String,
    /// What there is of it, and what it is called.
    pub(super) rows: Vec<(&'static str, String)>,
    /// Where agents, GUI and API are heard: `published on`, `listens on`.
    pub(super) heard: &'static str,
    pub(super) on: [String; 3],
    /// How the end of the server's log is read.
    pub(super) log: String,
    /// Where the evidence is.
    pub(super) evidence: String,
    /// Where the commands work.
    pub(super) machine: &'static str,
    /// What taking it down removes.
    pub(super) removes: String,
    /// The agent of the server's own host.
    pub(super) agent: Option<String>,
}

impl Site {
    /// Of a record; nothing where its plan is not known here.
    pub(super) fn of(record: &Record) -> Option<Self> {
        if record.kind.0 == LinuxDeployer::KIND { linux(record) } else { docker(record) }
    }
}

fn docker(record: &Record) -> Option<Site> {
    let order = order(record)?;
    let (mut serving, mut inside, mut image, mut network) = (None, None, None, None);
    for step in record.plan.steps() {
        match step.settings().ok()? {
            DockerStep::Serving(it) => serving = Some(it),
            DockerStep::Configuration(it) => inside = Some(it),
            DockerStep::Image(it) => image = Some(it),
            DockerStep::Network(it) => network = Some(it.name),
            _ => {}
        }
    }
    let (container, inside, image, network) = (serving?.container, inside?, image?, network?);
    let limits = container.limits;
    let name = code(&container.name);
    let (data, config) = (code(&inside.data), code(&inside.config));
    let rows = vec![
        ("image", code(&inside.image)),
        (
            "container",
            format!(
                "{name}: memory {} MiB, processors {}, {} processes, {} open files",
                limits.memory >> 20,
                Processors(limits.millicpus),
                limits.processes,
                limits.open_files
            ),
        ),
        ("volume of the data", format!("{data}, all evidence is in it")),
        ("volume of the configuration", config.clone()),
        ("network", code(&network)),
    ];
    let on = |at: usize| {
        container.published.get(at).map(|port| code(&port.outside.to_string())).unwrap_or_default()
    };
    Some(Site {
        binary_sha256: image.sha256,
        rows,
        heard: "published on",
        on: [on(0), on(1), on(2)],
        log: format!("docker logs --tail 50 {}", container.name),
        evidence: format!("in the volume {data}"),
        machine: "on the machine of the Docker daemon",
        removes: format!(
            "the container {name}, the volumes {data} and {config}, the network {}, the image {} and \
             the secrets",
            code(&network),
            code(&inside.image)
        ),
        agent: None,
        order,
    })
}

fn linux(record: &Record) -> Option<Site> {
    let order = order(record)?;
    let (mut serving, mut program, mut data, mut config) = (None, None, None, None);
    let (mut user, mut agent) = (None, None);
    for step in record.plan.steps() {
        match step.settings().ok()? {
            LinuxStep::Serving(it) => serving = Some(it),
            LinuxStep::Program(it) => program = Some(it),
            LinuxStep::Datastore(it) => data = Some(it),
            LinuxStep::Configuration(it) => config = Some(it),
            LinuxStep::User(it) => user = Some(it),
            LinuxStep::Agent(it) => agent = Some(it),
            _ => {}
        }
    }
    let (serving, program, data) = (serving?, program?, data?);
    let (config, user) = (config?, user?);
    let unit = code(&serving.unit.name);
    let Confinement::Server { memory, millicpus, tasks, open_files, .. } =
        &serving.unit.confinement
    else {
        return None;
    };
    let mut rows = vec![
        (
            "unit",
            format!(
                "{unit}: memory {} MiB, processors {}, {tasks} processes, {open_files} open files",
                memory >> 20,
                Processors(*millicpus)
            ),
        ),
        ("user", code(&user.name)),
        ("program", code(&program.path())),
        ("data", format!("{}, all evidence is in it", code(&data.data()))),
        ("configuration", code(&config.path())),
    ];
    let mut removes = format!(
        "the unit {unit}, the user {}, the folders {}, {} and {} and the secrets",
        code(&user.name),
        code(&data.folder.path),
        code(&config.folder.path),
        code(&program.folder.path)
    );
    let agent = agent.map(|agent| {
        let (unit, folder) = (code(&agent.unit.name), code(&agent.configuration.folder.path));
        rows.push(("agent of this host", format!("the unit {unit}, its folder {folder}")));
        removes = format!("the agent's unit {unit} and its folder {folder}, {removes}");
        format!(
            "The server's own host has an agent of its own, the unit {unit}. It runs as root, and \
             goes with the deployment."
        )
    });
    let [agents, gui, api, _] = serving.listen.map(|at| code(&at.to_string()));
    Some(Site {
        binary_sha256: program.sha256,
        rows,
        heard: "listens on",
        on: [agents, gui, api],
        log: format!("journalctl --unit {} --lines 50", serving.unit.name),
        evidence: format!("in the folder {}", code(&data.data())),
        machine: "on this host, as root",
        removes,
        agent,
        order,
    })
}

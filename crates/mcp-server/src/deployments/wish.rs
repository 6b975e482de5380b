//! What somebody wishes for, checked and made a plan.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use deploy_core::preflight::{Check, Verdict};
use deploy_core::server::{HEALTH_TIMEOUT, Place};
use deploy_core::{About, DeploymentId, Grants, Plan, PlanError, Record, TargetKind};
use deploy_docker::{DockerDeployer, DockerOrder};
use deploy_linux::{AgentOrder, LinuxDeployer, LinuxOrder};
use jiff::{SignedDuration, Timestamp};
use packages::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_config::{Bind, Listen, Profile};

use super::{Deployments, daemon, package, this_host};
use crate::context::ToolCx;
use crate::tool_error::{Code, ToolError};

/// Seconds that a server may take to be well.
const HEALTH: &str = "MEGARAPTOR_HEALTH_TIMEOUT";

/// The ports that are tried first, and how many beyond them.
const GUI: u16 = 8889;
const API: u16 = 8001;
const METRICS: u16 = 8003;
const BEYOND: u16 = 100;

/// On what a server is deployed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Containers on the Docker daemon of this machine
    #[default]
    Docker,
    /// A systemd service on this machine
    Linux,
}

/// What is wished for.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// On what
    #[serde(default)]
    pub deployment_type: On,
    /// HOST:PORT where agents reach the server
    pub agents_at: String,
    /// Size: minimal (512 MB), rapid (one incident, due after 72 h; default), standard, enterprise
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Memory for the server, as 1GiB; default as the profile says
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Processors for the server, as 1.5; default as the profile says
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.1, max = 1024.0))]
    pub processors: Option<f64>,
    /// Number of the case
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// What it is for
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Words to find it by
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Labels of its agents
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// ADDRESS:PORT for agents; default all addresses and the port of agents_at
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents_on: Option<String>,
    /// ADDRESS:PORT of the GUI; default on loopback
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gui_on: Option<String>,
    /// ADDRESS:PORT of the API; default on loopback
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_on: Option<String>,
    /// Velociraptor's version; default the pinned one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A Velociraptor binary on this machine
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<PathBuf>,
    /// Its SHA-256
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Seconds until the server has to answer
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub health_timeout: Option<u64>,
    /// Enrol this machine too; with linux only
    #[serde(default, skip_serializing_if = "is_off")]
    pub agent: bool,
    /// Only look and plan; change nothing
    #[serde(default, skip_serializing_if = "is_off")]
    pub validate_only: bool,
    /// Leave it as it is where a step fails, instead of taking it back
    #[serde(default, skip_serializing_if = "is_off")]
    pub keep_on_failure: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_off(switch: &bool) -> bool {
    !*switch
}

/// A deployment that can be carried out, or why not.
#[derive(Debug)]
pub struct Planned {
    /// What is noted before anything is done.
    pub record: Record,
    /// What was looked at.
    pub checks: Vec<Check>,
    order: Order,
}

/// What was decided, on one platform or the other.
#[derive(Debug)]
enum Order {
    Docker(Box<DockerOrder>),
    Linux(Box<LinuxOrder>),
}

impl Order {
    fn plan(&self, id: &DeploymentId) -> Result<Plan, PlanError> {
        match self {
            Self::Docker(order) => order.plan(id),
            Self::Linux(order) => order.plan(id),
        }
    }

    fn kind(&self) -> TargetKind {
        TargetKind(String::from(match self {
            Self::Docker(_) => DockerDeployer::KIND,
            Self::Linux(_) => LinuxDeployer::KIND,
        }))
    }
}

impl Planned {
    /// The plan as it would be for any id, and its SHA-256: what somebody agrees to.
    ///
    /// # Errors
    ///
    /// As when it was planned.
    pub fn of_any(&self) -> Result<(Plan, String), ToolError> {
        let plan = self.order.plan(&any()?).map_err(|error| told(&error))?;
        let digest = digest(&plan)?;
        Ok((plan, digest))
    }

    /// A record to be read and not carried out: it has no names that will never be there.
    ///
    /// # Errors
    ///
    /// As when it was planned.
    pub fn of_none(&self) -> Result<Record, ToolError> {
        let (plan, _) = self.of_any()?;
        Ok(Record::new(any()?, self.record.kind.clone(), self.record.about.clone(), plan))
    }

    /// Refuses to go on where a check says that it would fail.
    ///
    /// # Errors
    ///
    /// `conflict`, with each check that failed.
    pub fn fits(&self) -> Result<(), ToolError> {
        let unfit: Vec<&Check> =
            self.checks.iter().filter(|check| check.verdict == Verdict::Unfit).collect();
        if unfit.is_empty() {
            return Ok(());
        }
        let told: Vec<String> = unfit
            .iter()
            .map(|check| {
                format!("{}: expected {}, found {}", check.what, check.expected, check.found)
            })
            .collect();
        let next: Vec<&str> = unfit.iter().filter_map(|check| check.next.as_deref()).collect();
        Err(ToolError::new(Code::Conflict, format!("nothing was done: {}", told.join("; ")))
            .next(next.join("; ")))
    }
}

/// An id that no deployment has, for plans that are read and not carried out.
pub(crate) const ANY: &str = "D-2222222222";

fn any() -> Result<DeploymentId, ToolError> {
    ANY.parse()
        .map_err(|error: deploy_core::BadId| ToolError::new(Code::Internal, error.to_string()))
}

impl Deployments {
    /// Looks, and makes a plan of a wish. Changes nothing, but for a package that is fetched into
    /// the cache.
    ///
    /// # Errors
    ///
    /// Where the wish cannot be met, or the daemon does not answer. That something is unfit is in
    /// the checks.
    pub async fn plan(&self, wish: &Wish, cx: &ToolCx<'_>) -> Result<Planned, ToolError> {
        let profile: &'static Profile =
            wish.profile.as_deref().unwrap_or(Profile::RAPID.name).parse().map_err(
                |error: velociraptor_config::ConfigError| ToolError::invalid(error.to_string()),
            )?;
        let grants = grants(profile, wish)?;
        let agents_at: Place = wish.agents_at.parse().map_err(|error| told(&error))?;
        let anywhere = match agents_at.host().is_loopback() {
            true => IpAddr::V4(Ipv4Addr::LOCALHOST),
            false => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        let on = |given: &Option<String>, name: &str| match given {
            None => Ok(None),
            Some(text) => text.trim().parse::<SocketAddr>().map(Some).map_err(|_| {
                ToolError::invalid(format!(
                    "{name} is {text:?}; expected ADDRESS:PORT, as in 127.0.0.1:8889"
                ))
            }),
        };
        let agents_on = on(&wish.agents_on, "agents_on")?
            .unwrap_or_else(|| SocketAddr::new(anywhere, agents_at.port()));
        let (gui_on, api_on) = (on(&wish.gui_on, "gui_on")?, on(&wish.api_on, "api_on")?);
        let health = health(wish.health_timeout)?;
        let asked = package::Asked {
            version: wish.version.clone(),
            file: wish.binary.clone(),
            sha256: wish.sha256.clone(),
        };
        let said = [Some(agents_on), gui_on, api_on];
        let mut taken: Vec<u16> = said.iter().flatten().map(SocketAddr::port).collect();
        let free = blocking(move || free_beside(&mut taken)).await?;
        let (gui_on, api_on) = (gui_on.unwrap_or(free[0]), api_on.unwrap_or(free[1]));
        let gui_user = String::from("admin");
        let (order, mut checks, found) = match wish.deployment_type {
            On::Docker if wish.agent => {
                return Err(ToolError::invalid("agent is true, and there is none in a container")
                    .next("deploy on linux, or install the agent on a host"));
            }
            On::Docker => {
                let daemon = daemon().await?;
                let architecture = &daemon.facts().architecture;
                let found = package::bring(&asked, architecture, &self.home, cx).await?;
                let order = DockerOrder {
                    profile,
                    grants,
                    agents_on,
                    gui_on,
                    api_on,
                    agents_at,
                    gui_user,
                    labels: wish.labels.clone(),
                    binary: found.path().to_owned(),
                    sha256: found.sha256().to_string(),
                    health,
                };
                let (looks, at) = (order.clone(), daemon.clone());
                let checks = blocking(move || looks.checks(&at)).await?;
                (Order::Docker(Box::new(order)), checks, found)
            }
            On::Linux => {
                let here = std::env::consts::ARCH;
                let found = package::bring(&asked, here, &self.home, cx).await?;
                let bind = |at: SocketAddr| Bind { address: at.ip(), port: at.port() };
                let listen = Listen {
                    frontend: bind(agents_on),
                    gui: bind(gui_on),
                    api: bind(api_on),
                    monitoring: bind(free[2]),
                };
                let (path, sha256) = (found.path().to_owned(), found.sha256().to_string());
                let order = LinuxOrder {
                    grants,
                    listen,
                    gui_user,
                    labels: wish.labels.clone(),
                    health,
                    agent: wish.agent.then(AgentOrder::default),
                    ..LinuxOrder::new(profile, agents_at, path, sha256)
                };
                let checks = order.checks(this_host()?.as_ref()).await;
                let checks = checks.map_err(|error| super::told_step(&error))?;
                (Order::Linux(Box::new(order)), checks, found)
            }
        };
        checks.insert(0, package::check(&found));
        let id = DeploymentId::generate()
            .map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
        let plan = order.plan(&id).map_err(|error| told(&error))?;
        let due = profile.plan.due_after.and_then(|after| {
            Timestamp::now().checked_add(SignedDuration::try_from(after).ok()?).ok()
        });
        let about = About {
            description: wish.description.clone().unwrap_or_default(),
            case: wish.case.clone(),
            tags: wish.tags.iter().cloned().collect(),
            profile: profile.name.to_owned(),
            due,
        };
        Ok(Planned { record: Record::new(id, order.kind(), about, plan), checks, order })
    }
}

/// The SHA-256 of a plan.
///
/// # Errors
///
/// None that a plan can cause.
pub fn digest(plan: &Plan) -> Result<String, ToolError> {
    let bytes = serde_json::to_vec(plan)
        .map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
    Ok(Digest::of(&bytes).to_string())
}

/// What waits for file systems and the network stack, beside other calls.
async fn blocking<T: Send + 'static>(
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ToolError> {
    let looked = tokio::task::spawn_blocking(look).await;
    looked.map_err(|error| ToolError::new(Code::Internal, error.to_string()))
}

/// Ports for the GUI, the API and the metrics, none of which is taken, nor one of the others.
fn free_beside(taken: &mut Vec<u16>) -> [SocketAddr; 3] {
    [GUI, API, METRICS].map(|usual| {
        let at = free(usual, taken);
        taken.push(at.port());
        at
    })
}

/// The usual port on loopback, else the next one that is free.
fn free(usual: u16, taken: &[u16]) -> SocketAddr {
    let on = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let is_free = |at: &SocketAddr| !taken.contains(&at.port()) && TcpListener::bind(at).is_ok();
    (usual..usual + BEYOND).map(on).find(is_free).unwrap_or_else(|| on(usual))
}

/// What was chosen, within what any server needs.
fn grants(profile: &Profile, wish: &Wish) -> Result<Grants, ToolError> {
    let memory = match wish.memory.as_deref() {
        None => None,
        Some(text) => Some(guard::policy::parse_bytes(text).ok_or_else(|| {
            ToolError::invalid(format!("memory is {text:?}; expected a size, as 1GiB or 1500 MB"))
        })?),
    };
    let millicpus = match wish.processors {
        None => None,
        Some(number) if (0.1..=1024.0).contains(&number) => {
            // Within these bounds it is a whole number of thousandths, without a sign.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as said")]
            let millis = (number * 1000.0).round() as u64;
            Some(millis)
        }
        Some(number) => {
            return Err(ToolError::invalid(format!(
                "processors is {number}; expected a number from 0.1 to 1024"
            )));
        }
    };
    Grants::chosen(profile, memory, millicpus).map_err(|error| told(&error))
}

fn health(given: Option<u64>) -> Result<Duration, ToolError> {
    if let Some(seconds) = given {
        return Ok(Duration::from_secs(seconds));
    }
    match std::env::var(HEALTH) {
        Err(_) => Ok(HEALTH_TIMEOUT),
        Ok(text) if text.is_empty() => Ok(HEALTH_TIMEOUT),
        Ok(text) => match text.parse() {
            Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
            _ => {
                Err(ToolError::invalid(format!("{HEALTH} is {text:?}; expected 1 to 3600 seconds")))
            }
        },
    }
}

fn told(error: &PlanError) -> ToolError {
    let told = ToolError::invalid(error.to_string());
    match error {
        PlanError::Unfit { what, expected, found, next } => {
            ToolError::invalid(format!("{what}: expected {expected}, found {found}"))
                .next(next.clone())
        }
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_nobody_chose_are_apart_from_all_others() {
        let mut taken = vec![GUI, API, API + 1];
        let [gui, api, metrics] = free_beside(&mut taken).map(|at| at.port());
        assert!(gui > GUI && api > API + 1, "{gui} {api}");
        assert!(gui != api && api != metrics && gui != metrics, "{gui} {api} {metrics}");
    }
}

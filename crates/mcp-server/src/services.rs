//! Everything that is configured, passed in and never global.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use guard::policy::{Mode, Policy};
use guard::tokens::Scope;
use serde_json::{Map, Value};
use velociraptor_api::help::HelpCache;
use velociraptor_api::near::near;
use velociraptor_api::{OrgId, Server};

use crate::deployments::{Deployments, Fault};
use crate::tool::{Effect, Family, ToolDef};
use crate::tool_error::{Code, ToolError};
use crate::tools::{self, FAMILIES};

/// The name of this machine where a server's name stands.
pub const HERE: &str = "this machine";

/// All families that are on by default, where families are named.
pub const CORE: &str = "core";

/// The servers and the switches.
#[derive(Debug)]
pub struct Services {
    servers: Vec<Target>,
    /// The servers of deployments that are up; shared by all that see them.
    deployed: Arc<RwLock<Vec<Target>>>,
    deployments: Option<Deployments>,
    /// Stands for this machine in calls that ask no server.
    here: Arc<Server>,
    switches: Switches,
    scope: Option<Scope>,
    lab: Option<Arc<lab::Lab>>,
    help: Arc<HelpCache>,
}

/// A server and the orgs in which it may be asked.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub server: Arc<Server>,
    /// The orgs, the default first; never empty.
    pub orgs: Vec<OrgId>,
    /// Where the server's web pages are, for links.
    pub gui: Option<String>,
}

/// What is switched on.
#[derive(Clone, Debug, Default)]
pub struct Switches {
    /// What may run, what is asked for, what is refused.
    pub policy: Arc<Policy>,
    /// The families that were named; empty means those that are on by default.
    pub families: Vec<String>,
}

impl Default for Services {
    fn default() -> Self {
        Self::new(Vec::new(), Switches::default())
    }
}

impl Services {
    /// Puts the parts together.
    pub fn new(servers: Vec<Target>, switches: Switches) -> Self {
        Self {
            servers,
            deployed: Arc::default(),
            deployments: None,
            here: Arc::new(Server::nobody(HERE)),
            switches,
            scope: None,
            lab: None,
            help: Arc::default(),
        }
    }

    /// Knows the deployments of this machine. Those that are up can be asked from now on; what is
    /// returned says which cannot. Blocking.
    #[must_use]
    pub fn with_deployments(self, deployments: Deployments) -> (Self, Vec<Fault>) {
        let (targets, faults) = deployments.targets();
        *self.deployed.write().unwrap_or_else(PoisonError::into_inner) = targets;
        (Self { deployments: Some(deployments), ..self }, faults)
    }

    /// The deployments of this machine.
    ///
    /// # Errors
    ///
    /// `conflict` where there are none to be: on a simulated server nothing is deployed.
    pub fn deployments(&self) -> Result<&Deployments, ToolError> {
        self.deployments.as_ref().ok_or_else(|| {
            ToolError::new(Code::Conflict, "nothing is deployed beside a simulated server")
                .next("leave --lab out")
        })
    }

    /// Looks anew which deployments can be asked, and says why others cannot.
    pub async fn refresh(&self) -> Vec<String> {
        let Some(deployments) = self.deployments.clone() else { return Vec::new() };
        let looked = tokio::task::spawn_blocking(move || deployments.targets()).await;
        let (targets, faults) = match looked {
            Ok(looked) => looked,
            Err(error) => return vec![error.to_string()],
        };
        let mut deployed = self.deployed.write().unwrap_or_else(PoisonError::into_inner);
        let kept = |target: Target| {
            // One that is known keeps its channels.
            let same = |known: &&Target| known.server.name() == target.server.name();
            deployed.iter().find(same).cloned().unwrap_or(target)
        };
        let next = targets.into_iter().map(kept).collect();
        *deployed = next;
        drop(deployed);
        // Those of others do not exist for a token that is not for them.
        let root = OrgId::root();
        let told = |fault: &Fault| match &fault.id {
            Some(id) => self.covers(id.as_str(), root.as_str()),
            None => self.covers_new(),
        };
        faults.iter().filter(|fault| told(fault)).map(ToString::to_string).collect()
    }

    /// Forgets the channels of a deployed server, whose certificates are others now, and looks anew.
    pub async fn renew(&self, name: &str) -> Vec<String> {
        let is_other = |target: &Target| target.server.name() != name;
        self.deployed.write().unwrap_or_else(PoisonError::into_inner).retain(is_other);
        self.refresh().await
    }

    /// Stands for this machine in calls that ask no server.
    pub const fn here(&self) -> &Arc<Server> {
        &self.here
    }

    /// Keeps the simulated server alive for as long as these services.
    #[must_use]
    pub fn with_lab(self, lab: lab::Lab) -> Self {
        Self { lab: Some(Arc::new(lab)), ..self }
    }

    /// What a caller of this scope sees of them: other servers, orgs and effects do not exist.
    #[must_use]
    pub fn narrowed(&self, scope: &Scope) -> Self {
        let within = |target: &Target| {
            let orgs: Vec<_> =
                target.orgs.iter().filter(|org| scope.has_org(org.as_str())).cloned().collect();
            let seen = scope.has_server(target.server.name()) && !orgs.is_empty();
            seen.then(|| Target { orgs, ..target.clone() })
        };
        Self {
            servers: self.servers.iter().filter_map(within).collect(),
            deployed: Arc::clone(&self.deployed),
            deployments: self.deployments.clone(),
            here: Arc::clone(&self.here),
            switches: self.switches.clone(),
            scope: Some(scope.clone()),
            lab: self.lab.clone(),
            help: Arc::clone(&self.help),
        }
    }

    /// Whether the caller's token covers calls of this effect; every call where there is none.
    pub fn in_scope(&self, effect: Effect) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.allows(effect))
    }

    /// Whether the caller may see what was done on that server in that org.
    pub fn covers(&self, server: &str, org: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.has_server(server) && scope.has_org(org))
    }

    /// Whether the caller may see a server that is not there yet: a token that names its servers
    /// names no such.
    pub fn covers_new(&self) -> bool {
        let root = OrgId::root();
        self.scope.as_ref().is_none_or(|it| it.servers.is_none() && it.has_org(root.as_str()))
    }

    /// Whether the server is simulated.
    pub const fn simulated(&self) -> bool {
        self.lab.is_some()
    }

    /// What the servers know of VQL, asked once in the life of the process.
    pub fn help(&self) -> &HelpCache {
        &self.help
    }

    /// The configured servers.
    pub fn configured(&self) -> &[Target] {
        &self.servers
    }

    /// The configured servers, and behind them those of deployments that are up.
    pub fn targets(&self) -> Vec<Target> {
        let deployed = self.deployed.read().unwrap_or_else(PoisonError::into_inner);
        let seen = |target: &&Target| {
            let in_scope = |scope: &Scope| {
                scope.has_server(target.server.name()) && scope.has_org(OrgId::root().as_str())
            };
            self.scope.as_ref().is_none_or(in_scope)
        };
        self.servers.iter().chain(deployed.iter().filter(seen)).cloned().collect()
    }

    /// The server of a deployment, also of one that was brought up by another process meanwhile.
    ///
    /// # Errors
    ///
    /// Where its API files cannot be opened.
    pub async fn deployed(&self, record: &deploy_core::Record) -> Result<Target, ToolError> {
        let name = record.id.as_str();
        let known =
            |all: &Vec<Target>| all.iter().find(|target| target.server.name() == name).cloned();
        let target = known(&self.deployed.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(target) = target {
            return Ok(target);
        }
        let (deployments, record) = (self.deployments()?.clone(), record.clone());
        let opened = tokio::task::spawn_blocking(move || deployments.target(&record)).await;
        opened.map_err(|error| ToolError::new(Code::Internal, error.to_string()))?
    }

    /// What is switched on.
    pub const fn switches(&self) -> &Switches {
        &self.switches
    }

    /// What may run, what is asked for, what is refused.
    pub fn policy(&self) -> &Policy {
        &self.switches.policy
    }

    /// Whether any call may change something, were it only after a person was asked.
    pub fn changes_allowed(&self) -> bool {
        let may = |effect: &Effect| self.policy().mode(*effect).0 != Mode::Deny;
        let changing = Effect::ALL.iter().filter(|effect| **effect != Effect::Read);
        changing.copied().any(|effect| may(&effect) && self.in_scope(effect))
    }

    /// Whether the caller's token covers nothing that changes anything.
    pub fn reads_only_by_scope(&self) -> bool {
        !Effect::ALL.iter().any(|effect| *effect != Effect::Read && self.in_scope(*effect))
    }

    /// Whether the tools take a `server` argument.
    pub fn many_servers(&self) -> bool {
        self.targets().len() > 1 || self.deploys()
    }

    /// Whether a call that names no server has one. Of several deployments none is the usual one: which
    /// was made first says nothing.
    pub fn has_default(&self) -> bool {
        !self.servers.is_empty() || self.targets().len() == 1
    }

    /// Whether a call can make a further server.
    fn deploys(&self) -> bool {
        self.deployments.is_some()
            && self.switches.families.iter().any(|family| family == tools::deploy::FAMILY.id)
    }

    /// Whether the tools take an `org` argument.
    pub fn many_orgs(&self) -> bool {
        self.targets().iter().any(|target| target.orgs.len() > 1)
    }

    /// The tools that are listed, in a fixed order.
    pub fn tools(&self) -> impl Iterator<Item = &'static ToolDef> {
        let families = &self.switches.families;
        let named = |family: &Family| {
            if families.is_empty() {
                family.default
            } else {
                families.iter().any(|f| f == family.id || (f == CORE && family.default))
            }
        };
        FAMILIES
            .iter()
            .flat_map(|family| family.tools.iter().map(move |tool| (family, tool)))
            .filter(move |(family, tool)| tool.stops || named(family))
            .map(|(_, tool)| tool)
            .filter(|tool| self.policy().shows(tool.name, tool.effect))
            .filter(|tool| self.in_scope(tool.effect))
    }

    /// The tool of that name.
    ///
    /// # Errors
    ///
    /// `not_found` for a name that no tool has, `denied` for one that is switched off, naming the
    /// switch.
    pub fn tool(&self, name: &str) -> Result<&'static ToolDef, ToolError> {
        if let Some(tool) = self.tools().find(|tool| tool.name == name) {
            return Ok(tool);
        }
        let known = FAMILIES.iter().flat_map(|family| family.tools).find(|tool| tool.name == name);
        Err(match known {
            Some(tool) if !self.in_scope(tool.effect) => ToolError::new(
                Code::Denied,
                format!("the token of this connection does not cover {}: {name}", tool.effect),
            )
            .next("a person can make another with megaraptor token create NAME --effects"),
            Some(tool) if !self.policy().shows(tool.name, tool.effect) => {
                let (_, rule) = self.policy().mode(tool.effect);
                ToolError::new(
                    Code::Denied,
                    format!(
                        "{name} is a tool to {}, and the policy refuses it ({rule})",
                        tool.effect
                    ),
                )
                .next("a person can change the policy; megaraptor policy shows it")
            }
            Some(_) => {
                ToolError::new(Code::Denied, format!("the family of {name} is switched off"))
                    .next("name it with --families")
            }
            None => {
                let near = near(name, self.tools().map(|tool| tool.name));
                let meant = match near.as_slice() {
                    [] => String::new(),
                    near => format!("did you mean {}? ", near.join(" or ")),
                };
                ToolError::new(Code::NotFound, format!("there is no tool {name:?}"))
                    .next(format!("{meant}tools/list, or megaraptor tools, lists them"))
            }
        })
    }

    /// Why there is nobody to ask.
    fn no_server(&self) -> ToolError {
        if self.scope.is_some() {
            return ToolError::new(
                Code::Denied,
                "the token of this connection covers no server and org that is configured",
            )
            .next("a person can make another with megaraptor token create NAME --servers --orgs");
        }
        ToolError::new(Code::Unavailable, "no server is configured").next(
            "start megaraptor with --config api.config.yaml, with a megaraptor.toml, or with --lab",
        )
    }

    /// Takes the `server` and `org` arguments out and finds what they name.
    ///
    /// # Errors
    ///
    /// Names the value, what was expected, and the configured names.
    pub fn target(&self, arguments: &mut Map<String, Value>) -> Result<(Target, OrgId), ToolError> {
        let targets = self.targets();
        if targets.is_empty() {
            return Err(self.no_server());
        }
        let servers: Vec<&str> = targets.iter().map(|target| target.server.name()).collect();
        let server = take_name(arguments, "server", self.many_servers(), &servers)?;
        let orgs: Vec<&str> =
            targets.iter().flat_map(|target| &target.orgs).map(OrgId::as_str).collect();
        let org = take_name(arguments, "org", self.many_orgs(), &orgs)?;
        let target = match &server {
            None if targets.len() > 1 && !self.has_default() => {
                return Err(ToolError::invalid(format!(
                    "several servers can be asked, and none is the default: {}",
                    servers.join(", ")
                ))
                .next("name one of them as server"));
            }
            None => targets.first().ok_or_else(|| self.no_server())?,
            Some(name) => targets.iter().find(|t| t.server.name() == name).ok_or_else(|| {
                let names: Vec<_> = targets.iter().map(|t| t.server.name()).collect();
                ToolError::invalid(format!(
                    "there is no server {name:?}; configured are: {}",
                    names.join(", ")
                ))
                .next("a person can add one as [[server]] in megaraptor.toml")
            })?,
        };
        let org = match &org {
            None => target.orgs.first().cloned().unwrap_or_else(OrgId::root),
            Some(name) => {
                target.orgs.iter().find(|o| o.as_str() == name).cloned().ok_or_else(|| {
                    let names: Vec<_> = target.orgs.iter().map(OrgId::as_str).collect();
                    ToolError::invalid(format!(
                        "server {} has no org {name:?} configured; it has: {}",
                        target.server.name(),
                        names.join(", ")
                    ))
                    .next("a person can add one with --orgs, or with orgs in megaraptor.toml; megaraptor doctor lists those of the server")
                })?
            }
        };
        Ok((target.clone(), org))
    }
}

/// Takes an argument that is only offered where there is a choice. Without one, the only name is
/// taken all the same: somebody who just deployed a server names it.
fn take_name(
    arguments: &mut Map<String, Value>,
    name: &str,
    offered: bool,
    known: &[&str],
) -> Result<Option<String>, ToolError> {
    if let (false, Some(Value::String(given)), Some(only)) =
        (offered, arguments.get(name), known.first())
        && !known.contains(&given.as_str())
    {
        // Not merely to be left out: whoever names another one does not mean this one.
        let distinct: BTreeSet<&str> = known.iter().copied().collect();
        let error = if distinct.len() == 1 {
            ToolError::invalid(format!("there is no {name} {given:?}; the only one is {only}"))
                .next(format!("name {only}, or leave {name} out, where that one is meant"))
        } else {
            let all: Vec<&str> = distinct.into_iter().collect();
            ToolError::invalid(format!(
                "there is no {name} {given:?}; there are {}",
                all.join(", ")
            ))
            .next(format!("leave {name} out: each server has one"))
        };
        return Err(error);
    }
    match arguments.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(ToolError::invalid(format!("{name} is a name, not {other}"))),
    }
}

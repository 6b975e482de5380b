//! Everything that is configured, passed in and never global.

use std::sync::Arc;

use guard::policy::{Mode, Policy};
use guard::tokens::Scope;
use serde_json::{Map, Value};
use velociraptor_api::help::HelpCache;
use velociraptor_api::near::near;
use velociraptor_api::{OrgId, Server};

use crate::tool::{Effect, Family, ToolDef};
use crate::tool_error::{Code, ToolError};
use crate::tools::FAMILIES;

/// The servers and the switches.
#[derive(Debug, Default)]
pub struct Services {
    servers: Vec<Target>,
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

impl Services {
    /// Puts the parts together.
    pub fn new(servers: Vec<Target>, switches: Switches) -> Self {
        Self { servers, switches, ..Self::default() }
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

    /// Whether the server is simulated.
    pub const fn simulated(&self) -> bool {
        self.lab.is_some()
    }

    /// What the servers know of VQL, asked once in the life of the process.
    pub fn help(&self) -> &HelpCache {
        &self.help
    }

    /// The configured servers.
    pub fn targets(&self) -> &[Target] {
        &self.servers
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
        self.servers.len() > 1
    }

    /// Whether the tools take an `org` argument.
    pub fn many_orgs(&self) -> bool {
        self.servers.iter().any(|target| target.orgs.len() > 1)
    }

    /// The tools that are listed, in a fixed order.
    pub fn tools(&self) -> impl Iterator<Item = &'static ToolDef> {
        let families = &self.switches.families;
        let named = |family: &Family| {
            if families.is_empty() {
                family.default
            } else {
                families.iter().any(|f| f == family.id)
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
    pub fn target(
        &self,
        arguments: &mut Map<String, Value>,
    ) -> Result<(&Target, OrgId), ToolError> {
        let server = take_name(arguments, "server", self.many_servers())?;
        let org = take_name(arguments, "org", self.many_orgs())?;
        let target = match &server {
            None => self.servers.first().ok_or_else(|| self.no_server())?,
            Some(name) => {
                self.servers.iter().find(|t| t.server.name() == name).ok_or_else(|| {
                    let names: Vec<_> = self.servers.iter().map(|t| t.server.name()).collect();
                    ToolError::invalid(format!(
                        "there is no server {name:?}; configured are: {}",
                        names.join(", ")
                    ))
                    .next("a person can add one as [[server]] in megaraptor.toml")
                })?
            }
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
        Ok((target, org))
    }
}

/// Takes an argument that only exists where there is a choice.
fn take_name(
    arguments: &mut Map<String, Value>,
    name: &str,
    offered: bool,
) -> Result<Option<String>, ToolError> {
    if !offered {
        // Left in place, it is refused as an unknown argument.
        return Ok(None);
    }
    match arguments.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(ToolError::invalid(format!("{name} is a name, not {other}"))),
    }
}

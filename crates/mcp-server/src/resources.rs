//! Resources: what the reading tools answer, under addresses that a client can attach.
//!
//! Nearly every resource is one call of a tool, so that both always say the same. A resource whose
//! tool is switched off is not listed.

use rmcp::model::{Resource, ResourceContents, ResourceTemplate};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::context::{Progress, ToolCx};
use crate::evidence;
use crate::services::Services;
use crate::tool_error::{Code, ToolError};
use crate::tools::vql::help::guide;

mod hunt;
mod server_info;
mod uri;

pub use uri::SCHEME;
use uri::{Params, Pattern};

/// One kind of resource.
struct Entry {
    /// The address after the scheme; `{name}` stands for one part.
    path: &'static str,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    source: Source,
}

/// Where the contents come from.
enum Source {
    /// A tool, called with the variables of the address under the names that it takes, and with a
    /// cursor where it gives pages.
    Tool { tool: &'static str, variables: &'static [(&'static str, &'static str)], paged: bool },
    /// A hunt, of which no tool shows all.
    Hunt,
    /// The server itself.
    ServerInfo,
    /// A text that needs no server.
    Guide,
}

const fn tool(
    tool: &'static str,
    variables: &'static [(&'static str, &'static str)],
    paged: bool,
) -> Source {
    Source::Tool { tool, variables, paged }
}

static ENTRIES: &[Entry] = &[
    Entry {
        path: "clients",
        name: "clients",
        title: "Clients",
        description: "Enrolled endpoints, 100 a page",
        source: tool("list_clients", &[], true),
    },
    Entry {
        path: "clients/{client}",
        name: "client",
        title: "Client",
        description: "One endpoint, by id or host name: metadata, labels, recent flows",
        source: tool("get_client_info", &[("client", "client")], false),
    },
    Entry {
        path: "clients/{client}/flows/{flow_id}",
        name: "flow",
        title: "Flow",
        description: "How far one collection is, query by query",
        source: tool("get_flow_status", &[("client", "client"), ("flow_id", "flow_id")], false),
    },
    Entry {
        path: "hunts",
        name: "hunts",
        title: "Hunts",
        description: "Hunts, newest first",
        source: tool("list_hunts", &[], true),
    },
    Entry {
        path: "hunts/{hunt_id}",
        name: "hunt",
        title: "Hunt",
        description: "One hunt: state, scope, what it asks of each client, figures",
        source: Source::Hunt,
    },
    Entry {
        path: "hunts/{hunt_id}/results",
        name: "hunt-results",
        title: "Hunt results",
        description: "Rows of a hunt, and for how many hosts nothing is established",
        source: tool("get_hunt_results", &[("hunt_id", "hunt_id")], true),
    },
    Entry {
        path: "artifacts",
        name: "artifacts",
        title: "Artifacts",
        description: "Artifact definitions, a page at a time",
        source: tool("list_artifacts", &[], true),
    },
    Entry {
        path: "artifacts/{name}",
        name: "artifact",
        title: "Artifact",
        description: "One artifact: parameters, sources, columns, permissions",
        source: tool("get_artifact", &[("name", "name")], false),
    },
    Entry {
        path: "server-info",
        name: "server-info",
        title: "Server",
        description: "Version, org and identities of the server, and whether it is simulated",
        source: Source::ServerInfo,
    },
    Entry {
        path: "vql-guide",
        name: "vql-guide",
        title: "VQL guide",
        description: "VQL for somebody who knows SQL: traps, bounds, queries that run",
        source: Source::Guide,
    },
];

impl Entry {
    const fn mime(&self) -> &'static str {
        match self.source {
            Source::Guide => "text/markdown",
            Source::Tool { .. } | Source::Hunt | Source::ServerInfo => "application/json",
        }
    }

    /// Whether the configuration has it.
    fn offered(&self, services: &Services) -> bool {
        match self.source {
            Source::Tool { tool, .. } => services.tools().any(|known| known.name == tool),
            // A configuration without the tools of hunts is not about hunts.
            Source::Hunt => services.tools().any(|known| known.name == "list_hunts"),
            Source::ServerInfo | Source::Guide => true,
        }
    }

    /// The parameters that may follow the address.
    fn parameters(&self, services: &Services) -> Vec<&'static str> {
        let mut names = Vec::new();
        if matches!(self.source, Source::Tool { paged: true, .. }) {
            names.push("cursor");
        }
        if !matches!(self.source, Source::Guide) {
            if services.many_servers() {
                names.push("server");
            }
            if services.many_orgs() {
                names.push("org");
            }
        }
        names
    }
}

fn offered(services: &Services) -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().filter(|entry| entry.offered(services))
}

/// The resources that have one address.
pub fn listed(services: &Services) -> Vec<Resource> {
    offered(services)
        .filter(|entry| !Pattern(entry.path).has_variables())
        .map(|entry| {
            Resource::new(format!("{SCHEME}{}", entry.path), entry.name)
                .with_title(entry.title)
                .with_description(entry.description)
                .with_mime_type(entry.mime())
        })
        .collect()
}

/// The addresses that have variables or take parameters.
pub fn templates(services: &Services) -> Vec<ResourceTemplate> {
    offered(services)
        .filter_map(|entry| {
            let parameters = entry.parameters(services);
            if !Pattern(entry.path).has_variables() && parameters.is_empty() {
                return None;
            }
            let mut address = format!("{SCHEME}{}", entry.path);
            if !parameters.is_empty() {
                address = format!("{address}{{?{}}}", parameters.join(","));
            }
            Some(
                ResourceTemplate::new(address, entry.name)
                    .with_title(entry.title)
                    .with_description(entry.description)
                    .with_mime_type(entry.mime()),
            )
        })
        .collect()
}

/// Reads a resource.
///
/// # Errors
///
/// `not_found` for an address that names nothing, `invalid_input` for parameters that it does not
/// take, and whatever the tool behind it says.
pub async fn read(
    services: &Services,
    address: &str,
    cancel: CancellationToken,
    progress: &dyn Progress,
) -> Result<ResourceContents, ToolError> {
    let (entry, params) = find(services, address)?;
    let text = match &entry.source {
        Source::Guide => guide::whole(),
        Source::ServerInfo => {
            let mut arguments = params.into_arguments(&[], entry.path)?;
            let cx = ToolCx::of(services, &mut arguments, cancel, progress)?;
            nothing_left(&arguments)?;
            json(server_info::read(&cx).await?)?
        }
        Source::Hunt => {
            let mut arguments = params.into_arguments(&[], entry.path)?;
            let hunt = arguments.remove("hunt_id");
            let cx = ToolCx::of(services, &mut arguments, cancel, progress)?;
            nothing_left(&arguments)?;
            json(hunt::read(&cx, hunt.as_ref().and_then(Value::as_str).unwrap_or_default()).await?)?
        }
        Source::Tool { tool, variables, paged } => {
            let mut arguments = params.into_arguments(variables, entry.path)?;
            let cx = ToolCx::of(services, &mut arguments, cancel, progress)?;
            if !paged && arguments.contains_key("cursor") {
                return Err(ToolError::invalid("this resource has one page and takes no cursor"));
            }
            let finished = services.tool(tool)?.call(cx, arguments).await?;
            json(Value::Object(finished.structured))?
        }
    };
    Ok(ResourceContents::text(text, address).with_mime_type(entry.mime()))
}

/// What an address names.
fn find<'a>(
    services: &Services,
    address: &'a str,
) -> Result<(&'static Entry, Params<'a>), ToolError> {
    let unknown = || {
        let known: Vec<_> = offered(services).map(|e| format!("{SCHEME}{}", e.path)).collect();
        ToolError::new(Code::NotFound, format!("no resource has the address {address:?}"))
            .next(format!("the addresses are {}", known.join(", ")))
    };
    let (path, query) = uri::split(address).ok_or_else(unknown)?;
    for entry in offered(services) {
        if let Some(variables) = Pattern(entry.path).matches(path) {
            let params = Params::new(variables, query);
            let takes = entry.parameters(services);
            if let Some(name) = params.names().find(|name| !takes.contains(name)) {
                let takes = if takes.is_empty() { String::from("none") } else { takes.join(", ") };
                return Err(ToolError::invalid(format!(
                    "{SCHEME}{} takes no parameter {name:?}; it takes: {takes}",
                    entry.path
                )));
            }
            return Ok((entry, params));
        }
    }
    Err(unknown())
}

fn nothing_left(arguments: &Map<String, Value>) -> Result<(), ToolError> {
    match arguments.keys().next() {
        None => Ok(()),
        Some(name) => Err(ToolError::invalid(format!("there is no parameter {name:?}"))),
    }
}

fn json(mut value: Value) -> Result<String, ToolError> {
    evidence::escape_value(&mut value);
    serde_json::to_string(&value).map_err(|error| ToolError::new(Code::Internal, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_unique_and_tools_exist_or_are_not_listed() {
        for (index, entry) in ENTRIES.iter().enumerate() {
            for other in &ENTRIES[index + 1..] {
                assert_ne!(entry.path, other.path);
                assert_ne!(entry.name, other.name);
            }
        }
        let services = Services::default();
        let listed = listed(&services);
        assert!(listed.iter().any(|resource| resource.uri == "velociraptor://server-info"));
        assert!(templates(&services).iter().all(|template| template.uri_template.contains('{')));
    }

    #[test]
    fn an_unknown_address_names_the_known_ones_and_parameters_are_checked() {
        let services = Services::default();
        for address in ["velociraptor://nothing", "http://clients", "velociraptor://clients/", ""] {
            let error = find(&services, address).map(|_| ()).unwrap_err();
            assert_eq!(error.code, Code::NotFound, "{address}");
            assert!(error.next_step.unwrap().contains("velociraptor://server-info"));
        }
        let error = find(&services, "velociraptor://server-info?x=1").map(|_| ()).unwrap_err();
        assert_eq!(error.code, Code::InvalidInput);
    }
}

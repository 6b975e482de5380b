//! What resources there are: their addresses, and where the contents of each come from.

use crate::services::Services;
use crate::tool::Place;

/// One kind of resource.
pub(super) struct Entry {
    /// The address after the scheme; `{name}` stands for one part.
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) source: Source,
}

/// Where the contents come from.
pub(super) enum Source {
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

pub(super) static ENTRIES: &[Entry] = &[
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
        path: "deployments",
        name: "deployments",
        title: "Deployments",
        description: "Servers that were deployed from this machine, as they are on record",
        source: tool("list_deployments", &[], false),
    },
    Entry {
        path: "deployments/{id}",
        name: "deployment",
        title: "Deployment",
        description: "One deployment: what is on record, and each step as it is found now",
        source: tool("get_deployment_status", &[("id", "deployment_id")], false),
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
    pub(super) const fn mime(&self) -> &'static str {
        match self.source {
            Source::Guide => "text/markdown",
            Source::Tool { .. } | Source::Hunt | Source::ServerInfo => "application/json",
        }
    }

    /// Whether the configuration has it.
    pub(super) fn offered(&self, services: &Services) -> bool {
        match self.source {
            Source::Tool { tool, .. } => services.tools().any(|known| known.name == tool),
            // A configuration without the tools of hunts is not about hunts.
            Source::Hunt => services.tools().any(|known| known.name == "list_hunts"),
            Source::ServerInfo | Source::Guide => true,
        }
    }

    /// Whether it is about this machine, so that it names no server and no org.
    fn is_here(&self, services: &Services) -> bool {
        let Source::Tool { tool, .. } = self.source else { return false };
        services.tools().any(|known| known.name == tool && known.place == Place::Here)
    }

    /// Whether the name is one of a parameter: server and org are, too, where there is no choice.
    pub(super) fn takes(&self, name: &str, services: &Services) -> bool {
        let is_place = matches!(name, "server" | "org");
        self.parameters(services).contains(&name)
            || is_place && !matches!(self.source, Source::Guide) && !self.is_here(services)
    }

    /// The parameters that may follow the address, as they are offered.
    pub(super) fn parameters(&self, services: &Services) -> Vec<&'static str> {
        let mut names = Vec::new();
        if matches!(self.source, Source::Tool { paged: true, .. }) {
            names.push("cursor");
        }
        if !matches!(self.source, Source::Guide) && !self.is_here(services) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_unique() {
        for (index, entry) in ENTRIES.iter().enumerate() {
            for other in &ENTRIES[index + 1..] {
                assert_ne!(entry.path, other.path);
                assert_ne!(entry.name, other.name);
            }
        }
    }
}

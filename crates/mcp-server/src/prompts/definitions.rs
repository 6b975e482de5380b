//! What prompts there are, with their arguments.

/// What a value of an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// Any text.
    Text,
    /// A client id or host name.
    Client,
    /// A client, `label:NAME` or `all`.
    Scope,
    /// A length of time such as `24h`.
    Timeframe,
    /// A whole number; `unknown` where nothing is said.
    Count,
    /// One of these; the first where nothing is said.
    Words(&'static [&'static str]),
}

/// An argument of a prompt.
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    pub(super) description: &'static str,
    pub(super) required: bool,
    pub(crate) values: Values,
}

/// A prompt.
pub(super) struct PromptDef {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) arguments: &'static [Argument],
}

const CLIENT: Argument = Argument {
    name: "client",
    description: "Client id or host name",
    required: true,
    values: Values::Client,
};

pub(super) static PROMPTS: &[PromptDef] = &[
    PromptDef {
        name: "investigate_endpoint",
        title: "Investigate an endpoint",
        description: "A first look at a whole host, the volatile first",
        arguments: &[CLIENT],
    },
    PromptDef {
        name: "threat_hunt",
        title: "Hunt for indicators",
        description: "From indicators to a hunt over the fleet and its verdict",
        arguments: &[
            Argument {
                name: "indicators",
                description: "Hashes, paths, names, addresses, domains, keys",
                required: true,
                values: Values::Text,
            },
            Argument {
                name: "hunt_type",
                description: "What they are: custom, file, process, network, registry, persistence",
                required: false,
                values: Values::Words(&[
                    "custom",
                    "file",
                    "process",
                    "network",
                    "registry",
                    "persistence",
                ]),
            },
        ],
    },
    PromptDef {
        name: "triage_incident",
        title: "Triage an incident",
        description: "Collect what settles the kind and the extent of an incident on a host",
        arguments: &[
            CLIENT,
            Argument {
                name: "incident_type",
                description: "unknown, malware, intrusion, data_exfil, ransomware",
                required: false,
                values: Values::Words(&[
                    "unknown",
                    "malware",
                    "intrusion",
                    "data_exfil",
                    "ransomware",
                ]),
            },
        ],
    },
    PromptDef {
        name: "malware_analysis",
        title: "Look at a suspicious file or process",
        description: "What a file or process is, did and left, without running it",
        arguments: &[
            CLIENT,
            Argument {
                name: "target",
                description: "Path, process name, pid or hash",
                required: true,
                values: Values::Text,
            },
        ],
    },
    PromptDef {
        name: "lateral_movement",
        title: "Look for lateral movement",
        description: "Remote logons, services, tasks and keys over a set of hosts",
        arguments: &[
            Argument {
                name: "scope",
                description: "Client id or host name, label:NAME, or all",
                required: true,
                values: Values::Scope,
            },
            Argument {
                name: "timeframe",
                description: "How far back, such as 24h (default), 90m, 7d",
                required: false,
                values: Values::Timeframe,
            },
        ],
    },
    PromptDef {
        name: "rapid_ir_deployment",
        title: "A server for an incident",
        description: "From nothing to a server with enrolled agents, and what was proved of it",
        arguments: &[
            Argument {
                name: "target_count",
                description: "How many endpoints, as a number, or unknown (default)",
                required: false,
                values: Values::Count,
            },
            Argument {
                name: "environment",
                description: "mixed (default), windows_domain, linux, cloud",
                required: false,
                values: Values::Words(&["mixed", "windows_domain", "linux", "cloud"]),
            },
        ],
    },
    PromptDef {
        name: "deploy_and_triage",
        title: "Deploy, then triage",
        description: "A server for an incident, its agents on the affected hosts, their triage",
        arguments: &[
            Argument {
                name: "incident_type",
                description: "ransomware, intrusion, malware, data_breach, unknown",
                required: true,
                values: Values::Words(&[
                    "unknown",
                    "ransomware",
                    "intrusion",
                    "malware",
                    "data_breach",
                ]),
            },
            Argument {
                name: "affected_systems",
                description: "Host names, separated by commas",
                required: true,
                values: Values::Text,
            },
        ],
    },
    PromptDef {
        name: "offline_collection_kit",
        title: "Collect from hosts without a network",
        description: "A collector that runs by itself: made, carried, run, brought back, imported",
        arguments: &[
            Argument {
                name: "target_os",
                description: "windows, linux, macos",
                required: true,
                values: Values::Words(&["windows", "linux", "macos"]),
            },
            Argument {
                name: "collection_type",
                description: "triage (default), full, memory, custom",
                required: false,
                values: Values::Words(&["triage", "full", "memory", "custom"]),
            },
        ],
    },
];

/// Those that are about deployments: offered where the tools are, and written without a server.
pub(super) const DEPLOYING: &[&str] =
    &["rapid_ir_deployment", "deploy_and_triage", "offline_collection_kit"];

/// The argument of that name of that prompt.
pub(crate) fn argument(prompt: &str, name: &str) -> Option<&'static Argument> {
    let prompt = PROMPTS.iter().find(|known| known.name == prompt)?;
    prompt.arguments.iter().find(|known| known.name == name)
}

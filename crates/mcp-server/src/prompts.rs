//! Prompts: ways into an investigation, written for the host and the server that they are about.

use jiff::Timestamp;
use rmcp::model::{Prompt, PromptArgument};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::context::{Progress, ToolCx};
use crate::evidence;
use crate::services::Services;
use crate::tool_error::{Code, ToolError};

mod hosts;
mod plan;
mod text;
mod timeframe;

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
    /// One of these; the first where nothing is said.
    Words(&'static [&'static str]),
}

/// An argument of a prompt.
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    description: &'static str,
    required: bool,
    pub(crate) values: Values,
}

/// A prompt.
struct PromptDef {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    arguments: &'static [Argument],
}

const CLIENT: Argument = Argument {
    name: "client",
    description: "Client id or host name",
    required: true,
    values: Values::Client,
};

static PROMPTS: &[PromptDef] = &[
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
];

/// A prompt that was asked for.
#[derive(Debug)]
pub struct Written {
    /// What the prompt is for.
    pub description: &'static str,
    /// Its text.
    pub text: String,
}

/// The prompts.
pub fn listed(services: &Services) -> Vec<Prompt> {
    PROMPTS
        .iter()
        .map(|prompt| {
            let mut arguments: Vec<PromptArgument> = prompt
                .arguments
                .iter()
                .map(|argument| {
                    PromptArgument::new(argument.name)
                        .with_description(argument.description)
                        .with_required(argument.required)
                })
                .collect();
            for (name, offered) in
                [("server", services.many_servers()), ("org", services.many_orgs())]
            {
                if offered {
                    arguments.push(PromptArgument::new(name).with_required(false));
                }
            }
            Prompt::new(prompt.name, Some(prompt.description), Some(arguments))
                .with_title(prompt.title)
        })
        .collect()
}

/// The argument of that name of that prompt.
pub(crate) fn argument(prompt: &str, name: &str) -> Option<&'static Argument> {
    let prompt = PROMPTS.iter().find(|known| known.name == prompt)?;
    prompt.arguments.iter().find(|known| known.name == name)
}

/// Writes a prompt.
///
/// # Errors
///
/// `not_found` for a prompt or client that does not exist, `invalid_input` for arguments, naming
/// what is allowed, and whatever the server says.
pub async fn write(
    services: &Services,
    name: &str,
    mut arguments: Map<String, Value>,
    cancel: CancellationToken,
    progress: &dyn Progress,
) -> Result<Written, ToolError> {
    let prompt = PROMPTS.iter().find(|prompt| prompt.name == name).ok_or_else(|| {
        let names: Vec<_> = PROMPTS.iter().map(|prompt| prompt.name).collect();
        ToolError::new(Code::NotFound, format!("there is no prompt {name:?}"))
            .next(format!("the prompts are {}", names.join(", ")))
    })?;
    // Arguments are checked before a server is looked for: they are wrong with any.
    let mut targets = Map::new();
    for target in ["server", "org"] {
        if let Some(value) = arguments.remove(target) {
            targets.insert(target.to_owned(), value);
        }
    }
    let given = Given::check(prompt, arguments)?;
    let cx = ToolCx::of(services, &mut targets, cancel, progress)?;
    if let Some(name) = targets.keys().next() {
        return Err(ToolError::invalid(format!("only one {name} is configured: leave {name} out")));
    }
    let text = match prompt.name {
        "investigate_endpoint" => text::investigate(&cx, &given).await,
        "threat_hunt" => text::hunt(&cx, &given).await,
        "triage_incident" => text::triage(&cx, &given).await,
        "malware_analysis" => text::malware(&cx, &given).await,
        _ => text::lateral(&cx, &given).await,
    }?;
    let text = evidence::escape_text(&text).into_owned();
    Ok(Written { description: prompt.description, text })
}

/// Arguments that were checked.
struct Given(Vec<(&'static str, String)>);

impl Given {
    fn check(prompt: &PromptDef, mut given: Map<String, Value>) -> Result<Self, ToolError> {
        let mut checked = Vec::new();
        for argument in prompt.arguments {
            let value = match given.remove(argument.name) {
                Some(Value::String(text)) => text.trim().to_owned(),
                None | Some(Value::Null) => String::new(),
                Some(other) => {
                    let name = argument.name;
                    return Err(ToolError::invalid(format!("{name} is a text, not {other}")));
                }
            };
            if value.is_empty() && argument.required {
                let (name, what) = (argument.name, argument.description);
                return Err(ToolError::invalid(format!("{name} is missing: {what}")));
            }
            checked.push((argument.name, value_of(argument, value)?));
        }
        if let Some(name) = given.keys().next() {
            let names: Vec<_> = prompt.arguments.iter().map(|argument| argument.name).collect();
            return Err(ToolError::invalid(format!(
                "{} has no argument {name:?}; it has {}",
                prompt.name,
                names.join(", ")
            )));
        }
        Ok(Self(checked))
    }

    /// A checked value; empty for a name that the prompt does not have.
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// The value in its normal form.
fn value_of(argument: &Argument, value: String) -> Result<String, ToolError> {
    match argument.values {
        Values::Text | Values::Client | Values::Scope => Ok(value),
        Values::Words(words) if value.is_empty() => {
            Ok(words.first().copied().unwrap_or_default().to_owned())
        }
        Values::Words(words) => {
            let lower = value.to_lowercase();
            if words.contains(&lower.as_str()) {
                return Ok(lower);
            }
            Err(ToolError::invalid(format!(
                "{} is one of {}, not {value:?}",
                argument.name,
                words.join(", ")
            )))
        }
        Values::Timeframe if value.is_empty() => Ok(String::from("24h")),
        Values::Timeframe => match timeframe::parse(&value) {
            Some(_) => Ok(value),
            None => Err(ToolError::invalid(format!(
                "{} is a number with m, h, d or w, such as 24h, and at most ten years, not {value:?}",
                argument.name
            ))),
        },
    }
}

/// The beginning of a time frame that was checked.
fn since(now: Timestamp, frame: &str) -> Timestamp {
    timeframe::parse(frame).and_then(|length| now.checked_sub(length).ok()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(prompt: &str, given: &Value) -> Result<Given, ToolError> {
        let prompt = PROMPTS.iter().find(|known| known.name == prompt).unwrap();
        Given::check(prompt, given.as_object().unwrap().clone())
    }

    #[test]
    fn d78_an_unknown_value_is_refused_naming_the_allowed_ones() {
        let wrong = json!({"client": "WS-1", "incident_type": "sabotage"});
        let error = check("triage_incident", &wrong).err().unwrap();
        assert_eq!(error.code, Code::InvalidInput);
        assert!(error.message.contains("ransomware"), "{error}");
        let error = check("threat_hunt", &json!({"indicators": "x", "hunt_type": "all"}));
        assert!(error.err().unwrap().message.contains("persistence"));
        let error = check("lateral_movement", &json!({"scope": "all", "timeframe": "soon"}));
        assert!(error.err().unwrap().message.contains("24h"));
    }

    #[test]
    fn what_is_missing_unknown_or_no_text_is_named() {
        for (given, word) in [
            (json!({}), "client is missing"),
            (json!({"client": "  "}), "client is missing"),
            (json!({"client": "a", "hostname": "b"}), "no argument \"hostname\""),
            (json!({"client": 7}), "client is a text"),
        ] {
            let error = check("investigate_endpoint", &given).err().unwrap();
            assert!(error.message.contains(word), "{error}");
        }
    }

    #[test]
    fn defaults_are_the_first_word_and_a_day() {
        let given = check("triage_incident", &json!({"client": "a"})).ok().unwrap();
        assert_eq!(given.get("incident_type"), "unknown");
        let given = check("lateral_movement", &json!({"scope": "all"})).ok().unwrap();
        assert_eq!(given.get("timeframe"), "24h");
    }
}

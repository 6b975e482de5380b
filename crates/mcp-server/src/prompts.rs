//! Prompts: ways into an investigation, written for the host and the server that they are about.

use rmcp::model::{Prompt, PromptArgument};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::answer::identity_of;
use crate::context::{Progress, ToolCx};
use crate::evidence;
use crate::services::Services;
use crate::tool_error::{Code, ToolError};

mod definitions;
mod deploying;
mod given;
mod hosts;
mod plan;
mod text;
mod timeframe;

use definitions::{DEPLOYING, PROMPTS};
pub(crate) use definitions::{Values, argument};
use given::Given;

/// A prompt that was asked for.
#[derive(Debug)]
pub struct Written {
    /// What the prompt is for.
    pub description: &'static str,
    /// Its text.
    pub text: String,
    /// The users that asked the server for what it says, where one did.
    pub identity: Option<String>,
}

/// The prompts.
pub fn listed(services: &Services) -> Vec<Prompt> {
    PROMPTS
        .iter()
        .filter(|prompt| offered(services, prompt.name))
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
            let asks = !DEPLOYING.contains(&prompt.name);
            for (name, offered) in
                [("server", services.many_servers()), ("org", services.many_orgs())]
            {
                if offered && asks {
                    arguments.push(PromptArgument::new(name).with_required(false));
                }
            }
            Prompt::new(prompt.name, Some(prompt.description), Some(arguments))
                .with_title(prompt.title)
        })
        .collect()
}

/// Whether the configuration has what a prompt is about.
fn offered(services: &Services, prompt: &str) -> bool {
    !DEPLOYING.contains(&prompt) || services.tools().any(|tool| tool.name == "list_deployments")
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
    let known = || PROMPTS.iter().filter(|prompt| offered(services, prompt.name));
    let prompt = known().find(|prompt| prompt.name == name).ok_or_else(|| {
        let names: Vec<_> = known().map(|prompt| prompt.name).collect();
        ToolError::new(Code::NotFound, format!("there is no prompt {name:?}"))
            .next(format!("the prompts are {}", names.join(", ")))
    })?;
    if DEPLOYING.contains(&prompt.name) {
        let given = Given::check(prompt, arguments)?;
        let cx = ToolCx::here(services, cancel, progress);
        let text = deploying::write(&cx, prompt.name, &given).await?;
        let text = evidence::text(&text).into_owned();
        return Ok(Written { description: prompt.description, text, identity: None });
    }
    // Arguments are checked before a server is looked for: they are wrong with any.
    let mut targets = Map::new();
    for target in ["server", "org"] {
        if let Some(value) = arguments.remove(target) {
            targets.insert(target.to_owned(), value);
        }
    }
    let given = Given::check(prompt, arguments)?;
    let cx = ToolCx::of(services, &mut targets, cancel, progress)?;
    let session = cx.session();
    let text = match prompt.name {
        "investigate_endpoint" => text::investigate(&cx, &session, &given).await,
        "threat_hunt" => text::hunt(&cx, &session, &given).await,
        "triage_incident" => text::triage(&cx, &session, &given).await,
        "malware_analysis" => text::malware(&cx, &session, &given).await,
        _ => text::lateral(&cx, &session, &given).await,
    }?;
    let text = evidence::text(&text).into_owned();
    Ok(Written { description: prompt.description, text, identity: identity_of(&session) })
}

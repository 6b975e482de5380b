//! Does a collection fit the definitions of its artifacts?

use std::fmt;

use indexmap::IndexMap;
use serde::Deserialize;

use super::parameters::{Need, read};
use super::{Checked, Collection};
use crate::artifacts::{ArtifactKind, Definition, definitions};
use crate::error::QueryErrorKind;
use crate::fault::Fault;
use crate::near::near;
use crate::queries::collections::MATCHES;
use crate::session::Session;

/// Where a collection is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// On endpoints.
    Clients,
    /// On the server itself.
    Server,
}

impl Target {
    const fn kind(self) -> ArtifactKind {
        match self {
            Self::Clients => ArtifactKind::Client,
            Self::Server => ArtifactKind::Server,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clients => "clients",
            Self::Server => "the server",
        })
    }
}

/// Checks a collection: artifacts exist and are of the right kind, parameters are defined and
/// their values fit, patterns compile. Nothing is sent but questions.
///
/// # Errors
///
/// [`Fault::UnknownArtifact`]; [`Fault::BadInput`] with everything that is wrong;
/// [`Fault::Query`].
pub async fn check(
    session: &Session<'_>,
    wanted: &Collection,
    target: Target,
) -> Result<Checked, Fault> {
    if wanted.artifacts.is_empty() {
        return Err(Fault::bad_input("no artifact is named"));
    }
    let names: Vec<&str> = wanted.artifacts.keys().map(String::as_str).collect();
    let definitions = definitions(session, &names).await?;
    let mut faults: Vec<String> =
        definitions.iter().filter_map(|definition| wrong_kind(definition, target)).collect();
    let mut parameters = IndexMap::new();
    for definition in &definitions {
        let given = &wanted.artifacts[definition.name.as_str()];
        let mut texts = IndexMap::new();
        for (name, value) in given {
            let Some(parameter) = definition.parameters.iter().find(|p| p.name == *name) else {
                faults.push(unknown_parameter(definition, name));
                continue;
            };
            let fault = |what: &str| format!("parameter {name} of {} {what}", definition.name);
            match read(parameter, value) {
                Ok((text, needs)) => {
                    for need in needs {
                        if let Some(what) = unmet(session, &need).await? {
                            faults.push(fault(&what));
                        }
                    }
                    texts.insert(name.clone(), text);
                }
                Err(what) => faults.push(fault(&what)),
            }
        }
        parameters.insert(definition.name.clone(), texts);
    }
    faults.extend(wanted.limits.faults());
    if !faults.is_empty() {
        return Err(Fault::BadInput { faults });
    }
    let Collection { limits, urgent, .. } = *wanted;
    Ok(Checked { definitions, parameters, limits, urgent, target })
}

fn wrong_kind(definition: &Definition, target: Target) -> Option<String> {
    let (name, kind) = (&definition.name, definition.kind);
    if kind == target.kind() {
        return None;
    }
    Some(match kind {
        ArtifactKind::Client => format!("{name} runs on clients, not on the server"),
        ArtifactKind::Server => format!("{name} runs on the server, not on clients"),
        ArtifactKind::ClientEvent | ArtifactKind::ServerEvent => {
            format!(
                "{name} watches for events ({kind}): it is put on a monitoring table, not collected"
            )
        }
        ArtifactKind::Internal => {
            format!("{name} is a queue of the server's own and is not collected")
        }
        ArtifactKind::Notebook => format!("{name} is a template of notebooks and is not collected"),
    })
}

fn unknown_parameter(definition: &Definition, name: &str) -> String {
    let known: Vec<&str> = definition.parameters.iter().map(|p| p.name.as_str()).collect();
    let artifact = &definition.name;
    if known.is_empty() {
        return format!("{artifact} takes no parameters, and {name} was given");
    }
    let meant = match near(name, known.iter().copied()).first() {
        Some(meant) => format!("did you mean {meant}? "),
        None => String::new(),
    };
    format!("{artifact} has no parameter {name}; {meant}it takes {}", known.join(", "))
}

/// Asks the server for what only it can judge: its engine's regular expressions.
async fn unmet(session: &Session<'_>, need: &Need) -> Result<Option<String>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        matches: bool,
    }
    let (text, pattern) = match need {
        Need::Compiles(pattern) => ("", pattern),
        Need::Matches { text, pattern } => (text.as_str(), pattern),
    };
    let query = MATCHES.query().bind("MR_Text", text).bind("MR_Pattern", pattern.as_str());
    match session.rows::<Row>(&MATCHES, query).await {
        Ok(rows) => Ok(match need {
            Need::Matches { pattern, .. } if !rows.iter().all(|row| row.matches) => {
                Some(format!("must match {pattern}"))
            }
            _ => None,
        }),
        Err(error) => match &*error.kind {
            QueryErrorKind::BadArgument { detail } => {
                Ok(Some(format!("is not a regular expression: {detail}")))
            }
            _ => Err(error.into()),
        },
    }
}

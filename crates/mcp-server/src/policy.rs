//! The policy of this process: from the settings file, a policy file, the environment, and flags.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use guard::policy::{Known, Policy, Sources};

use crate::services::Target;
use crate::tool_error::ToolError;
use crate::tools::FAMILIES;

/// Where a policy is read from, beside the environment.
#[derive(Clone, Debug, Default)]
pub struct From {
    /// The settings file that is in use, whose table `[policy]` counts.
    pub settings: Option<PathBuf>,
    /// A file that holds a policy and nothing else.
    pub file: Option<PathBuf>,
    /// `KEY=VALUE`, as given with `--policy`.
    pub flags: Vec<String>,
    /// `--read-only`.
    pub read_only: bool,
}

/// Reads the policy.
///
/// # Errors
///
/// `invalid_input` naming the file, the line and the key: then nothing is started.
pub fn load(from: &From, targets: &[Target]) -> Result<Arc<Policy>, ToolError> {
    let refused = |error: guard::policy::PolicyError| {
        ToolError::invalid(error.to_string()).next("megaraptor policy lists every key")
    };
    let mut sources = Sources::default();
    if let Some(path) = &from.settings {
        sources = sources.with_settings(&path.display().to_string(), read(path)?);
    }
    if let Some(path) = &from.file {
        sources = sources.with_file(path).map_err(refused)?;
    }
    sources = sources.with_environment(std::env::vars());
    for flag in &from.flags {
        sources = sources.with_flag("--policy", flag);
    }
    if from.read_only {
        sources = sources.with_switch("--read-only", "read_only");
    }
    let tools: Vec<&str> =
        FAMILIES.iter().flat_map(|family| family.tools).map(|tool| tool.name).collect();
    let servers: Vec<&str> = targets.iter().map(|target| target.server.name()).collect();
    let known = Known { tools: &tools, servers: &servers };
    Policy::load(&sources, known).map(Arc::new).map_err(refused)
}

fn read(path: &Path) -> Result<String, ToolError> {
    std::fs::read_to_string(path)
        .map_err(|error| ToolError::invalid(format!("{} cannot be read: {error}", path.display())))
}

#[cfg(test)]
pub(crate) fn read_only() -> Arc<Policy> {
    load(&From { read_only: true, ..From::default() }, &[]).expect("a switch of ours")
}

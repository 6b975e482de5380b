//! `megaraptor deploy`: a server from nothing to an answered query.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::{Global, call, deployments, persons_word};
use crate::deployments::{On, Wish};
use crate::tool_error::{Code, ToolError};

#[derive(Debug, Subcommand)]
pub(super) enum DeployCommand {
    /// In containers on the Docker daemon of this machine (DOCKER_HOST names another socket)
    Docker(ServerArgs),
    /// As a systemd service of a Linux host; needs root there
    Linux(LinuxArgs),
}

#[derive(Debug, Args)]
pub(super) struct LinuxArgs {
    /// On this very host
    #[arg(long, required = true)]
    local: bool,
    /// Enrol this host too, and wait until it has answered a collection
    #[arg(long)]
    agent: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// Where agents reach the server
    #[arg(long, value_name = "HOST:PORT")]
    agents_at: String,
    /// minimal, rapid, standard or enterprise
    #[arg(long, default_value = "rapid", value_parser = ["minimal", "rapid", "standard", "enterprise"])]
    profile: String,
    /// Memory that the server may use, as 1GiB or 1500MB [default: as the profile says]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Processors that it may use, as 1.5 [default: as the profile says]
    #[arg(long, value_name = "NUMBER")]
    processors: Option<f64>,
    /// The number of the case
    #[arg(long)]
    case: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// A word to find it by; repeat it for more
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// A label of its agents; repeat it for more
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Where the agents' port is published [default: all addresses, the port of --agents-at]
    #[arg(long, value_name = "ADDRESS:PORT")]
    agents_on: Option<String>,
    /// Where the GUI is published [default: loopback, 8889 or the next port that is free]
    #[arg(long, value_name = "ADDRESS:PORT")]
    gui_on: Option<String>,
    /// Where the API is published [default: loopback, 8001 or the next port that is free]
    #[arg(long, value_name = "ADDRESS:PORT")]
    api_on: Option<String>,
    /// Velociraptor's version [default: the one whose hash this program knows]
    #[arg(long, value_name = "VERSION")]
    velociraptor: Option<String>,
    /// A Velociraptor binary on this machine; you vouch for it, unless --sha256 says what it is
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// The SHA-256 that the binary must have
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// Seconds until the server has to answer
    #[arg(long, value_name = "SECONDS", env = "MEGARAPTOR_HEALTH_TIMEOUT")]
    health_timeout: Option<u64>,
    /// Print the plan with what each check expected and found; change nothing
    #[arg(long)]
    validate_only: bool,
    /// Leave it as it is where a step fails, instead of taking it back
    #[arg(long)]
    keep_on_failure: bool,
}

pub(super) async fn run(global: &Global, command: DeployCommand) -> Result<ExitCode, ToolError> {
    let (deployment_type, agent, args) = match command {
        DeployCommand::Docker(args) => (On::Docker, false, args),
        // There is no other host than this yet; the flag keeps the command from meaning another.
        DeployCommand::Linux(LinuxArgs { local: _, agent, server }) => (On::Linux, agent, server),
    };
    let wish = Wish {
        deployment_type,
        agent,
        agents_at: args.agents_at,
        profile: Some(args.profile),
        memory: args.memory,
        processors: args.processors,
        case: args.case,
        description: args.description,
        tags: args.tag,
        labels: args.label,
        agents_on: args.agents_on,
        gui_on: args.gui_on,
        api_on: args.api_on,
        version: args.velociraptor,
        binary: args
            .binary
            .map(std::path::absolute)
            .transpose()
            .map_err(|error| ToolError::invalid(format!("--binary: {error}")))?,
        sha256: args.sha256,
        health_timeout: args.health_timeout,
        validate_only: args.validate_only,
        keep_on_failure: args.keep_on_failure,
    };
    let done = persons_word::call(global, "deploy_server", object(&wish)?).await?;
    let unfit = wish.validate_only && is_unfit(&Value::Object(done.data()?));
    let code = call::print(&done, global.output)?;
    // What would be refused is no success for a script either.
    Ok(if unfit { ExitCode::from(deployments::NOT_VALID) } else { code })
}

/// Whether a check of a plan says that it would be refused.
fn is_unfit(planned: &Value) -> bool {
    let checks = planned["checks"].as_array().into_iter().flatten();
    checks.into_iter().any(|check| check["verdict"] == "unfit")
}

fn object(wish: &Wish) -> Result<Map<String, Value>, ToolError> {
    match serde_json::to_value(wish) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(ToolError::new(Code::Internal, "a wish is no object")),
        Err(error) => Err(ToolError::new(Code::Internal, error.to_string())),
    }
}

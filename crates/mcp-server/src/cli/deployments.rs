//! `megaraptor deployments`: what was deployed, and its end.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use velociraptor_config::ClientConfig;

use super::{Form, Global, credential, output, persons_word};
use crate::deployments::{Deployments, keep};
use crate::tool_error::{Code, ToolError};

/// The exit code of a deployment that is not as it should be, or of which that is not known.
pub(super) const NOT_VALID: u8 = 9;

#[derive(Debug, Subcommand)]
pub(super) enum DeploymentsCommand {
    /// List what is on record
    List {
        /// Those that are gone, too
        #[arg(long)]
        all: bool,
        /// Only with this tag, case number, or word of the description
        #[arg(long, value_name = "WORD")]
        search: Option<String>,
        /// At most so many, the newest first
        #[arg(long, value_name = "COUNT", default_value_t = 25)]
        limit: u32,
        /// Where the list goes on, as the page before said
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show one, and look how each of its steps stands now
    Show {
        /// Its id
        id: String,
    },
    /// Check one from all sides, and say of each check what was expected and found
    Validate {
        /// Its id
        id: String,
    },
    /// Show a configuration with its secrets masked, or write that of agents to a file
    Config(ConfigArgs),
    /// Show which agents are enrolled on its server
    Agents {
        /// Its id
        id: String,
        /// A host that is to be enrolled; repeat it for more [default: all that are]
        #[arg(long, value_name = "HOST")]
        host: Vec<String>,
        /// A label that each is to have; repeat it for more
        #[arg(long, value_name = "LABEL")]
        label: Vec<String>,
    },
    /// Write what is to be known of one, as Markdown and as a page
    Docs {
        /// Its id
        id: String,
        /// Where; a folder for its owner only, made where there is none
        #[arg(long, value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Write what makes a Linux host an agent of its server; whoever has the file can enrol agents
    Installer(InstallerArgs),
    /// Carry one on that was stopped or failed, or make anew what was taken away from it
    Resume {
        /// Its id
        id: String,
    },
    /// Replace the certificates of one under the same CA; agents come back by themselves
    Rotate {
        /// Its id
        id: String,
        /// Days that the new certificates hold [default: as the profile says]
        #[arg(long, value_name = "DAYS")]
        days: Option<u16>,
        /// Leave the private keys as they are
        #[arg(long)]
        same_pairs: bool,
    },
    /// Make a further API user on one; megaraptor credential show --out writes its file
    ApiUser {
        /// Its id
        id: String,
        /// The user's name
        name: String,
        /// What it may do
        #[arg(long, default_value = "reader", value_parser = ["reader", "investigator", "administrator"])]
        role: String,
        /// Days that its certificate holds [default: as the profile says]
        #[arg(long, value_name = "DAYS")]
        days: Option<u16>,
    },
    /// Copy all evidence of one into a file, and read it back; its server is stopped meanwhile
    Export {
        /// Its id
        id: String,
        /// A new .tar.gz outside of it; for its owner only
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take one down with all that belongs to it, its evidence too
    Destroy {
        /// Its id
        id: String,
        #[command(flatten)]
        evidence: EvidenceArgs,
    },
    /// Take down what is past its time, one after the other, each on your word
    Sweep {
        #[command(flatten)]
        evidence: EvidenceArgs,
    },
}

/// What is to become of the evidence.
#[derive(Clone, Debug, Args)]
pub(super) struct EvidenceArgs {
    /// The evidence is not needed, or is kept elsewhere
    #[arg(long, conflicts_with = "export_to")]
    discard_evidence: bool,
    /// Copy the evidence into FOLDER/ID-evidence.tar.gz first, and remove nothing unless the copy was
    /// read back whole
    #[arg(long, value_name = "FOLDER")]
    export_to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Its id
    id: String,
    /// Of the server, or of its agents
    #[arg(long, default_value = "server", value_parser = ["server", "client"])]
    what: String,
    /// In which form it is shown
    #[arg(long, default_value = "yaml", value_parser = ["yaml", "json"], conflicts_with = "out")]
    format: String,
    /// Only where the server's differs from what its profile and plan say
    #[arg(long, conflicts_with = "out")]
    differences: bool,
    /// Write the agents' file, whole, with what lets them enrol; for its owner only
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct InstallerArgs {
    /// Its id
    id: String,
    /// A Debian package, or a tarball with scripts
    #[arg(long, default_value = "deb", value_parser = ["deb", "tarball"])]
    format: String,
    /// Processor of the endpoints [default: the one of the server's own program]
    #[arg(long, value_parser = ["amd64", "arm64"])]
    arch: Option<String>,
    /// A label beside those of the deployment; repeat it for more
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// The file, which is not there yet [default: in the state folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Another Velociraptor binary than the deployment's own, as the static one (musl)
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Its SHA-256
    #[arg(long, value_name = "HEX", requires = "binary")]
    sha256: Option<String>,
    /// Endpoints do not reach the server, and the agent is for the server's own host
    #[arg(long)]
    server_host_only: bool,
}

pub(super) async fn run(
    global: &Global,
    command: DeploymentsCommand,
) -> Result<ExitCode, ToolError> {
    match command {
        DeploymentsCommand::List { all, search, limit, cursor } => {
            let arguments = object(json!({
                "include_destroyed": all, "search": search, "limit": limit, "cursor": cursor,
            }));
            persons_word::print(global, "list_deployments", arguments).await
        }
        DeploymentsCommand::Show { id } => {
            let arguments = object(json!({ "deployment_id": id }));
            persons_word::print(global, "get_deployment_status", arguments).await
        }
        DeploymentsCommand::Validate { id } => validate(global, &id).await,
        DeploymentsCommand::Config(args) => config(global, args).await,
        DeploymentsCommand::Agents { id, host, label } => {
            let wish = json!({ "deployment_id": id, "hosts": host, "labels": label });
            persons_word::print(global, "check_agent_deployment", object(wish)).await
        }
        DeploymentsCommand::Docs { id, folder } => {
            let folder = std::path::absolute(folder)
                .map_err(|error| ToolError::invalid(format!("--folder: {error}")))?;
            let arguments = object(json!({ "deployment_id": id, "folder": folder }));
            persons_word::print(global, "export_deployment_docs", arguments).await
        }
        DeploymentsCommand::Installer(args) => installer(global, args).await,
        DeploymentsCommand::Resume { id } => {
            let arguments = object(json!({ "deployment_id": id }));
            persons_word::print(global, "resume_deployment", arguments).await
        }
        DeploymentsCommand::Rotate { id, days, same_pairs } => {
            let arguments = object(
                json!({ "deployment_id": id, "validity_days": days, "same_pairs": same_pairs }),
            );
            persons_word::print(global, "rotate_certificates", arguments).await
        }
        DeploymentsCommand::ApiUser { id, name, role, days } => {
            let arguments = object(json!({
                "deployment_id": id, "client_name": name, "role": role, "validity_days": days,
            }));
            persons_word::print(global, "generate_api_credentials", arguments).await
        }
        DeploymentsCommand::Export { id, out } => {
            let file = std::path::absolute(out)
                .map_err(|error| ToolError::invalid(format!("--out: {error}")))?;
            let arguments = object(json!({ "deployment_id": id, "file": file }));
            persons_word::print(global, "export_deployment_evidence", arguments).await
        }
        DeploymentsCommand::Destroy { id, evidence } => destroy(global, &id, &evidence).await,
        DeploymentsCommand::Sweep { evidence } => sweep(global, &evidence).await,
    }
}

async fn installer(global: &Global, args: InstallerArgs) -> Result<ExitCode, ToolError> {
    let InstallerArgs { id, format, arch, label, out, binary, sha256, server_host_only } = args;
    let absolute = |path: Option<PathBuf>, flag: &str| {
        let path = path.map(std::path::absolute).transpose();
        path.map_err(|error| ToolError::invalid(format!("{flag}: {error}")))
    };
    let wish = json!({
        "deployment_id": id, "format": format, "arch": arch, "labels": label,
        "out": absolute(out, "--out")?, "binary": absolute(binary, "--binary")?, "sha256": sha256,
        "server_host_only": server_host_only,
    });
    persons_word::print(global, "generate_agent_installer", object(wish)).await
}

/// What does not fit is no success for a script either.
async fn validate(global: &Global, id: &str) -> Result<ExitCode, ToolError> {
    let arguments = object(json!({ "deployment_id": id }));
    let done = persons_word::call(global, "validate_deployment", arguments).await?;
    let data = done.data()?;
    let valid = data.get("valid") == Some(&Value::Bool(true));
    match global.output {
        Form::Text => output::passed(&done.text),
        Form::Json => output::passed_json(&Value::Object(data))?,
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(NOT_VALID) })
}

async fn config(global: &Global, args: ConfigArgs) -> Result<ExitCode, ToolError> {
    let ConfigArgs { id, what, format, differences, out } = args;
    let wish = json!({
        "deployment_id": id, "what": what, "output_format": format, "differences": differences,
    });
    let Some(file) = out else {
        return persons_word::print(global, "generate_server_config", object(wish)).await;
    };
    if what != "client" {
        return Err(ToolError::invalid(format!(
            "--out writes the agents' configuration only, and --what is {what}: the server's has \
             all its keys"
        ))
        .next(format!(
            "add --what client; or see the server's on a terminal: megaraptor credential show \
             cred:{id}/server-config"
        )));
    }
    // By way of the tool, so that it may be done and is on record.
    persons_word::call(global, "generate_server_config", object(wish)).await?;
    let deployments = Deployments::of(&global.home()?, credential::person());
    let id =
        id.parse().map_err(|error: deploy_core::BadId| ToolError::invalid(error.to_string()))?;
    let kept = deployments.vault().config(&id).await;
    let kept =
        kept.map_err(|error| ToolError::new(Code::Conflict, error.to_string()).next(error.next()))?;
    let text = ClientConfig::of(&kept).render();
    let file = std::path::absolute(&file)
        .map_err(|error| ToolError::invalid(format!("--out: {error}")))?;
    keep(&file, text.expose())?;
    let told = format!(
        "{} has what lets agents of {id} enrol: give it to nobody else, and delete it when it is not \
         needed any longer",
        file.display()
    );
    match global.output {
        Form::Text => output::result(&told),
        Form::Json => {
            output::json(&json!({ "deployment_id": id, "what": "client", "file": file }))?
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn destroy(
    global: &Global,
    id: &str,
    evidence: &EvidenceArgs,
) -> Result<ExitCode, ToolError> {
    let EvidenceArgs { discard_evidence, export_to } = evidence;
    let folder = export_to.as_ref().map(std::path::absolute).transpose();
    let folder = folder.map_err(|error| ToolError::invalid(format!("--export-to: {error}")))?;
    let arguments = object(json!({
        "deployment_id": id, "discard_evidence": discard_evidence, "export_to": folder,
    }));
    persons_word::print(global, "destroy_deployment", arguments).await
}

async fn sweep(global: &Global, evidence: &EvidenceArgs) -> Result<ExitCode, ToolError> {
    let due = due(global).await?;
    if due.is_empty() {
        match global.output {
            Form::Json => output::json(&json!({ "swept": [] }))?,
            Form::Text => output::result("nothing is past its time"),
        }
    }
    let mut worst = ExitCode::SUCCESS;
    for id in due {
        match destroy(global, &id, evidence).await {
            Ok(code) if code == ExitCode::SUCCESS => {}
            Ok(code) => worst = code,
            // The others are due all the same.
            Err(error) => {
                worst = ExitCode::from(error.code.exit_code());
                output::error(&format!("{id}: {error}"));
            }
        }
    }
    Ok(worst)
}

/// The ids of those that are past their time, of all pages.
async fn due(global: &Global) -> Result<Vec<String>, ToolError> {
    let mut due = Vec::new();
    let mut cursor = None;
    loop {
        let wanted = object(json!({ "limit": 500, "cursor": cursor }));
        let page = persons_word::call(global, "list_deployments", wanted).await?.data()?;
        let all = page.get("deployments").and_then(Value::as_array).into_iter().flatten();
        let overdue = all.filter(|one| one["overdue"] == true);
        due.extend(overdue.filter_map(|one| one["id"].as_str()).map(str::to_owned));
        cursor = page.get("cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(due);
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

//! `megaraptor deployments`: what was deployed, and its end.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::{Form, Global, output, persons_word};
use crate::tool_error::ToolError;

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
    },
    /// Show one, and look how each of its steps stands now
    Show {
        /// Its id
        id: String,
    },
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
    /// Make a further API user on one; megaraptor credential show gives its file
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
    /// Take one down with all that belongs to it, its evidence too
    Destroy {
        /// Its id
        id: String,
        /// The evidence on it is not needed, or is kept elsewhere
        #[arg(long)]
        discard_evidence: bool,
    },
    /// Take down what is past its time, one after the other, each on your word
    Sweep {
        /// The evidence on them is not needed, or is kept elsewhere
        #[arg(long)]
        discard_evidence: bool,
    },
}

pub(super) async fn run(
    global: &Global,
    command: DeploymentsCommand,
) -> Result<ExitCode, ToolError> {
    match command {
        DeploymentsCommand::List { all, search } => {
            let arguments = object(json!({ "include_destroyed": all, "search": search }));
            persons_word::print(global, "list_deployments", arguments).await
        }
        DeploymentsCommand::Show { id } => {
            let arguments = object(json!({ "deployment_id": id }));
            persons_word::print(global, "get_deployment_status", arguments).await
        }
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
        DeploymentsCommand::Destroy { id, discard_evidence } => {
            destroy(global, &id, discard_evidence).await
        }
        DeploymentsCommand::Sweep { discard_evidence } => sweep(global, discard_evidence).await,
    }
}

async fn destroy(global: &Global, id: &str, discard: bool) -> Result<ExitCode, ToolError> {
    let arguments = object(json!({ "deployment_id": id, "discard_evidence": discard }));
    persons_word::print(global, "destroy_deployment", arguments).await
}

async fn sweep(global: &Global, discard: bool) -> Result<ExitCode, ToolError> {
    let listed = persons_word::call(global, "list_deployments", Map::new()).await?.data()?;
    let all = listed.get("deployments").and_then(Value::as_array);
    let due: Vec<&str> = all
        .into_iter()
        .flatten()
        .filter(|one| one["overdue"] == true)
        .filter_map(|one| one["id"].as_str())
        .collect();
    if due.is_empty() {
        match global.output {
            Form::Json => output::json(&json!({ "swept": [] }))?,
            Form::Text => output::result("nothing is past its time"),
        }
    }
    let mut worst = ExitCode::SUCCESS;
    for id in due {
        let code = destroy(global, id, discard).await?;
        if code != ExitCode::SUCCESS {
            worst = code;
        }
    }
    Ok(worst)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

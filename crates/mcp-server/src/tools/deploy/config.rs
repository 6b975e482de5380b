//! `generate_server_config`.

use deploy_core::server::Vault;
use deploy_core::{Record, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::Permission;
use velociraptor_config::{ClientConfig, Masked, ServerConfig, drift};

use crate::answer::{Answer, Render};
use crate::context::ToolCx;
use crate::deployments::order;
use crate::tool::{Effect, Place, Reads, Tool};
use crate::tool_error::{Code, ToolError};

/// `generate_server_config`.
pub(super) struct GenerateServerConfig;

/// Whose configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    #[default]
    Server,
    Client,
}

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutputFormat {
    #[default]
    Yaml,
    Json,
}

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
    /// Of the server (default) or of its agents
    #[serde(default)]
    what: What,
    /// yaml (default) or json
    #[serde(default)]
    output_format: OutputFormat,
    /// Only where the server's differs from what its profile and plan say
    #[serde(default)]
    differences: bool,
}

/// One place where the configuration is not what was planned.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Difference {
    path: String,
    /// Nothing where the key is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    planned: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<String>,
}

/// The configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    what: What,
    /// The file, whole, with what must not be seen masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<Difference>>,
    /// How a person gets the file itself.
    file: String,
}

impl Tool for GenerateServerConfig {
    const NAME: &'static str = "generate_server_config";
    const TITLE: &'static str = "A deployment's configuration";
    const DESCRIPTION: &'static str = "Shows the real configuration of a deployment's server, or of \
        its agents, as kept here: whole with keys, nonces and passwords masked, or only what differs \
        from profile and plan. Never a secret; the answer says how a person gets the file. \
        validate_deployment compares it with the file in place.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

impl Reads for GenerateServerConfig {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let Input { what, output_format, differences, .. } = input;
        if differences && what == What::Client {
            return Err(ToolError::invalid("differences is of the server's configuration")
                .next("leave what out, or leave differences out"));
        }
        let deployments = cx.services.deployments()?;
        let id = super::covered(&cx, &input.deployment_id)?;
        let record = deployments.load(&id).await?;
        let vault = deployments.vault();
        let real = vault.config(&id).await.map_err(|error| missing(&record, &error))?;
        let file = match what {
            What::Server => {
                let name = deploy_core::server::names::CONFIG;
                let reference = Vault::reference(&id, name).map_err(|error| broken(&error))?;
                format!("megaraptor credential show {reference}")
            }
            What::Client => {
                format!("megaraptor deployments config {id} --what client --out FILE")
            }
        };
        let (config, differences) = if differences {
            (None, Some(against_plan(&record, &real)?))
        } else {
            let masked = match what {
                What::Server => real.masked(),
                What::Client => ClientConfig::of(&real).masked(),
            };
            (Some(written(&masked, output_format)?), None)
        };
        let output = Output { deployment_id: id.to_string(), what, config, differences, file };
        Ok(Answer::complete(&cx, output))
    }
}

fn written(masked: &Masked, format: OutputFormat) -> Result<String, ToolError> {
    match format {
        OutputFormat::Yaml => Ok(masked.yaml()),
        OutputFormat::Json => serde_json::to_string_pretty(masked.tree())
            .map_err(|error| ToolError::new(Code::Internal, error.to_string())),
    }
}

fn against_plan(record: &Record, real: &ServerConfig) -> Result<Vec<Difference>, ToolError> {
    let order = order(record).ok_or_else(|| {
        ToolError::new(
            Code::Conflict,
            format!("the plan of {} says nothing of a server", record.id),
        )
        .next("the record was edited: restore it from a copy")
    })?;
    let meant = order.meant(real).map_err(|error| ToolError::new(Code::Conflict, error))?;
    let of = |it: velociraptor_config::Drift| Difference {
        path: it.path,
        planned: it.expected,
        found: it.found,
    };
    Ok(drift(&meant, real).into_iter().map(of).collect())
}

fn missing(record: &Record, error: &StepError) -> ToolError {
    let (id, status) = (&record.id, record.status().as_str());
    ToolError::new(Code::Conflict, format!("{id} is {status}; its configuration: {error}"))
        .next(error.next())
}

fn broken(error: &StepError) -> ToolError {
    ToolError::new(Code::Internal, error.to_string())
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        if let Some(config) = &self.config {
            out.push_str(config.trim_end());
            out.push('\n');
        }
        let none = || String::from("nothing");
        match self.differences.as_deref() {
            None => {}
            Some([]) => out.push_str("as its profile and plan say\n"),
            Some(all) => {
                for Difference { path, planned, found } in all {
                    let planned = planned.clone().unwrap_or_else(none);
                    let found = found.clone().unwrap_or_else(none);
                    let _ = writeln!(out, "{path}: planned {planned}, found {found}");
                }
            }
        }
        let _ = write!(out, "the file itself, for a person: {}", self.file);
    }
}

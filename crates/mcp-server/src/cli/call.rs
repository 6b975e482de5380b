//! `megaraptor call`: one tool, from the command line.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::output;
use crate::context::{Silent, ToolCx};
use crate::services::Services;
use crate::tool_error::{Code, ToolError};

#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// The tool
    tool: String,
    /// Its arguments as a JSON object
    #[arg(long, default_value = "{}")]
    json: String,
    /// What is printed
    #[arg(long, short, value_enum, default_value_t = Form::Text)]
    output: Form,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// For reading
    Text,
    /// The typed data
    Json,
}

pub(super) async fn run(services: &Services, args: CallArgs) -> Result<(), ToolError> {
    let tool = services.tool(&args.tool)?;
    let mut arguments: Map<String, Value> = serde_json::from_str(&args.json)
        .map_err(|error| ToolError::invalid(format!("--json is not a JSON object: {error}")))?;
    let (target, org) = services.target(&mut arguments)?;
    let cancel = CancellationToken::new();
    let on_interrupt = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_interrupt.cancel();
        }
    });
    let cx =
        ToolCx { services, server: Arc::clone(&target.server), org, cancel, progress: &Silent };
    let finished = tool.call(cx, arguments).await?;
    match args.output {
        Form::Text => output::result(&finished.text),
        Form::Json => output::result(
            &serde_json::to_string_pretty(&finished.structured)
                .map_err(|error| ToolError::new(Code::Internal, error.to_string()))?,
        ),
    }
    Ok(())
}

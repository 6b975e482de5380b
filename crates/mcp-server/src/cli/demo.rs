//! `megaraptor demo`: an investigation of a planted intrusion, over MCP, on the simulated server.
//!
//! This process runs the lab; a child of it is `megaraptor serve`, spoken to over standard input
//! and output as any MCP client would. What is printed comes out of the answers, and the last
//! lines hold the answers against the lab's ground truth.
//!
//! With `--real` it is a real server and agent, made for the purpose and gone afterwards ([`real`]).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use lab::Lab;

use super::{Form, Global, OWN_SERVER, output};
use crate::clock;
use crate::tool_error::{Code, ToolError};

mod client;
mod real;
mod walk;

use client::McpClient;
use walk::Walk;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// How many times faster than usual simulated work is done
    #[arg(long, default_value_t = super::lab::DEFAULT_SPEED, conflicts_with = "real")]
    speed: f64,
    /// On a real server and agent instead: child processes on loopback, gone afterwards
    #[arg(long)]
    real: bool,
    /// The Velociraptor binary, for which you vouch [default: `VELOCIRAPTOR_BINARY`, else on `PATH`, by its pinned SHA-256]
    #[arg(long, value_name = "FILE", requires = "real")]
    binary: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: DemoArgs) -> Result<ExitCode, ToolError> {
    global.refuse_server_options("demo", OWN_SERVER)?;
    if global.output == Form::Json {
        return Err(ToolError::invalid("demo is for reading and has no output json")
            .next("megaraptor call TOOL --lab -o json gives the data of one tool"));
    }
    let cancel = super::call::cancel_on_interrupt();
    if args.real {
        return real::run(args.binary, &cancel).await;
    }
    // What is dropped on the way out takes its folder along: there are keys in it.
    tokio::select! {
        biased;
        () = cancel.cancelled() => {
            Err(ToolError::new(Code::Cancelled, "the demo was interrupted"))
        }
        done = walk(args) => done,
    }
}

async fn walk(args: DemoArgs) -> Result<ExitCode, ToolError> {
    let lab = super::lab::start(args.speed, 0)?;
    let folder =
        tempfile::Builder::new().prefix("megaraptor-demo-").tempdir().map_err(|error| {
            ToolError::new(Code::Internal, format!("no folder to work in: {error}"))
        })?;
    let client = serve(&lab, folder.path()).await?;
    output::result(&format!("MEGARAPTOR demo   SIMULATED LAB, no real server   {}", clock::now()));
    let truth = lab::ground_truth()
        .map_err(|error| ToolError::new(Code::Internal, format!("ground truth: {error}")))?;
    let agrees = Walk::new(client, &lab, truth).run().await?;
    Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Starts this very program as an MCP server on the lab.
async fn serve(lab: &Lab, folder: &std::path::Path) -> Result<McpClient, ToolError> {
    let failed = |what: String| ToolError::new(Code::Internal, what);
    lab.write_configs(folder).map_err(|error| failed(format!("API files: {error}")))?;
    let settings = folder.join(crate::settings::FILE_NAME);
    let text = format!(
        "[[server]]\nname = {:?}\nreader = \"reader.yaml\"\ninvestigator = \"investigator.yaml\"\n\
         administrator = \"administrator.yaml\"\n",
        lab::SIMULATED
    );
    std::fs::write(&settings, text).map_err(|error| failed(format!("settings: {error}")))?;
    let program =
        std::env::current_exe().map_err(|error| failed(format!("this program's path: {error}")))?;
    let arguments = ["serve", "--policy", "collect=allow", "--policy", "respond=allow"];
    let mut arguments: Vec<String> = arguments.map(String::from).to_vec();
    arguments.extend([String::from("--settings"), settings.display().to_string()]);
    McpClient::start(&program, &arguments, &folder.join("state")).await
}

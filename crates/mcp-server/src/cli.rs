//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::services::{Services, Switches};
use crate::settings::{self, Sources};
use crate::tool_error::ToolError;

mod call;
mod output;

/// Velociraptor for an AI assistant and for a person.
#[derive(Debug, Parser)]
#[command(name = "megaraptor", version, about, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// An API client file; repeat it for a server's other identities
    #[arg(long, short, global = true, value_name = "API.YAML")]
    config: Vec<PathBuf>,
    /// A settings file with several servers [default: megaraptor.toml, where there is one]
    #[arg(long, global = true, value_name = "TOML")]
    settings: Option<PathBuf>,
    /// Orgs of the server given by --config, the default first
    #[arg(long, global = true, value_delimiter = ',', value_name = "ORG")]
    orgs: Vec<String>,
    /// List the tools that change something, and let them run
    #[arg(long, global = true)]
    allow_changes: bool,
    /// Hide whatever changes something; wins over --allow-changes
    #[arg(long, global = true)]
    read_only: bool,
    /// Only these families of tools
    #[arg(long, global = true, value_delimiter = ',', value_name = "FAMILY")]
    families: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve MCP over standard input and output
    Serve,
    /// Call one tool
    Call(call::CallArgs),
}

impl Global {
    fn services(&self) -> Result<Arc<Services>, ToolError> {
        let targets = settings::load(&Sources {
            api_files: self.config.clone(),
            settings: self.settings.clone(),
            orgs: self.orgs.clone(),
        })?;
        let switches = Switches {
            allow_changes: self.allow_changes,
            read_only: self.read_only,
            families: self.families.clone(),
        };
        Ok(Arc::new(Services::new(targets, switches)))
    }
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    // Losing the race against another provider is impossible here: this is the first line of main.
    let _ = velociraptor_api::tls_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("cannot start the runtime: {error}"));
            return ExitCode::from(70);
        }
    };
    let code = runtime.block_on(run(cli));
    // A blocked read of standard input must not hold the process.
    runtime.shutdown_background();
    code
}

async fn run(cli: Cli) -> ExitCode {
    let services = match cli.global.services() {
        Ok(services) => services,
        Err(error) => return fail(&error),
    };
    match cli.command {
        Command::Serve => match crate::mcp::serve_stdio(services).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                output::error(&error.to_string());
                ExitCode::from(1)
            }
        },
        Command::Call(args) => match call::run(&services, args).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
    }
}

fn fail(error: &ToolError) -> ExitCode {
    output::error(&error.text());
    ExitCode::from(error.code.exit_code())
}

/// Diagnostics go to standard error: standard output belongs to the protocol.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter =
        EnvFilter::try_from_env("MEGARAPTOR_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).finish();
    // Only a second subscriber in the same process could fail here, and there is none.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

//! The command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use guard::audit::Audit;
use guard::policy::Policy;

use crate::deployments::Deployments;
use crate::gateway::{Gateway, Guardian, MEND};
use crate::keeping::{self, Keeping};
use crate::policy as policies;
use crate::services::{CORE, Services, Switches, Target};
use crate::settings::{self, Sources};
use crate::tool_error::{Code, ToolError};

mod approvals;
mod audit;
mod call;
mod client_config;
mod columns;
mod configured;
mod credential;
mod demo;
mod deploy;
mod deployments;
mod doctor;
mod emergency;
mod examples;
mod flags;
mod grants;
mod help;
mod lab;
mod narrow;
mod output;
mod person;
mod persons_word;
mod policy;
mod serve;
mod token;
mod tools;
mod vql;

const EXIT_CODES: &str = "\
Exit codes:
  0  done: COMPLETE, EMPTY, or a page of PARTIAL that a cursor follows
  1  the check that was asked for found something (doctor, vql check, vql effects --require, audit, demo)
  2  an argument or a query cannot be used
  3  what was asked for does not exist, or its name is ambiguous
  4  denied by the server's access control or by a switch
  5  the server cannot be reached, or an offline client refused the call
  6  a limit of time or size was reached (EXPIRED among it)
  7  the state of things forbids it
  8  the server failed
  9  done in part: a part failed, was refused or was cut (PARTIAL without a cursor)
 10  handed over and not ended: PENDING, or waiting for a client that is OFFLINE
 11  a person has to approve it first; nothing was done
 12  the call cannot be recorded and was not run
 70  a fault of megaraptor
130  cancelled";

/// Why a command takes no server from outside.
const OWN_SERVER: &str = "runs on a simulated server of its own";

/// Headings for the options of every command, below those of its own.
const SERVER: &str = "Server";
const MAY_RUN: &str = "What may run";
const RECORD: &str = "The record of calls";
const PRINTED: &str = "Output";

/// Velociraptor for an AI assistant (MCP) and for a person.
#[derive(Debug, Parser)]
#[command(name = "megaraptor", version, propagate_version = true, after_help = EXIT_CODES)]
#[command(about = "Velociraptor for an AI assistant (MCP) and for a person")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// An API client file; repeat it for a server's other identities
    #[arg(long, short, global = true, value_name = "API.YAML", help_heading = SERVER)]
    config: Vec<PathBuf>,
    /// A settings file with several servers [default: megaraptor.toml, where there is one]
    #[arg(long, global = true, value_name = "TOML", conflicts_with = "config", help_heading = SERVER)]
    settings: Option<PathBuf>,
    /// Use a simulated server and fleet, which live as long as this command
    #[arg(long, global = true, conflicts_with_all = ["config", "settings"], help_heading = SERVER)]
    lab: bool,
    /// Orgs of the server given by --config, the default first
    #[arg(long, global = true, value_delimiter = ',', value_name = "ORG", help_heading = SERVER)]
    orgs: Vec<String>,
    /// Set a key of the policy, such as collect=allow; repeat it for more (megaraptor policy)
    #[arg(long, global = true, value_name = "KEY=VALUE", help_heading = MAY_RUN)]
    policy: Vec<String>,
    /// A file that holds a policy [default: the table policy of the settings file]
    #[arg(long, global = true, value_name = "TOML", help_heading = MAY_RUN)]
    policy_file: Option<PathBuf>,
    /// Hide whatever changes something; wins over all else
    #[arg(long, global = true, help_heading = MAY_RUN)]
    read_only: bool,
    /// Put the record of each read onto the disk before it runs (each), or within a second (second)
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        env = "MEGARAPTOR_AUDIT_FLUSH",
        hide_env_values = true,
        help_heading = RECORD
    )]
    audit_flush: Option<String>,
    /// Send a copy of the record there: file:PATH, syslog:udp:HOST:PORT, syslog:tcp:HOST:PORT or
    /// syslog:SOCKET
    #[arg(
        long,
        global = true,
        value_name = "WHERE",
        env = "MEGARAPTOR_AUDIT_COPY",
        hide_env_values = true,
        help_heading = RECORD
    )]
    audit_copy: Option<String>,
    /// Only these families of tools; core is all that are on by default
    #[arg(long, global = true, value_delimiter = ',', value_name = "FAMILY", help_heading = MAY_RUN)]
    families: Vec<String>,
    /// What is printed
    #[arg(long, short, global = true, value_enum, default_value_t = Form::Text, help_heading = PRINTED)]
    output: Form,
}

/// What is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For reading
    Text,
    /// Typed data, for scripts
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve MCP over standard input and output, or over HTTP
    Serve(serve::ServeArgs),
    /// Make, list and revoke the tokens of callers over HTTP
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Decide what an assistant asked for and the chat is not enough for
    #[command(subcommand)]
    Approvals(approvals::ApprovalsCommand),
    /// Say beforehand what may be collected for a case
    #[command(subcommand)]
    Grants(grants::GrantsCommand),
    /// List and delete the secrets that were kept, and show one on a terminal
    #[command(subcommand)]
    Credential(credential::CredentialCommand),
    /// Make a Velociraptor server, from nothing to an answered query
    #[command(subcommand)]
    Deploy(deploy::DeployCommand),
    /// List, show, resume and destroy what was deployed
    #[command(subcommand)]
    Deployments(deployments::DeploymentsCommand),
    /// Walk through an investigation on the simulated server, which needs nothing else, or on a real one
    Demo(demo::DemoArgs),
    /// Run the simulated server and fleet until Ctrl-C
    Lab(lab::LabArgs),
    /// Call one tool
    Call(call::CallArgs),
    /// Hold every hunt and cancel every flow that Megaraptor started; asks nobody, undoes nothing
    EmergencyStop,
    /// Show what may run, what is asked for, and where that was set
    Policy,
    /// List the tools, or describe one
    Tools(tools::ToolsArgs),
    /// Say what this configuration can do, and what is wrong with it
    Doctor,
    /// Print the configuration snippet for an MCP client
    ClientConfig(client_config::ClientConfigArgs),
    /// Work with VQL texts, without a server
    #[command(subcommand)]
    Vql(vql::VqlCommand),
    /// Read the record of calls, and say whether it is what was written
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Print a script that completes commands and options in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

impl Global {
    /// The servers that flags, environment and settings name.
    fn services(&self) -> Result<Arc<Services>, ToolError> {
        self.services_with(&self.families)
    }

    /// The same with other families of tools.
    fn services_with(&self, families: &[String]) -> Result<Arc<Services>, ToolError> {
        if self.lab {
            let lab = lab::start(lab::DEFAULT_SPEED, 0)?;
            let target = settings::from_lab(&lab, &self.orgs)?;
            let switches = self.switches(std::slice::from_ref(&target), families)?;
            return Ok(Arc::new(Services::new(vec![target], switches).with_lab(lab)));
        }
        let targets = self.targets()?;
        let switches = self.switches(&targets, families)?;
        let deployments = Deployments::of(&self.home()?, credential::person());
        let (services, faults) = Services::new(targets, switches).with_deployments(deployments);
        for fault in faults {
            output::error(&format!("! {fault}"));
        }
        Ok(Arc::new(services))
    }

    /// The servers that flags, environment and settings name.
    fn targets(&self) -> Result<Vec<Target>, ToolError> {
        settings::load(&Sources {
            api_files: self.config.clone(),
            settings: self.settings.clone(),
            orgs: self.orgs.clone(),
        })
    }

    /// The same behind their guard.
    fn gateway(&self) -> Result<Gateway, ToolError> {
        self.gateway_with(&self.families)
    }

    /// The same with other families of tools.
    fn gateway_with(&self, families: &[String]) -> Result<Gateway, ToolError> {
        let services = self.services_with(families)?;
        let guardian = Guardian::open_as(&self.home()?, &self.keeping()?)?;
        Ok(Gateway::new(services, Arc::new(guardian)))
    }

    /// How the record of calls is kept.
    fn keeping(&self) -> Result<Keeping, ToolError> {
        keeping::load(&keeping::From {
            settings: self.settings_file(),
            flush: self.audit_flush.clone(),
            copy: self.audit_copy.clone(),
        })
    }

    /// The record of a state folder, for what a person decides on the command line.
    fn record(&self, home: &Path) -> Result<Audit, ToolError> {
        let keeping = self.keeping()?;
        guard::home::make(home).map_err(|error| undecided(&error))?;
        Audit::open(&keeping.options(home)).map_err(|error| undecided(&error))
    }

    /// The settings file that is used, where one is.
    fn settings_file(&self) -> Option<PathBuf> {
        let used = || Path::new(settings::FILE_NAME).exists() && self.config.is_empty();
        match &self.settings {
            Some(path) => Some(path.clone()),
            None => (!self.lab && used()).then(|| PathBuf::from(settings::FILE_NAME)),
        }
    }

    /// The state folder. What is done to a simulated server is kept apart.
    fn home(&self) -> Result<PathBuf, ToolError> {
        let home = guard::home::find().map_err(|error| ToolError::invalid(error.to_string()))?;
        Ok(if self.lab { home.join("lab") } else { home })
    }

    /// The policy in force.
    fn policy(&self, targets: &[Target]) -> Result<Arc<Policy>, ToolError> {
        policies::load(
            &policies::From {
                settings: self.settings_file(),
                file: self.policy_file.clone(),
                flags: self.policy.clone(),
                read_only: self.read_only,
            },
            targets,
        )
    }

    /// Refuses the options that choose and bound a server, for a command that takes none, and says
    /// why: an option that is passed over in silence is taken for one that holds.
    fn refuse_server_options(&self, command: &str, why: &str) -> Result<(), ToolError> {
        let given = [
            ("--config", !self.config.is_empty()),
            ("--settings", self.settings.is_some()),
            ("--orgs", !self.orgs.is_empty()),
            ("--policy", !self.policy.is_empty()),
            ("--policy-file", self.policy_file.is_some()),
            ("--read-only", self.read_only),
            ("--families", !self.families.is_empty()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => {
                Err(ToolError::invalid(format!("{command} {why}, and {option} is not for it"))
                    .next(format!("leave {option} out; megaraptor doctor and call take it")))
            }
        }
    }

    fn switches(&self, targets: &[Target], families: &[String]) -> Result<Switches, ToolError> {
        let ids = crate::tools::FAMILIES.iter().map(|family| family.id);
        let known = || std::iter::once(CORE).chain(ids.clone());
        if let Some(unknown) = families.iter().find(|name| !known().any(|id| id == *name)) {
            let names: Vec<_> = known().collect();
            return Err(ToolError::invalid(format!(
                "there is no family {unknown:?}; there are {}",
                names.join(", ")
            )));
        }
        Ok(Switches { policy: self.policy(targets)?, families: families.to_vec() })
    }
}

/// Nothing is decided that cannot be recorded.
fn undecided(error: &dyn std::error::Error) -> ToolError {
    let message = format!("nothing was decided, since it cannot be recorded: {error}");
    ToolError::new(Code::NotRecorded, message).next(MEND)
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let typed = help::once(examples::with_examples(Cli::command())).get_matches();
    let cli = match Cli::from_arg_matches(&typed) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    log_to_stderr();
    // Nothing ran before this, so no other provider can be in place.
    let _ = velociraptor_api::tls_provider().install_default();
    // Two workers: one answers while the other parses a large batch.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
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
    let form = cli.global.output;
    let done = match cli.command {
        Command::Serve(args) => serve::run(&cli.global, args).await,
        Command::Token(command) => token::run(&cli.global, command),
        Command::Approvals(command) => approvals::run(&cli.global, command),
        Command::Grants(command) => grants::run(&cli.global, command),
        Command::Credential(command) => credential::run(&cli.global, command),
        Command::Deploy(command) => deploy::run(&cli.global, command).await,
        Command::Deployments(command) => deployments::run(&cli.global, command).await,
        Command::Call(args) => call::run(&cli.global, args).await,
        Command::Demo(args) => demo::run(&cli.global, args).await,
        Command::Lab(args) => lab::run(&cli.global, args).await,
        Command::Tools(args) => tools::run(&cli.global, &args),
        Command::EmergencyStop => emergency::run(&cli.global).await,
        Command::Policy => policy::run(&cli.global),
        Command::Doctor => doctor::run(&cli.global).await,
        Command::ClientConfig(args) => client_config::run(&cli.global, &args),
        Command::Audit(command) => audit::run(&cli.global, command),
        Command::Vql(command) => vql::run(&cli.global, command),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "megaraptor", &mut script);
            output::passed(String::from_utf8_lossy(&script).trim_end());
            Ok(ExitCode::SUCCESS)
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => fail(&error, form),
    }
}

fn fail(error: &ToolError, form: Form) -> ExitCode {
    let (data, text) = crate::evidence::error(error);
    match form {
        Form::Text => output::passed_error(&text),
        Form::Json => output::passed_error(&serde_json::json!({ "error": data }).to_string()),
    }
    ExitCode::from(error.code.exit_code())
}

/// Diagnostics go to standard error: standard output belongs to the protocol.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter =
        EnvFilter::try_from_env("MEGARAPTOR_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(|| output::Diagnostics)
        .finish();
    // Only a second subscriber in the same process could fail here, and there is none.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

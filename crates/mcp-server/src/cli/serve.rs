//! `megaraptor serve`: MCP over standard input and output, or over HTTP.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use guard::home;
use guard::tokens::{Gate, TokenError, TokenStore};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Limits as QueryLimits};

use super::{Global, output, undecided};
use crate::gateway::Gateway;
use crate::http::{self, Bind, Limits, Listener, Names, Readiness, Stop, Tls};
use crate::mcp::Shell;
use crate::queries;
use crate::services::Services;
use crate::tool_error::{Code, ToolError};

/// How often it is looked for work that waited for too long.
const OVERDUE: Duration = Duration::from_secs(5 * 60);

/// How long a server may take to show that it is there.
const READY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Serve over HTTP there instead; port 0 takes a free one, which is told on standard error
    #[arg(long, value_name = "IP:PORT")]
    http: Option<Bind>,
    #[command(flatten)]
    over_http: HttpArgs,
}

#[derive(Debug, Args)]
struct HttpArgs {
    /// The certificate chain (PEM); needed where other machines reach the address
    #[arg(long, value_name = "PEM", requires = "http", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM), readable to its owner alone
    #[arg(long, value_name = "PEM", requires = "http", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A name by which the server is called, besides its address; repeat it for more
    #[arg(long, value_name = "NAME[:PORT]", requires = "http")]
    allowed_host: Vec<String>,
    /// An origin whose pages may call from a browser; repeat it for more [default: only the server's own]
    #[arg(long, value_name = "SCHEME://HOST[:PORT]", requires = "http")]
    allowed_origin: Vec<String>,
    /// Connections at a time
    #[arg(long, value_name = "N", requires = "http", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// Calls of one token at a time
    #[arg(long, value_name = "N", requires = "http", default_value_t = Limits::default().calls_at_once)]
    max_calls: usize,
    /// Requests of one token in a second
    #[arg(long, value_name = "N", requires = "http", default_value_t = Limits::default().calls_per_second)]
    max_rate: u32,
}

pub(super) async fn run(global: &Global, args: ServeArgs) -> Result<ExitCode, ToolError> {
    match args.http {
        Some(bind) => over_http(global, bind, args.over_http).await,
        None => over_stdio(global).await,
    }
}

async fn over_stdio(global: &Global) -> Result<ExitCode, ToolError> {
    let gateway = global.gateway()?;
    take_back_overdue(gateway.clone());
    let served = crate::mcp::serve_stdio(gateway.clone()).await;
    sign_off(&gateway).await;
    served.map_err(|error| {
        ToolError::new(Code::Internal, format!("MCP over stdio ended: {error}"))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Stops what is being carried out in order, and signs for the last lines of the record: what ends in
/// order leaves none that could be cut off unseen.
async fn sign_off(gateway: &Gateway) {
    if let Ok(deployments) = gateway.services().deployments() {
        deployments.stop().await;
    }
    if let Err(error) = gateway.guardian().audit().close().await {
        tracing::error!(%error, "the end of the record is not signed");
    }
}

/// Takes back what waited for too long, now and again, for as long as the process lives.
fn take_back_overdue(gateway: Gateway) {
    let cancel = CancellationToken::new();
    tokio::spawn(async move {
        loop {
            for told in gateway.take_back_overdue(crate::clock::now(), &cancel).await {
                tracing::warn!("{told}");
            }
            tokio::time::sleep(OVERDUE).await;
        }
    });
}

async fn over_http(global: &Global, bind: Bind, args: HttpArgs) -> Result<ExitCode, ToolError> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(
            Tls::load(certificate, key).map_err(|error| ToolError::invalid(error.to_string()))?,
        ),
        _ => None,
    };
    bind.check(tls.is_some()).map_err(|error| {
        ToolError::invalid(error.to_string())
            .next("give --tls-cert and --tls-key, or take 127.0.0.1")
    })?;
    let gateway = global.gateway()?;
    let gate = gate()?;
    let limits = limits(&args);
    take_back_overdue(gateway.clone());
    let ending = gateway.clone();
    raise_open_files();
    let stop = stop_on_signals()?;
    let listener = Listener::bind(bind, tls).await.map_err(|error| {
        ToolError::new(Code::Unavailable, format!("cannot listen at {bind}: {error}"))
    })?;
    let address = listener.address();
    let scheme = listener.scheme();
    let names = Names::new(Bind(address), scheme, &args.allowed_host, &args.allowed_origin)
        .map_err(|error| ToolError::invalid(error.to_string()).next("give --allowed-host NAME"))?;
    tell_of_tokens(&gate, gateway.services())?;
    output::error(&format!("serving MCP at {scheme}://{address}{}", http::PATH));
    let ready = readiness(Arc::clone(gateway.services()));
    let service = http::Service {
        handlers: Arc::new(move |caller| {
            let narrowed = Arc::new(gateway.services().narrowed(&caller.scope));
            Shell::new(gateway.before(narrowed), caller.clone())
        }),
        gate: Arc::new(gate),
        names,
        limits,
        ready,
    };
    let served = http::serve(listener, service, stop).await;
    sign_off(&ending).await;
    served
        .map_err(|error| ToolError::new(Code::Internal, format!("MCP over HTTP ended: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

fn limits(args: &HttpArgs) -> Limits {
    let rate = args.max_rate.max(1);
    Limits {
        connections: args.max_connections,
        calls_at_once: args.max_calls,
        calls_per_second: rate,
        burst: rate.saturating_mul(4),
        ..Limits::default()
    }
}

/// The tokens in the state folder.
fn gate() -> Result<Gate, ToolError> {
    Gate::open(store()?).map_err(|error| cannot_keep(&error))
}

/// The file of tokens.
pub(super) fn store() -> Result<TokenStore, ToolError> {
    Ok(TokenStore::at(tokens_home()?))
}

/// The state folder that holds the tokens: they are the same before a simulated server.
pub(super) fn tokens_home() -> Result<PathBuf, ToolError> {
    home::find().map_err(|error| ToolError::invalid(error.to_string()))
}

/// A file of tokens that cannot be used.
pub(super) fn cannot_keep(error: &TokenError) -> ToolError {
    match error {
        TokenError::Unrecorded(error) => undecided(error),
        _ => ToolError::invalid(error.to_string()),
    }
}

/// Says what of the tokens will surprise their holders.
fn tell_of_tokens(gate: &Gate, services: &Services) -> Result<(), ToolError> {
    let valid = gate.valid(Timestamp::now()).map_err(|error| cannot_keep(&error))?;
    if valid.is_empty() {
        output::error("no token is valid yet: megaraptor token create NAME makes one");
    }
    for token in valid {
        if services.narrowed(&token.scope).targets().is_empty() {
            let name = &token.name;
            output::error(&format!("the token {name} covers no server and org that is configured"));
        }
    }
    Ok(())
}

/// Any of the servers tells its time.
fn readiness(services: Arc<Services>) -> Readiness {
    Arc::new(move || {
        let services = Arc::clone(&services);
        Box::pin(async move {
            let cancel = CancellationToken::new();
            let _guard = cancel.clone().drop_guard();
            let targets = services.targets();
            let asked = targets.iter().filter_map(|target| {
                let (org, cancel) = (target.orgs.first()?, &cancel);
                let limits = QueryLimits::READ.time(READY);
                Some(Box::pin(async move {
                    let call = Call { org, limits, cancel };
                    let entry = &queries::CLOCK;
                    target.server.fetch(entry, &entry.query(), &call).await.map(|_| ())
                }))
            });
            let asked: Vec<_> = asked.collect();
            !asked.is_empty() && futures_util::future::select_ok(asked).await.is_ok()
        })
    })
}

/// The first signal lets calls finish, the second cancels them.
fn stop_on_signals() -> Result<Stop, ToolError> {
    let mut signals = signals().map_err(|error| {
        ToolError::new(Code::Internal, format!("signals cannot be watched: {error}"))
    })?;
    let stop = Stop::default();
    let told = stop.clone();
    tokio::spawn(async move {
        signals.next().await;
        output::error("stopping; calls at work may finish, a second signal cancels them");
        told.soon.cancel();
        signals.next().await;
        told.now.cancel();
    });
    Ok(stop)
}

/// The signals by which a person or a system asks the program to end.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
fn signals() -> std::io::Result<Signals> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok(Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    })
}

#[cfg(unix)]
impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
fn signals() -> std::io::Result<Signals> {
    Ok(Signals(tokio::signal::windows::ctrl_c()?))
}

#[cfg(windows)]
impl Signals {
    async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// Each connection is an open file, and the usual soft limit is little more than our own.
#[cfg(unix)]
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

#[cfg(not(unix))]
fn raise_open_files() {}

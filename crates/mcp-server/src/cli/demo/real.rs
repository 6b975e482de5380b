//! `megaraptor demo --real`: the walk on a real server and agent that are made for it.
//!
//! Both are child processes on loopback, with all that they write in one folder. They are a
//! deployment like any other: a plan, carried out and taken back by the engine, whose record is kept
//! in memory. Whatever ends the walk, the deployment is taken down and seen to be gone.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use credstore::MemoryStore;
use deploy_core::registry::Memory;
use deploy_core::server::Vault;
use deploy_core::{
    About, Consent, Deployer as _, DeploymentId, Engine, EngineError, OnFailure, Progress, Record,
    Run,
};
use packages::{DEFAULT_VERSION, Here, Package, PackageSource as _, Platform, Proof, Wanted};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::tool_error::{Code, ToolError};

mod agent;
mod children;
mod folder;
mod plan;
mod program;
mod serve;
mod throwaway;
mod walk;

use children::{Children, Role, Standing};
use throwaway::ThrowAway;
use walk::Walk;

/// How often it is looked whether server and agent still run.
const WATCHED: Duration = Duration::from_millis(200);

pub(super) async fn run(
    binary: Option<PathBuf>,
    cancel: &CancellationToken,
) -> Result<ExitCode, ToolError> {
    if cfg!(windows) {
        let what = "demo --real does not run on Windows: a server there cannot hand over its keys";
        return Err(ToolError::new(Code::Conflict, what).next("megaraptor demo needs no server"));
    }
    let begun = Instant::now();
    let package = find(binary, cancel).await?;
    let deployer = ThrowAway::new(
        Vault::new(Arc::new(MemoryStore::new(credstore::Clock::of_the_machine()))),
        package,
    );
    let id = DeploymentId::generate().map_err(internal)?;
    let plan = plan::of(&id).map_err(internal)?;
    let registry = Memory::default();
    let engine = Engine::new(&registry, &deployer);
    let record = Record::new(id.clone(), deployer.kind(), About::default(), plan);
    engine.record(record).await.map_err(internal)?;

    let steps = Steps::default();
    let up = Run { cancel, progress: &steps, on_failure: OnFailure::TakeBack };
    let walked = up_and_walk(&engine, &deployer, &id, &up, begun).await;
    // Nobody stops it from leaving nothing behind.
    let never = CancellationToken::new();
    let run = Run { cancel: &never, progress: &steps, on_failure: OnFailure::TakeBack };
    let ending = Instant::now();
    let gone = engine.take_down(&id, &run, &Consent::given("the demo", id.clone())).await;
    let folder = folder::of(&id);
    if let Err(left) = gone {
        let after = walked.err().map_or_else(String::new, |error| format!("; before: {error}"));
        return Err(ToolError::new(Code::ServerFailed, format!("{left}{after}")).next(format!(
            "end what still runs in {0} by hand, and remove {0}",
            folder.display()
        )));
    }
    let agrees = walked.inspect_err(|_| {
        super::output::error(&format!("gone: server, agent and {}", folder.display()));
    })?;
    super::walk::say(&format!(
        "GONE   server, agent and {} in {:.1} s; {:.1} s in all",
        folder.display(),
        ending.elapsed().as_secs_f64(),
        begun.elapsed().as_secs_f64()
    ));
    super::walk::say("NEXT   megaraptor doctor --config api.yaml · megaraptor client-config");
    Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn up_and_walk(
    engine: &Engine<'_>,
    deployer: &ThrowAway,
    id: &DeploymentId,
    run: &Run<'_>,
    begun: Instant,
) -> Result<bool, ToolError> {
    let up = engine.bring_up(id, run).await;
    // A query that was cancelled is a step that failed.
    let up = up.map_err(|error| match run.cancel.is_cancelled() {
        true => interrupted(),
        false => told(&error),
    })?;
    let agent = deployer.children.process_id(id, Role::Agent).await;
    let agent = agent.ok_or_else(|| ToolError::new(Code::ServerFailed, "the agent ended"))?;
    let took = begun.elapsed();
    let client = tokio::select! {
        biased;
        () = run.cancel.cancelled() => return Err(interrupted()),
        client = serve::start(&deployer.vault, id) => client?,
    };
    let mut walk = Walk::new(client, folder::of(id), agent);
    let walked = tokio::select! {
        biased;
        () = run.cancel.cancelled() => Err(interrupted()),
        lost = lost(&deployer.children, id) => Err(lost),
        walked = walk.run(&up, took) => match walked {
            Ok(agrees) => Ok(agrees),
            // The walk may hear of it first.
            Err(error) => {
                Err(timeout(5 * WATCHED, lost(&deployer.children, id)).await.unwrap_or(error))
            }
        },
    };
    let ended = walk.end().await;
    let agrees = walked?;
    ended.map(|()| agrees)
}

/// Waits until server or agent ends by itself.
async fn lost(children: &Children, id: &DeploymentId) -> ToolError {
    loop {
        for role in [Role::Server, Role::Agent] {
            if let Standing::Ended(why) = children.standing(id, role).await {
                let log = children::log_end(&role.log(&folder::of(id)));
                let what = format!("the {} is lost: {why}; its log ends: {log}", role.name());
                return ToolError::new(Code::ServerFailed, what).next("try again");
            }
        }
        tokio::time::sleep(WATCHED).await;
    }
}

/// The binary that is named, else one that is here and proved.
async fn find(binary: Option<PathBuf>, cancel: &CancellationToken) -> Result<Package, ToolError> {
    const ELSE: &str = "name one with --binary FILE or VELOCIRAPTOR_BINARY, or put it on PATH; \
         megaraptor demo needs none";
    let refused = |code, error: &dyn std::fmt::Display, next: String| {
        Err(ToolError::new(code, error.to_string()).next(next))
    };
    let here = match binary.map_or_else(Here::find, |file| Ok(Here::named(file))) {
        Ok(here) => here,
        Err(error) => return refused(Code::NotFound, &error, ELSE.to_owned()),
    };
    let platform = match Platform::here() {
        Ok(platform) => platform,
        Err(error) => return refused(Code::Conflict, &error, ELSE.to_owned()),
    };
    let wanted = Wanted { version: DEFAULT_VERSION, platform, proof: Proof::Named };
    match here.fetch(&wanted, &(), cancel).await {
        Ok(package) => Ok(package),
        Err(_) if cancel.is_cancelled() => Err(interrupted()),
        Err(error @ packages::PackageError::Unproved { .. }) => {
            let next = format!(
                "if you trust the file: megaraptor demo --real --binary {}",
                here.path().display()
            );
            refused(Code::Denied, &error, next)
        }
        Err(error) if error.is_missing() => refused(Code::NotFound, &error, ELSE.to_owned()),
        Err(error) => refused(Code::Conflict, &error, ELSE.to_owned()),
    }
}

/// Each step as one line on standard error, when it begins or is taken back.
#[derive(Default)]
struct Steps(Mutex<(usize, bool)>);

impl Progress for Steps {
    fn say(&self, step: usize, of: usize, what: &str) {
        let now = (step, what.starts_with("takes back"));
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != now {
            *last = now;
            super::output::error(&format!("{step}/{of} {what}"));
        }
    }
}

fn interrupted() -> ToolError {
    ToolError::new(Code::Cancelled, "the demo was interrupted")
}

fn internal(error: impl std::fmt::Display) -> ToolError {
    ToolError::new(Code::Internal, error.to_string())
}

fn told(error: &EngineError) -> ToolError {
    match error {
        EngineError::Stopped { .. } => interrupted(),
        EngineError::Failed { cause, .. } => {
            ToolError::new(Code::ServerFailed, error.to_string()).next(cause.next())
        }
        _ => internal(error),
    }
}

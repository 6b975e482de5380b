//! The program is killed (SIGKILL) or panics at every moment of a deployment, as another process: the
//! deployer of `examples/embedded` over records in files. Whatever is left is resumed and taken down.
//!
//! A moment is before and after each time that a record is stored, and between any two effects.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use deploy_core::registry::Files;
use deploy_core::{
    About, Claim, Consent, Deployer, DeploymentId, Engine, EngineError, Generation, OnFailure,
    Record, RegistryError, Run, Silent, StateRegistry, Status,
};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio_util::sync::CancellationToken;

#[path = "../examples/embedded/folder.rs"]
mod folder;

use folder::FolderDeployer;

/// How many moments there were, and what happens at which.
static MOMENTS: AtomicUsize = AtomicUsize::new(0);
static KILLED_AT: AtomicUsize = AtomicUsize::new(NEVER);
static PANICS_AT: AtomicUsize = AtomicUsize::new(NEVER);

const NEVER: usize = usize::MAX;

fn moment() {
    let now = MOMENTS.fetch_add(1, Ordering::SeqCst) + 1;
    if now == KILLED_AT.load(Ordering::SeqCst) {
        let kill = rustix::process::Signal::KILL;
        rustix::process::kill_process(rustix::process::getpid(), kill).expect("it may end itself");
    }
    assert!(now != PANICS_AT.load(Ordering::SeqCst), "moment {now}");
}

/// A registry with moments.
#[derive(Debug)]
struct Watched(Files);

#[async_trait]
impl StateRegistry for Watched {
    async fn claim(&self, id: &DeploymentId) -> Result<Claim, RegistryError> {
        self.0.claim(id).await
    }

    async fn load(&self, id: &DeploymentId) -> Result<Option<Record>, RegistryError> {
        self.0.load(id).await
    }

    async fn store(&self, expected: Generation, next: &Record) -> Result<(), RegistryError> {
        moment();
        let stored = self.0.store(expected, next).await;
        moment();
        stored
    }

    async fn list(&self) -> Result<Vec<DeploymentId>, RegistryError> {
        self.0.list().await
    }
}

/// What a child does.
#[derive(Clone, Copy, Debug)]
enum Job {
    Up,
    Down,
}

/// The child: works on the deployment, and ends at the moment that it was given.
#[tokio::main(flavor = "current_thread")]
async fn child(root: &Path, job: &str, id: &str, ends: [&str; 2]) -> Result<(), Failed> {
    KILLED_AT.store(ends[0].parse()?, Ordering::SeqCst);
    PANICS_AT.store(ends[1].parse()?, Ordering::SeqCst);
    let deployer = FolderDeployer { root: root.to_owned(), moment };
    let registry = Watched(Files::open(root)?);
    let engine = Engine::new(&registry, &deployer);
    let (cancel, id) = (CancellationToken::new(), id.parse::<DeploymentId>()?);
    let run = Run { cancel: &cancel, progress: &Silent, on_failure: OnFailure::TakeBack };
    let record = match job {
        "up" => {
            if registry.load(&id).await?.is_none() {
                let plan = folder::plan("hello", "world")?;
                let record = Record::new(id.clone(), deployer.kind(), About::default(), plan);
                engine.record(record).await?;
            }
            engine.bring_up(&id, &run).await
        }
        _ => {
            let consent = Consent::given("the test", id.clone());
            match engine.take_down(&id, &run, &consent).await {
                // It was killed before it was on record: then nothing of it may be there.
                Err(EngineError::Registry(RegistryError::Missing(_))) => return Ok(()),
                done => done,
            }
        }
    };
    let status = match record {
        Ok(record) => record.status().as_str(),
        Err(EngineError::Failed { .. }) => "failed",
        Err(other) => return Err(other.into()),
    };
    use std::io::Write;
    writeln!(std::io::stdout(), "{} {status}", MOMENTS.load(Ordering::SeqCst))?;
    Ok(())
}

/// A folder in which deployments are made and killed.
struct Bed {
    root: tempfile::TempDir,
    id: DeploymentId,
}

impl Bed {
    fn new() -> Result<Self, Failed> {
        Ok(Self { root: tempfile::tempdir()?, id: DeploymentId::generate()? })
    }

    fn start(&self, job: Job, killed: usize, panics: usize) -> Result<Output, Failed> {
        let job = match job {
            Job::Up => "up",
            Job::Down => "down",
        };
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--child").arg(self.root.path()).args([job, self.id.as_str()]);
        Ok(command.args([killed.to_string(), panics.to_string()]).output()?)
    }

    /// Ends it at a moment, and sees that this is how it ended.
    fn killed(&self, job: Job, at: usize) -> Result<(), Failed> {
        let ended = self.start(job, at, NEVER)?;
        if was_killed(&ended) {
            return Ok(());
        }
        Err(format!("{job:?} was to be killed at moment {at}: {ended:?}").into())
    }

    /// Lets it panic at a moment. A step that panics has failed, and what was done is taken back; a
    /// registry that does takes the program down.
    fn panics(&self, job: Job, at: usize) -> Result<(), Failed> {
        let ended = self.start(job, NEVER, at)?;
        let said = String::from_utf8_lossy(&ended.stderr);
        if said.contains(&format!("moment {at}")) {
            return Ok(());
        }
        Err(format!("{job:?} was to panic at moment {at}: {ended:?}").into())
    }

    /// Lets it end, and gives how many moments it had and how the deployment stands.
    fn ended(&self, job: Job) -> Result<(usize, String), Failed> {
        Self::said(&self.start(job, NEVER, NEVER)?)
    }

    fn said(ended: &Output) -> Result<(usize, String), Failed> {
        let said = String::from_utf8(ended.stdout.clone())?;
        if !ended.status.success() {
            return Err(String::from_utf8_lossy(&ended.stderr).into_owned().into());
        }
        let Some((moments, status)) = said.trim().split_once(' ') else {
            return Ok((0, String::from("missing")));
        };
        Ok((moments.parse()?, status.to_owned()))
    }

    fn is_up(&self) -> Result<(), Failed> {
        let (_, status) = self.ended(Job::Up)?;
        let sum = fs::read_to_string(self.root.path().join(self.id.as_str()).join("sum"))?;
        if (status.as_str(), sum.as_str()) == (Status::Up.as_str(), "10") {
            return Ok(());
        }
        Err(format!("it is {status}, and the sum is {sum}").into())
    }

    /// Takes it down, and lists what is left: its record alone.
    fn goes_down(&self) -> Result<(), Failed> {
        let (_, status) = self.ended(Job::Down)?;
        let left: Vec<_> = fs::read_dir(self.root.path())?.collect::<Result<_, _>>()?;
        let left: Vec<_> = left.iter().map(fs::DirEntry::file_name).collect();
        if left != ["deployments"] || !["gone", "missing"].contains(&status.as_str()) {
            return Err(format!("it is {status}, and there is {left:?}").into());
        }
        Ok(())
    }
}

fn was_killed(ended: &Output) -> bool {
    use std::os::unix::process::ExitStatusExt;
    ended.status.signal() == Some(9)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, root, job, id, killed, panics] = arguments.as_slice()
        && flag == "--child"
    {
        return match child(Path::new(root), job, id, [killed, panics]) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                use std::io::Write;
                let _ = writeln!(std::io::stderr(), "{:?}", error.message());
                ExitCode::FAILURE
            }
        };
    }
    match trials() {
        Ok(trials) => libtest_mimic::run(&Arguments::from_args(), trials).exit_code(),
        Err(error) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "cannot count the moments: {:?}", error.message());
            ExitCode::FAILURE
        }
    }
}

/// A trial for each moment of each way.
fn trials() -> Result<Vec<Trial>, Failed> {
    let bed = Bed::new()?;
    let (up, _) = bed.ended(Job::Up)?;
    let (again, _) = bed.ended(Job::Up)?;
    let (down, _) = bed.ended(Job::Down)?;
    // The last moment at which a step is at work, so that there is most to be taken back.
    let (failing, back) = last_failure(up)?;
    let mut trials = Vec::new();
    for at in 1..=up {
        trials.push(trial(format!("up_killed_at_{at:02}_is_resumed"), move |bed| {
            bed.killed(Job::Up, at)?;
            bed.is_up()
        }));
        trials.push(trial(format!("up_killed_at_{at:02}_is_taken_down"), move |bed| {
            bed.killed(Job::Up, at)
        }));
        trials.push(trial(format!("up_killed_at_{at:02}_and_when_resumed"), move |bed| {
            bed.killed(Job::Up, at)?;
            // A resumed one looks at least as often as one that is up already.
            (1..=again).try_for_each(|next| bed.killed(Job::Up, next))?;
            bed.is_up()
        }));
        trials.push(trial(format!("up_panics_at_{at:02}_and_is_resumed"), move |bed| {
            bed.panics(Job::Up, at)?;
            bed.is_up()
        }));
        trials.push(trial(format!("up_panics_at_{at:02}_and_is_taken_down"), move |bed| {
            bed.panics(Job::Up, at)
        }));
    }
    for at in 1..=down {
        trials.push(trial(format!("down_killed_at_{at:02}_is_taken_down"), move |bed| {
            bed.is_up()?;
            bed.killed(Job::Down, at)
        }));
        trials.push(trial(format!("down_panics_at_{at:02}_is_taken_down"), move |bed| {
            bed.is_up()?;
            bed.panics(Job::Down, at)
        }));
    }
    for at in failing + 1..=back {
        trials.push(trial(format!("taking_back_killed_at_{at:02}_is_resumed"), move |bed| {
            if !was_killed(&bed.start(Job::Up, at, failing)?) {
                return Err(format!("it was to be killed at moment {at}").into());
            }
            bed.is_up()
        }));
    }
    Ok(trials)
}

/// A trial in a folder of its own, at whose end nothing but the record is left.
fn trial(name: String, run: impl FnOnce(&Bed) -> Result<(), Failed> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let bed = Bed::new()?;
        run(&bed)?;
        bed.goes_down()?;
        bed.goes_down()
    })
}

/// The last moment at which a panic is a failed step, and how many moments there are then in all.
fn last_failure(up: usize) -> Result<(usize, usize), Failed> {
    for at in (1..=up).rev() {
        let bed = Bed::new()?;
        if let Ok((moments, status)) = Bed::said(&bed.start(Job::Up, NEVER, at)?)
            && status == "failed"
        {
            return Ok((at, moments));
        }
    }
    Err("no panic was taken for a failed step".into())
}

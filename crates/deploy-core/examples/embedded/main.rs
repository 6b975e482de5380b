//! Deployments from another program: no MCP, no command line, a deployer of your own.
//!
//! `cargo run -p deploy-core --example embedded -- FOLDER up`, then `… down D-…`.

use std::path::PathBuf;

use deploy_core::registry::Files;
use deploy_core::{
    About, Consent, Deployer as _, DeploymentId, Engine, OnFailure, Progress, Record, Run,
};
use tokio_util::sync::CancellationToken;

mod folder;

/// Tells progress on standard error.
struct Told;

impl Progress for Told {
    fn say(&self, step: usize, of: usize, what: &str) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "{step}/{of} {what}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write;
    let mut arguments = std::env::args().skip(1);
    let root = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let wanted = arguments.next().ok_or("up, or down with an id?")?;

    // What it deploys with, and where it keeps what it knows.
    let deployer = folder::FolderDeployer { root: root.clone(), moment: || {} };
    let registry = Files::open(&root)?;
    let engine = Engine::new(&registry, &deployer);
    let cancel = CancellationToken::new();
    let run = Run { cancel: &cancel, progress: &Told, on_failure: OnFailure::TakeBack };

    let record = if wanted == "up" {
        let plan = folder::plan("hello", "world")?;
        write!(std::io::stdout(), "{plan}")?;
        let id = DeploymentId::generate()?;
        let about = About { description: String::from("an example"), ..About::default() };
        // On record before anything is done: whatever happens now, it can be taken down.
        engine.record(Record::new(id.clone(), deployer.kind(), about, plan)).await?;
        engine.bring_up(&id, &run).await?
    } else {
        let id: DeploymentId = arguments.next().ok_or("which one?")?.parse()?;
        engine.take_down(&id, &run, &Consent::given("whoever ran this", id.clone())).await?
    };
    writeln!(std::io::stdout(), "{} is {}", record.id, record.status().as_str())?;
    Ok(())
}

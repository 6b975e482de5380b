//! Our configurations under the real strict loader: each profile is taken as it is, serves, lets its
//! administrator in, answers a query through our API file, and enrols an agent with our client file.

use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context, ensure};
use secret::Secret;
use tokio::process::Command;
use velociraptor_config::{ClientConfig, Profile, ServerConfig, ServerKeys, drift};

use crate::real::find_binary;
use crate::suite::{Cases, Halt, Running, Suite};

mod bed;
mod https;

use bed::{Bed, deployment};

pub(super) const SUITE: Suite = Suite {
    name: "configuration",
    about: "configurations of our own: strict loader, log-in, API file, agent, memory",
    run,
};

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let binary = find_binary()?;
    let folder = tempfile::tempdir().context("making a folder")?;
    let keys = keys(&binary, folder.path()).await?;
    for profile in Profile::ALL {
        cases
            .case(
                format!("the strict loader takes {profile} as it is"),
                d20_taken(&binary, profile, &keys),
            )
            .await;
    }
    cases.case("an unknown key is refused", d20_unknown_key(&binary, &keys)).await;
    for profile in Profile::ALL {
        cases.case(format!("{profile} serves"), d20_d21_d24_serves(&binary, profile, &keys)).await;
    }
    Ok(())
}

/// Keys that Velociraptor made itself.
async fn keys(binary: &Path, folder: &Path) -> anyhow::Result<ServerKeys> {
    let output = velociraptor(binary, folder, &["config", "generate"]).await?;
    let text = String::from_utf8(output.stdout).context("the generated configuration")?;
    Ok(ServerConfig::parse(&Secret::new(text))?.keys())
}

async fn velociraptor(binary: &Path, folder: &Path, args: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(binary);
    command
        .arg("--nobanner")
        .args(args)
        .current_dir(folder)
        .env("GORACE", "exitcode=0")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command.output().await.context("starting velociraptor")
}

/// What `config show` makes of a file.
async fn show(binary: &Path, folder: &Path, text: &Secret<String>) -> anyhow::Result<Output> {
    let file = folder.join("config.yaml");
    tokio::fs::write(&file, text.expose()).await.context("writing the configuration")?;
    let flag = format!("--config={}", file.display());
    velociraptor(binary, folder, &[&flag, "config", "show"]).await
}

async fn d20_taken(
    binary: &Path,
    profile: &'static Profile,
    keys: &ServerKeys,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (deployment, _) = deployment(profile, keys.clone(), folder.path())?;
    let config = deployment.config()?;
    let output = show(binary, folder.path(), &config.render()).await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", errors.trim());
    let shown = ServerConfig::parse(&Secret::new(String::from_utf8(output.stdout)?))?;
    // The loader fills in what we leave to it; what we said has to stand.
    let mut changed = drift(&config, &shown);
    changed.retain(|it| it.expected.is_some());
    ensure!(changed.is_empty(), "{changed:?}");

    let client = ClientConfig::of(&config);
    let output = show(binary, folder.path(), &client.render()).await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the agents' file: {}", errors.trim());
    let shown = ClientConfig::parse(&Secret::new(String::from_utf8(output.stdout)?))?;
    ensure!(shown.belongs_to(&config), "CA or nonce of the agents' file changed");
    Ok(())
}

async fn d20_unknown_key(binary: &Path, keys: &ServerKeys) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (deployment, _) = deployment(&Profile::MINIMAL, keys.clone(), folder.path())?;
    let text = deployment.config()?.render();
    let bogus = Secret::new(text.expose().replacen("GUI:\n", "GUI:\n  bogus_key: 1\n", 1));
    // We keep what we do not know; whether Velociraptor knows it, its loader says.
    ServerConfig::parse(&bogus)?;
    let output = show(binary, folder.path(), &bogus).await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && errors.contains("bogus_key"), "{}", errors.trim());
    Ok(())
}

async fn d20_d21_d24_serves(
    binary: &Path,
    profile: &'static Profile,
    keys: &ServerKeys,
) -> anyhow::Result<()> {
    let mut bed = Bed::start(binary, profile, keys.clone()).await?;
    bed.answers_a_query().await?;
    ensure!(bed.log_in(bed.password()).await? == 200, "the administrator is not let in");
    ensure!(bed.log_in("wrong").await? == 401, "a wrong password is let in");
    let idle = bed.resident()?;
    ensure!(idle < profile.plan.memory_limit, "{idle} bytes are in use");
    bed.enrols_an_agent().await?;
    let busy = bed.resident()?;
    ensure!(busy < profile.plan.memory_limit, "{busy} bytes are in use with an agent");
    Ok(())
}

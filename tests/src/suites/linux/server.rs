//! Whole servers and agents: from nothing to an answered collection, and to nothing again.

use std::time::Duration;

use anyhow::{Context, ensure};
use credstore::CredentialStore as _;
use deploy_core::server::{Vault, names};
use deploy_core::{Record, Silent, Status};
use deploy_linux::{AgentOrder, LinuxOrder};
use velociraptor_api::IdentityKind;

use super::inside::{Bed, LIMIT, says};
use super::listing;
use super::site::{Site, Told, order};
use crate::suite::Cases;
use crate::wait;

/// How long the host may take to start a unit again.
const RESTART: Duration = Duration::from_secs(30);

pub(super) async fn cases(cases: &mut Cases, bed: &Bed) {
    cases
        .case_within(LIMIT, "a server and an agent come up from nothing and leave nothing", async {
            from_nothing(bed).await
        })
        .await;
    cases
        .case_within(LIMIT, "a server that is killed is started again", async { killed(bed).await })
        .await;
    cases
        .case_within(LIMIT, "a server that is stuck is started again", async { stuck(bed).await })
        .await;
    cases
        .case_within(
            LIMIT,
            "a server that was started with another configuration is started anew",
            async { other_configuration(bed).await },
        )
        .await;
    cases
        .case_within(
            LIMIT,
            "an administrator whose API file was lost is made beside no server",
            async { administrator_lost(bed).await },
        )
        .await;
    cases
        .case_within(LIMIT, "a server is started again with new certificates", async {
            rotated(bed).await
        })
        .await;
    cases
        .case_within(LIMIT, "a server whose datastore was taken away is made anew", async {
            datastore_lost(bed).await
        })
        .await;
}

async fn from_nothing(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let agent = Some(AgentOrder::default());
    let site = Site::planned(&LinuxOrder { agent, ..order(bed)? }).await?;
    let told = Told::new();
    let record = site.up(&told).await.with_context(|| told.all())?;
    let seen = seen(&site, &record).await.with_context(|| told.all());
    let down = site.down().await;
    seen?;
    down?;
    before.is_still_so().await?;
    site.down().await
}

async fn seen(site: &Site, record: &Record) -> anyhow::Result<()> {
    ensure!(record.status() == Status::Up, "{:?}", record.status());
    let fact = |name: &str| record.facts.get(name).cloned().unwrap_or_default();
    ensure!(fact("version").as_str().is_some_and(|it| !it.is_empty()), "{:?}", record.facts);
    ensure!(fact("agent_answer")["rows"].as_u64().is_some_and(|it| it > 0), "{:?}", record.facts);
    // No secret is in what is kept of it, nor in what every user of the host sees.
    let kept = serde_json::to_string(&record)?;
    let password = site.vault.open(&site.id, names::GUI_PASSWORD).await?;
    ensure!(!kept.contains(password.expose()) && !kept.contains("PRIVATE KEY"), "{kept}");
    for kind in IdentityKind::ALL {
        ensure!(site.vault.has(&site.id, names::api(kind)).await?, "no {kind}");
    }
    is_confined(site).await?;
    one_master_only(site).await?;
    // Bringing it up again changes nothing: the same processes run.
    let before = (main_process(site, "server").await?, main_process(site, "agent").await?);
    site.up(&Silent).await?;
    let after = (main_process(site, "server").await?, main_process(site, "agent").await?);
    ensure!(before == after, "{before:?} became {after:?}");
    Ok(())
}

async fn shown(site: &Site, unit: &str, property: &str) -> anyhow::Result<String> {
    let unit = format!("{}.service", site.owner().name(unit));
    let text = says("systemctl", &["show", "--value", "--property", property, "--", &unit]).await?;
    Ok(text.trim().to_owned())
}

async fn main_process(site: &Site, unit: &str) -> anyhow::Result<u32> {
    Ok(shown(site, unit, "MainPID").await?.parse()?)
}

/// What the kernel says of the server's process, and the host of its files.
async fn is_confined(site: &Site) -> anyhow::Result<()> {
    let name = site.owner().name("");
    let process = main_process(site, "server").await?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let has = |line: &str| status.lines().any(|found| found == line);
    ensure!(has("CapEff:\t0000000000000000") && has("NoNewPrivs:\t1"), "{status}");
    ensure!(has("Seccomp:\t2") && !has("Uid:\t0\t0\t0\t0"), "{status}");
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits"))?;
    ensure!(
        limits.lines().any(|it| it.starts_with("Max open files") && it.contains(" 4096 ")),
        "{limits}"
    );
    for (file, wanted) in [
        (format!("/etc/{name}/server.config.yaml"), format!("{name} {name} 600")),
        (format!("/etc/{name}"), format!("root {name} 750")),
        (format!("/var/lib/{name}/data"), format!("{name} {name} 700")),
        (format!("/opt/{name}/velociraptor"), String::from("root root 755")),
        (format!("/var/lib/{name}-agent"), String::from("root root 700")),
    ] {
        let found = says("stat", &["--format", "%U %G %a", &file]).await?;
        ensure!(found.trim() == wanted, "{file} is {found}, wanted {wanted}");
    }
    let unit = format!("/etc/systemd/system/{name}-server.service");
    says("systemd-analyze", &["verify", "--man=no", &unit]).await?;
    let memory = shown(site, "server", "MemoryMax").await?;
    ensure!(memory == (512_u64 << 20).to_string(), "MemoryMax is {memory}");
    Ok(())
}

/// A second master on the same data ends at once, and the first goes on.
async fn one_master_only(site: &Site) -> anyhow::Result<()> {
    let command = shown(site, "server", "ExecStart").await?;
    let argv = command.split("argv[]=").nth(1).and_then(|it| it.split(" ;").next());
    let argv: Vec<&str> = argv.context("no command")?.split_whitespace().collect();
    let (program, arguments) = argv.split_first().context("an empty command")?;
    let ended = tokio::process::Command::new(program).args(arguments).kill_on_drop(true).output();
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    let code = ended.context("a second master runs")??.status.code();
    ensure!(code == Some(75), "a second master ended with {code:?}");
    ensure!(shown(site, "server", "ActiveState").await? == "active", "the first one is gone");
    Ok(())
}

async fn killed(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let site = Site::planned(&order(bed)?).await?;
    site.up(&Silent).await?;
    let seen = async {
        let process = main_process(&site, "server").await?;
        says("kill", &["-9", &process.to_string()]).await?;
        wait::until("the unit to run again", RESTART, || async {
            let now = main_process(&site, "server").await?;
            ensure!(now != 0 && now != process, "process {now}");
            anyhow::Ok(())
        })
        .await?;
        let restarts = shown(&site, "server", "NRestarts").await?;
        ensure!(restarts == "1", "it was started again {restarts} times");
        // Resuming waits until it is well, and finds nothing to make.
        let record = site.up(&Silent).await?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen?;
    before.is_still_so().await
}

async fn stuck(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let site =
        Site::planned(&LinuxOrder { health: Duration::from_secs(20), ..order(bed)? }).await?;
    site.up(&Silent).await?;
    let seen = async {
        let process = main_process(&site, "server").await?;
        says("kill", &["-STOP", &process.to_string()]).await?;
        let record = site.up(&Silent).await?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        let now = main_process(&site, "server").await?;
        ensure!(now != process, "the process {process} that was stopped is there still");
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen?;
    before.is_still_so().await
}

async fn other_configuration(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let site = Site::planned(&order(bed)?).await?;
    site.up(&Silent).await?;
    let seen = async {
        let file = format!("/etc/{}/server.config.yaml", site.owner().name(""));
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, format!("{text}# changed\n"))?;
        says("systemctl", &["restart", &format!("{}.service", site.owner().name("server"))])
            .await?;
        let process = main_process(&site, "server").await?;
        let record = site.up(&Silent).await?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        ensure!(std::fs::read_to_string(&file)? == text, "the file is the changed one");
        let now = main_process(&site, "server").await?;
        ensure!(now != process, "process {process} runs on with what was changed");
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen?;
    before.is_still_so().await
}

async fn administrator_lost(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let site = Site::planned(&order(bed)?).await?;
    site.up(&Silent).await?;
    let seen = async {
        let process = main_process(&site, "server").await?;
        let name = names::api(IdentityKind::Administrator);
        site.store.remove(&Vault::reference(&site.id, name)?)?;
        let record = site.up(&Silent).await?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        let now = main_process(&site, "server").await?;
        ensure!(now != process, "it was made beside the running process {process}");
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen?;
    before.is_still_so().await
}

async fn rotated(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let order = order(bed)?;
    let site = Site::planned(&order).await?;
    site.up(&Silent).await?;
    let seen = async {
        let process = main_process(&site, "server").await?;
        let config = site.vault.config_digest(&site.id).await?;
        let api = format!("127.0.0.1:{}", order.listen.api.port).parse()?;
        let record = site.rotate(&api).await?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        ensure!(config != site.vault.config_digest(&site.id).await?, "nothing was rotated");
        let now = main_process(&site, "server").await?;
        ensure!(now != process, "process {now} has the old certificates still");
        let (file, name) = (site.vault.config(&site.id).await?.render(), site.owner().name(""));
        let found = std::fs::read_to_string(format!("/etc/{name}/server.config.yaml"))?;
        ensure!(found == *file.expose(), "the file is not the rotated one");
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen?;
    before.is_still_so().await
}

async fn datastore_lost(bed: &Bed) -> anyhow::Result<()> {
    let before = listing::taken().await?;
    let agent = Some(AgentOrder::default());
    let site = Site::planned(&LinuxOrder { agent, ..order(bed)? }).await?;
    site.up(&Silent).await?;
    let seen = async {
        let name = site.owner().name("");
        says("systemctl", &["stop", &format!("{name}-server.service")]).await?;
        std::fs::remove_dir_all(format!("/var/lib/{name}"))?;
        let told = Told::new();
        let record = site.up(&told).await.with_context(|| told.all())?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen?;
    before.is_still_so().await
}

//! Whole servers in containers: from nothing to an answered query, and to nothing again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use credstore::{CredentialStore, MemoryStore};
use deploy_core::server::{Vault, names};
use deploy_core::{
    About, Consent, Deployer, DeploymentId, Engine, EngineError, Grants, OnFailure, Progress,
    Record, Run, Silent, Status, registry,
};
use deploy_docker::{DockerDeployer, DockerOrder, Owner};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use velociraptor_api::IdentityKind;
use velociraptor_config::{PlanNumbers, Profile};

use super::{Bed, LIMIT, docker, list, run};
use crate::real::Ports;
use crate::suite::Cases;

pub(super) async fn cases(cases: &mut Cases, bed: &Bed) {
    cases
        .case_within(LIMIT, "a server comes up from nothing and leaves nothing", async {
            d31_d32_d35_from_nothing(bed).await
        })
        .await;
    cases
        .case_within(LIMIT, "a server whose datastore was taken away is made anew", async {
            datastore_lost(bed).await
        })
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
        .case_within(LIMIT, "a port that is taken fails it, and all is taken back", async {
            d27_d36_port_taken(bed).await
        })
        .await;
    cases
        .case_within(LIMIT, "a server that never serves fails it with its log", async {
            d34_never_well(bed).await
        })
        .await;
    cases
        .case_within(LIMIT, "a server with too little memory is said to be out of it", async {
            d34_out_of_memory(bed).await
        })
        .await;
}

fn order(bed: &Bed) -> anyhow::Result<DockerOrder> {
    let ports = Ports::choose()?;
    let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Ok(DockerOrder {
        profile: &Profile::MINIMAL,
        grants: Grants::of(&Profile::MINIMAL),
        agents_at: format!("localhost:{}", ports.frontend).parse()?,
        agents_on: here(ports.frontend),
        gui_on: here(ports.gui),
        api_on: here(ports.api),
        gui_user: String::from("admin"),
        labels: Vec::new(),
        binary: bed.binary.clone(),
        sha256: bed.sha256.clone(),
        health: Duration::from_secs(60),
    })
}

/// A deployment with a registry and a store of secrets of its own.
struct Site {
    deployer: DockerDeployer,
    store: Arc<MemoryStore>,
    vault: Vault,
    registry: registry::Memory,
    id: DeploymentId,
    cancel: CancellationToken,
}

impl Site {
    async fn planned(bed: &Bed, order: &DockerOrder) -> anyhow::Result<Self> {
        let store = Arc::new(MemoryStore::new(credstore::Clock::of_the_machine()));
        let vault = Vault::new(Arc::clone(&store) as Arc<dyn CredentialStore>);
        let deployer = DockerDeployer::new(bed.daemon.clone(), vault.clone());
        let (registry, id) = (registry::Memory::default(), DeploymentId::generate()?);
        let record = Record::new(id.clone(), deployer.kind(), About::default(), order.plan(&id)?);
        Engine::new(&registry, &deployer).record(record).await?;
        Ok(Self { deployer, store, vault, registry, id, cancel: CancellationToken::new() })
    }

    fn run<'a>(&'a self, progress: &'a dyn Progress) -> Run<'a> {
        Run { cancel: &self.cancel, progress, on_failure: OnFailure::TakeBack }
    }

    async fn up(&self, progress: &dyn Progress) -> Result<Record, EngineError> {
        Engine::new(&self.registry, &self.deployer).bring_up(&self.id, &self.run(progress)).await
    }

    async fn down(&self) -> anyhow::Result<()> {
        let consent = Consent::given("the suite", self.id.clone());
        let engine = Engine::new(&self.registry, &self.deployer);
        engine.take_down(&self.id, &self.run(&Silent), &consent).await?;
        self.nothing_is_left().await
    }

    async fn nothing_is_left(&self) -> anyhow::Result<()> {
        let left = list(&self.id).await?;
        ensure!(left.is_empty(), "left: {left:?}");
        let secrets = self.vault.count(&self.id).await?;
        ensure!(secrets == 0, "{secrets} secrets are left");
        Ok(())
    }
}

/// When each step began.
struct Clock(Instant, Mutex<Vec<(Duration, String)>>);

impl Progress for Clock {
    fn say(&self, step: usize, of: usize, what: &str) {
        if let Ok(mut said) = self.1.lock() {
            said.push((self.0.elapsed(), format!("{step}/{of} {what}")));
        }
    }
}

async fn d31_d32_d35_from_nothing(bed: &Bed) -> anyhow::Result<()> {
    let site = Site::planned(bed, &order(bed)?).await?;
    let clock = Clock(Instant::now(), Mutex::default());
    let up = site.up(&clock).await;
    let told = clock.1.lock().map(|said| {
        said.iter()
            .map(|(at, what)| format!("{:6.2} {what}\n", at.as_secs_f64()))
            .collect::<String>()
    });
    let told = told.unwrap_or_default();
    let record = up.with_context(|| told.clone())?;
    let seen = async {
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        let version = record.facts.get("version").and_then(|it| it.as_str()).unwrap_or_default();
        ensure!(!version.is_empty(), "{:?}", record.facts);
        for kind in IdentityKind::ALL {
            ensure!(site.vault.has(&site.id, names::api(kind)).await?, "no {kind}");
        }
        // No secret is in what is kept of it.
        let kept = serde_json::to_string(&record)?;
        let password = site.vault.open(&site.id, names::GUI_PASSWORD).await?;
        ensure!(!kept.contains(password.expose()) && !kept.contains("PRIVATE KEY"), "{kept}");
        // Bringing it up again changes nothing.
        let before = list(&site.id).await?;
        site.up(&Silent).await?;
        let after = list(&site.id).await?;
        ensure!(before == after, "{before:?} became {after:?}");
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen
}

async fn datastore_lost(bed: &Bed) -> anyhow::Result<()> {
    let site = Site::planned(bed, &order(bed)?).await?;
    site.up(&Silent).await?;
    let owner = Owner::new(site.id.clone());
    let seen = async {
        docker(&["rm", "-f", &owner.name("server")]).await?;
        docker(&["volume", "rm", &owner.name("data")]).await?;
        let record = site.up(&Silent).await?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen
}

/// The process of the server, as the daemon's machine has it.
async fn process(site: &Site) -> anyhow::Result<String> {
    let name = Owner::new(site.id.clone()).name("server");
    let text = docker(&["inspect", "--format", "{{.State.Pid}}", &name]).await?;
    Ok(text.trim().to_owned())
}

async fn stuck(bed: &Bed) -> anyhow::Result<()> {
    let mut order = order(bed)?;
    order.health = Duration::from_secs(20);
    let site = Site::planned(bed, &order).await?;
    site.up(&Silent).await?;
    let seen = async {
        let before = process(&site).await?;
        run("kill", &["-STOP", &before]).await?;
        let record = site.up(&Silent).await?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        let after = process(&site).await?;
        ensure!(before != after, "the process {before} that was stopped is there still");
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen
}

async fn other_configuration(bed: &Bed) -> anyhow::Result<()> {
    let site = Site::planned(bed, &order(bed)?).await?;
    site.up(&Silent).await?;
    let owner = Owner::new(site.id.clone());
    let seen = async {
        let file =
            format!("/var/lib/docker/volumes/{}/_data/server.config.yaml", owner.name("config"));
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, format!("{text}# changed\n"))?;
        docker(&["restart", &owner.name("server")]).await?;
        let before = process(&site).await?;
        let record = site.up(&Silent).await?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        ensure!(std::fs::read_to_string(&file)? == text, "the file is the changed one");
        ensure!(process(&site).await? != before, "the server runs on with what was changed");
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen
}

async fn administrator_lost(bed: &Bed) -> anyhow::Result<()> {
    let site = Site::planned(bed, &order(bed)?).await?;
    site.up(&Silent).await?;
    let seen = async {
        let before = process(&site).await?;
        let name = names::api(IdentityKind::Administrator);
        site.store.remove(&Vault::reference(&site.id, name)?)?;
        let record = site.up(&Silent).await?;
        ensure!(record.status() == Status::Up, "{:?}", record.status());
        ensure!(process(&site).await? != before, "it was made beside the running server");
        Ok(())
    };
    let seen = seen.await;
    site.down().await?;
    seen
}

async fn d27_d36_port_taken(bed: &Bed) -> anyhow::Result<()> {
    let order = order(bed)?;
    let taken = TcpListener::bind(order.gui_on).await?;
    let site = Site::planned(bed, &order).await?;
    let error = site.up(&Silent).await.err().context("it came up on a port that is taken")?;
    drop(taken);
    let text = error.to_string();
    ensure!(
        text.contains("step server") && text.contains(&order.gui_on.port().to_string()),
        "{text}"
    );
    site.nothing_is_left().await
}

async fn d34_never_well(bed: &Bed) -> anyhow::Result<()> {
    let mut order = order(bed)?;
    order.health = Duration::from_secs(30);
    let site = Site::planned(bed, &order).await?;
    let owner = Owner::new(site.id.clone());
    // Somebody takes the configuration away between two steps.
    let volume = owner.name("config");
    struct Spoil(String);
    impl Progress for Spoil {
        fn say(&self, step: usize, _of: usize, what: &str) {
            if step == 7 && what.starts_with("starts") {
                let file = format!("/var/lib/docker/volumes/{}/_data/server.config.yaml", self.0);
                let _ = std::fs::write(file, "version: 1\n");
            }
        }
    }
    let error = site.up(&Spoil(volume)).await.err().context("it came up without configuration")?;
    let text = error.to_string();
    ensure!(text.contains("step server") && text.contains("its log ends"), "{text}");
    site.nothing_is_left().await
}

/// Enough for the program's first steps, and not for a server.
static CRAMPED: Profile = Profile {
    plan: PlanNumbers { memory_limit: 40 << 20, ..Profile::MINIMAL.plan },
    ..Profile::MINIMAL
};

async fn d34_out_of_memory(bed: &Bed) -> anyhow::Result<()> {
    let grants = Grants::of(&CRAMPED);
    let order = DockerOrder { profile: &CRAMPED, grants, ..order(bed)? };
    let site = Site::planned(bed, &order).await?;
    let error = site.up(&Silent).await.err().context("it came up in 40 MiB")?;
    let text = error.to_string();
    ensure!(text.contains("step server") && text.contains("out of memory"), "{text}");
    ensure!(text.contains("40 MiB") && text.contains("larger profile"), "{text}");
    site.nothing_is_left().await
}

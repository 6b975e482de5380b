//! Deployments on a real Docker daemon. The command `docker` is the witness: what it lists is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use deploy_core::server::Vault;
use deploy_core::{DeploymentId, Found, Plan, Silent, StepName, contract};
use deploy_docker::{
    ContainerSpec, Daemon, DaemonError, DockerDeployer, DockerHost, DockerStep, Errand, ImageSpec,
    Limits, MountedVolume, NetworkSpec, Owner, VolumeSpec,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::real::find_binary;
use crate::suite::{Cases, Halt, Running, Suite};

mod server;

pub(super) const SUITE: Suite = Suite {
    name: "docker",
    about: "a real daemon: what each step makes and removes, and whole servers from nothing to an answered query",
    run: all,
};

/// With the vfs driver each container copies its whole image.
const LIMIT: Duration = Duration::from_secs(300);

fn all(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let binary = find_binary()?;
    let daemon = match Daemon::connect(DockerHost::default()).await {
        Ok(daemon) => daemon,
        Err(error @ DaemonError::Down { .. }) => return Err(Halt::Skip(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let bed = Bed { sha256: sha256_of(&binary)?, binary, daemon };

    cases
        .case_within(LIMIT, "all that a step makes is removed again, and twice is once", async {
            let deployer = bed.deployer();
            contract::deployer(&deployer, |id| bed.plan(id)).await;
            Ok(())
        })
        .await;
    cases
        .case_within(LIMIT, "a container has its limits and no more rights than it needs", async {
            bed.d33_a_container_is_confined().await
        })
        .await;
    cases
        .case_within(LIMIT, "an errand works on a volume and leaves nothing", async {
            bed.an_errand_leaves_nothing().await
        })
        .await;
    cases
        .case("what is not ours is in the way and is not touched", async {
            bed.what_is_not_ours_stays().await
        })
        .await;
    server::cases(cases, &bed).await;
    Ok(())
}

fn sha256_of(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

struct Bed {
    binary: PathBuf,
    sha256: String,
    daemon: Daemon,
}

impl Bed {
    /// With a store of secrets that is not used.
    fn deployer(&self) -> DockerDeployer {
        let vault =
            Vault::new(Arc::new(credstore::MemoryStore::new(credstore::Clock::of_the_machine())));
        DockerDeployer::new(self.daemon.clone(), vault)
    }

    fn image(&self, id: &DeploymentId) -> ImageSpec {
        ImageSpec {
            tag: format!("megaraptor/{}:test", id.as_str().to_ascii_lowercase()),
            binary: self.binary.clone(),
            sha256: self.sha256.clone(),
            user: 1000,
            folders: vec![String::from("/datastore")],
        }
    }

    fn container(&self, owner: &Owner, image: &ImageSpec) -> ContainerSpec {
        // It runs for ever and needs no configuration.
        let arguments = ["--nobanner", "query", "SELECT sleep(time=100000) FROM scope()"];
        ContainerSpec {
            name: owner.name(""),
            image: image.tag.clone(),
            arguments: arguments.map(String::from).to_vec(),
            network: owner.name("net"),
            volumes: vec![MountedVolume {
                volume: owner.name("datastore"),
                at: String::from("/datastore"),
                read_only: false,
            }],
            published: Vec::new(),
            limits: Limits { memory: 512 << 20, millicpus: 1500, processes: 200, open_files: 4096 },
        }
    }

    fn plan(&self, id: &DeploymentId) -> Plan {
        let owner = Owner::new(id.clone());
        let image = self.image(id);
        let container = self.container(&owner, &image);
        let steps = [
            ("image", DockerStep::Image(image)),
            (
                "network",
                DockerStep::Network(NetworkSpec { name: owner.name("net"), isolated: true }),
            ),
            ("datastore", DockerStep::Volume(VolumeSpec { name: owner.name("datastore") })),
            ("server", DockerStep::Container(container)),
        ];
        let steps = steps
            .into_iter()
            .map(|(name, step)| step.step(StepName::new(name).expect("a name")).expect("a step"));
        Plan::new(steps.collect()).expect("a plan")
    }

    /// Brings the plan up, lets `look` look, and takes it down whatever it saw.
    async fn up<T, F: Future<Output = anyhow::Result<T>>>(
        &self,
        look: impl FnOnce(DeploymentId) -> F,
    ) -> anyhow::Result<T> {
        use deploy_core::{About, Consent, Deployer, Engine, OnFailure, Record, Run, registry};
        let deployer = self.deployer();
        let registry = registry::Memory::default();
        let engine = Engine::new(&registry, &deployer);
        let id = DeploymentId::generate()?;
        let record = Record::new(id.clone(), deployer.kind(), About::default(), self.plan(&id));
        let cancel = tokio_util::sync::CancellationToken::new();
        let run = Run { cancel: &cancel, progress: &Silent, on_failure: OnFailure::TakeBack };
        engine.record(record).await?;
        engine.bring_up(&id, &run).await?;
        let seen = look(id.clone()).await;
        engine.take_down(&id, &run, &Consent::given("the suite", id.clone())).await?;
        let left = list(&id).await?;
        ensure!(left.is_empty(), "left after it was taken down: {left:?}");
        seen
    }

    async fn d33_a_container_is_confined(&self) -> anyhow::Result<()> {
        self.up(|id| async move {
            let name = Owner::new(id).name("");
            let text = docker(&["inspect", &name]).await?;
            let inspected: Value = serde_json::from_str(&text)?;
            let host = &inspected[0]["HostConfig"];
            for (field, wanted) in [
                ("Memory", Value::from(512 << 20)),
                ("MemorySwap", Value::from(512 << 20)),
                ("NanoCpus", Value::from(1_500_000_000)),
                ("PidsLimit", Value::from(200)),
                ("ReadonlyRootfs", Value::from(true)),
                ("Privileged", Value::from(false)),
                ("CapDrop", Value::from(vec!["ALL"])),
                ("SecurityOpt", Value::from(vec!["no-new-privileges"])),
            ] {
                ensure!(host[field] == wanted, "{field} is {}, wanted {wanted}", host[field]);
            }
            let user = &inspected[0]["Config"]["User"];
            ensure!(user == "1000:1000", "it runs as {user}");
            // What the kernel says of the process, as seen by the daemon's machine.
            let status = inspected[0]["State"]["Pid"].as_i64().unwrap_or_default();
            let status = std::fs::read_to_string(format!("/proc/{status}/status"))?;
            let has = |line: &str| status.lines().any(|found| found == line);
            ensure!(has("CapEff:\t0000000000000000") && has("NoNewPrivs:\t1"), "{status}");
            Ok(())
        })
        .await
    }

    async fn an_errand_leaves_nothing(&self) -> anyhow::Result<()> {
        self.up(|id| async move {
            let owner = Owner::new(id.clone());
            let before = list(&id).await?;
            let errand = Errand::new(&self.daemon, &owner, "test", &self.image(&id).tag)
                .with(&owner.name("datastore"), "/datastore");
            errand.put("/datastore", "x.yaml", b"a: 1\n", 1000).await?;
            let read = errand.get("/datastore/x.yaml").await?.context("no such file")?;
            ensure!(read.expose() == b"a: 1\n", "it holds something else");
            ensure!(errand.get("/datastore/y").await?.is_none(), "a file out of nothing");
            let vql = "SELECT read_file(filename='/datastore/x.yaml') AS Text FROM scope()";
            let ended = errand.run(&["--nobanner", "query", vql, "--format", "jsonl"]).await?;
            let said = String::from_utf8_lossy(ended.out.expose()).into_owned();
            ensure!(ended.code == 0 && said.contains(r#"{"Text":"a: 1\n"}"#), "{ended:?} {said}");
            let failed = errand.run(&["--nobanner", "no-such-command"]).await?;
            ensure!(failed.code != 0 && !failed.err.is_empty(), "{failed:?}");
            let after = list(&id).await?;
            ensure!(before == after, "{before:?} became {after:?}");
            Ok(())
        })
        .await
    }

    async fn what_is_not_ours_stays(&self) -> anyhow::Result<()> {
        let owner = Owner::new(DeploymentId::generate()?);
        let volume = VolumeSpec { name: owner.name("datastore") };
        let network = NetworkSpec { name: owner.name("net"), isolated: false };
        docker(&["volume", "create", &volume.name]).await?;
        docker(&["network", "create", &network.name]).await?;
        let seen = async {
            for found in [
                volume.look(&self.daemon, &owner).await?,
                network.look(&self.daemon, &owner).await?,
            ] {
                ensure!(matches!(found, Found::Refused { .. }), "{found:?}");
            }
            volume.remove(&self.daemon, &owner).await?;
            network.remove(&self.daemon, &owner).await?;
            docker(&["volume", "inspect", &volume.name]).await?;
            docker(&["network", "inspect", &network.name]).await?;
            Ok(())
        };
        let seen = seen.await;
        docker(&["volume", "rm", &volume.name]).await?;
        docker(&["network", "rm", &network.name]).await?;
        seen
    }
}

/// Every object of a deployment, by whatever name, as `docker` lists them.
async fn list(id: &DeploymentId) -> anyhow::Result<Vec<String>> {
    let filter = format!("label=io.megaraptor.deployment={id}");
    let mut all = Vec::new();
    for kind in ["container", "volume", "network", "image"] {
        let more = if kind == "container" { &["--all"][..] } else { &[] };
        let arguments = [&[kind, "ls", "--quiet", "--filter", &filter][..], more].concat();
        let listed = docker(&arguments).await?;
        all.extend(listed.lines().map(|line| format!("{kind} {line}")));
    }
    Ok(all)
}

async fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    run("docker", arguments).await
}

async fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let ended = Command::new(program).args(arguments).output().await;
    let ended = ended.with_context(|| format!("running {program}"))?;
    let err = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{program} {}: {err}", arguments.join(" "));
    Ok(String::from_utf8(ended.stdout)?)
}

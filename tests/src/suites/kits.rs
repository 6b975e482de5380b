//! Kits on real hosts: a server that the program deployed, and containers that systemd leads, where
//! what it wrote is installed, enrols, answers, is installed again, and is removed without a trace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::deployments::{Bed, Home};
use super::linux::{Container, docker, image};
use crate::mcp::find_megaraptor;
use crate::real::find_binary;
use crate::suite::{Cases, Halt, Running, Suite};
use crate::wait;

mod deb;
mod host;
mod refused;
mod tarball;
mod vendors;

use host::Host;

pub(super) const SUITE: Suite = Suite {
    name: "kits",
    about: "agents by package and by tarball on systemd hosts: enrolled, asked, installed again, removed without a trace",
    run,
};

/// A case that installs: several starts of an agent.
const LIMIT: Duration = Duration::from_secs(900);

/// How long an agent may take to enrol.
const ENROL: Duration = Duration::from_secs(240);

/// Where kits are inside of the hosts.
const KITS: &str = "/kits";

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let bed = Bed { megaraptor: find_megaraptor()?, binary: find_binary()? };
    let image = image::find().await?;
    let site = Site::up(&bed, image).await?;
    cases
        .case_within(LIMIT, "a deb makes a host an agent, and leaves nothing", deb::walk(&site))
        .await;
    cases
        .case_within(
            LIMIT,
            "a deb has what the vendor's has, but for what is otherwise on purpose",
            vendors::is_alike(&site),
        )
        .await;
    let place = "where the vendor's package is, the deb takes its place with the same client";
    cases.case_within(LIMIT, place, vendors::takes_its_place(&site)).await;
    let tarball = "a tarball makes a host an agent, and leaves nothing";
    cases.case_within(LIMIT, tarball, tarball::walk(&site)).await;
    let refused = "a host that cannot be an agent is refused, and nothing of it is changed";
    cases.case_within(LIMIT, refused, refused::hosts(&site)).await;
    cases
        .case_within(LIMIT, "no kit where agents would find no server", refused::servers(&site))
        .await;
    let gone = site.down().await;
    cases.record("the server is destroyed, and its kits with it", gone);
    Ok(())
}

/// A server that is up, and where kits are written.
struct Site<'a> {
    home: Home<'a>,
    image: String,
    id: String,
    kits: PathBuf,
    network: Network,
    binary: PathBuf,
}

/// The network of the hosts.
struct Network(String);

impl Network {
    async fn new(port: u16) -> anyhow::Result<Self> {
        let name = format!("suite-kits-{port}");
        docker(&["network", "create", &name]).await?;
        Ok(Self(name))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let removed =
            std::process::Command::new("docker").args(["network", "rm", &self.0]).output();
        drop(removed);
    }
}

/// An agent as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Agent {
    client: String,
    enrolled: Timestamp,
}

impl<'a> Site<'a> {
    async fn up(bed: &'a Bed, image: String) -> anyhow::Result<Self> {
        let home = bed.home()?;
        let network = Network::new(home.ports.frontend).await?;
        // Containers reach this machine by the gateway of their network.
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        let gateway = docker(&["network", "inspect", &network.0, "--format", format]).await?;
        let mut deploy = home.deploy(&["--label", "case-17"]);
        let at = deploy.iter().position(|it| it == "--agents-at").context("no --agents-at")?;
        deploy[at + 1] = format!("{}:{}", gateway.trim(), home.ports.frontend);
        let up = home.json(&deploy).await?;
        let id = up["deployment"]["id"].as_str().context("an id")?.to_owned();
        let kits = home.folder.path().join("out");
        std::fs::create_dir(&kits)?;
        Ok(Self { home, image, id, kits, network, binary: bed.binary.clone() })
    }

    async fn down(&self) -> anyhow::Result<()> {
        let own = self.home.folder.path().join("kits").join(&self.id);
        let written = self.kit(&[]).await?;
        ensure!(Path::new(text(&written["path"])?).starts_with(&own), "{written}");
        self.home.destroy(&self.id).await?;
        ensure!(!own.exists(), "{} is still there", own.display());
        Ok(())
    }

    /// What the program says of a kit that it wrote.
    async fn kit(&self, more: &[&str]) -> anyhow::Result<Value> {
        self.home.json(&[&["deployments", "installer", &self.id][..], more].concat()).await
    }

    /// A kit in the folder that hosts see.
    async fn kit_at(&self, name: &str, more: &[&str]) -> anyhow::Result<Value> {
        let out = self.kits.join(name).display().to_string();
        let written = self.kit(&[&["--out", &out][..], more].concat()).await?;
        ensure!(written["path"] == out.as_str(), "{written}");
        Ok(written)
    }

    async fn host(&self, name: &str) -> anyhow::Result<Host> {
        let mounts = [(self.kits.as_path(), KITS)];
        Ok(Host::new(Container::start(&self.image, name, &self.network.0, &mounts).await?))
    }

    /// The agents of that name, as the server knows them.
    async fn agents(&self, host: &str) -> anyhow::Result<Vec<Agent>> {
        let listed = self.home.json(&["deployments", "agents", &self.id]).await?;
        let all = listed["agents"].as_array().context("agents")?;
        let own = all.iter().filter(|agent| agent["host"] == host);
        own.map(|agent| {
            let enrolled = text(&agent["enrolled"])?.parse()?;
            Ok(Agent { client: text(&agent["client_id"])?.to_owned(), enrolled })
        })
        .collect()
    }

    /// Waits for an agent of that host name that the server first saw after this.
    async fn enrolled(&self, host: &str, after: Timestamp) -> anyhow::Result<Agent> {
        wait::until("an agent to enrol", ENROL, || async {
            let all = self.agents(host).await?;
            let new = all.iter().find(|agent| agent.enrolled > after).cloned();
            new.with_context(|| format!("{all:?}"))
        })
        .await
    }

    /// It answers a collection with rows, now.
    async fn answers(&self, agent: &Agent) -> anyhow::Result<()> {
        let wish = json!({
            "clients": [agent.client], "artifacts": ["Generic.Client.Info"], "wait": 60, "again": true,
        });
        let call =
            ["--policy", "collect=allow", "call", "collect_artifact", "--json", &wish.to_string()];
        let done = self.home.json(&call).await?;
        ensure!(done["state"] == "complete", "{done}");
        let outcome = &done["outcomes"][0];
        ensure!(outcome["state"] == "finished", "{done}");
        ensure!(outcome["rows"].as_u64().is_some_and(|rows| rows > 0), "{done}");
        Ok(())
    }

    async fn labels(&self, agent: &Agent) -> anyhow::Result<Vec<String>> {
        let call =
            ["call", "list_clients", "--json", &json!({ "search": agent.client }).to_string()];
        let found = self.home.json(&call).await?;
        let labels = found["clients"][0]["labels"].as_array().context("labels")?;
        labels.iter().map(|label| Ok(text(label)?.to_owned())).collect()
    }
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value.as_str().with_context(|| value.to_string())
}

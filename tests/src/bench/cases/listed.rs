//! Long lists of records and of secrets: what one item costs does not grow with their number.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use credstore::{
    Clock, CredentialRef, CredentialStore, FileStore, Kind, NewCredential, Options, PageRequest,
};
use deploy_core::registry::Files;
use deploy_core::{
    About, DeploymentId, Generation, Grants, Record, StateRegistry as _, TargetKind,
};
use deploy_docker::{DockerDeployer, DockerOrder};
use integration_tests::mcp::{McpChild, find_megaraptor};
use integration_tests::real::Ports;
use integration_tests::suite::Halt;
use secret::Secret;
use serde_json::json;
use velociraptor_config::Profile;

use crate::figures::{Row, median};

const FEW: usize = 100;
const MANY: usize = 1000;
const ROUNDS: usize = 15;
const PAGE: usize = 25;

/// One of many costs at most half more than one of few.
const MOST: f64 = 1.5;

/// The first page of `list_deployments` over stdio. Each record is read for it, since the newest come
/// first.
pub(crate) async fn records() -> Result<Vec<Row>, Halt> {
    let megaraptor = find_megaraptor()?;
    let few = records_of(&megaraptor, FEW).await?;
    let many = records_of(&megaraptor, MANY).await?;
    Ok(vec![row(
        &format!("a page of the list, for each of {MANY} records, against {FEW}"),
        many,
        few,
    )])
}

/// All on one page, and none is opened. Each page reads the index once, so many small ones of a large store
/// cost more.
pub(crate) async fn secrets() -> anyhow::Result<Vec<Row>> {
    let few = secrets_of(FEW)?;
    let many = secrets_of(MANY)?;
    Ok(vec![row(&format!("one of {MANY} secrets, against {FEW}"), many, few)])
}

fn row(what: &str, many: f64, few: f64) -> Row {
    let ratio = many / few;
    Row {
        what: what.to_owned(),
        product: format!("{many:.1} us"),
        baseline: format!("{few:.1} us"),
        result: format!("{ratio:.2} x"),
        wanted: "at most 1.5 x",
        reached: ratio <= MOST,
    }
}

/// Microseconds for each.
#[expect(clippy::cast_precision_loss, reason = "a thousand at most")]
async fn records_of(megaraptor: &Path, count: usize) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("megaraptor.log");
    let home = log.with_extension("state");
    let kept = Files::open(&home)?;
    for _ in 0..count {
        let mut record = record()?;
        record.generation = Generation::default().next();
        kept.store(Generation::default(), &record).await?;
    }
    let mut product = McpChild::start(megaraptor, ["serve", "--families", "deploy"], &log)?;
    product.initialize("2025-11-25").await?;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let listed = product.call_ok("list_deployments", json!({})).await?;
        took.push(begin.elapsed().as_secs_f64() * 1e6 / count as f64);
        ensure!(listed["total"] == count, "{}", listed["total"]);
        ensure!(listed["returned"] == PAGE, "{}", listed["returned"]);
    }
    Ok(median(&took))
}

/// One as the product makes it.
fn record() -> anyhow::Result<Record> {
    let (id, ports) = (DeploymentId::generate()?, Ports::choose()?);
    let on = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let order = DockerOrder {
        profile: &Profile::MINIMAL,
        grants: Grants::of(&Profile::MINIMAL),
        agents_at: format!("localhost:{}", ports.frontend).parse()?,
        agents_on: on(ports.frontend),
        gui_on: on(ports.gui),
        api_on: on(ports.api),
        gui_user: String::from("admin"),
        labels: Vec::new(),
        binary: "/usr/local/bin/velociraptor".into(),
        sha256: "0".repeat(64),
        health: std::time::Duration::from_secs(60),
    };
    let about = About { case: Some(String::from("IR-17")), ..About::default() };
    let plan = order.plan(&id)?;
    Ok(Record::new(id, TargetKind(DockerDeployer::KIND.to_owned()), about, plan))
}

/// Microseconds for each.
#[expect(clippy::cast_precision_loss, reason = "a thousand at most")]
fn secrets_of(count: usize) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let options = Options { clock: Clock::of_the_machine(), ..Options::default() };
    let store = FileStore::new(folder.path().join("credentials"), options);
    for number in 0..count {
        let credential: CredentialRef = format!("cred:D-{:010}/api-reader", number / 5)
            .replace("api-reader", &format!("user-{}", number % 5))
            .parse()?;
        let new = NewCredential { credential, kind: Kind::ApiFile, expires: None };
        store.put(new, &Secret::new(vec![b'x'; 8000]))?;
    }
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let seen = store.list(None, &PageRequest::first(count))?.items.len();
        took.push(begin.elapsed().as_secs_f64() * 1e6 / count as f64);
        ensure!(seen == count, "{seen} of {count}");
    }
    took.first().context("no round")?;
    Ok(median(&took))
}

//! The contract between the lab and a real Velociraptor: every query of the catalogue is run on
//! both, and columns, types and failures are compared.

mod catalogue;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, anyhow, ensure};
use lab::{Lab, LabOptions};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use velociraptor_api::config::Origin;
use velociraptor_api::{
    ApiConfig, Call, CatalogueQuery, IdentityKind, Limits, OrgId, Server, Session, queries,
};

use crate::real::{RealAgent, RealServer, Role};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "contract",
    about: "every query of the catalogue, on the lab and on a real server, compared",
    run,
};

/// Queries that need give no row: no artifact of both worlds logs a warning. That they run is
/// compared all the same.
const QUIET: &[&str] = &["flow_log", "census_labels", "census_custom"];

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let server = RealServer::start().await?;
    let _agent = RealAgent::enrol(&server, "root").await?;
    let lab = Lab::start(LabOptions::default().speed(20.0)).context("starting the lab")?;
    let real = open("real", |role| Ok(ApiConfig::load(&server.api_file(role))?))?;
    let simulated = open("lab", |role| lab_config(&lab, role))?;
    let real = Answers::of(&real).await.context("the real server")?;
    let simulated = Answers::of(&simulated).await.context("the lab")?;
    for entry in queries::ALL {
        cases.record(entry.name, compare(entry, &real, &simulated));
    }
    Ok(())
}

fn open(name: &str, config: impl Fn(Role) -> anyhow::Result<ApiConfig>) -> anyhow::Result<Server> {
    let kinds = [IdentityKind::Reader, IdentityKind::Investigator, IdentityKind::Administrator];
    let configs = kinds
        .into_iter()
        .zip(Role::ALL)
        .map(|(kind, role)| Ok((Some(kind), config(role)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Server::open(name, configs)?)
}

fn lab_config(lab: &Lab, role: Role) -> anyhow::Result<ApiConfig> {
    let role = match role {
        Role::Reader => lab::Role::Reader,
        Role::Investigator => lab::Role::Investigator,
        Role::Administrator => lab::Role::Administrator,
    };
    Ok(ApiConfig::parse(lab.api_config(role), Origin::Memory("the lab"))?)
}

/// What one server answered to each query.
struct Answers(BTreeMap<&'static str, Answer>);

/// One answer, as far as the contract goes.
#[derive(Debug)]
struct Answer {
    columns: Vec<String>,
    /// The JSON types that each column had; NULL does not count.
    types: BTreeMap<String, BTreeSet<&'static str>>,
    rows: usize,
    /// Failures and warnings of the server's log.
    log: Vec<String>,
}

impl Answers {
    async fn of(server: &Server) -> anyhow::Result<Self> {
        let (org, cancel) = (OrgId::root(), CancellationToken::new());
        let session = Session::new(server, &org, &cancel);
        let mut world = catalogue::World::prepare(&session).await?;
        let mut answers = BTreeMap::new();
        for entry in queries::ALL {
            let query = world.query(&session, entry).await.with_context(|| entry.name)?;
            let strongest = server.identities().last().ok_or_else(|| anyhow!("no identity"))?;
            let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
            let rows = server.run_as(strongest, &query, &call, false).await?;
            let mut types: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
            for (column, value) in rows.rows.iter().flatten() {
                let kinds = types.entry(column.clone()).or_default();
                kinds.extend(kind_of(value));
            }
            let failures = rows.failures.iter().map(ToString::to_string);
            let log = failures.chain(rows.warnings.iter().cloned()).collect();
            let answer = Answer { columns: rows.columns, types, rows: rows.rows.len(), log };
            answers.insert(entry.name, answer);
        }
        Ok(Self(answers))
    }
}

fn kind_of(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("truth value"),
        // A fraction that is whole is written without a point.
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("text"),
        Value::Array(_) => Some("list"),
        Value::Object(_) => Some("object"),
    }
}

fn compare(entry: &CatalogueQuery, real: &Answers, lab: &Answers) -> anyhow::Result<()> {
    let (real, lab) = (&real.0[entry.name], &lab.0[entry.name]);
    ensure!(real.log.is_empty(), "the real server says {:?}", real.log);
    ensure!(lab.log.is_empty(), "the lab says {:?}", lab.log);
    if !QUIET.contains(&entry.name) {
        ensure!(real.rows > 0, "the real server gave no row to compare with");
        ensure!(lab.rows > 0, "the lab gave no row to compare with");
    }
    if !entry.columns.is_empty() {
        ensure!(real.columns == entry.columns, "real columns {:?}", real.columns);
        ensure!(lab.columns == entry.columns, "columns of the lab {:?}", lab.columns);
    }
    for (column, kinds) in &real.types {
        let Some(simulated) = lab.types.get(column) else { continue };
        ensure!(
            kinds.is_empty() || simulated.is_empty() || kinds == simulated,
            "column {column} is {kinds:?} on the real server and {simulated:?} in the lab"
        );
    }
    Ok(())
}

//! The recorded failures, provoked again: the server still says what the classifier reads.

use anyhow::{Context, ensure};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use velociraptor_api::QueryErrorKind as Kind;
use velociraptor_api::{Call, Limits, OrgId};
use vql_builder::{Query, RawVql};

use crate::real::{RealServer, Role};
use crate::suite::Cases;

const CORPUS: &str = include_str!("../../../../crates/velociraptor-api/tests/data/vql_errors.json");

/// Clients that were enrolled where the cases were recorded.
const RECORDED_CLIENTS: [&str; 2] = ["C.1111111111111111", "C.2222222222222222"];

pub(super) async fn run(cases: &mut Cases, server: &RealServer, client: &str) {
    cases.case("recorded failures have their type on a live server", walk(server, client)).await;
}

async fn walk(server: &RealServer, client: &str) -> anyhow::Result<()> {
    let recorded: Vec<Map<String, Value>> = serde_json::from_str(CORPUS)?;
    let api = server.open(&Role::ALL)?;
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let (mut tried, mut wrong) = (0, Vec::new());
    for case in &recorded {
        let Some((role, query, class)) = provoked(case, client)? else { continue };
        let identity = super::identity(&api, role.identity())?;
        let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
        let rows = api.run_as(identity, &query, &call, true).await?;
        let found: Vec<_> = rows.failures.iter().map(class_of).collect();
        if found != [class] {
            wrong.push(format!("{} as {role:?}: {class}, found {:?}", case["case"], rows.failures));
        }
        tried += 1;
    }
    ensure!(wrong.is_empty(), "{} of {tried} differ:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(tried > 90, "only {tried} cases could be provoked");
    Ok(())
}

/// The query of a case that fails by a log line and needs nothing but a client.
fn provoked<'a>(
    case: &'a Map<String, Value>,
    client: &str,
) -> anyhow::Result<Option<(Role, Query, &'a str)>> {
    let text = |key: &str| case.get(key).and_then(Value::as_str).context(key.to_owned());
    let role = match text("role")? {
        "api" => Role::Reader,
        "investigator" => Role::Investigator,
        "administrator" => Role::Administrator,
        _ => return Ok(None),
    };
    let class = text("class")?;
    let tells = case["log"].as_array().is_some_and(|log| !log.is_empty());
    let fails = !matches!(class, "other" | "warning_only" | "timeout");
    let asked = !text("query")?.starts_with('<') && text("grpc_status")? == "OK";
    let env = case["env"].as_object().context("env")?;
    let own = ["H", "F", "MCP_Client", "MCP_Flow"].iter().any(|key| env.contains_key(*key));
    if !tells || !fails || !asked || own || needs_setup(text("query")?) {
        return Ok(None);
    }
    let mut query = Query::raw("api_suite", RawVql::from_caller(text("query")?));
    for (name, value) in env {
        let value = value.as_str().context("a value that is no text")?;
        let value = if RECORDED_CLIENTS.contains(&value) { client } else { value };
        query = query.bind(name.clone(), value);
    }
    Ok(Some((role, query, class)))
}

/// Queries that stand on artifacts or users which this server does not have.
fn needs_setup(query: &str) -> bool {
    query.is_empty() || ["Custom.Lab.", "chg1"].iter().any(|own| query.contains(own))
}

fn class_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Parse { .. } => "parse",
        Kind::UnknownSymbol { .. } => "unknown_symbol",
        Kind::BadArgument { .. } => "bad_argument",
        Kind::Denied { .. } => "permission_denied",
        Kind::NotFound { .. } => "not_found",
        Kind::UnknownOrg { .. } => "org_not_found",
        _ => "another",
    }
}

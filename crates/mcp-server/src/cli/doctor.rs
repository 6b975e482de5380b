//! `megaraptor doctor`: can this configuration do what is wanted of it?
//!
//! It asks each server under each identity and says what it found; a problem is a line that
//! starts with `!` and an exit code of 1. It changes nothing.

use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use velociraptor_api::config::Origin;
use velociraptor_api::{
    ApiConfig, Call, CatalogueQuery, Identity, IdentityKind, Limits, OrgId, Profile,
    QueryErrorKind, Row, Server,
};

use super::{Form, Global, output};
use crate::queries;
use crate::services::{Services, Target};
use crate::tool::Effect;
use crate::tool_error::{Code, ToolError};

mod record;
mod text;

/// A certificate that ends within so many days is a problem: renewing it takes the server's owner.
const CERTIFICATE_DAYS: i64 = 30;

/// A clock that is off by more than this makes "seen 12 s ago" and timelines wrong.
const CLOCK_SKEW_SECONDS: i64 = 5;

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    as_of: Timestamp,
    servers: Vec<ServerReport>,
    record: record::RecordReport,
    changes_allowed: bool,
    /// Some identity of some server may run a tool that changes something.
    changes_possible: bool,
    problems: usize,
}

/// What was found at one server in one org.
#[derive(Debug, Serialize)]
struct ServerReport {
    server: String,
    org: String,
    address: String,
    version: Option<String>,
    org_name: Option<String>,
    identities: Vec<IdentityReport>,
    orgs: Vec<String>,
    clients: Option<u64>,
    online: Option<u64>,
    /// Seconds by which the server's clock is ahead of this computer's; accurate to a second.
    clock_ahead_seconds: Option<i64>,
    tools_lost: Vec<LostTool>,
    problems: Vec<String>,
}

/// What was found of one identity.
#[derive(Debug, Serialize)]
struct IdentityReport {
    user: String,
    declared: Option<&'static str>,
    kind: Option<&'static str>,
    permissions: Vec<&'static str>,
    file: String,
    certificate_days: i64,
}

impl ServerReport {
    /// Whether one of these tools is not lost here. A server that did not answer may run none.
    fn may_run_any(&self, tools: &[&str]) -> bool {
        let lost = |tool: &&str| self.tools_lost.iter().any(|lost| lost.tool == *tool);
        self.version.is_some() && tools.iter().any(|tool| !lost(tool))
    }
}

/// A tool that no identity may run here.
#[derive(Debug, Serialize)]
struct LostTool {
    tool: &'static str,
    lacking: Vec<&'static str>,
}

pub(super) async fn run(global: &Global) -> Result<ExitCode, ToolError> {
    let services = global.services()?;
    if services.targets().is_empty() {
        return Err(ToolError::new(Code::Unavailable, "no server is configured").next(
            "megaraptor doctor --config api.config.yaml, or write a megaraptor.toml; megaraptor demo needs no server",
        ));
    }
    let cancel = super::call::cancel_on_interrupt();
    let mut servers = Vec::new();
    for target in services.targets() {
        for org in &target.orgs {
            servers.push(examine(&target, org, &cancel).await);
        }
    }
    let changing: Vec<&str> =
        services.tools().filter(|tool| tool.effect != Effect::Read).map(|tool| tool.name).collect();
    let changes_possible = servers.iter().any(|server| server.may_run_any(&changing));
    let record = record::examine(global)?;
    let of_servers: usize = servers.iter().map(|server| server.problems.len()).sum();
    let report = Report {
        as_of: Timestamp::now(),
        changes_possible,
        problems: of_servers + record.problems.len(),
        record,
        changes_allowed: services.changes_allowed(),
        servers,
    };
    match global.output {
        Form::Text => output::result(&text::render(&report)),
        Form::Json => output::json(
            &serde_json::to_value(&report)
                .map_err(|error| ToolError::new(Code::Internal, error.to_string()))?,
        )?,
    }
    Ok(if report.problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn examine(target: &Target, org: &OrgId, cancel: &CancellationToken) -> ServerReport {
    let server = &target.server;
    let mut report = ServerReport {
        server: server.name().to_owned(),
        org: org.to_string(),
        address: server
            .identities()
            .first()
            .map(|identity| identity.connection().config().address.to_string())
            .unwrap_or_default(),
        version: None,
        org_name: None,
        identities: Vec::new(),
        orgs: Vec::new(),
        clients: None,
        online: None,
        clock_ahead_seconds: None,
        tools_lost: Vec::new(),
        problems: Vec::new(),
    };
    let mut profiles = Vec::new();
    let mut unknown_org = false;
    for identity in server.identities() {
        let profile = server.profile(identity, org, cancel).await;
        let (profile, fault) = match profile {
            Ok(profile) => (Some(profile), None),
            Err(error) => (None, Some(error)),
        };
        report.identities.push(describe(identity, profile.as_deref(), &mut report.problems));
        if let Some(fault) = fault {
            unknown_org |= matches!(*fault.kind, QueryErrorKind::UnknownOrg { .. });
            let text = format!("{}: {fault}", identity.user());
            if !report.problems.contains(&text) {
                report.problems.push(text);
            }
        }
        profiles.extend(profile);
    }
    if let Some(profile) = profiles.first() {
        report.version = Some(profile.version.clone());
        report.org_name = Some(profile.org_name.clone());
        report.tools_lost = lost(&profiles);
        measure(server, org, cancel, &mut report).await;
    } else if unknown_org {
        // The org that there always is tells of the others, to whoever may ask there.
        list_orgs(server, &OrgId::root(), cancel, &mut report).await;
    }
    report
}

fn describe(
    identity: &Identity,
    profile: Option<&Profile>,
    problems: &mut Vec<String>,
) -> IdentityReport {
    let config: &ApiConfig = identity.connection().config();
    let left = config.certificates.client.not_after.duration_since(Timestamp::now());
    let certificate_days = left.as_hours() / 24;
    if certificate_days < CERTIFICATE_DAYS {
        problems.push(format!(
            "the certificate of {} ends in {certificate_days} days; make a new one with: velociraptor config api_client",
            identity.user()
        ));
    }
    problems.extend(readable_by_others(&config.origin));
    let kind = profile.map(Profile::kind);
    if let (Some(declared), Some(kind)) = (identity.declared(), kind)
        && declared != kind
    {
        problems.push(format!(
            "{} is configured as {declared} and is {kind} by its permissions",
            identity.user()
        ));
    }
    IdentityReport {
        user: identity.user().to_owned(),
        declared: identity.declared().map(IdentityKind::as_str),
        kind: kind.map(IdentityKind::as_str),
        permissions: profile
            .map(|profile| profile.permissions.iter().map(|p| p.name()).collect())
            .unwrap_or_default(),
        file: config.origin.to_string(),
        certificate_days,
    }
}

/// An API file holds a private key: who can read it, is that user.
#[cfg(unix)]
fn readable_by_others(origin: &Origin) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let Origin::File(path) = origin else { return None };
    // It was read a moment ago; one that is gone by now is nobody's to read.
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let path = path.display().to_string();
    let quoted = super::client_config::quote(&path);
    (mode & 0o077 != 0).then(|| {
        format!(
            "{path} holds a private key, and others on this computer may open it (mode {mode:04o}): chmod 600 {quoted}"
        )
    })
}

/// Who may read a file is told by lists of access rights here, which are not looked at.
#[cfg(not(unix))]
fn readable_by_others(_: &Origin) -> Option<String> {
    None
}

/// The tools that no identity may run, with what the best one lacks.
fn lost(profiles: &[Arc<Profile>]) -> Vec<LostTool> {
    let all = Services::default();
    all.tools()
        .filter_map(|tool| {
            let lacking = profiles
                .iter()
                .map(|profile| profile.permissions.lacking(tool.needs))
                .min_by_key(Vec::len)?;
            let lacking: Vec<_> = lacking.into_iter().map(|p| p.name()).collect();
            (!lacking.is_empty()).then_some(LostTool { tool: tool.name, lacking })
        })
        .collect()
}

async fn measure(
    server: &Server,
    org: &OrgId,
    cancel: &CancellationToken,
    report: &mut ServerReport,
) {
    let call = Call { org, limits: Limits::READ, cancel };
    let number = |row: Option<&Row>, key: &str| row?.get(key)?.as_i64();
    match ask(server, &queries::FLEET, &call).await {
        // A server without clients has no group, and so no row.
        Ok(rows) => {
            report.clients = number(rows.first(), "Total").or(Some(0)).and_then(positive);
            report.online = number(rows.first(), "Online").or(Some(0)).and_then(positive);
        }
        Err(error) => report.problems.push(format!("the clients could not be counted: {error}")),
    }
    match ask(server, &queries::CLOCK, &call).await {
        Ok(rows) => {
            let ahead = number(rows.first(), "Now").map(|now| now - Timestamp::now().as_second());
            if let Some(ahead) = ahead.filter(|ahead| ahead.abs() > CLOCK_SKEW_SECONDS) {
                report.problems.push(format!(
                    "the clocks differ by {} s: ages and timelines are off by as much",
                    ahead.abs()
                ));
            }
            report.clock_ahead_seconds = ahead;
        }
        Err(error) => report.problems.push(format!("the clock could not be read: {error}")),
    }
    list_orgs(server, org, cancel, report).await;
}

/// The orgs that the weakest identity sees when it asks in `org`.
async fn list_orgs(
    server: &Server,
    org: &OrgId,
    cancel: &CancellationToken,
    report: &mut ServerReport,
) {
    let call = Call { org, limits: Limits::READ, cancel };
    match ask(server, &queries::ORGS, &call).await {
        Ok(rows) => {
            let id = |row: &Row| row.get("OrgId").and_then(|id| id.as_str()).map(str::to_owned);
            report.orgs = rows.iter().filter_map(id).collect();
        }
        Err(error) => report.problems.push(format!("the orgs could not be listed: {error}")),
    }
}

async fn ask(
    server: &Server,
    entry: &CatalogueQuery,
    call: &Call<'_>,
) -> Result<Vec<Row>, velociraptor_api::QueryError> {
    Ok(server.fetch(entry, &entry.query(), call).await?.rows)
}

fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

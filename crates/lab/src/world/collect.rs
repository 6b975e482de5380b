//! Launching: the checks that a collection passes before it becomes a flow or a hunt.

use indexmap::IndexMap;

use super::accounts::Permission;
use super::{Flow, Org, Repository, SERVER};
use crate::eval::Session;
use crate::value::{Dict, Value, display, to_json};

/// What is to be collected from one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    pub(crate) client_id: String,
    pub(crate) artifacts: Vec<String>,
    /// Parameters by artifact; all values are texts.
    pub(crate) specs: IndexMap<String, IndexMap<String, String>>,
    pub(crate) limits: Limits,
    pub(crate) creator: String,
    pub(crate) urgent: bool,
}

/// Limits of a collection; zero means none was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) timeout: i64,
    pub(crate) max_rows: i64,
    pub(crate) max_bytes: i64,
    pub(crate) cpu: f64,
    pub(crate) iops: f64,
    pub(crate) ops: f64,
}

/// The limit of uploads that the server sets where none is asked for, by the artifacts neither.
pub(crate) const DEFAULT_UPLOAD: i64 = 1_073_741_824;

impl Order {
    /// Takes parameters from the `spec` of a call: `{Artifact: {Parameter: value}}`.
    ///
    /// Names that an artifact does not define are dropped without a word, and a choice that it
    /// does not offer is only logged.
    ///
    /// # Errors
    /// The message of the launcher.
    pub(crate) fn with_spec(
        mut self,
        repository: &Repository,
        spec: Option<&Dict>,
        log: &mut Vec<String>,
    ) -> Result<Self, String> {
        if self.artifacts.is_empty() {
            return Err(String::from("no artifacts to collect!"));
        }
        for (artifact, parameters) in spec.into_iter().flatten() {
            if !self.artifacts.iter().any(|name| **name == **artifact) {
                return Err(format!(
                    "Parameter refers to an unknown artifact ({artifact}). The parameter should \
                     be of the form {{\"Custom.Artifact.Name\":{{\"arg\":\"value\"}}}}"
                ));
            }
            let Value::Dict(parameters) = parameters else { continue };
            let definition =
                repository.get(artifact).ok_or_else(|| format!("Unknown artifact {artifact}"))?;
            let mut kept = IndexMap::new();
            for (name, value) in parameters.iter() {
                let Some(parameter) = definition.parameters.iter().find(|p| *p.name == **name)
                else {
                    continue;
                };
                let text = parameter_text(&parameter.kind, value);
                if !parameter.choices.is_empty() && !parameter.choices.contains(&text) {
                    log.push(format!("Invalid choice for parameter {name}: {text}"));
                }
                kept.insert(name.to_string(), text);
            }
            self.specs.insert(artifact.to_string(), kept);
        }
        for artifact in &self.artifacts {
            repository.get(artifact).ok_or_else(|| format!("Unknown artifact {artifact}"))?;
        }
        Ok(self)
    }

    /// Puts in the limits that nobody asked for: the largest of its artifacts, the time of the last.
    pub(crate) fn bounded(mut self, repository: &Repository) -> Self {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let named = self.artifacts.iter().filter_map(|name| repository.get(name));
        let set: Vec<_> = named.map(|definition| definition.resources).collect();
        let limits = &mut self.limits;
        let fill = |limit: &mut i64, number: Option<u64>| {
            if *limit <= 0 {
                *limit = signed(number.unwrap_or(0));
            }
        };
        fill(&mut limits.timeout, set.last().map(|last| last.timeout));
        fill(&mut limits.max_rows, set.iter().map(|one| one.max_rows).max());
        fill(&mut limits.max_bytes, set.iter().map(|one| one.max_upload_bytes).max());
        if limits.max_bytes == 0 {
            limits.max_bytes = DEFAULT_UPLOAD;
        }
        if limits.cpu == 0.0 {
            limits.cpu = set.last().map_or(0.0, |last| last.cpu_limit);
        }
        self
    }

    /// Checks that the user may launch it.
    ///
    /// # Errors
    /// The message of the launcher.
    pub(crate) fn permitted(
        &self,
        repository: &Repository,
        session: &Session,
    ) -> Result<(), String> {
        let needed = if self.client_id == SERVER {
            Permission::CollectServer
        } else {
            Permission::CollectClient
        };
        let may_launch = session.account.may(needed);
        for artifact in &self.artifacts {
            let definition =
                repository.get(artifact).ok_or_else(|| format!("Unknown artifact {artifact}"))?;
            if !may_launch && !definition.required_permissions.is_empty() {
                return Err(format!("Permission denied: {}", needed.name()));
            }
            for name in &definition.required_permissions {
                let held = Permission::named(name).is_some_and(|p| session.account.may(p));
                if !held {
                    return Err(format!(
                        "PermissionDenied: While collecting artifact ({artifact}) permission denied {name}"
                    ));
                }
            }
        }
        if may_launch {
            return Ok(());
        }
        Err(format!(
            "PermissionDenied: User {} is not allowed to launch flows {}.",
            session.user,
            needed.name()
        ))
    }
}

/// How a value travels: TRUE as `Y`, lists and mappings as JSON, or as CSV where the parameter
/// says so.
fn parameter_text(kind: &str, value: &Value) -> String {
    match value {
        Value::Bool(true) => String::from("Y"),
        Value::Bool(false) => String::new(),
        Value::Array(rows) if matches!(kind, "csv" | "artifactset") => csv_text(rows),
        Value::Array(_) | Value::Dict(_) => to_json(value),
        other => display(other),
    }
}

fn csv_text(rows: &[Value]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let Value::Dict(row) = row else { continue };
        if lines.is_empty() {
            lines.push(row.keys().map(|name| csv_cell(name)).collect::<Vec<_>>().join(","));
        }
        lines.push(row.values().map(|v| csv_cell(&display(v))).collect::<Vec<_>>().join(","));
    }
    lines.join("\n")
}

fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

impl Org {
    /// Puts a checked order on the client's list.
    ///
    /// # Errors
    /// The message about a client that nobody knows.
    pub(crate) fn launch(&mut self, order: Order, flow_id: String) -> Result<String, String> {
        let client = &order.client_id;
        if client != SERVER {
            if !client.starts_with("C.") {
                return Err(String::from("ClientId is not valid"));
            }
            if !self.clients.contains_key(client) {
                return Err(format!("Client ID {client} not known in this org: NotFoundError"));
            }
        }
        self.add_flow(Flow::new(flow_id.clone(), order));
        Ok(flow_id)
    }
}

//! Whole definitions.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ArtifactKind, systems};
use crate::error::QueryErrorKind;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::near::near;
use crate::os::Os;
use crate::permission::Permission;
use crate::queries::artifacts::{DEFINITIONS, NAMES};
use crate::row;
use crate::session::Session;

/// An artifact as it is defined.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct Definition {
    /// The name.
    pub name: String,
    /// The kind.
    #[serde(rename(deserialize = "Type"))]
    pub kind: ArtifactKind,
    /// What it does, as its author says it.
    #[serde(deserialize_with = "row::or_default")]
    pub description: String,
    /// Who wrote it.
    #[serde(deserialize_with = "row::text")]
    pub author: Option<String>,
    /// Where to read more.
    #[serde(deserialize_with = "row::or_default")]
    pub reference: Vec<String>,
    /// Other names of it.
    #[serde(deserialize_with = "row::or_default")]
    pub aliases: Vec<String>,
    /// Whether it came with the server.
    #[serde(deserialize_with = "row::or_default")]
    pub built_in: bool,
    /// The permissions that collecting it takes beside the usual.
    #[serde(deserialize_with = "row::or_default")]
    pub required_permissions: Vec<String>,
    /// The permissions that it uses without asking the caller for them.
    #[serde(deserialize_with = "row::or_default")]
    pub implied_permissions: Vec<String>,
    /// The user as whom it runs, where that is not the caller.
    #[serde(deserialize_with = "row::text")]
    pub impersonate: Option<String>,
    /// The query that decides whether it runs on a client.
    #[serde(deserialize_with = "row::text")]
    pub precondition: Option<String>,
    /// What it can be told.
    #[serde(deserialize_with = "row::or_default")]
    pub parameters: Vec<Parameter>,
    /// Its queries. Each gives a table of its own.
    #[serde(deserialize_with = "row::or_default")]
    pub sources: Vec<Source>,
    /// Artifacts whose exported definitions its queries use.
    #[serde(default, deserialize_with = "row::or_default")]
    pub imports: Vec<String>,
    /// VQL that stands before its queries, and before those of artifacts that import it.
    #[serde(default, deserialize_with = "row::text")]
    pub export: Option<String>,
    /// Programs that it would download.
    #[serde(deserialize_with = "row::or_default")]
    pub tools: Vec<Tool>,
    /// How some of its columns want to be shown.
    #[serde(deserialize_with = "row::or_default")]
    pub column_types: Vec<Column>,
    /// The limits that it sets itself; zero leaves the server's default.
    #[serde(deserialize_with = "row::or_default")]
    pub resources: serde_json::Map<String, serde_json::Value>,
    /// What administrators attached to it.
    #[serde(deserialize_with = "row::or_default")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// A parameter of an artifact. Values travel as texts.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// The value that it takes where none is given.
    #[serde(default, deserialize_with = "row::or_default")]
    pub default: String,
    /// What it means.
    #[serde(default, deserialize_with = "row::or_default")]
    pub description: String,
    /// The type: `int`, `bool`, `timestamp`, `choices`, `regex`, `csv`, …; empty means text.
    #[serde(default, rename(deserialize = "type"), deserialize_with = "row::or_default")]
    pub kind: String,
    /// The values to choose from.
    #[serde(default, deserialize_with = "row::or_default")]
    pub choices: Vec<String>,
    /// A regular expression that a value should match; the server does not enforce it.
    #[serde(default, deserialize_with = "row::text")]
    pub validating_regex: Option<String>,
}

/// One query of an artifact.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Source {
    /// The name; an artifact's only source may have none.
    #[serde(default, deserialize_with = "row::text")]
    pub name: Option<String>,
    /// What it gives.
    #[serde(default, deserialize_with = "row::text")]
    pub description: Option<String>,
    /// The query that decides whether it runs on a client.
    #[serde(default, deserialize_with = "row::text")]
    pub precondition: Option<String>,
    /// The VQL.
    #[serde(default, deserialize_with = "row::or_default")]
    pub query: String,
}

/// A program that an artifact uses on the endpoint.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Tool {
    /// The name in the server's inventory.
    pub name: String,
    /// Where the server gets it from.
    #[serde(default, deserialize_with = "row::text")]
    pub url: Option<String>,
    /// The version.
    #[serde(default, deserialize_with = "row::text")]
    pub version: Option<String>,
    /// The SHA-256 that it must have.
    #[serde(default, deserialize_with = "row::text")]
    pub expected_hash: Option<String>,
    /// Whether endpoints get it from the server rather than from the address.
    #[serde(default, deserialize_with = "row::or_default")]
    pub serve_locally: bool,
}

/// How a column wants to be shown.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Column {
    /// The column.
    pub name: String,
    /// The type, such as `timestamp` or `base64hex`.
    #[serde(default, rename(deserialize = "type"), deserialize_with = "row::or_default")]
    pub kind: String,
}

impl Definition {
    /// For which systems it seems to be; empty where it does not tell.
    pub fn systems(&self) -> Vec<Os> {
        systems(&self.name, self.precondition.as_deref().unwrap_or_default())
    }

    /// The names of its tables: `Artifact`, or `Artifact/Source` for each named source.
    pub fn tables(&self) -> Vec<String> {
        let table = |source: &Source| {
            source
                .name
                .as_ref()
                .map_or_else(|| self.name.clone(), |source| format!("{}/{source}", self.name))
        };
        self.sources.iter().map(table).collect()
    }

    /// The conditions of the parts in which it runs: its own for all sources together, else each
    /// source's where one of them has one, else none for all together (0.77.2, `launcher.go`).
    pub fn conditions(&self) -> Vec<Option<&str>> {
        let is_there =
            |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        if is_there(&self.precondition) {
            return vec![self.precondition.as_deref()];
        }
        if !self.sources.iter().any(|source| is_there(&source.precondition)) {
            return vec![None];
        }
        self.sources.iter().map(|source| source.precondition.as_deref()).collect()
    }

    /// The permissions that collecting it takes beside the usual, as far as they are known here.
    pub fn permissions(&self) -> Vec<Permission> {
        self.required_permissions.iter().filter_map(|name| Permission::from_name(name)).collect()
    }
}

/// Reads one definition.
///
/// # Errors
///
/// [`Fault::UnknownArtifact`] with names that resemble it, [`Fault::Query`].
pub async fn definition(session: &Session<'_>, name: &str) -> Result<Definition, Fault> {
    let mut found = definitions(session, &[name]).await?;
    found.pop().ok_or_else(|| Fault::UnknownArtifact { given: name.to_owned(), near: Vec::new() })
}

/// Reads the definitions of all the names, in their order.
///
/// # Errors
///
/// [`Fault::UnknownArtifact`] for the first name that the server does not know.
pub async fn definitions(session: &Session<'_>, wanted: &[&str]) -> Result<Vec<Definition>, Fault> {
    let mut found = known(session, wanted).await?;
    let mut ordered = Vec::new();
    for name in wanted {
        match found.iter().position(|definition| definition.name == *name) {
            Some(at) => ordered.push(found.swap_remove(at)),
            None => {
                let all = names(session).await?;
                let near = near(name, all.iter().map(|(name, _)| name.as_str()));
                return Err(Fault::UnknownArtifact { given: (*name).to_owned(), near });
            }
        }
    }
    Ok(ordered)
}

/// Reads the definitions of those names that the server knows, in any order. A name may be an
/// alias of what is found.
pub(super) async fn known(
    session: &Session<'_>,
    wanted: &[&str],
) -> Result<Vec<Definition>, Fault> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let query = DEFINITIONS.query().bind_json("MR_Artifacts", &json!(wanted));
    let (identity, rows) = session.raw(&DEFINITIONS, &query, &[], Limits::READ).await?;
    let error = |kind| session.server().error(Some(identity), DEFINITIONS.name, kind);
    // A name that is not known is a line in the log: it is told by its absence.
    let unknown = |failure: &QueryErrorKind| matches!(failure, QueryErrorKind::NotFound { .. });
    if let Some(failure) = rows.failures.into_iter().find(|failure| !unknown(failure)) {
        return Err(error(failure).into());
    }
    rows.rows
        .into_iter()
        .map(|row| serde_json::from_value::<Definition>(row.into()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|fault| error(QueryErrorKind::Protocol { detail: fault.to_string() }).into())
}

/// The name and kind of every artifact.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn names(session: &Session<'_>) -> Result<Vec<(String, ArtifactKind)>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Named {
        name: String,
        r#type: ArtifactKind,
    }
    let rows: Vec<Named> = session.rows(&NAMES, NAMES.query()).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.r#type)).collect())
}

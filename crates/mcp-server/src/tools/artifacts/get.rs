//! `get_artifact`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::Permission;
use velociraptor_api::artifacts::{self, Definition};
use velociraptor_api::catalogue::READ;
use velociraptor_api::whole;

use super::columns::columns;
use crate::answer::Answer;
use crate::context::ToolCx;
use crate::page::Row;
use crate::records;
use crate::tool::{Detail, Effect, Reads, Tool};
use crate::tool_error::ToolError;

mod render;

/// Most characters of a default value; some hold whole tables.
const DEFAULT: usize = 4_000;

/// Most characters of one source's query.
const VQL: usize = 20_000;

/// `get_artifact`.
pub(super) struct GetArtifact;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Such as Windows.System.Pslist
    name: String,
    /// With the text of its queries
    #[serde(default)]
    vql: bool,
}

/// The definition.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    name: String,
    r#type: String,
    os: Vec<String>,
    custom: bool,
    description: String,
    /// Permissions that the caller must hold beside the usual.
    needs: Vec<String>,
    /// Permissions that it uses whoever collects it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    implies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_as: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    precondition: Option<String>,
    parameters: Vec<Parameter>,
    sources: Vec<Source>,
    /// Programs that it would download, and from where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    downloads: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<String>,
    /// With detail summary, instead of parameters and sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    summary: Option<Names>,
    /// With detail full, all that the server keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Row>,
}

/// What it has, by name.
#[derive(Debug, Serialize)]
struct Names {
    parameters: Vec<String>,
    tables: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Parameter {
    name: String,
    r#type: String,
    default: String,
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Source {
    /// How results are asked for.
    table: String,
    /// With a star where there may be others.
    columns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vql: Option<String>,
}

impl Tool for GetArtifact {
    const NAME: &'static str = "get_artifact";
    const TITLE: &'static str = "Describe an artifact";
    const DESCRIPTION: &'static str = "Describes one artifact: parameters with types, defaults and \
        choices, result tables with their columns, tools that it would download, permissions that \
        it needs. It collects nothing: collect_artifact does.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

impl Reads for GetArtifact {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let name = input.name.trim();
        if name.is_empty() {
            return Err(ToolError::invalid("name is empty").next("list_artifacts finds names"));
        }
        let session = cx.session();
        let definition = artifacts::definition(&session, name).await?;
        let link = cx.link(&format!("/artifacts/{}", definition.name));
        let (mut output, mut warning) = (Output::of(definition, input.vql), None);
        match cx.detail {
            Detail::Summary => output.summarise(),
            Detail::Compact => {}
            Detail::Full => {
                (output.record, warning) =
                    records::one(whole::artifact(&session, &output.name).await?)?;
            }
        }
        Ok(Answer::of(&cx, &session, output).warn(warning).link(link))
    }
}

impl Output {
    fn of(artifact: Definition, vql: bool) -> Self {
        let tables = artifact.tables();
        let os = artifact.systems().into_iter().map(|os| os.to_string()).collect();
        let sources = tables.into_iter().zip(&artifact.sources).map(|(table, source)| {
            let mut columns = columns(&source.query);
            if columns.open {
                columns.names.push(String::from("*"));
            }
            Source {
                table,
                columns: columns.names,
                vql: vql.then(|| shorten(source.query.clone(), VQL)),
            }
        });
        Self {
            os,
            sources: sources.collect(),
            limits: limits(&artifact),
            name: artifact.name,
            r#type: artifact.kind.to_string(),
            custom: !artifact.built_in,
            description: artifact.description.trim().to_owned(),
            needs: artifact.required_permissions,
            implies: artifact.implied_permissions,
            runs_as: artifact.impersonate,
            precondition: artifact.precondition.map(|text| text.trim().to_owned()),
            parameters: artifact.parameters.into_iter().map(Parameter::from).collect(),
            downloads: artifact.tools.iter().map(download).collect(),
            summary: None,
            record: None,
        }
    }

    /// Leaves names of parameters and tables, and the first paragraph of the description.
    fn summarise(&mut self) {
        let parameters = std::mem::take(&mut self.parameters);
        let sources = std::mem::take(&mut self.sources);
        self.summary = Some(Names {
            parameters: parameters.into_iter().map(|parameter| parameter.name).collect(),
            tables: sources.into_iter().map(|source| source.table).collect(),
        });
        if let Some((first, _)) = self.description.split_once("\n\n") {
            self.description = first.to_owned();
        }
    }
}

/// The limits that the artifact sets itself, as `timeout 600`; zeroes leave the server's default.
fn limits(artifact: &Definition) -> Vec<String> {
    let set = |value: &&serde_json::Value| match value {
        serde_json::Value::String(text) => !matches!(text.trim(), "" | "0"),
        number => number.as_f64().is_some_and(|number| number != 0.0),
    };
    let shown = |value: &serde_json::Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    let resources = artifact.resources.iter().filter(|(_, value)| set(value));
    resources.map(|(name, value)| format!("{name} {}", shown(value))).collect()
}

impl From<artifacts::Parameter> for Parameter {
    fn from(parameter: artifacts::Parameter) -> Self {
        Self {
            name: parameter.name,
            r#type: if parameter.kind.is_empty() { String::from("string") } else { parameter.kind },
            default: shorten(parameter.default, DEFAULT),
            description: match &parameter.validating_regex {
                Some(pattern) => format!("{} (must match {pattern})", parameter.description.trim()),
                None => parameter.description.trim().to_owned(),
            },
            choices: parameter.choices,
        }
    }
}

/// A program and where it comes from.
fn download(tool: &artifacts::Tool) -> String {
    let from = match (&tool.url, tool.serve_locally) {
        (_, true) => "the Velociraptor server",
        (Some(url), false) => url,
        (None, false) => "a place that the server's inventory must name",
    };
    format!("{} from {from}", tool.name)
}

/// Cuts a text that is too long, and says how long it was.
fn shorten(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some((at, _)) => format!("{}… [cut: {} characters]", &text[..at], text.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::answer::Render;

    fn definition() -> Definition {
        serde_json::from_value(json!({
            "Name": "Windows.Search.Thing", "Type": "client",
            "Description": "Finds things.\n\nAll of them.\n", "Author": null, "Reference": [],
            "Aliases": null, "BuiltIn": true, "RequiredPermissions": ["EXECVE"],
            "ImpliedPermissions": null, "Impersonate": "",
            "Precondition": "SELECT OS From info()\n  where OS = 'windows'",
            "Parameters": [
                {"name": "Depth", "type": "int", "default": "3", "description": "How\ndeep."},
                {"name": "Mode", "type": "choices", "default": "a", "choices": ["a", "b"]},
                {"name": "Table", "default": "x".repeat(5000)},
            ],
            "Sources": [{"name": "Hits", "query": "SELECT Name, Size FROM glob(globs=G)"}],
            "Tools": [{"name": "Thing", "url": "https://example.test/thing.exe"}],
            "ColumnTypes": [], "Resources": {"timeout": 60, "max_rows": 0, "max_upload_bytes": "5"}, "Metadata": {},
        }))
        .unwrap()
    }

    #[test]
    fn a_definition_reads_as_facts_and_tables() {
        let mut artifact = definition();
        artifact.parameters.pop();
        let mut out = String::new();
        Output::of(artifact, true).render(&mut out);
        insta::assert_snapshot!(out, @r#"
        Windows.Search.Thing  client, windows, built in
          Finds things.
          All of them.
        needs      EXECVE
        only where SELECT OS From info() where OS = 'windows'
        limits     timeout 60, max_upload_bytes 5
        PARAMETERS
        name   type     default  description
        Depth  int      3        How deep.
        Mode   choices  a        one of a | b.
        TABLE Windows.Search.Thing/Hits: Name, Size
          SELECT Name, Size FROM glob(globs=G)
        DOWNLOADS Thing from https://example.test/thing.exe
        "#);
    }

    #[test]
    fn a_long_default_is_cut_and_says_so() {
        let shown = Output::of(definition(), false);
        let default = &shown.parameters[2].default;
        assert!(default.ends_with("… [cut: 5000 characters]"), "{default}");
        assert!(default.len() < 4_100);
        assert!(shown.sources[0].vql.is_none());
    }
}

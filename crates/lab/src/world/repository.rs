//! Artifact definitions: the lab's own and those that users add.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::value::{Dict, Value, row};

/// An artifact, as its YAML text states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Definition {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) author: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) reference: Vec<String>,
    #[serde(default)]
    pub(crate) required_permissions: Vec<String>,
    #[serde(default)]
    pub(crate) implied_permissions: Vec<String>,
    #[serde(default)]
    pub(crate) precondition: String,
    #[serde(default)]
    pub(crate) tools: Vec<Tool>,
    #[serde(default)]
    pub(crate) parameters: Vec<Parameter>,
    #[serde(default)]
    pub(crate) sources: Vec<Source>,
    #[serde(default)]
    pub(crate) imports: Vec<String>,
    #[serde(default)]
    pub(crate) export: String,
    #[serde(default)]
    pub(crate) resources: Resources,
    /// The text it was read from.
    #[serde(skip)]
    pub(crate) raw: Arc<str>,
    /// Part of the server, and not to be replaced.
    #[serde(skip)]
    pub(crate) built_in: bool,
}

/// A program that the artifact needs.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tool {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) url: String,
}

impl Tool {
    /// The row of `inventory()`, as of a tool that was never fetched.
    pub(crate) fn inventory_row(&self, artifact: &str) -> Dict {
        row! {
            "name" => &self.name,
            "url" => &self.url,
            "github_project" => "",
            "github_asset_regex" => "",
            "serve_locally" => false,
            "admin_override" => false,
            "expected_hash" => "",
            "version" => "",
            "materialize" => false,
            "artifact" => artifact,
            "filestore_path" => "",
            "serve_url" => &self.url,
            "serve_urls" => Value::strings([&self.url]),
            "serve_path" => "",
            "filename" => self.url.rsplit('/').next().unwrap_or_default(),
            "hash" => "",
            "invalid_hash" => "",
            "versions" => Vec::<Value>::new(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) default: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) choices: Vec<String>,
    #[serde(default)]
    pub(crate) friendly_name: String,
    #[serde(default)]
    pub(crate) validating_regex: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) precondition: String,
    #[serde(default)]
    pub(crate) query: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Resources {
    pub(crate) timeout: u64,
    pub(crate) cpu_limit: f64,
    pub(crate) max_rows: u64,
    pub(crate) max_upload_bytes: u64,
}

impl Definition {
    /// Reads a definition.
    ///
    /// # Errors
    /// What is wrong with the YAML, or with the VQL in it.
    pub(crate) fn parse(text: &str, built_in: bool) -> Result<Self, String> {
        let mut definition: Self =
            serde_saphyr::from_str(text).map_err(|error| yaml_complaint(&error.to_string()))?;
        definition.raw = Arc::from(text);
        definition.built_in = built_in;
        definition.kind = match definition.kind.to_lowercase().as_str() {
            "" => String::from("client"),
            kind => kind.to_owned(),
        };
        if definition.name.is_empty() {
            return Err(String::from("No artifact name"));
        }
        for source in &definition.sources {
            if let Err(error) = crate::eval::Text::parse(&source.query) {
                return Err(format!("While parsing source query : {error}"));
            }
        }
        Ok(definition)
    }

    /// `Name`, or `Name/Source` for each source.
    pub(crate) fn source_names(&self) -> Vec<String> {
        self.sources.iter().map(|source| self.source_name(source)).collect()
    }

    pub(crate) fn source_name(&self, source: &Source) -> String {
        if source.name.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.name, source.name)
        }
    }

    /// The sources that run together, in one query each: all of them, unless the artifact has no
    /// condition of its own and one of them has.
    pub(crate) fn parts(&self) -> Vec<&[Source]> {
        let has_own = self.sources.iter().any(|source| !source.precondition.is_empty());
        if self.precondition.is_empty() && has_own {
            self.sources.chunks(1).collect()
        } else {
            vec![self.sources.as_slice()]
        }
    }

    /// The condition under which a source runs: the artifact's, else its own.
    pub(crate) fn condition<'a>(&'a self, source: &'a Source) -> &'a str {
        if self.precondition.is_empty() { &source.precondition } else { &self.precondition }
    }

    /// The row of `artifact_definitions()`.
    pub(crate) fn row(&self) -> Dict {
        let sources = self.sources.iter().map(|source| {
            Value::from(row! {
                "name" => &source.name,
                "description" => &source.description,
                "precondition" => &source.precondition,
                "query" => &source.query,
                "queries" => Value::strings([source.query.trim_end()]),
                "notebook" => Vec::<Value>::new(),
            })
        });
        let parameters = self.parameters.iter().map(|parameter| {
            Value::from(row! {
                "name" => &parameter.name,
                "default" => &parameter.default,
                "description" => &parameter.description,
                "type" => &parameter.kind,
                "choices" => &parameter.choices,
                "friendly_name" => &parameter.friendly_name,
                "validating_regex" => &parameter.validating_regex,
                "artifact_type" => "",
                "sources" => false,
            })
        });
        let tools = self.tools.iter().map(|tool| {
            Value::from(row! {
                "name" => &tool.name, "url" => &tool.url, "version" => "", "hash" => "",
            })
        });
        let nothing = || Vec::<Value>::new();
        row! {
            "name" => &self.name,
            "aliases" => nothing(),
            "description" => &self.description,
            "author" => &self.author,
            "reference" => &self.reference,
            "references" => nothing(),
            "required_permissions" => &self.required_permissions,
            "implied_permissions" => &self.implied_permissions,
            "impersonate" => "",
            "resources" => row! {
                "timeout" => self.resources.timeout,
                "ops_per_second" => 0,
                "cpu_limit" => self.resources.cpu_limit,
                "iops_limit" => 0,
                "max_rows" => self.resources.max_rows,
                "max_upload_bytes" => self.resources.max_upload_bytes,
                "max_batch_wait" => 0,
                "max_batch_rows" => 0,
                "max_batch_rows_buffer" => 0,
            },
            "tools" => Value::array(tools),
            "precondition" => &self.precondition,
            "parameters" => Value::array(parameters),
            "type" => &self.kind,
            "sources" => Value::array(sources),
            "imports" => &self.imports,
            "export" => &self.export,
            "reports" => nothing(),
            "column_types" => nothing(),
            "raw" => &self.raw,
            "compiled" => false,
            "built_in" => self.built_in,
            "compiled_in" => self.built_in,
            "is_alias" => false,
            "is_inherited" => false,
            "metadata" => row! {
                "hidden" => false, "basic" => false, "tags" => nothing(),
            },
        }
    }
}

/// The engine's wording of a mistake in YAML.
fn yaml_complaint(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let (place, text) = first.split_once(": ").unwrap_or(("", first));
    let line = place.split(" column ").next().unwrap_or_default();
    if let Some(field) = text.strip_prefix("unknown field `") {
        let field = field.split('`').next().unwrap_or_default();
        return format!(
            "yaml: unmarshal errors:\n  {line}: field {field} not found in type proto.Artifact"
        );
    }
    format!("yaml: {line}: {text}")
}

/// All definitions, by name in alphabetical order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repository(IndexMap<String, Arc<Definition>>);

impl Repository {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.0.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.0.values()
    }

    pub(crate) fn insert(&mut self, definition: Definition) -> Arc<Definition> {
        let definition = Arc::new(definition);
        self.0.insert(definition.name.clone(), Arc::clone(&definition));
        self.0.sort_unstable_keys();
        definition
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.shift_remove(name);
    }
}

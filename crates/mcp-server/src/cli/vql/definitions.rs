//! Artifact definitions in YAML files, read for the analysis of what they do.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use vql_builder::effects::{Definition, Parameter, Source};

use super::unreadable;
use crate::tool_error::ToolError;

/// The fields that decide what an artifact does; the others are passed over.
#[derive(Deserialize)]
struct Yaml {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    precondition: Option<String>,
    #[serde(default)]
    sources: Vec<YamlSource>,
    #[serde(default)]
    parameters: Vec<YamlParameter>,
    export: Option<String>,
    #[serde(default)]
    imports: Vec<String>,
    #[serde(default)]
    tools: Vec<YamlTool>,
    impersonate: Option<String>,
    #[serde(default)]
    required_permissions: Vec<String>,
}

#[derive(Deserialize)]
struct YamlSource {
    name: Option<String>,
    precondition: Option<String>,
    query: Option<String>,
    #[serde(default)]
    queries: Vec<String>,
}

#[derive(Deserialize)]
struct YamlParameter {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    default: Option<Value>,
}

#[derive(Deserialize)]
struct YamlTool {
    name: String,
}

/// The definition in a text of YAML, and its other names.
pub(super) fn parse(text: &str, file: &Path) -> Result<(Definition, Vec<String>), ToolError> {
    let yaml: Yaml = serde_saphyr::from_str(text).map_err(|error| {
        ToolError::invalid(format!("{} is no artifact definition: {error}", file.display()))
    })?;
    let sources = yaml.sources.into_iter().map(|source| Source {
        name: source.name.unwrap_or_default(),
        precondition: source.precondition,
        queries: source.query.into_iter().chain(source.queries).collect(),
    });
    let parameters = yaml.parameters.into_iter().map(|parameter| Parameter {
        name: parameter.name,
        kind: parameter.kind.unwrap_or_default(),
        default: match parameter.default {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
        },
    });
    let definition = Definition {
        name: yaml.name,
        kind: yaml.kind.unwrap_or_default(),
        precondition: yaml.precondition,
        sources: sources.collect(),
        parameters: parameters.collect(),
        export: yaml.export,
        imports: yaml.imports,
        tools: yaml.tools.into_iter().map(|tool| tool.name).collect(),
        impersonate: yaml.impersonate,
        required_permissions: yaml.required_permissions,
    };
    Ok((definition, yaml.aliases))
}

/// Every definition below the files and folders, by each of its names.
pub(super) fn load(places: &[PathBuf]) -> Result<HashMap<String, Definition>, ToolError> {
    let mut found = HashMap::new();
    let mut queue = places.to_vec();
    while let Some(place) = queue.pop() {
        if place.is_dir() {
            let entries = std::fs::read_dir(&place).map_err(|error| unreadable(&place, &error))?;
            for entry in entries {
                let path = entry.map_err(|error| unreadable(&place, &error))?.path();
                if path.is_dir() || is_yaml(&path) {
                    queue.push(path);
                }
            }
            continue;
        }
        let text = std::fs::read_to_string(&place).map_err(|error| unreadable(&place, &error))?;
        let (definition, aliases) = parse(&text, &place)?;
        for alias in aliases {
            found.insert(alias, definition.clone());
        }
        found.insert(definition.name.clone(), definition);
    }
    Ok(found)
}

pub(super) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_about_an_artifact_is_read() {
        let text = "name: A.B\naliases: [C]\ntype: SERVER\nexport: LET f = 1\nimports: [D]\n\
                    tools: [{name: T, url: x}]\nparameters:\n- name: P\n  default: 5\n- name: Q\n\
                    sources:\n- name:\n  query: SELECT 1 FROM scope()\n  queries: [a]\n- precondition: b\n";
        let (definition, aliases) = parse(text, Path::new("a.yaml")).unwrap();
        assert_eq!((definition.name.as_str(), definition.kind.as_str()), ("A.B", "SERVER"));
        assert_eq!(aliases, ["C"]);
        assert_eq!(definition.sources[0].queries, ["SELECT 1 FROM scope()", "a"]);
        assert_eq!(definition.sources[1].precondition.as_deref(), Some("b"));
        assert_eq!((definition.imports[0].as_str(), definition.tools[0].as_str()), ("D", "T"));
        assert_eq!(definition.parameters[0].default, "5");
        let error = parse("name: [", Path::new("a.yaml")).unwrap_err();
        assert!(error.text().contains("a.yaml"), "{}", error.text());
    }
}

//! The VQL that a server was built with.

use std::collections::HashMap;

use serde_json::Value;
use velociraptor_api::Row;
use vql_builder::effects::{Definition, Parameter, Source};

use super::{RealServer, Role};

impl RealServer {
    /// Every VQL text of every artifact that the server was built with.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn built_in_texts(&self) -> anyhow::Result<Vec<String>> {
        let vql = "SELECT name, precondition, export, sources FROM artifact_definitions()";
        let rows = self.query(Role::Reader, "root", vql, &[]).await?;
        let mut texts = Vec::new();
        for artifact in &rows.rows {
            texts.extend(artifact.get("precondition").and_then(|text| text.as_str()));
            texts.extend(artifact.get("export").and_then(|text| text.as_str()));
            let Some(sources) = artifact.get("sources").and_then(|list| list.as_array()) else {
                continue;
            };
            for source in sources {
                texts.extend(source["precondition"].as_str());
                texts.extend(source["query"].as_str());
                for query in source["queries"].as_array().into_iter().flatten() {
                    texts.extend(query.as_str());
                }
            }
        }
        texts.retain(|text| !text.is_empty());
        Ok(texts.into_iter().map(str::to_owned).collect())
    }
    /// Every artifact that the server was built with, as far as its definition says what it does.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn built_in_definitions(&self) -> anyhow::Result<HashMap<String, Definition>> {
        let vql = "SELECT name, type, precondition, export, imports, sources, parameters, tools, \
                   impersonate FROM artifact_definitions()";
        let rows = self.query(Role::Reader, "root", vql, &[]).await?.rows;
        let definitions = rows.iter().map(definition);
        Ok(definitions.map(|definition| (definition.name.clone(), definition)).collect())
    }
}

fn definition(row: &Row) -> Definition {
    let list = |name: &str| row.get(name).and_then(Value::as_array).into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let given = |value: Option<&Value>| value.map(text).filter(|text| !text.is_empty());
    Definition {
        name: given(row.get("name")).unwrap_or_default(),
        kind: given(row.get("type")).unwrap_or_default(),
        precondition: given(row.get("precondition")),
        sources: list("sources")
            .map(|source| Source {
                name: text(&source["name"]),
                precondition: given(source.get("precondition")),
                queries: given(source.get("query"))
                    .into_iter()
                    .chain(source["queries"].as_array().into_iter().flatten().map(text))
                    .collect(),
            })
            .collect(),
        parameters: list("parameters")
            .map(|parameter| Parameter {
                name: text(&parameter["name"]),
                kind: text(&parameter["type"]),
                default: text(&parameter["default"]),
            })
            .collect(),
        export: given(row.get("export")),
        imports: list("imports").map(text).collect(),
        tools: list("tools").map(|tool| text(&tool["name"])).collect(),
        impersonate: given(row.get("impersonate")),
        required_permissions: Vec::new(),
    }
}

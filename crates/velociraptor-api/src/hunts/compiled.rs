//! What a hunt runs: its artifacts as they were compiled when it was made.
//!
//! The server keeps that with the hunt and sends it to each client. An artifact that is defined
//! anew later changes nothing about it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use vql_builder::words;

use super::HuntStatus;
use crate::artifacts::{Closure, Definition};
use crate::row;

/// What a hunt sends to each client.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Its parts: one for each artifact, or for each source of one.
    pub parts: Vec<Part>,
    whole: Value,
}

/// A part that runs by itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Part {
    /// The query that decides whether it runs on a client.
    #[serde(deserialize_with = "row::text")]
    pub precondition: Option<String>,
    /// The values of parameters, and where tools come from.
    #[serde(deserialize_with = "row::or_default")]
    pub env: Vec<Pair>,
    /// The statements, in order. Those with a name give a table.
    #[serde(rename = "Query", deserialize_with = "row::or_default")]
    pub statements: Vec<Statement>,
    /// The artifacts that it calls, as they were then.
    #[serde(deserialize_with = "row::or_default")]
    pub artifacts: Vec<Carried>,
    /// The user as whom it runs, where that is not the creator.
    #[serde(deserialize_with = "row::text")]
    pub effective_principal: Option<String>,
    /// Seconds that it may work, zero being ten minutes.
    #[serde(deserialize_with = "row::or_default")]
    pub timeout: u64,
}

/// A name with its value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pair {
    /// The name.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A statement.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Statement {
    /// The table that it fills, in the server's own writing; empty where it fills none.
    #[serde(rename = "Name")]
    pub name: String,
    /// The text.
    #[serde(rename = "VQL")]
    pub vql: String,
}

/// An artifact that a part carries with it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Carried {
    /// The name.
    pub name: String,
    /// The query that decides whether it runs.
    #[serde(deserialize_with = "row::text")]
    pub precondition: Option<String>,
    /// Its parameters.
    #[serde(deserialize_with = "row::or_default")]
    pub parameters: Vec<CarriedParameter>,
    /// Its sources.
    #[serde(deserialize_with = "row::or_default")]
    pub sources: Vec<CarriedSource>,
    /// Artifacts whose exports it uses.
    #[serde(deserialize_with = "row::or_default")]
    pub imports: Vec<String>,
    /// What it exports.
    #[serde(deserialize_with = "row::text")]
    pub export: Option<String>,
    /// The user as whom it runs.
    #[serde(deserialize_with = "row::text")]
    pub impersonate: Option<String>,
}

/// A parameter of a carried artifact.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CarriedParameter {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value where none is given.
    pub default: String,
}

/// A source of a carried artifact.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CarriedSource {
    /// The name.
    pub name: String,
    /// The query that decides whether it runs.
    #[serde(deserialize_with = "row::text")]
    pub precondition: Option<String>,
    /// The statements.
    #[serde(deserialize_with = "row::or_default")]
    pub queries: Vec<String>,
}

impl Part {
    /// All statements as one text.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.statements.iter().map(|one| one.vql.as_str()).collect();
        texts.join("\n")
    }
}

impl CarriedSource {
    /// All statements as one text.
    pub fn text(&self) -> String {
        self.queries.join("\n")
    }
}

impl<'de> Deserialize<'de> for Compiled {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let whole: Value = row::or_default(input)?;
        let parts = match &whole {
            Value::Null => Vec::new(),
            parts => Vec::deserialize(parts).map_err(serde::de::Error::custom)?,
        };
        Ok(Self { parts, whole })
    }
}

impl Compiled {
    /// All that the server keeps of it, whether or not it is known here: what is bound to an
    /// approval.
    pub const fn whole(&self) -> &Value {
        &self.whole
    }

    /// The parts that fill a table.
    pub(crate) fn filling(&self) -> impl Iterator<Item = &Part> {
        let fills = |part: &&Part| part.statements.iter().any(|one| !one.name.is_empty());
        self.parts.iter().filter(fills)
    }

    /// Whether the artifacts, in their order and as they are defined now, have the conditions that were
    /// compiled, part by part.
    pub(crate) fn has_conditions_of(&self, artifacts: &[Definition]) -> bool {
        let now: Vec<Vec<String>> = artifacts
            .iter()
            .flat_map(Definition::conditions)
            .map(|condition| words(condition.unwrap_or_default()))
            .collect();
        now.len() == self.parts.len()
            && now.iter().zip(&self.parts).all(|(now, part)| {
                let kept = words(part.precondition.as_deref().unwrap_or_default());
                now.is_empty() == kept.is_empty() && kept.ends_with(now)
            })
    }

    /// Whether it calls artifacts that may be skipped inside of what calls them.
    pub(crate) fn asks_inside(&self) -> bool {
        let parts = self.parts.iter().flat_map(|part| &part.statements);
        let carried = self.parts.iter().flat_map(|part| &part.artifacts);
        let carried = carried.flat_map(|one| {
            one.sources.iter().flat_map(|source| &source.queries).chain(&one.export)
        });
        parts.map(|one| &one.vql).chain(carried).any(|text| text.contains("preconditions"))
    }

    /// The programs that it fetches on a client, by their names, with the values of the server.
    pub fn tools(&self) -> BTreeMap<&str, BTreeMap<&str, &str>> {
        let mut tools: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for pair in self.parts.iter().flat_map(|part| &part.env) {
            let named = pair.key.strip_prefix("Tool_").and_then(|name| name.rsplit_once('_'));
            if let Some((name, what)) = named {
                tools.entry(name).or_default().insert(what, pair.value.as_str());
            }
        }
        tools
    }
}

/// Which artifacts of a hunt are no longer what it was made of; `now` has their definitions as they
/// are, as far as they still exist.
pub fn redefined(status: &HuntStatus, now: &Closure) -> BTreeSet<String> {
    let compiled = &status.compiled;
    let mut differs = BTreeSet::new();
    let all: Vec<String> = compiled.parts.iter().flat_map(|part| words(&part.text())).collect();
    let conditions_kept: Vec<Vec<String>> = compiled
        .parts
        .iter()
        .filter_map(|part| part.precondition.as_deref())
        .map(words)
        .filter(|words| !words.is_empty())
        .collect();
    let mut conditions_now = Vec::new();
    let (mut at, mut tables) = (0, 0);
    for name in &status.hunt.artifacts {
        let Some(definition) = now.definitions.get(name) else {
            differs.insert(name.clone());
            continue;
        };
        let sources = definition.sources.iter().filter(|one| !one.query.trim().is_empty());
        for source in sources {
            tables += 1;
            match end_of(&all, &words(&source.query), at) {
                Some(end) => at = end,
                None => _ = differs.insert(name.clone()),
            }
        }
        conditions_now.extend(conditions(definition));
        if !same_conditions(&conditions_kept, definition) || !same_parameters(status, definition) {
            differs.insert(name.clone());
        }
    }
    let statements = compiled.parts.iter().flat_map(|part| &part.statements);
    let more = statements.filter(|one| !one.name.is_empty()).count() != tables
        || !conditions_kept.iter().all(|kept| conditions_now.iter().any(|now| kept.ends_with(now)));
    if more && differs.is_empty() {
        // A source or precondition went, and which artifact it was of cannot be seen.
        differs.extend(status.hunt.artifacts.iter().cloned());
    }
    for carried in compiled.parts.iter().flat_map(|part| &part.artifacts) {
        if now.definitions.get(&carried.name).is_none_or(|now| !same_carried(carried, now)) {
            differs.insert(carried.name.clone());
        }
    }
    differs
}

/// Where the words end in a longer text, from a place in it on.
fn end_of(all: &[String], wanted: &[String], from: usize) -> Option<usize> {
    if wanted.is_empty() {
        return Some(from);
    }
    let at = all.get(from..)?.windows(wanted.len()).position(|window| window == wanted)?;
    Some(from + at + wanted.len())
}

/// The preconditions of a definition, of its sources too.
fn conditions(definition: &Definition) -> impl Iterator<Item = Vec<String>> + '_ {
    let sources = definition.sources.iter().filter_map(|source| source.precondition.as_deref());
    let texts = definition.precondition.as_deref().into_iter().chain(sources);
    texts.map(words).filter(|words| !words.is_empty())
}

/// Every precondition of the definition ends one that was compiled: the server puts what parameters
/// need before it.
fn same_conditions(kept: &[Vec<String>], definition: &Definition) -> bool {
    conditions(definition).all(|now| kept.iter().any(|kept| kept.ends_with(&now)))
}

/// What nobody chose has the default of today.
fn same_parameters(status: &HuntStatus, definition: &Definition) -> bool {
    let spec = status.request.specs.iter().find(|spec| spec.artifact == definition.name);
    let chosen = |name: &str| spec.is_some_and(|spec| spec.parameters.contains_key(name));
    definition.parameters.iter().filter(|parameter| !chosen(&parameter.name)).all(|parameter| {
        let mut env = status.compiled.parts.iter().flat_map(|part| &part.env);
        env.any(|pair| pair.key == parameter.name && pair.value == parameter.default)
    })
}

fn same_carried(kept: &Carried, now: &Definition) -> bool {
    let same = |kept: Option<&str>, now: Option<&str>| {
        words(kept.unwrap_or_default()) == words(now.unwrap_or_default())
    };
    kept.sources.len() == now.sources.len()
        && kept.sources.iter().zip(&now.sources).all(|(kept, now)| {
            words(&kept.text()) == words(&now.query)
                && same(kept.precondition.as_deref(), now.precondition.as_deref())
        })
        && same(kept.precondition.as_deref(), now.precondition.as_deref())
        && same(kept.export.as_deref(), now.export.as_deref())
        && kept.imports == now.imports
        && kept.parameters.len() == now.parameters.len()
        && kept
            .parameters
            .iter()
            .zip(&now.parameters)
            .all(|(kept, now)| kept.name == now.name && kept.default == now.default)
}

#[cfg(test)]
mod tests;

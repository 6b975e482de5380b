//! Definitions together with all that they call.

use std::collections::{BTreeMap, BTreeSet};

use vql_builder::ast::Program;

use super::definition::{Definition, definitions, known};
use crate::fault::Fault;
use crate::session::Session;

/// In VQL an artifact is called by its name behind this.
const CALLED: &str = "Artifact.";

/// Most definitions in a closure. The largest of a plain 0.77.2 has some 20.
const MOST: usize = 500;

/// Artifacts as they are defined now, with the artifacts that they call, over all steps.
#[derive(Clone, Debug, Default)]
pub struct Closure {
    /// The definitions, by the name under which they are called, which may be an alias.
    pub definitions: BTreeMap<String, Definition>,
    /// What is called and does not exist on the server.
    pub missing: BTreeSet<String>,
}

impl Closure {
    /// The names that `name` reaches over all steps, itself not among them unless it calls itself.
    pub fn reached_from(&self, name: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![name];
        while let Some(definition) = open.pop().and_then(|name| self.definitions.get(name)) {
            for callee in callees(definition) {
                let known = self.definitions.get_key_value(callee.as_str());
                if let Some((callee, _)) = known
                    && reached.insert(callee.as_str())
                {
                    open.push(callee);
                }
            }
        }
        reached
    }
}

/// Reads the named definitions and all that they call: one query for each step away from them.
///
/// # Errors
///
/// [`Fault::UnknownArtifact`] for the first of the names that the server does not know;
/// [`Fault::Refused`] where more is called than anybody could check.
pub async fn closure(session: &Session<'_>, names: &[&str]) -> Result<Closure, Fault> {
    let found = definitions(session, names).await?;
    let named = names.iter().map(|name| (*name).to_owned());
    follow(session, named.zip(found).collect()).await
}

/// As [`closure`], where a name that the server does not know is no error: it is missing.
///
/// # Errors
///
/// [`Fault::Refused`] where more is called than anybody could check, [`Fault::Query`].
pub async fn closure_of_known(session: &Session<'_>, names: &[&str]) -> Result<Closure, Fault> {
    let answered = known(session, names).await?;
    let mut fresh = Vec::new();
    let mut missing = BTreeSet::new();
    for name in names {
        match named(&answered, name) {
            Some(definition) => fresh.push(((*name).to_owned(), definition.clone())),
            None => _ = missing.insert((*name).to_owned()),
        }
    }
    let mut found = follow(session, fresh).await?;
    found.missing.append(&mut missing);
    Ok(found)
}

fn named<'a>(definitions: &'a [Definition], name: &str) -> Option<&'a Definition> {
    let is = |one: &&Definition| one.name == name || one.aliases.iter().any(|alias| alias == name);
    definitions.iter().find(is)
}

/// Reads what the fresh definitions call, and what that calls, until nothing is new.
async fn follow(
    session: &Session<'_>,
    mut fresh: Vec<(String, Definition)>,
) -> Result<Closure, Fault> {
    let mut found = Closure::default();
    loop {
        let mut called = BTreeSet::new();
        for (name, definition) in fresh.drain(..) {
            called.append(&mut callees(&definition));
            found.definitions.insert(name, definition);
        }
        called
            .retain(|name| !found.definitions.contains_key(name) && !found.missing.contains(name));
        if called.is_empty() {
            return Ok(found);
        }
        if found.definitions.len() + called.len() > MOST {
            return Err(Fault::refused(format!(
                "it calls more than {MOST} artifacts over all steps, more than can be checked"
            )));
        }
        let wanted: Vec<&str> = called.iter().map(String::as_str).collect();
        let answered = known(session, &wanted).await?;
        for name in called {
            match named(&answered, &name) {
                Some(definition) => fresh.push((name, definition.clone())),
                None => _ = found.missing.insert(name),
            }
        }
    }
}

/// The artifacts that a definition calls or imports, by the names that it uses. A text that does
/// not parse calls nothing here: whoever judges it finds that it does not parse.
pub fn callees(definition: &Definition) -> BTreeSet<String> {
    let sources = definition.sources.iter();
    let texts = sources
        .flat_map(|source| [Some(source.query.as_str()), source.precondition.as_deref()])
        .chain([definition.precondition.as_deref(), definition.export.as_deref()]);
    let mut called: BTreeSet<String> = definition.imports.iter().cloned().collect();
    for text in texts.flatten() {
        if let Ok(program) = vql_builder::parse(text).program() {
            called.append(&mut calls(&program));
        }
    }
    called
}

/// The artifacts that a text calls, by the names that it uses.
pub fn calls(program: &Program) -> BTreeSet<String> {
    let names = program.calls().into_iter();
    names.filter_map(|call| call.name.strip_prefix(CALLED).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(name: &str, queries: &[&str]) -> Definition {
        let sources: Vec<_> = queries.iter().map(|query| json!({ "query": query })).collect();
        serde_json::from_value(json!({
            "Name": name, "Type": "client", "Description": "", "Author": "", "Reference": [],
            "Aliases": [], "BuiltIn": true, "RequiredPermissions": [], "ImpliedPermissions": [],
            "Impersonate": "", "Precondition": "SELECT OS FROM Artifact.Inside.Precondition()",
            "Parameters": [], "Sources": sources, "Imports": ["Imported"],
            "Export": "LET f(x) = SELECT * FROM Artifact.Inside.Export()", "Tools": [],
            "ColumnTypes": [], "Resources": {}, "Metadata": {},
        }))
        .unwrap()
    }

    #[test]
    fn every_place_that_can_call_is_looked_at() {
        let of = definition(
            "Top",
            &[
                "SELECT * FROM Artifact.One.Two(x=1)",
                "SELECT { SELECT * FROM `Artifact`.Three() } FROM scope() -- Artifact.Comment()",
            ],
        );
        let names: Vec<_> = callees(&of).into_iter().collect();
        assert_eq!(names, ["Imported", "Inside.Export", "Inside.Precondition", "One.Two", "Three"]);
    }

    #[test]
    fn a_circle_of_calls_ends() {
        let mut closure = Closure::default();
        for (name, calls) in [("A", "B"), ("B", "A"), ("C", "C")] {
            let query = format!("SELECT * FROM Artifact.{calls}()");
            closure.definitions.insert(name.to_owned(), definition(name, &[&query]));
        }
        assert_eq!(closure.reached_from("A").into_iter().collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(closure.reached_from("C").into_iter().collect::<Vec<_>>(), ["C"]);
        assert!(closure.reached_from("nobody").is_empty());
    }
}

//! Artifact definitions, as far as they decide what an artifact does.

use std::collections::HashMap;

/// Where definitions of artifacts come from.
pub trait Resolver {
    /// The definition of an artifact of this name; `None` where it is not known.
    fn artifact(&self, name: &str) -> Option<&Definition>;
}

/// Knows no artifact.
#[derive(Clone, Copy, Debug)]
pub struct NoArtifacts;

impl Resolver for NoArtifacts {
    fn artifact(&self, _name: &str) -> Option<&Definition> {
        None
    }
}

impl<S: std::hash::BuildHasher> Resolver for HashMap<String, Definition, S> {
    fn artifact(&self, name: &str) -> Option<&Definition> {
        self.get(name)
    }
}

/// A definition of an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// Its name: `Linux.Sys.Users`.
    pub name: String,
    /// Its type as written: `CLIENT`, `server_event`; empty means client.
    pub kind: String,
    /// The precondition of the whole artifact.
    pub precondition: Option<String>,
    /// Its sources.
    pub sources: Vec<Source>,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// VQL that runs before each source, and in the artifacts that import this one.
    pub export: Option<String>,
    /// The artifacts whose exports run before each source.
    pub imports: Vec<String>,
    /// The tools that a collection of it downloads.
    pub tools: Vec<String>,
    /// The user as whom it runs, whoever collects it.
    pub impersonate: Option<String>,
    /// The permissions that its collector must hold.
    pub required_permissions: Vec<String>,
}

/// A source of an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its name; empty where the artifact has one source only.
    pub name: String,
    /// Decides whether the source runs.
    pub precondition: Option<String>,
    /// Its texts; they share one scope.
    pub queries: Vec<String>,
}

/// A parameter of an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, which the sources use as a variable.
    pub name: String,
    /// Its type as written: `bool`, `regex`, `csv`; empty means a string.
    pub kind: String,
    /// Its value where the collector gives none.
    pub default: String,
}

//! What artifacts and queries would run, and what that can do.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use guard::asked::{Definition, Fetched, Place, VqlFound};
use guard::digest::Digest;
use velociraptor_api::artifacts::{self, Closure, InventoryEntry};
use velociraptor_api::{Fault, Session};
use vql_builder::effects::{self, Analyser, Effect, EffectSet, Kind, Report};

/// Artifacts as they are defined now, and what they can do.
#[derive(Debug, Default)]
pub struct Programs {
    pub(super) artifacts: BTreeMap<String, Definition>,
    pub(super) found: VqlFound,
}

/// Reads the definitions of artifacts with all that they call, and judges them.
///
/// # Errors
///
/// As [`artifacts::closure`].
pub async fn of_artifacts(
    session: &Session<'_>,
    names: &[&str],
    place: Place,
) -> Result<Programs, Fault> {
    let closure = artifacts::closure(session, names).await?;
    let known: HashMap<String, effects::Definition> = closure
        .definitions
        .iter()
        .map(|(name, definition)| (name.clone(), as_analysed(definition)))
        .collect();
    let inventory = inventory_of(session, &closure).await?;
    let analyser = Analyser::new(&known);
    let mut programs = Programs::default();
    for name in names {
        if let Some(definition) = known.get(*name) {
            let report = analyser.artifact(definition);
            let simulated = session.server().name() == lab::SIMULATED;
            programs.found.add(place, &if simulated { of_the_lab(report) } else { report });
        }
        if let Some(identity) = identity(&closure, name, &inventory) {
            programs.artifacts.insert((*name).to_owned(), identity);
        }
    }
    Ok(programs)
}

/// What a text can do.
#[derive(Debug, Default)]
pub struct Judged {
    /// What was found.
    pub found: VqlFound,
    /// Functions and plugins that no list of ours has.
    pub unlisted: BTreeSet<String>,
}

impl Judged {
    /// Whether it does nothing but read what the server stores.
    pub fn reads(&self) -> bool {
        let reads = |effect| effect <= Effect::Read || effect == Effect::Dos;
        !self.found.other_orgs && self.found.calls.iter().all(|one| reads(one.effect))
    }
}

/// Whether artifacts cut endpoints off, or let them back: to end their work is to undo containment.
pub fn contains<S: AsRef<str>>(artifacts: &[S]) -> bool {
    artifacts
        .iter()
        .any(|name| name.as_ref().to_ascii_lowercase().ends_with("remediation.quarantine"))
}

/// Why such work is a call to respond, for whoever is asked about it.
pub const CONTAINS: &str = "the artifact cuts endpoints off or lets them back";

/// What a text can do on the server. Artifacts that it calls are read from there.
///
/// # Errors
///
/// As [`artifacts::closure`], but for what does not exist: that is unknown.
pub async fn of_text(session: &Session<'_>, text: &str) -> Result<Judged, Fault> {
    let called: BTreeSet<String> = vql_builder::parse(text)
        .program()
        .map(|program| artifacts::calls(&program))
        .unwrap_or_default();
    let mut known = HashMap::new();
    if !called.is_empty() {
        let names: Vec<&str> = called.iter().map(String::as_str).collect();
        let closure = artifacts::closure_of_known(session, &names).await?;
        for (name, definition) in &closure.definitions {
            known.insert(name.clone(), as_analysed(definition));
        }
    }
    let report = effects::analyse(text, &known);
    let calls = report
        .findings
        .iter()
        .filter(|finding| matches!(finding.kind, Kind::Function | Kind::Plugin))
        .filter(|finding| finding.effects.contains(Effect::Unknown));
    let unlisted = calls
        .filter(|finding| effects::lookup(finding.kind, &finding.name).is_none())
        .map(|finding| finding.name.clone())
        .collect();
    let mut found = VqlFound::default();
    found.add(Place::Server, &report);
    Ok(Judged { found, unlisted })
}

/// The plugin by which artifacts of the simulated server look at its hosts. No real server has it.
const OF_THE_LAB: &str = "lab_table";

/// What an artifact of the simulated server can do.
pub(super) fn of_the_lab(mut report: Report) -> Report {
    for finding in &mut report.findings {
        if finding.kind == Kind::Plugin && finding.name == OF_THE_LAB {
            finding.effects = Effect::Host.into();
        }
    }
    let all = report.findings.iter().map(|finding| finding.effects);
    report.effects = all.fold(EffectSet::NONE, EffectSet::with);
    report
}

/// What the server would hand out of the tools that definitions name.
async fn inventory_of(
    session: &Session<'_>,
    closure: &Closure,
) -> Result<Vec<InventoryEntry>, Fault> {
    let tools = closure.definitions.values().flat_map(|definition| &definition.tools);
    let names: BTreeSet<&str> = tools.map(|tool| tool.name.as_str()).collect();
    artifacts::inventory(session, &names.into_iter().collect::<Vec<_>>()).await
}

fn identity(closure: &Closure, name: &str, inventory: &[InventoryEntry]) -> Option<Definition> {
    let digest = |definition: &artifacts::Definition| Digest::of("artifact", definition);
    let own = closure.definitions.get(name)?;
    let called: Vec<(&str, &artifacts::Definition)> = closure
        .reached_from(name)
        .into_iter()
        .filter(|called| *called != name)
        .filter_map(|called| Some((called, closure.definitions.get(called)?)))
        .collect();
    let all = called.iter().map(|(_, definition)| *definition).chain([own]);
    let tools = all.flat_map(|definition| &definition.tools);
    Some(Definition {
        sha256: digest(own),
        tools: tools.map(|tool| (tool.name.clone(), fetched(tool, inventory))).collect(),
        dependencies: called.iter().map(|(name, one)| ((*name).to_owned(), digest(one))).collect(),
        kept: None,
    })
}

/// A tool as the server would hand it out: by its inventory, and else by the definition.
fn fetched(tool: &artifacts::Tool, inventory: &[InventoryEntry]) -> Fetched {
    let entries: Vec<_> = inventory.iter().filter(|entry| entry.name == tool.name).collect();
    let record: Vec<_> = entries
        .iter()
        .map(|entry| {
            let hashes = (&entry.hash, &entry.expected_hash);
            (&entry.url, hashes, entry.serve_locally, &entry.rest)
        })
        .collect();
    let record = Digest::of("tool", &(tool, record));
    match entries.first() {
        Some(entry) => Fetched {
            url: entry.url.clone(),
            by_server: entry.serve_locally,
            sha256: entry.sha256().map(str::to_owned),
            record,
        },
        None => Fetched {
            url: tool.url.clone().unwrap_or_default(),
            by_server: tool.serve_locally,
            sha256: tool.expected_hash.clone(),
            record,
        },
    }
}

fn as_analysed(definition: &artifacts::Definition) -> effects::Definition {
    effects::Definition {
        name: definition.name.clone(),
        kind: definition.kind.as_str().to_owned(),
        precondition: definition.precondition.clone(),
        sources: definition
            .sources
            .iter()
            .map(|source| effects::Source {
                name: source.name.clone().unwrap_or_default(),
                precondition: source.precondition.clone(),
                queries: vec![source.query.clone()],
            })
            .collect(),
        parameters: definition
            .parameters
            .iter()
            .map(|parameter| effects::Parameter {
                name: parameter.name.clone(),
                kind: parameter.kind.clone(),
                default: parameter.default.clone(),
            })
            .collect(),
        export: definition.export.clone(),
        imports: definition.imports.clone(),
        tools: definition.tools.iter().map(|tool| tool.name.clone()).collect(),
        impersonate: definition.impersonate.clone(),
        required_permissions: definition.required_permissions.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_reads_where_nothing_in_it_does_more() {
        let judged = |text| {
            let mut found = VqlFound::default();
            found.add(Place::Server, &effects::analyse(text, &effects::NoArtifacts));
            Judged { found, unlisted: BTreeSet::new() }
        };
        assert!(judged("SELECT client_id, now() AS Now FROM clients()").reads());
        assert!(judged("SELECT * FROM clock(period=1)").reads());
        assert!(!judged("SELECT *, { SELECT * FROM execve(argv='id') } FROM clients()").reads());
        assert!(!judged("SELECT * FROM query(query='SELECT 1 FROM scope()', org_id='O1')").reads());
    }
}

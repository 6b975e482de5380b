//! What a hunt runs: its artifacts as they were compiled when it was made.

use std::collections::{BTreeMap, HashMap};

use guard::asked::{Definition, Fetched, Found, Kept, Place};
use guard::digest::Digest;
use velociraptor_api::hunts::compiled::{Carried, Part};
use velociraptor_api::hunts::{self, HuntStatus};
use velociraptor_api::{Fault, Session, artifacts};
use vql_builder::effects::{self, Analyser, Effect};

use super::programs::{Programs, of_the_lab};

/// What a hunt would run on each client. Its artifacts as they are defined now are looked at only
/// to say what was redefined since.
///
/// # Errors
///
/// As [`artifacts::closure_of_known`].
pub async fn of_hunt(session: &Session<'_>, status: &HuntStatus) -> Result<Programs, Fault> {
    let compiled = &status.compiled;
    let mut programs = Programs::default();
    let simulated = session.server().name() == lab::SIMULATED;
    for part in &compiled.parts {
        let carried: HashMap<String, effects::Definition> =
            part.artifacts.iter().map(|one| (one.name.clone(), as_carried(one))).collect();
        let report = Analyser::new(&carried).artifact(&as_part(part));
        programs.found.add(Place::Endpoint, &if simulated { of_the_lab(report) } else { report });
    }
    if compiled.parts.is_empty() && !status.hunt.artifacts.is_empty() {
        // The server does not say what it would run.
        let call = String::from("what the hunt keeps");
        let (place, effect) = (Place::Endpoint, Effect::Unknown);
        programs.found.calls.insert(Found { place, effect, call });
    }
    let names: Vec<&str> = status.hunt.artifacts.iter().map(String::as_str).collect();
    let now = artifacts::closure_of_known(session, &names).await?;
    let kept = Kept { redefined: hunts::redefined(status, &now) };
    let carried = compiled.parts.iter().flat_map(|part| &part.artifacts);
    let dependencies: BTreeMap<String, Digest> = carried
        .map(|one| (one.name.clone(), Digest::of("kept artifact", &(&one.name, compiled.whole()))))
        .collect();
    let definition = Definition {
        sha256: Digest::of("kept hunt", compiled.whole()),
        dependencies,
        tools: tools(status),
        kept: Some(kept),
    };
    // The server keeps its parts without saying which artifact each is of.
    programs.artifacts =
        names.into_iter().map(|name| (name.to_owned(), definition.clone())).collect();
    Ok(programs)
}

/// The tools with the addresses and hashes that were kept.
fn tools(status: &HuntStatus) -> BTreeMap<String, Fetched> {
    let tools = status.compiled.tools();
    tools
        .into_iter()
        .map(|(name, values)| {
            let value = |what: &str| values.get(what).copied().unwrap_or_default().to_owned();
            let fetched = Fetched {
                url: value("URL"),
                by_server: false,
                sha256: Some(value("HASH")).filter(|hash| !hash.is_empty()),
                record: Digest::of("kept tool", &values),
            };
            (name.to_owned(), fetched)
        })
        .collect()
}

/// A part as one artifact, whose parameters have the values that were kept.
fn as_part(part: &Part) -> effects::Definition {
    let parameters = part.env.iter().map(|pair| effects::Parameter {
        name: pair.key.clone(),
        kind: String::new(),
        default: pair.value.clone(),
    });
    let tools = part.env.iter().filter(|pair| pair.key.starts_with("Tool_"));
    effects::Definition {
        name: String::from("the hunt"),
        kind: String::from("client"),
        precondition: part.precondition.clone(),
        sources: vec![effects::Source {
            name: String::new(),
            precondition: None,
            queries: vec![part.text()],
        }],
        parameters: parameters.collect(),
        export: None,
        imports: Vec::new(),
        tools: tools.map(|pair| pair.key.clone()).collect(),
        impersonate: part.effective_principal.clone(),
        required_permissions: Vec::new(),
    }
}

fn as_carried(carried: &Carried) -> effects::Definition {
    effects::Definition {
        name: carried.name.clone(),
        kind: String::from("client"),
        precondition: carried.precondition.clone(),
        sources: carried
            .sources
            .iter()
            .map(|source| effects::Source {
                name: source.name.clone(),
                precondition: source.precondition.clone(),
                queries: vec![source.text()],
            })
            .collect(),
        parameters: carried
            .parameters
            .iter()
            .map(|parameter| effects::Parameter {
                name: parameter.name.clone(),
                kind: parameter.kind.clone(),
                default: parameter.default.clone(),
            })
            .collect(),
        export: carried.export.clone(),
        imports: carried.imports.clone(),
        // What they fetch stands among the values of the part.
        tools: Vec::new(),
        impersonate: carried.impersonate.clone(),
        required_permissions: Vec::new(),
    }
}

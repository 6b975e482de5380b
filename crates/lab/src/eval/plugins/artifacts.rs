//! Artifact definitions, and artifacts used as plugins.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Plugin, reads, send};
use crate::eval::program::{environment, run_source};
use crate::eval::{Arg, Call, Failure, Kind, Sink, Text};
use crate::value::{Dict, display};
use crate::world::{Definition, typed};

pub(super) const TABLE: &[Plugin] = &[
    reads(
        "artifact_definitions",
        "Artifact definitions.",
        &[
            Arg::optional("names", Kind::Strings),
            Arg::optional("deps", Kind::Bool),
            Arg::optional("sanitize", Kind::Bool),
        ],
        artifact_definitions,
    ),
    reads("inventory", "Programs that artifacts fetch.", &[], inventory),
];

/// The tools that definitions name. Nobody overrides them here, and none was ever fetched.
fn inventory(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let tools: Vec<Dict> = {
        let state = call.scope.run.world.state();
        let definitions = state.repository.iter();
        let all = definitions.flat_map(|definition| {
            definition.tools.iter().map(|tool| tool.inventory_row(&definition.name))
        });
        all.collect()
    };
    send(tools, sink);
    Ok(())
}

fn artifact_definitions(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let run = call.scope.run;
    let names = call.strings("names");
    let mut unknown = Vec::new();
    let found: Vec<Arc<Definition>> = {
        let state = run.world.state();
        if names.is_empty() {
            state.repository.iter().cloned().collect()
        } else {
            names
                .iter()
                .filter_map(|name| {
                    let known = state.repository.get(name).cloned();
                    if known.is_none() {
                        unknown.push(name);
                    }
                    known
                })
                .collect()
        }
    };
    for name in unknown {
        run.log(format!("artifact_definitions: artifact {name} not known"));
    }
    send(found.iter().map(|definition| -> Dict { definition.row() }), sink);
    Ok(())
}

/// `FROM Artifact.Some.Name(Parameter=…)`: all its sources with these parameters.
///
/// # Errors
/// An artifact that does not exist.
pub(crate) fn run_artifact(
    call: &Call<'_>,
    name: &str,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let definition = {
        let state = call.scope.run.world.lock();
        state.repository.get(name).cloned()
    };
    let definition = definition.ok_or_else(|| format!("Artifact {name} not found"))?;
    let mut parameters: Vec<_> = definition
        .parameters
        .iter()
        .map(|parameter| (parameter.name.clone(), typed(&parameter.kind, &parameter.default)))
        .collect();
    for (given, value) in &call.free {
        match parameters.iter_mut().find(|(name, _)| **name == **given) {
            Some((_, own)) => *own = value.clone(),
            None => return Err(format!("Unknown parameter {given} ({})", display(value))),
        }
    }
    let frame = environment(parameters);
    let scope = call.scope.with(&frame);
    for source in &definition.sources {
        let text = Text::parse(&source.query)?;
        let mut flow = ControlFlow::Continue(());
        run_source(&scope, &text, &mut |row| {
            flow = sink(row);
            flow
        });
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

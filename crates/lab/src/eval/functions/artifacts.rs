//! Functions on artifact definitions.

use super::{Function, server};
use crate::eval::{Arg, Call, Failure, Kind};
use crate::value::Value;
use crate::world::Definition;
use crate::world::accounts::Permission;

pub(super) const TABLE: &[Function] = &[
    server(
        "artifact_set",
        "Adds an artifact.",
        &[],
        &[
            Arg::optional("definition", Kind::Str),
            Arg::optional("prefix", Kind::Str),
            Arg::optional("tags", Kind::Strings),
            Arg::optional("repository", Kind::Str),
        ],
        artifact_set,
    ),
    server(
        "artifact_delete",
        "Removes a custom artifact.",
        &[Permission::ArtifactWriter],
        &[Arg::optional("name", Kind::Str)],
        artifact_delete,
    ),
];

fn artifact_set(call: &Call<'_>) -> Result<Value, Failure> {
    let text = call.text("definition");
    let run = call.scope.run;
    // Somebody who may write neither kind is told the first.
    run.require(Permission::ArtifactWriter)
        .or_else(|error| run.require(Permission::ServerArtifactWriter).map_err(|_| error))?;
    let definition = Definition::parse(&text, false).map_err(|error| format!("{error}: {text}"))?;
    if matches!(definition.kind.as_str(), "server" | "server_event" | "internal") {
        run.require(Permission::ServerArtifactWriter)?;
    } else {
        run.require(Permission::ArtifactWriter)?;
    }
    let mut state = run.world.state();
    if state.repository.get(&definition.name).is_some_and(|known| known.built_in) {
        return Err(format!("Unable to override built in artifact {}", definition.name));
    }
    Ok(Value::from(state.repository.insert(definition).row()))
}

fn artifact_delete(call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.text("name");
    let mut state = call.scope.run.world.state();
    let known = state.repository.get(&name);
    let known = known.ok_or_else(|| format!("Artifact '{name}' not found"))?;
    if known.built_in {
        return Err(String::from("Can only delete custom artifacts."));
    }
    state.repository.remove(&name);
    Ok(Value::str(name))
}

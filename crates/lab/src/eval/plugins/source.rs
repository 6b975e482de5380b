//! `source()`: the rows of a flow, a hunt, or an event artifact.

use super::hunts::rows_of_hunt;
use super::{Plugin, reads, send};
use crate::eval::{Arg, Call, Failure, Kind, Sink, time_from};
use crate::value::{Dict, Value, display};
use crate::world::source_rows;

pub(super) const TABLE: &[Plugin] = &[reads(
    "source",
    "The rows of a flow, a hunt or an event artifact.",
    &[
        Arg::optional("client_id", Kind::Str),
        Arg::optional("flow_id", Kind::Str),
        Arg::optional("hunt_id", Kind::Str),
        Arg::optional("artifact", Kind::Str),
        Arg::optional("source", Kind::Str),
        Arg::optional("start_time", Kind::Any),
        Arg::optional("end_time", Kind::Any),
        Arg::optional("notebook_id", Kind::Str),
        Arg::optional("notebook_cell_id", Kind::Str),
        Arg::optional("notebook_cell_version", Kind::Str),
        Arg::optional("notebook_cell_table", Kind::Int),
        Arg::optional("start_row", Kind::Int),
        Arg::optional("count", Kind::Int),
        Arg::optional("orgs", Kind::Strings),
    ],
    source,
)];

/// What is left out is taken from variables of the scope, as the real plugin does.
fn argument(call: &Call<'_>, name: &str, variable: &str) -> Value {
    if call.has(name) { call.value(name) } else { call.scope.value(variable).unwrap_or_default() }
}

fn source(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let text = |name, variable| display(&argument(call, name, variable));
    let artifact = text("artifact", "ArtifactName");
    if artifact.is_empty() {
        return Err(String::from(
            "source: One of artifact, flow_id, hunt_id, notebook_id should be specified.",
        ));
    }
    let (client, flow_id, hunt) =
        (text("client_id", "ClientId"), text("flow_id", "FlowId"), text("hunt_id", "HuntId"));
    let source = call.text("source");
    let name = if source.is_empty() { artifact } else { format!("{artifact}/{source}") };
    let run = call.scope.run;
    known(call, &name)?;
    if name == "Server.Audit.Logs" {
        let from = time_from(&call.value("start_time"));
        let to = time_from(&call.value("end_time"));
        let rows: Vec<Dict> = {
            let mut state = run.world.state();
            let entries = state.org(&run.session.org).audit.clone();
            entries
                .iter()
                .filter(|entry| from.is_none_or(|from| entry.time() >= from))
                // Times have whole seconds, and the end is within.
                .filter(|entry| to.is_none_or(|to| entry.time().as_second() <= to.as_second()))
                .map(crate::world::AuditEntry::row)
                .collect()
        };
        send(rows, sink);
        return Ok(());
    }
    if !hunt.is_empty() {
        rows_of_hunt(call, &hunt, &name, sink);
        return Ok(());
    }
    let flow = {
        let mut state = run.world.state();
        state.org(&run.session.org).flow(&client, &flow_id).cloned()
    };
    let Some(flow) = flow else { return Ok(()) };
    let start = usize::try_from(argument(call, "start_row", "StartRow").as_int().unwrap_or(0));
    let mut left = call.int("count").filter(|count| *count > 0).unwrap_or(i64::MAX);
    source_rows(&run.world, &run.session.org, &flow, &name, start.unwrap_or(0), &mut |row| {
        left -= 1;
        sink(row)?;
        if left <= 0 {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    });
    Ok(())
}

/// The artifact exists and has the source.
fn known(call: &Call<'_>, name: &str) -> Result<(), Failure> {
    let state = call.scope.run.world.state();
    let (artifact, source) = name.split_once('/').unwrap_or((name, ""));
    let definition = state.repository.get(artifact);
    let has = definition.is_some_and(|definition| {
        source.is_empty() || definition.sources.iter().any(|own| own.name == source)
    });
    if has { Ok(()) } else { Err(format!("Artifact {name} not known")) }
}

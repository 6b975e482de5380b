//! Plugins about hunts.

use std::ops::ControlFlow;

use super::{Plugin, reads, send};
use crate::eval::{Arg, Call, Failure, Kind, Sink};
use crate::value::{Dict, Value, row};
use crate::world::{Flow, source_rows};

pub(super) const TABLE: &[Plugin] = &[
    reads(
        "hunts",
        "Hunts.",
        &[Arg::optional("hunt_id", Kind::Str), Arg::optional("summary", Kind::Bool)],
        hunts,
    ),
    reads(
        "hunt_flows",
        "The flows of a hunt.",
        &[
            Arg::needed("hunt_id", Kind::Str),
            Arg::optional("start_row", Kind::Int),
            Arg::optional("limit", Kind::Int),
            Arg::optional("basic_info", Kind::Bool),
        ],
        hunt_flows,
    ),
    reads(
        "hunt_results",
        "The rows of a hunt.",
        &[
            Arg::optional("artifact", Kind::Str),
            Arg::optional("source", Kind::Str),
            Arg::needed("hunt_id", Kind::Str),
            Arg::optional("brief", Kind::Bool),
            Arg::optional("orgs", Kind::Strings),
        ],
        hunt_results,
    ),
];

fn hunts(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let id = call.text("hunt_id");
    let run = call.scope.run;
    let rows: Vec<Dict> = {
        let mut state = run.world.state();
        let org = &*state.org(&run.session.org);
        // Newest first.
        org.hunts
            .values()
            .rev()
            .filter(|hunt| id.is_empty() || hunt.id == id)
            .map(|hunt| hunt.row(org))
            .collect()
    };
    send(rows, sink);
    Ok(())
}

/// `limit` is taken and ignored; `basic_info` hides the state.
fn hunt_flows(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let id = call.text("hunt_id");
    let run = call.scope.run;
    let basic = call.flag("basic_info");
    let start = usize::try_from(call.int("start_row").unwrap_or(0)).unwrap_or(0);
    let rows: Vec<Dict> = {
        let mut state = run.world.state();
        let org = &*state.org(&run.session.org);
        let Some(hunt) = org.hunts.get(&id) else { return Ok(()) };
        hunt.members
            .iter()
            .skip(start)
            .map(|(client, flow_id)| {
                let flow = if basic {
                    row! { "client_id" => client, "session_id" => flow_id, "state" => "UNSET" }
                } else {
                    org.flow(client, flow_id).map(Flow::row).unwrap_or_default()
                };
                row! {
                    "HuntId" => &id, "ClientId" => client, "FlowId" => flow_id, "Flow" => flow,
                }
            })
            .collect()
    };
    send(rows, sink);
    Ok(())
}

fn hunt_results(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let run = call.scope.run;
    let (mut artifact, source) = (call.text("artifact"), call.text("source"));
    let wanted = call.strings("orgs");
    {
        let mut state = run.world.state();
        if !wanted.is_empty() && !wanted.iter().all(|org| state.orgs.contains_key(org)) {
            return Ok(());
        }
        let org = state.org(&run.session.org);
        let hunt = org.hunts.get(&call.text("hunt_id")).ok_or("Hunt not found")?;
        if artifact.is_empty() {
            artifact = hunt.sources.first().cloned().unwrap_or_default();
        } else if !hunt.sources.contains(&artifact)
            && !hunt.sources.contains(&format!("{artifact}/{source}"))
        {
            return Err(format!(
                "artifact {artifact} not available in hunt. Available artifacts are {}",
                hunt.sources.join(", ")
            ));
        }
    }
    // With both given, the server appends the source's name twice and finds nothing.
    if !source.is_empty() {
        return Ok(());
    }
    rows_of_hunt(call, &call.text("hunt_id"), &artifact, sink);
    Ok(())
}

/// The rows of one source on all clients of a hunt, with where each comes from.
pub(super) fn rows_of_hunt(call: &Call<'_>, hunt: &str, name: &str, sink: &mut Sink<'_>) {
    let run = call.scope.run;
    let org_id = &run.session.org;
    let flows: Vec<(Flow, String)> = {
        let mut state = run.world.state();
        let org = &*state.org(org_id);
        let Some(hunt) = org.hunts.get(hunt) else { return };
        hunt.members
            .iter()
            .filter_map(|(client, flow)| {
                let fqdn = org.clients.get(client)?.fqdn().to_owned();
                Some((org.flow(client, flow)?.clone(), fqdn))
            })
            .collect()
    };
    for (flow, fqdn) in flows {
        let mut next = ControlFlow::Continue(());
        source_rows(&run.world, org_id, &flow, name, 0, &mut |mut row| {
            row.insert("FlowId".into(), Value::str(&flow.id));
            row.insert("ClientId".into(), Value::str(&flow.order.client_id));
            row.insert("_OrgId".into(), Value::str(org_id));
            row.insert("Fqdn".into(), Value::str(&fqdn));
            next = sink(row);
            next
        });
        if next.is_break() {
            return;
        }
    }
}

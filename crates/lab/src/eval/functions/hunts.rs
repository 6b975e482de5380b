//! Functions on hunts.

use std::sync::Arc;

use super::collect::limits;
use super::{Function, server};
use crate::eval::{Arg, Call, Failure, Kind, time_from};
use crate::value::{Value, row};
use crate::world::accounts::Permission;
use crate::world::{Condition, Flow, Hunt, HuntState, NewHunt, Order};

const HUNT: Arg = Arg::needed("hunt_id", Kind::Str);

pub(super) const TABLE: &[Function] = &[
    server(
        "hunt",
        "Creates a hunt.",
        &[Permission::StartHunt],
        &[
            Arg::optional("description", Kind::Str),
            Arg::optional("tags", Kind::Strings),
            Arg::needed("artifacts", Kind::Strings),
            Arg::optional("expires", Kind::Lazy),
            Arg::optional("spec", Kind::Any),
            Arg::optional("timeout", Kind::Int),
            Arg::optional("ops_per_sec", Kind::Float),
            Arg::optional("cpu_limit", Kind::Float),
            Arg::optional("iops_limit", Kind::Float),
            Arg::optional("max_rows", Kind::Int),
            Arg::optional("max_bytes", Kind::Int),
            Arg::optional("pause", Kind::Bool),
            Arg::optional("include_labels", Kind::Strings),
            Arg::optional("exclude_labels", Kind::Strings),
            Arg::optional("os", Kind::Str),
            Arg::optional("org_id", Kind::Strings),
        ],
        hunt,
    ),
    server("hunt_info", "A hunt's record.", &[Permission::ReadResults], &[HUNT], hunt_info),
    server(
        "hunt_update",
        "Changes a hunt.",
        &[Permission::StartHunt],
        &[
            HUNT,
            Arg::optional("stop", Kind::Bool),
            Arg::optional("start", Kind::Bool),
            Arg::optional("description", Kind::Str),
            Arg::optional("expires", Kind::Time),
            Arg::optional("add_labels", Kind::Strings),
            Arg::optional("del_labels", Kind::Strings),
        ],
        hunt_update,
    ),
    server(
        "hunt_add",
        "Gives a hunt to one client.",
        &[Permission::StartHunt],
        &[
            Arg::needed("client_id", Kind::Str),
            HUNT,
            Arg::optional("flow_id", Kind::Str),
            Arg::optional("relaunch", Kind::Bool),
        ],
        hunt_add,
    ),
];

fn hunt(call: &Call<'_>) -> Result<Value, Failure> {
    let run = call.scope.run;
    let os = call.text("os").to_lowercase();
    if !matches!(os.as_str(), "" | "windows" | "linux" | "darwin") {
        return Err(format!("OS condition invalid {os} (should be linux, windows, darwin)"));
    }
    let (mut labels, mut excluded) =
        (call.strings("include_labels"), call.strings("exclude_labels"));
    // A system replaces the whole condition: labels are lost, exclusions too.
    if !os.is_empty() && (!labels.is_empty() || !excluded.is_empty()) {
        run.log("hunt: Both OS and label conditions set, ignoring include label conditions");
        labels.clear();
        excluded.clear();
    }
    let condition = Condition { os: Some(os).filter(|os| !os.is_empty()), labels, excluded };
    let mut state = run.world.state();
    let order = Order {
        artifacts: call.strings("artifacts"),
        limits: limits(call),
        creator: run.session.user.clone(),
        ..Order::default()
    };
    let spec = match call.value("spec") {
        Value::Dict(spec) => Some(spec),
        _ => None,
    };
    let mut lines = Vec::new();
    let order = order.with_spec(&state.repository, spec.as_deref(), &mut lines)?;
    order.permitted(&state.repository, &run.session)?;
    let compiled = state.repository.compile(&order);
    let order = order.bounded(&state.repository);
    let expires = time_from(&call.eval("expires"));
    let id = state.new_id('H');
    let sources = order
        .artifacts
        .iter()
        .filter_map(|name| state.repository.get(name))
        .flat_map(|definition| definition.source_names())
        .collect();
    let hunt = Hunt::new(NewHunt {
        id: id.clone(),
        order,
        compiled,
        sources,
        condition,
        description: call.text("description"),
        tags: call.strings("tags"),
        expires,
        client_limit: 0,
        paused: call.flag("pause"),
        org: run.session.org.clone(),
    });
    let request = hunt.created_row();
    let org = state.org(&run.session.org);
    org.record("CreateHunt", &run.session.user, row! { "hunt_id" => &id });
    org.hunts.insert(id.clone(), hunt);
    // Writing a line may wait for the client, and nobody else may wait for that.
    drop(state);
    lines.into_iter().for_each(|line| run.log(line));
    Ok(Value::from(row! { "HuntId" => id, "Request" => request }))
}

/// Also takes the id of the hunt's flows.
fn hunt_info(call: &Call<'_>) -> Result<Value, Failure> {
    let id = call.text("hunt_id");
    let run = call.scope.run;
    let mut state = run.world.state();
    let org = state.org(&run.session.org);
    let hunt = org.hunts.values().find(|hunt| hunt.id == id || hunt.flow_id() == id);
    Ok(hunt.map_or(Value::Null, |hunt| Value::from(hunt.row(org))))
}

/// Answers with the id, also of a hunt that does not exist.
fn hunt_update(call: &Call<'_>) -> Result<Value, Failure> {
    let id = call.text("hunt_id");
    let run = call.scope.run;
    let mut state = run.world.state();
    let org = state.org(&run.session.org);
    let Some(hunt) = org.hunts.get_mut(&id) else { return Ok(Value::str(id)) };
    if call.flag("start") {
        hunt.change_state(HuntState::Running);
    } else if call.flag("stop") {
        hunt.change_state(HuntState::Stopped);
    }
    if call.has("description") {
        hunt.description = call.text("description");
    }
    if let Some(expires) = call.time("expires") {
        hunt.expires = expires;
    }
    let tagged = call.has("add_labels") || call.has("del_labels");
    for tag in call.strings("add_labels") {
        if !hunt.tags.contains(&tag) {
            hunt.tags.push(tag);
        }
    }
    let removed = call.strings("del_labels");
    hunt.tags.retain(|tag| !removed.contains(tag));
    hunt.touch();
    let tags = hunt.tags.clone();
    org.record("ModifyHunt", &run.session.user, row! { "hunt_id" => &id });
    Ok(if tagged { Value::strings(tags) } else { Value::str(id) })
}

/// Schedules at once, even while the hunt is paused; an unknown hunt or client gives the same
/// answer.
fn hunt_add(call: &Call<'_>) -> Result<Value, Failure> {
    let (client, id) = (call.text("client_id"), call.text("hunt_id"));
    let run = call.scope.run;
    let mut state = run.world.state();
    let fresh = state.new_id('F');
    let org = state.org(&run.session.org);
    let known = org.clients.contains_key(&client);
    let Some(hunt) = org.hunts.get_mut(&id).filter(|_| known) else {
        return Ok(Value::str(client));
    };
    let attached = call.text("flow_id");
    let relaunch = call.flag("relaunch");
    if !attached.is_empty() {
        hunt.members.insert(client.clone(), attached);
        return Ok(Value::str(client));
    }
    if hunt.members.contains_key(&client) && !relaunch {
        return Ok(Value::str(client));
    }
    let flow_id = if relaunch { fresh } else { hunt.flow_id() };
    hunt.members.insert(client.clone(), flow_id.clone());
    let order = Order { client_id: client.clone(), ..hunt.order.clone() };
    org.add_flow(Flow::new(flow_id.clone(), order));
    Ok(Value::Str(Arc::from(if relaunch { flow_id } else { client })))
}

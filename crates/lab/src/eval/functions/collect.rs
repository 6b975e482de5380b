//! Functions on collections.

use super::{Function, server};
use crate::eval::{Arg, Call, Failure, Kind};
use crate::value::{Value, row};
use crate::world::accounts::Permission;
use crate::world::{Limits, Order, SERVER};

pub(super) const TABLE: &[Function] = &[
    server(
        "collect_client",
        "Collects artifacts from a client.",
        &[],
        &[
            Arg::needed("client_id", Kind::Str),
            Arg::optional("flow_id", Kind::Str),
            Arg::needed("artifacts", Kind::Strings),
            Arg::optional("env", Kind::Dict),
            Arg::optional("spec", Kind::Dict),
            Arg::optional("timeout", Kind::Int),
            Arg::optional("ops_per_sec", Kind::Float),
            Arg::optional("cpu_limit", Kind::Float),
            Arg::optional("iops_limit", Kind::Float),
            Arg::optional("max_rows", Kind::Int),
            Arg::optional("max_bytes", Kind::Int),
            Arg::optional("urgent", Kind::Bool),
            Arg::optional("org_id", Kind::Str),
        ],
        collect_client,
    ),
    server(
        "cancel_flow",
        "Cancels a flow.",
        &[],
        &[Arg::needed("client_id", Kind::Str), Arg::optional("flow_id", Kind::Str)],
        cancel_flow,
    ),
    server(
        "get_flow",
        "A flow's record.",
        &[],
        &[
            Arg::needed("client_id", Kind::Str),
            Arg::optional("flow_id", Kind::Str),
            Arg::optional("summary", Kind::Bool),
        ],
        get_flow,
    ),
];

/// The limits that a call asks for.
pub(super) fn limits(call: &Call<'_>) -> Limits {
    let number = |name| call.int(name).unwrap_or(0);
    let fraction = |name| call.value(name).as_float().unwrap_or(0.0);
    Limits {
        timeout: number("timeout"),
        max_rows: number("max_rows"),
        max_bytes: number("max_bytes"),
        cpu: fraction("cpu_limit"),
        iops: fraction("iops_limit"),
        ops: fraction("ops_per_sec"),
    }
}

fn collect_client(call: &Call<'_>) -> Result<Value, Failure> {
    let run = call.scope.run;
    let mut state = run.world.state();
    let org_id = match call.text("org_id") {
        id if id.is_empty() => run.session.org.clone(),
        id if state.orgs.contains_key(&id) => id,
        _ => return Err(String::from("Org not found")),
    };
    let order = Order {
        client_id: call.text("client_id"),
        artifacts: call.strings("artifacts"),
        limits: limits(call),
        creator: run.session.user.clone(),
        urgent: call.flag("urgent"),
        ..Order::default()
    };
    let spec = match (call.value("spec"), call.value("env")) {
        (Value::Dict(spec), _) => Some(spec),
        // One set of values for all artifacts.
        (_, Value::Dict(env)) => {
            let all = order.artifacts.iter().map(|a| (a.as_str().into(), Value::Dict(env.clone())));
            Some(std::sync::Arc::new(all.collect()))
        }
        _ => None,
    };
    let mut lines = Vec::new();
    let order = order.with_spec(&state.repository, spec.as_deref(), &mut lines)?;
    order.permitted(&state.repository, &run.session)?;
    let order = order.bounded(&state.repository);
    let flow_id = match call.text("flow_id") {
        id if id.is_empty() => state.new_id('F'),
        id => id.split_whitespace().next().unwrap_or_default().to_owned(),
    };
    let request = order.row(&flow_id);
    let flow_id = state.org(&org_id).launch(order, flow_id)?;
    // Writing a line may wait for the client, and nobody else may wait for that.
    drop(state);
    lines.into_iter().for_each(|line| run.log(line));
    Ok(Value::from(row! { "flow_id" => flow_id, "request" => request }))
}

fn needed(client_id: &str) -> Permission {
    if client_id == SERVER { Permission::CollectServer } else { Permission::CollectClient }
}

/// Answers the same for an unknown flow, and turns a finished one into an error.
fn cancel_flow(call: &Call<'_>) -> Result<Value, Failure> {
    let (client, flow) = (call.text("client_id"), call.text("flow_id"));
    let run = call.scope.run;
    run.require(needed(&client))?;
    let mut state = run.world.state();
    if let Some(flow) = state.org(&run.session.org).flow_mut(&client, &flow) {
        flow.cancel();
    }
    Ok(Value::from(row! { "flow_id" => flow }))
}

fn get_flow(call: &Call<'_>) -> Result<Value, Failure> {
    let (client, flow) = (call.text("client_id"), call.text("flow_id"));
    let run = call.scope.run;
    run.require(needed(&client))?;
    let mut state = run.world.state();
    let found = state.org(&run.session.org).flow(&client, &flow);
    let found = found.ok_or_else(|| format!("Flow not found: {flow} in client '{client}'"))?;
    Ok(Value::from(found.row()))
}

//! The unary methods on hunts. They act on the first org, whatever org the user means.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use tonic::Status;
use velociraptor_api::generated as proto;

use crate::eval::Session;
use crate::world::accounts::Permission;
use crate::world::{Condition, Hunt, HuntState, Limits, NewHunt, Order, World};

/// Creates a hunt; the answer's `flow_id` is the hunt's id.
pub(super) fn create(
    world: &Arc<World>,
    session: &Session,
    request: proto::Hunt,
) -> Result<proto::StartFlowResponse, Status> {
    let running = request.state() == proto::hunt::State::Running;
    let needed = if running { Permission::StartHunt } else { Permission::CollectClient };
    if !session.account.may(needed) {
        return Err(Status::permission_denied("User is not allowed to launch hunts."));
    }
    let start = request.start_request.unwrap_or_default();
    let mut state = world.state();
    let mut specs = IndexMap::new();
    for spec in &start.specs {
        let env = spec.parameters.iter().flat_map(|parameters| &parameters.env);
        let values = env.map(|env| (env.key.clone(), env.value.clone())).collect();
        specs.insert(spec.artifact.clone(), values);
    }
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let order = Order {
        artifacts: start.artifacts.clone(),
        specs,
        limits: Limits {
            timeout: signed(start.timeout),
            max_rows: signed(start.max_rows),
            max_bytes: signed(start.max_upload_bytes),
            cpu: f64::from(start.cpu_limit),
            iops: f64::from(start.iops_limit),
            ops: 0.0,
        },
        creator: session.user.clone(),
        urgent: start.urgent,
        ..Order::default()
    };
    for artifact in &order.artifacts {
        if state.repository.get(artifact).is_none() {
            return Err(Status::unknown(format!(
                "root: CreateHunt: GetOrgConfig Unknown artifact {artifact}"
            )));
        }
    }
    order.permitted(&state.repository, session).map_err(Status::permission_denied)?;
    let compiled = state.repository.compile(&order);
    let order = order.bounded(&state.repository);
    let sources = order
        .artifacts
        .iter()
        .filter_map(|name| state.repository.get(name))
        .flat_map(|definition| definition.source_names())
        .collect();
    let id = state.new_id('H');
    let hunt = Hunt::new(NewHunt {
        id: id.clone(),
        order,
        compiled,
        sources,
        condition: condition(request.condition),
        description: request.hunt_description,
        tags: request.tags,
        expires: time(request.expires),
        client_limit: request.client_limit,
        paused: !running,
        org: session.org.clone(),
    });
    state.org(&session.org).hunts.insert(id.clone(), hunt);
    Ok(proto::StartFlowResponse { flow_id: id })
}

/// Changes a hunt; an unknown one gives the same answer.
pub(super) fn modify(
    world: &Arc<World>,
    session: &Session,
    request: &proto::HuntMutation,
) -> Result<(), Status> {
    let starts = request.state() == proto::hunt::State::Running;
    let needed = if starts { Permission::StartHunt } else { Permission::CollectClient };
    if !session.account.may(needed) {
        return Err(Status::permission_denied("User is not allowed to modify hunts."));
    }
    let mut state = world.state();
    let Some(hunt) = state.org(&session.org).hunts.get_mut(&request.hunt_id) else { return Ok(()) };
    match request.state() {
        proto::hunt::State::Running => hunt.change_state(HuntState::Running),
        proto::hunt::State::Paused => hunt.change_state(HuntState::Paused),
        proto::hunt::State::Stopped => hunt.change_state(HuntState::Stopped),
        proto::hunt::State::Archived => hunt.change_state(HuntState::Archived),
        proto::hunt::State::Unset | proto::hunt::State::Deleted => {}
    }
    if !request.description.is_empty() {
        hunt.description.clone_from(&request.description);
    }
    if let Some(expires) = time(request.expires) {
        hunt.expires = expires;
    }
    if !request.tags.is_empty() {
        hunt.tags.clone_from(&request.tags);
    }
    hunt.touch();
    Ok(())
}

/// Counts the clients that a condition admits.
pub(super) fn estimate(
    world: &Arc<World>,
    session: &Session,
    request: proto::HuntEstimateRequest,
) -> Result<proto::HuntStats, Status> {
    if !session.account.may(Permission::ReadResults) {
        return Err(Status::permission_denied("User is not allowed to view hunt results."));
    }
    let since = (request.last_active > 0)
        .then(|| Timestamp::now() - Duration::from_secs(request.last_active));
    let condition = condition(request.condition);
    let mut state = world.state();
    let count = state.org(&session.org).estimate(&condition, since);
    Ok(proto::HuntStats { total_clients_scheduled: count, ..Default::default() })
}

fn time(micros: u64) -> Option<Timestamp> {
    let micros = i64::try_from(micros).ok().filter(|micros| *micros > 0)?;
    Timestamp::from_microsecond(micros).ok()
}

fn condition(message: Option<proto::HuntCondition>) -> Condition {
    use proto::hunt_condition::UnionField;
    use proto::hunt_os_condition::Os;
    let Some(message) = message else { return Condition::default() };
    let excluded = message.excluded_labels.map(|labels| labels.label).unwrap_or_default();
    let (os, labels) = match message.union_field {
        Some(UnionField::Os(os)) => {
            let name = match os.os() {
                Os::Windows => Some("windows"),
                Os::Linux => Some("linux"),
                Os::Osx => Some("darwin"),
                Os::All => None,
            };
            (name.map(ToOwned::to_owned), Vec::new())
        }
        Some(UnionField::Labels(labels)) => (None, labels.label),
        None => (None, Vec::new()),
    };
    Condition { os, labels, excluded }
}

//! Orders that wait for a client that is offline, and taking them back.
//!
//! Such an order is a hunt that means this client only, by a label that is set on it, and that
//! expires: unlike a flow it does not strike weeks later. There is never more than one of a kind,
//! and an order takes back the opposite ones: a client that was released must not be cut off when
//! it returns.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Action, Plan, Sent};
use crate::fault::Fault;
use crate::flows::{self, Flow, FlowSearch, FlowState, Request};
use crate::hunts::members::members;
use crate::hunts::{
    self, Hunt, HuntChange, HuntPlan, HuntScope, HuntSearch, HuntState, HuntStatus,
};
use crate::ids::{ClientId, FlowId, HuntId};
use crate::labels::{self, LabelChange};
use crate::session::Session;

/// An order that waits for a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The hunt.
    pub hunt: HuntId,
    /// What it will do.
    pub action: Action,
    /// Until when it waits.
    pub expires: Option<Timestamp>,
}

/// What was taken back before an order was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TakenBack {
    /// Hunts that waited for the client, seen to be stopped.
    pub hunts: Vec<HuntId>,
    /// Flows that had not ended, seen to be cancelled.
    pub flows: Vec<FlowId>,
}

impl TakenBack {
    /// Whether there was nothing.
    pub fn is_empty(&self) -> bool {
        self.hunts.is_empty() && self.flows.is_empty()
    }
}

/// The orders that wait for a client, newest first: hunts that are not stopped and not expired.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn waiting(session: &Session<'_>, client: &ClientId) -> Result<Vec<Waiting>, Fault> {
    let mut found = Vec::new();
    let mut wanted = HuntSearch {
        states: vec![HuntState::Running, HuntState::Paused],
        count: 1000,
        ..HuntSearch::default()
    };
    loop {
        let page = hunts::list(session, &wanted).await?;
        found.extend(page.hunts.iter().filter_map(|hunt| of(hunt, client)));
        match page.next {
            Some(next) => wanted.from = next,
            None => return Ok(found),
        }
    }
}

/// The label by which an order that waits means its client.
pub(super) fn label(action: Action, client: &ClientId) -> String {
    let word = match action {
        Action::Isolate => "isolate",
        Action::Release => "release",
    };
    format!("{word} {client} when seen")
}

fn of(hunt: &Hunt, client: &ClientId) -> Option<Waiting> {
    let HuntScope::Rule { include_labels, .. } = &hunt.scope else { return None };
    let [only] = include_labels.as_slice() else { return None };
    let means = |action: &Action| *only == label(*action, client);
    let action = [Action::Isolate, Action::Release].into_iter().find(means)?;
    let order = Waiting { hunt: hunt.hunt_id.clone(), action, expires: hunt.expires };
    (!hunt.is_expired()).then_some(order)
}

/// Takes back the orders for `action` that wait for the plan's client, and the flows of its
/// artifact for it that have not ended; reads back that none is left.
pub(super) async fn take_back(
    session: &Session<'_>,
    plan: &Plan,
    action: Action,
) -> Result<TakenBack, Fault> {
    let id = &plan.client.client_id;
    let mut done = TakenBack::default();
    match take_each_back(session, plan, action, &mut done).await {
        Ok(()) => {}
        Err(fault) => return Err(after(&done, id, fault)),
    }
    let left = waiting(session, id).await.map_err(|fault| after(&done, id, fault))?;
    if let Some(left) = left.iter().find(|order| order.action == action) {
        let what = format!("hunt {} still waits to {} {id}", left.hunt, action.as_str());
        return Err(after(&done, id, Fault::unproved(what)));
    }
    Ok(done)
}

async fn take_each_back(
    session: &Session<'_>,
    plan: &Plan,
    action: Action,
    done: &mut TakenBack,
) -> Result<(), Fault> {
    let id = &plan.client.client_id;
    for order in waiting(session, id).await?.into_iter().filter(|order| order.action == action) {
        hunts::modify(session, &order.hunt, &HuntChange::Stop).await?;
        done.hunts.push(order.hunt);
    }
    // After the hunts: none of them makes another flow now.
    for flow in unfinished(session, id, &plan.artifact).await? {
        let request = flows::status(session, id, &flow.flow_id).await?.request;
        if action_of(&request, &plan.artifact) == action
            && flows::cancel(session, id, &flow.flow_id).await?.cancelled
        {
            done.flows.push(flow.flow_id);
        }
    }
    if !done.hunts.is_empty() {
        relabel(session, id, Vec::new(), vec![label(action, id)]).await?;
    }
    Ok(())
}

/// The flows of an artifact on a client that have not ended.
async fn unfinished(
    session: &Session<'_>,
    id: &ClientId,
    artifact: &str,
) -> Result<Vec<Flow>, Fault> {
    let states = FlowState::ALL.into_iter().filter(|state| !state.is_final()).collect();
    let mut found = Vec::new();
    let mut wanted = FlowSearch { states, count: 1000, ..FlowSearch::default() };
    loop {
        let page = flows::list(session, id, &wanted).await?;
        found.extend(page.flows.into_iter().filter(|flow| flow.artifacts == [artifact]));
        match page.next {
            Some(next) => wanted.from = next,
            None => return Ok(found),
        }
    }
}

fn action_of(request: &Request, artifact: &str) -> Action {
    let spec = request.specs.iter().find(|spec| spec.artifact == artifact);
    match spec.and_then(|spec| spec.parameters.get("RemovePolicy")).map(String::as_str) {
        Some("Y") => Action::Release,
        _ => Action::Isolate,
    }
}

/// Lets the plan's order wait for its client. Where the same waits already it is found, and waits
/// for longer if that is wanted; one with other parameters, or whose flow has ended, is replaced.
pub(super) async fn queue(
    session: &Session<'_>,
    plan: &Plan,
    patience: Duration,
) -> Result<Sent, Fault> {
    let id = &plan.client.client_id;
    let until = Timestamp::now() + patience;
    let mut same: Option<HuntStatus> = None;
    for order in waiting(session, id).await?.into_iter().filter(|o| o.action == plan.action) {
        let status = hunts::status(session, &order.hunt).await?;
        if same.is_none() && does(&status, plan) && !has_run(session, &order.hunt, id).await? {
            same = Some(status);
        } else {
            hunts::modify(session, &order.hunt, &HuntChange::Stop).await?;
        }
    }
    relabel(session, id, vec![label(plan.action, id)], Vec::new()).await?;
    let Some(mut same) = same else { return create(session, plan, until).await };
    let hunt = same.hunt.hunt_id.clone();
    if same.hunt.expires.is_some_and(|expires| expires < until) {
        same = hunts::modify(session, &hunt, &HuntChange::Expire(until)).await?;
    }
    if same.hunt.state != HuntState::Running {
        same = hunts::modify(session, &hunt, &HuntChange::Start).await?;
    }
    Ok(Sent::Queued { hunt, expires: same.hunt.expires, existing: true })
}

async fn create(session: &Session<'_>, plan: &Plan, until: Timestamp) -> Result<Sent, Fault> {
    let id = &plan.client.client_id;
    let label = label(plan.action, id);
    let hunt = HuntPlan {
        collection: plan.collection.clone(),
        description: format!(
            "{} {id} ({}) when it is seen",
            plan.action.as_str(),
            plan.client.hostname
        ),
        tags: Vec::new(),
        scope: HuntScope::Rule {
            os: None,
            include_labels: vec![label.clone()],
            exclude_labels: Vec::new(),
        },
        expires: Some(until),
        start: true,
    };
    match hunts::create(session, &hunt).await {
        Ok(made) => Ok(Sent::Queued {
            hunt: made.hunt.hunt_id,
            expires: made.hunt.expires,
            existing: false,
        }),
        // Without the label a hunt that came of it all the same means nobody.
        Err(fault) => match relabel(session, id, Vec::new(), vec![label.clone()]).await {
            Ok(()) => Err(fault),
            Err(second) => Err(Fault::unproved(format!(
                "{fault}; {id} still carries the label {label:?}: {second}"
            ))),
        },
    }
}

/// Whether a hunt does what the plan does, and nothing else.
fn does(status: &HuntStatus, plan: &Plan) -> bool {
    let sent = plan.parameters().map_or(0, indexmap::IndexMap::len);
    let kept: usize = status.request.specs.iter().map(|spec| spec.parameters.len()).sum();
    status.hunt.artifacts == [plan.artifact.as_str()]
        && kept == sent
        && plan.collection.differs(&status.request).is_none()
}

/// Whether the hunt has had its flow on the client: it makes no second one.
async fn has_run(session: &Session<'_>, hunt: &HuntId, id: &ClientId) -> Result<bool, Fault> {
    let members = members(session, hunt).await?;
    Ok(members.iter().any(|member| member.client_id == *id && member.state.is_final()))
}

async fn relabel(
    session: &Session<'_>,
    id: &ClientId,
    add: Vec<String>,
    remove: Vec<String>,
) -> Result<(), Fault> {
    let change = LabelChange { add, remove };
    labels::change(session, std::slice::from_ref(id), &change).await.map(drop)
}

/// A fault that came after something was taken back says so.
pub(super) fn after(done: &TakenBack, id: &ClientId, fault: Fault) -> Fault {
    if done.is_empty() {
        return fault;
    }
    let hunts = done.hunts.iter().map(|hunt| format!("hunt {hunt} was stopped"));
    let flows = done.flows.iter().map(|flow| format!("flow {flow} on {id} was cancelled"));
    let done: Vec<String> = hunts.chain(flows).collect();
    fault.following(&done.join(", "))
}

//! Cutting a client off from the network, and letting it back, with proof.
//!
//! The artifact of the client's system does it: it keeps the way to the server open, tests it, and
//! takes its policy back where the test fails. That it was scheduled proves nothing, so
//! [`prove`] looks at what it reports, at whether the client still answers, and at the label.

use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::artifacts;
use crate::clients::{self, Client};
use crate::collections::{self, Checked, Collection, InForce, Target};
use crate::fault::Fault;
use crate::flows::Flow;
use crate::ids::{ClientId, HuntId};
use crate::labels::{self, LabelChange};
use crate::os::Os;
use crate::permission::Permission;
use crate::session::Session;

mod history;
mod proof;
mod waiting;

pub use proof::{Proof, Step, StepState, prove};
pub use waiting::{TakenBack, Waiting, waiting};

/// The label of clients that are cut off, the same as in Velociraptor's own interface.
pub const LABEL: &str = "Quarantine";

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Cut it off from everything but the server.
    Isolate,
    /// Let it back.
    Release,
}

impl Action {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Isolate => "isolate",
            Self::Release => "release",
        }
    }

    /// What undoes it.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Isolate => Self::Release,
            Self::Release => Self::Isolate,
        }
    }
}

/// How it is to be done.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A message for whoever sits at the client, at most 256 characters. Nobody is told otherwise.
    pub message: Option<String>,
    /// An address that must not be reachable afterwards (Linux and macOS). The artifacts' own
    /// choice is a public web site.
    pub forbidden_url: Option<String>,
    /// For how long it may wait for a client that is offline. Without it an offline client is
    /// refused.
    pub wait_for_client: Option<Duration>,
    /// Release it although nothing on the server says that it is isolated.
    pub anyway: bool,
}

/// What will be done, checked and permitted, and not yet sent.
#[derive(Clone, Debug)]
pub struct Plan {
    action: Action,
    client: Client,
    artifact: String,
    collection: Checked,
    wait_for_client: Option<Duration>,
}

impl Plan {
    /// What will be done.
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The client that it will be done to.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The artifact that will do it.
    pub fn artifact(&self) -> &str {
        &self.artifact
    }

    /// Its parameters.
    pub fn parameters(&self) -> Option<&IndexMap<String, String>> {
        self.collection.parameters().get(&self.artifact)
    }

    /// The bounds of its work.
    pub fn in_force(&self) -> InForce {
        self.collection.in_force()
    }
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    /// Orders for the opposite that waited for the client, or were at work.
    pub taken_back: TakenBack,
    /// What was sent.
    pub sent: Sent,
}

/// What was sent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// The client has been told; [`prove`] looks what came of it.
    Scheduled {
        /// The flow.
        flow: Box<Flow>,
    },
    /// The client is offline. It will be told if it comes back in time.
    Queued {
        /// The hunt that waits for it; stopping it takes the order back.
        hunt: HuntId,
        /// Until when it waits.
        expires: Option<Timestamp>,
        /// Whether it waited already; no second one was made.
        existing: bool,
    },
    /// The client is offline and nothing was to wait for it: what waited was taken back, and that
    /// is all. A policy that is in place on it stays.
    Nothing,
}

/// Plans it: finds the artifact for the client's system (a site's own `Custom.` version first),
/// checks its parameters and the permissions. Nothing is changed.
///
/// # Errors
///
/// [`Fault::UnknownClient`], [`Fault::NotPermitted`], [`Fault::Offline`] (but for a release that
/// takes back an isolation that waits), [`Fault::Refused`] where
/// the system has no such artifact or a client is to be released that was never isolated,
/// [`Fault::BadInput`], [`Fault::Query`].
pub async fn plan(
    session: &Session<'_>,
    client: &ClientId,
    action: Action,
    options: &Options,
) -> Result<Plan, Fault> {
    let Some(client) = clients::existing(session, client).await? else {
        return Err(Fault::bad_input("the server itself cannot be cut off"));
    };
    let artifact = match client.system() {
        Some(Os::Windows) => "Windows.Remediation.Quarantine",
        Some(Os::Linux) => "Linux.Remediation.Quarantine",
        Some(Os::Darwin) => "MacOS.Remediation.Quarantine",
        _ => {
            let system = client.os.as_deref().unwrap_or("not known");
            return Err(Fault::refused(format!(
                "there is no artifact that cuts off {}: its system is {system}",
                client.client_id
            )));
        }
    };
    let custom = format!("Custom.{artifact}");
    let known = artifacts::names(session).await?;
    let has = |name: &str| known.iter().any(|(known, _)| known == name);
    let artifact = if has(&custom) { custom } else { artifact.to_owned() };
    if !has(&artifact) {
        return Err(Fault::refused(format!(
            "this server has no artifact {artifact}; servers before 0.77 have none for macOS"
        )));
    }
    let mut parameters = IndexMap::new();
    if action == Action::Release {
        parameters.insert(String::from("RemovePolicy"), json!(true));
    }
    if let Some(message) = options.message.as_deref().filter(|message| !message.is_empty()) {
        if message.chars().count() > 256 {
            return Err(Fault::bad_input("a message has at most 256 characters"));
        }
        parameters.insert(String::from("MessageBox"), json!(message));
    }
    if let (Some(url), Action::Isolate) = (&options.forbidden_url, action) {
        if client.system() == Some(Os::Windows) {
            return Err(Fault::bad_input(
                "the artifact for Windows tests no forbidden address: leave it out",
            ));
        }
        parameters.insert(String::from("ForbiddenTestURL"), json!(url));
    }
    let wanted = Collection {
        artifacts: IndexMap::from([(artifact.clone(), parameters)]),
        urgent: true,
        ..Collection::default()
    };
    let collection = collections::check(session, &wanted, Target::Clients).await?;
    let mut needs = collection.permissions();
    needs.extend([Permission::CollectClient, Permission::LabelClient]);
    let orders = waiting(session, &client.client_id).await?;
    let undone = orders.iter().any(|order| order.action == action.opposite());
    if undone {
        needs.push(Permission::StartHunt);
    }
    if !client.is_online() {
        let takes_back = action == Action::Release && undone;
        if options.wait_for_client.is_none() && !takes_back {
            return Err(Fault::Offline {
                client: client.client_id.clone(),
                last_seen: client.last_seen,
            });
        }
        needs.push(Permission::StartHunt);
    }
    if action == Action::Release
        && orders.is_empty()
        && !options.anyway
        && let Some(reason) = history::never_isolated(session, &client).await?
    {
        return Err(Fault::refused(reason));
    }
    session.permitted(&needs).await?;
    let wait_for_client = options.wait_for_client;
    Ok(Plan { action, client, artifact, collection, wait_for_client })
}

/// Sends what was planned, after everything that would undo it is taken back.
///
/// A client that is online gets a flow. For one that is offline a hunt waits: see [`waiting()`].
///
/// # Errors
///
/// As [`collections::start`], [`labels::change`], [`hunts::create`](crate::hunts::create) and
/// [`hunts::modify`](crate::hunts::modify). Where something was done before the fault, it is
/// [`Fault::Unproved`] and says what.
pub async fn send(session: &Session<'_>, plan: &Plan) -> Result<Order, Fault> {
    let id = &plan.client.client_id;
    let taken_back = waiting::take_back(session, plan, plan.action.opposite()).await?;
    let after = |fault| waiting::after(&taken_back, id, fault);
    if plan.action == Action::Release {
        // Before the policy goes: a monitoring table can go by the label and put it back.
        relabel(session, id, plan.action).await.map_err(after)?;
    }
    let sent = match (plan.client.is_online(), plan.wait_for_client) {
        (false, None) => Ok(Sent::Nothing),
        (false, Some(patience)) => waiting::queue(session, plan, patience).await,
        (true, _) => {
            let started = collections::start(session, id, &plan.collection).await;
            started.map(|started| Sent::Scheduled { flow: Box::new(started.status.flow) })
        }
    };
    let sent = sent.map_err(|fault| match plan.action {
        Action::Isolate => after(fault),
        Action::Release => after(fault.following(&format!("the label {LABEL} was taken off {id}"))),
    })?;
    Ok(Order { taken_back, sent })
}

/// Sets or removes the label of clients that are cut off.
async fn relabel(session: &Session<'_>, id: &ClientId, action: Action) -> Result<(), Fault> {
    let label = vec![String::from(LABEL)];
    let change = match action {
        Action::Isolate => LabelChange { add: label, remove: Vec::new() },
        Action::Release => LabelChange { add: Vec::new(), remove: label },
    };
    labels::change(session, std::slice::from_ref(id), &change).await.map(drop)
}

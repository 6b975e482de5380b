//! The plan of a throw-away server and agent.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use deploy_core::server::{HEALTH_TIMEOUT, Place, Probes, ServerOrder, ServerStep};
use deploy_core::{DeploymentId, Plan, PlanError, Step, StepName};

use super::folder;
use super::throwaway::Does;

/// The smallest size.
const PROFILE: &str = "minimal";

/// How long a step may take beyond the wait for the server.
const BESIDE: Duration = Duration::from_secs(60);

/// Folder, names and ports are decided here, before anything is made.
pub(super) fn of(id: &DeploymentId) -> Result<Plan, PlanError> {
    let listen = ports().map_err(|error| unfit("a free port on loopback", &error))?;
    let [agents, gui, api, _] = listen;
    let place = |at: SocketAddr| at.to_string().parse::<Place>();
    let text = |name: &str| {
        let path = folder::of(id).join(name);
        let text = path.to_str().map(str::to_owned);
        text.ok_or_else(|| unfit("a folder whose name is text", &path.display()))
    };
    let order = ServerOrder {
        profile: PROFILE.to_owned(),
        agents_at: place(agents)?,
        gui_at: place(gui)?,
        api_at: place(api)?,
        listen,
        datastore: text("store")?,
        logs: Some(text("logs")?),
        gui_user: String::from("admin"),
        labels: Vec::new(),
    };
    order.check()?;
    let (days, api) = (order.days()?, order.api_at.clone());
    let probes = Probes { agents, gui };
    let steps = [
        ("keys", Does::Server(ServerStep::Keys(Box::new(order)))),
        ("folder", Does::Folder),
        ("binary", Does::Binary),
        ("configuration", Does::Configuration),
        ("administrator", Does::Server(ServerStep::Administrator { api: api.clone() })),
        ("server", Does::Serving { probes, within: HEALTH_TIMEOUT }),
        ("users", Does::Server(ServerStep::Users { api, days })),
        ("answer", Does::Server(ServerStep::Answer)),
        ("agent", Does::Agent),
    ];
    let step = |(name, does): (&str, Does)| -> Result<Step, PlanError> {
        let name = StepName::new(name).map_err(|error| unfit("the name of a step", &error.text))?;
        Ok(Step::new(name, does.to_string(), &does)?.within(HEALTH_TIMEOUT + BESIDE))
    };
    Plan::new(steps.into_iter().map(step).collect::<Result<_, _>>()?)
}

/// Four free ports: all are held until the last is known, so that none is given twice.
fn ports() -> std::io::Result<[SocketAddr; 4]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let held = [bind()?, bind()?, bind()?, bind()?];
    let [a, b, c, d] = held.each_ref().map(TcpListener::local_addr);
    Ok([a?, b?, c?, d?])
}

fn unfit(expected: &str, found: &dyn std::fmt::Display) -> PlanError {
    PlanError::Unfit {
        what: String::from("the demo's server"),
        expected: expected.to_owned(),
        found: found.to_string(),
        next: String::from("mend what it names, then try again"),
    }
}

//! Ending what was started, on its own server.

use std::time::{Duration, Instant};

use guard::ledger::{Started, Work};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use velociraptor_api::hunts::{self, HuntChange, HuntState};
use velociraptor_api::{Fault, HuntId, OrgId, Session, flows};

use crate::services::Services;

/// That a server does not know something does not show that it ended: the server may be another one.
const UNKNOWN: &str = "this server does not know it: it was deleted there, or this is another server \
    of that name; the ledger keeps it";

/// For how long a hunt that was held must have started nothing.
const QUIET: Duration = Duration::from_secs(3);

/// How often its flows are looked at meanwhile.
const BETWEEN: Duration = Duration::from_millis(500);

/// How long a hunt that was held may go on starting flows.
const LONGEST: Duration = Duration::from_secs(60);

/// Ends one thing on the server on which it was started: what was done, or why it was not.
pub(super) async fn on_its_server(
    services: &Services,
    started: &Started,
    cancel: &CancellationToken,
) -> Result<String, String> {
    let targets = services.targets();
    let target = targets
        .iter()
        .find(|target| target.server.name() == started.server)
        .ok_or_else(|| String::from("its server is not configured here"))?;
    let org = OrgId::parse(&started.org).map_err(|error| error.to_string())?;
    let session = Session::new(&target.server, &org, cancel);
    match &started.work {
        Work::Flow { client, flow } => match flows::cancel(&session, client, flow).await {
            Ok(done) if done.cancelled => Ok(format!("cancelled, was {}", done.before)),
            Ok(done) => Ok(format!("had ended: {}", done.flow.state)),
            Err(Fault::UnknownFlow { .. }) => Err(UNKNOWN.to_owned()),
            Err(fault) => Err(fault.to_string()),
        },
        Work::Hunt { hunt } => end_hunt(&session, hunt).await,
    }
}

/// Holds a hunt, and cancels the flows that it has started, those too that it starts while it is held:
/// the server looks at the state of a hunt, then starts the flow, then lists it.
async fn end_hunt(session: &Session<'_>, hunt: &HuntId) -> Result<String, String> {
    let told = |fault: Fault| fault.to_string();
    let status = match hunts::status(session, hunt).await {
        Ok(status) => status,
        Err(Fault::UnknownHunt { .. }) => return Err(UNKNOWN.to_owned()),
        Err(fault) => return Err(told(fault)),
    };
    let before = status.hunt.state;
    if before == HuntState::Running {
        hunts::modify(session, hunt, &HuntChange::Pause).await.map_err(told)?;
    }
    let mut cancelled = cancel_flows(session, hunt).await?;
    if before != HuntState::Running {
        return Ok(format!("did not run, was {before}; {cancelled} of its flows cancelled"));
    }
    let (held, mut quiet) = (Instant::now(), Instant::now());
    while quiet.elapsed() < QUIET {
        if held.elapsed() > LONGEST {
            return Err(format!(
                "held, was {before}, and it starts flows still; {cancelled} were cancelled"
            ));
        }
        sleep(BETWEEN).await;
        let more = cancel_flows(session, hunt).await?;
        if more > 0 {
            (cancelled, quiet) = (cancelled + more, Instant::now());
        }
    }
    Ok(format!("held, was {before}; {cancelled} of its flows cancelled"))
}

/// Cancels what runs of a hunt, and says how much that was.
async fn cancel_flows(session: &Session<'_>, hunt: &HuntId) -> Result<usize, String> {
    let told = |fault: Fault| fault.to_string();
    let mut cancelled = 0;
    for flow in hunts::running_flows(session, hunt).await.map_err(told)? {
        let done = flows::cancel(session, &flow.client_id, &flow.flow_id).await;
        cancelled += usize::from(done.map_err(told)?.cancelled);
    }
    Ok(cancelled)
}

//! Ending what was started, on its own server.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use guard::ledger::{Started, Work};
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use velociraptor_api::hunts::{self, HuntChange, HuntState};
use velociraptor_api::{Fault, HuntId, OrgId, Session, flows};

use crate::services::Services;

/// That a server does not know something does not show that it ended: the server may be another one.
const UNKNOWN: &str = "this server does not know it: it was deleted there, or this is another server \
    of that name; the ledger keeps it";

/// For how long a hunt that is held must have started nothing.
const QUIET: Duration = Duration::from_secs(3);

/// How often its flows are looked at meanwhile.
const BETWEEN: Duration = Duration::from_millis(500);

/// How long ending the flows of a hunt may take.
const LONGEST: Duration = Duration::from_secs(60);

/// For how long a flow that could not be cancelled is tried again.
const STUBBORN: Duration = Duration::from_secs(10);

/// How many flows are cancelled at a time.
const AT_ONCE: usize = 8;

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
/// the server looks at the state of a hunt, then starts the flow, then lists it. One that did not run is
/// looked at as long: it may have been held a moment ago.
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
    let held = if before == HuntState::Running { "held" } else { "did not run" };
    let until = Instant::now() + LONGEST;
    let (mut quiet, mut failing, mut cancelled) = (Instant::now(), None, 0);
    loop {
        let Ending { ended, kept } = end_flows(session, hunt, until).await?;
        cancelled += ended;
        let so_far = format!("{held}, was {before}; {cancelled} of its flows cancelled");
        let Some((count, why)) = kept else {
            failing = None;
            if ended > 0 {
                quiet = Instant::now();
            }
            if quiet.elapsed() >= QUIET {
                return Ok(so_far);
            }
            if Instant::now() >= until {
                return Err(format!("{so_far}, and it starts flows still"));
            }
            sleep(BETWEEN).await;
            continue;
        };
        quiet = Instant::now();
        if failing.get_or_insert_with(Instant::now).elapsed() >= STUBBORN || Instant::now() >= until
        {
            return Err(format!("{so_far}; {count} flows could not be: {why}"));
        }
        sleep(BETWEEN).await;
    }
}

/// What became of the flows of a hunt.
struct Ending {
    ended: usize,
    /// How many could not be cancelled, and why the first could not.
    kept: Option<(usize, String)>,
}

/// Cancels what runs of a hunt, several at a time, whatever becomes of single flows, and not for ever.
async fn end_flows(session: &Session<'_>, hunt: &HuntId, until: Instant) -> Result<Ending, String> {
    let running = hunts::running_flows(session, hunt).await.map_err(|fault| fault.to_string())?;
    let cancelling: Vec<_> =
        running.iter().map(|flow| flows::cancel(session, &flow.client_id, &flow.flow_id)).collect();
    let mut left = cancelling.len();
    let mut done = stream::iter(cancelling).buffer_unordered(AT_ONCE);
    let (mut ended, mut failed, mut first) = (0, 0, None);
    while left > 0 {
        match timeout_at(until.into(), done.next()).await {
            Ok(Some(Ok(done))) => ended += usize::from(done.cancelled),
            Ok(Some(Err(fault))) => {
                failed += 1;
                first.get_or_insert_with(|| fault.to_string());
            }
            Ok(None) => break,
            Err(_) => {
                failed += left;
                first.get_or_insert_with(|| String::from("the server did not answer in time"));
                break;
            }
        }
        left -= 1;
    }
    Ok(Ending { ended, kept: first.map(|why| (failed, why)) })
}

//! Where a stop is recorded: in the record of calls, and where that cannot be written in time, in the
//! emergency file beside it.

use std::path::Path;
use std::time::Duration;

use guard::audit::{Audit, AuditError, Begun, Decision, EmergencySink, Intent, Outcome};
use guard::policy::{EMERGENCY_STOP, Policy};
use serde_json::json;

use crate::caller::Caller;
use crate::gateway;
use crate::keeping::Keeping;
use crate::off::off;
use crate::tool::Effect;

/// How long either record may take. A disk that hangs does not hold the stop up.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long another process that writes is waited for.
const LOCK: Duration = Duration::from_millis(500);

/// What a line adds to that.
const A_LINE: Duration = Duration::from_millis(50);

/// Where a stop is recorded.
#[derive(Debug)]
pub struct Recording {
    audit: Option<Audit>,
    begun: Option<Begun>,
    sink: EmergencySink,
    /// Why the record of calls cannot be written.
    apart: Option<String>,
    /// Why nothing can be.
    failed: Option<String>,
}

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Why it stands in the emergency file and not in the record.
    pub(super) apart: Option<String>,
    /// Why it stands nowhere.
    pub(super) failed: Option<String>,
}

impl Recording {
    /// In a record that is open.
    pub fn within(audit: &Audit) -> Self {
        let sink = audit.emergency();
        Self { audit: Some(audit.clone()), begun: None, sink, apart: None, failed: None }
    }

    /// In the emergency file of a record's folder, since the record cannot be written.
    pub fn apart(folder: &Path, why: String) -> Self {
        let sink = EmergencySink::new(folder);
        Self { audit: None, begun: None, sink, apart: Some(why), failed: None }
    }

    /// In the record of a state folder, which is opened for it: the stop is a call there. Where that
    /// cannot be done at once, in the emergency file.
    pub(crate) async fn open(home: &Path, keeping: &Keeping, policy: &Policy) -> Self {
        let options = guard::audit::Options { lock_wait: LOCK, ..keeping.options(home) };
        let folder = options.folder.clone();
        let opened = off(PATIENCE, move || Audit::open(&options)).await;
        let audit = match opened.and_then(|opened| opened.map_err(|error| error.to_string())) {
            Ok(audit) => audit,
            Err(why) => return Self::apart(&folder, why),
        };
        let on = Decision::Allowed { on: policy.stopping() };
        let by = gateway::who(&Caller::cli());
        let call = String::from("1");
        let intent = Intent::new(call, by, EMERGENCY_STOP, json!({}), Effect::Collect, on);
        match in_time(PATIENCE, audit.begin(intent)).await {
            Ok(begun) => Self { begun: Some(begun), ..Self::within(&audit) },
            Err(why) => {
                leave(audit);
                Self::apart(&folder, why)
            }
        }
    }

    /// Writes lines, in time or not at all.
    pub(super) async fn write(&mut self, lines: Vec<String>) {
        let time = PATIENCE + A_LINE * u32::try_from(lines.len()).unwrap_or(u32::MAX);
        if let Some(audit) = &self.audit {
            let written = in_time(time, audit.stopped(EMERGENCY_STOP, &lines)).await;
            let Err(why) = written else { return };
            // What did not come in time may still come: then it stands there twice.
            self.apart = Some(why);
            self.audit.take().into_iter().for_each(leave);
        }
        // A file that does not answer is not asked again.
        if self.failed.is_some() {
            return;
        }
        let sink = self.sink.clone();
        let write = move || {
            let mut written = Ok(());
            for line in lines {
                let record = sink.record(EMERGENCY_STOP, &line);
                if let Err(error) = record.written {
                    tracing::error!(line = record.line, %error, "an emergency is not on record");
                    written = Err(error.to_string());
                }
            }
            written
        };
        self.failed = off(time, write).await.and_then(|written| written).err();
    }

    /// Says what came of the stop, and where it stands.
    pub(super) async fn close(mut self, outcome: &str) -> Told {
        if let Some(begun) = self.begun.take() {
            let ended = in_time(PATIENCE, begun.end(Outcome::without_answer(outcome))).await;
            let closed = match (&self.audit, ended) {
                (Some(audit), Ok(())) => in_time(PATIENCE, audit.close()).await,
                (_, ended) => ended,
            };
            if let Err(error) = closed {
                tracing::error!(%error, "what came of the emergency stop is not on record");
            }
        }
        self.audit.into_iter().for_each(leave);
        Told { apart: self.apart, failed: self.failed }
    }
}

async fn in_time<T>(
    time: Duration,
    work: impl Future<Output = Result<T, AuditError>>,
) -> Result<T, String> {
    match tokio::time::timeout(time, work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the record did not answer within {} s", time.as_secs())),
    }
}

/// Lets go of a record without waiting for its last lines.
fn leave(audit: Audit) {
    drop(tokio::task::spawn_blocking(move || drop(audit)));
}

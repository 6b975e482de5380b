//! Progress as MCP notifications, where the caller gave a token.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::context::Progress;
use crate::evidence;

/// A call that lasts longer than this says that it lives, and again after each such time.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A client that counts steps must see each count grow; a beat without news grows it by this.
const BEAT: f64 = 0.001;

/// Tells one call's progress. The newest report replaces one that is still on its way, so that a
/// slow reader never holds up the work.
pub(super) struct Reporter {
    latest: watch::Sender<Report>,
    teller: Option<JoinHandle<()>>,
}

#[derive(Clone, Debug, Default)]
struct Report {
    done: f64,
    total: Option<f64>,
    message: String,
}

impl Reporter {
    /// Begins to tell, where the caller wants to hear it.
    pub(super) fn start(context: &RequestContext<RoleServer>) -> Self {
        let (latest, reports) = watch::channel(Report::default());
        let teller = context
            .meta
            .get_progress_token()
            .map(|token| tokio::spawn(tell(context.peer.clone(), token, reports)));
        Self { latest, teller }
    }

    /// Ends it: no notification follows the answer.
    pub(super) async fn finish(self) {
        drop(self.latest);
        if let Some(teller) = self.teller {
            // It ends by itself once there is nobody left to report.
            let _ = teller.await;
        }
    }
}

impl Progress for Reporter {
    #[expect(clippy::cast_precision_loss, reason = "MCP counts in floating point")]
    fn report(&self, done: u64, total: Option<u64>, message: &str) {
        self.latest.send_replace(Report {
            done: done as f64,
            total: total.map(|total| total as f64),
            message: evidence::message(message),
        });
    }
}

async fn tell(peer: Peer<RoleServer>, token: ProgressToken, mut reports: watch::Receiver<Report>) {
    let begun = Instant::now();
    let mut shown = 0.0;
    loop {
        let beat = tokio::select! {
            changed = reports.changed() => match changed {
                Ok(()) => false,
                Err(_) => return,
            },
            () = tokio::time::sleep(HEARTBEAT) => true,
        };
        let report = reports.borrow_and_update().clone();
        shown = if report.done > shown { report.done } else { shown + BEAT };
        let mut note = ProgressNotificationParam::new(token.clone(), shown);
        if let Some(total) = report.total {
            note = note.with_total(total);
        }
        let seconds = begun.elapsed().as_secs();
        let message = match (report.message.as_str(), beat) {
            ("", _) => format!("at work for {seconds} s"),
            (message, true) => format!("{message} ({seconds} s)"),
            (message, false) => message.to_owned(),
        };
        if peer.notify_progress(note.with_message(message)).await.is_err() {
            return;
        }
    }
}

//! Is the process alive, and does a server answer?

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Readiness;

/// For so long an answer stands: whoever asks without a token costs the server one query in it.
const STANDS: Duration = Duration::from_secs(10);

/// Asks, and remembers for a while.
pub(super) struct Ready {
    ask: Readiness,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Ready {
    pub(super) fn new(ask: Readiness) -> Self {
        Self { ask, last: Mutex::new(None) }
    }

    /// Whether a server has answered lately. Who asks meanwhile waits for the same answer.
    pub(super) async fn is(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < STANDS
        {
            return ready;
        }
        let ready = (self.ask)().await;
        *last = Some((Instant::now(), ready));
        ready
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_questions_are_one_question_to_the_server() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let ready = Ready::new(Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { true })
        }));
        for _ in 0..5 {
            assert!(ready.is().await);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}

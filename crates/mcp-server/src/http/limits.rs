//! How much one caller, and all together, may ask for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The bounds of serving over HTTP.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time, of all callers.
    pub connections: usize,
    /// How long a connection may go without a whole head of a request: a caller that sends one
    /// byte a second, and one that sends nothing.
    pub head_time: Duration,
    /// How long a body may take to arrive.
    pub body_time: Duration,
    /// The longest body, in bytes: that of a line over standard input.
    pub body_bytes: usize,
    /// Requests of one token at a time.
    pub calls_at_once: usize,
    /// Requests of one token in a second, in the long run.
    pub calls_per_second: u32,
    /// Requests of one token that may come at once after a pause.
    pub burst: u32,
    /// Open streams of one token on which nothing was asked.
    pub streams: usize,
    /// Sessions of one token; a further one ends that which was used longest ago.
    pub sessions: usize,
    /// How long a session is kept that nobody uses.
    pub session_idle: Duration,
    /// How often an open stream says that it lives.
    pub keep_alive: Duration,
    /// How long calls at work may go on after the server was told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1000,
            head_time: Duration::from_secs(60),
            body_time: Duration::from_secs(30),
            body_bytes: crate::mcp::MAX_MESSAGE,
            calls_at_once: 32,
            calls_per_second: 50,
            burst: 200,
            streams: 100,
            sessions: 100,
            session_idle: Duration::from_secs(4 * 3600),
            keep_alive: Duration::from_secs(15),
            grace: Duration::from_secs(10),
        }
    }
}

/// A bucket that fills evenly and from which each request takes one.
#[derive(Debug)]
pub(super) struct Bucket {
    /// The time for one request to come back.
    each: Duration,
    /// The time that a full bucket holds.
    full: Duration,
    /// When the bucket will be full again.
    full_at: Mutex<Instant>,
}

impl Bucket {
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let each = Duration::from_secs(1) / per_second.max(1);
        Self { each, full: each * burst.max(1), full_at: Mutex::new(now) }
    }

    /// Takes one.
    ///
    /// # Errors
    ///
    /// How long to wait for the next.
    pub(super) fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = (*full_at).max(now) + self.each;
        match next.saturating_duration_since(now).checked_sub(self.full) {
            None | Some(Duration::ZERO) => {
                *full_at = next;
                Ok(())
            }
            Some(wait) => Err(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let bucket = Bucket::new(10, 3, start);
        for _ in 0..3 {
            assert_eq!(bucket.take(start), Ok(()));
        }
        assert_eq!(bucket.take(start), Err(Duration::from_millis(100)));
        // A refused request takes nothing.
        assert_eq!(bucket.take(start), Err(Duration::from_millis(100)));
        let later = start + Duration::from_millis(100);
        assert_eq!(bucket.take(later), Ok(()));
        assert_eq!(bucket.take(later), Err(Duration::from_millis(100)));
        let rested = start + Duration::from_secs(3600);
        for _ in 0..3 {
            assert_eq!(bucket.take(rested), Ok(()));
        }
        assert!(bucket.take(rested).is_err(), "a pause gives no more than the burst");
    }
}

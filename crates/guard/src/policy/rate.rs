//! How many calls a caller made in the last minute.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(60);

/// The calls of the last minute, by caller. Lives with the process.
#[derive(Debug, Default)]
pub(super) struct Rate(Mutex<HashMap<String, VecDeque<Instant>>>);

impl Rate {
    /// Counts a call, or says how long to wait until one is free again.
    pub(super) fn count(&self, caller: &str, most: u64, now: Instant) -> Result<(), Duration> {
        // Each change leaves the table whole, so a panic elsewhere does no harm to it.
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.retain(|_, calls| {
            while calls.front().is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW) {
                calls.pop_front();
            }
            !calls.is_empty()
        });
        let calls = table.entry(caller.to_owned()).or_default();
        if calls.len() as u64 >= most {
            let oldest = calls.front().copied().unwrap_or(now);
            return Err(WINDOW.saturating_sub(now.saturating_duration_since(oldest)));
        }
        calls.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_holds_so_many_calls_of_a_caller() {
        let rate = Rate::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(rate.count("alice", 2, at(0)), Ok(()));
        assert_eq!(rate.count("alice", 2, at(10)), Ok(()));
        assert_eq!(rate.count("alice", 2, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(rate.count("bob", 2, at(20)), Ok(()));
        assert_eq!(rate.count("alice", 2, at(60)), Ok(()));
        assert_eq!(rate.count("alice", 2, at(61)), Err(Duration::from_secs(9)));
    }
}

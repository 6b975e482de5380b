//! Hunts counted: what `list_hunts` says of them with detail summary.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use velociraptor_api::Session;
use velociraptor_api::census::Hunts;
use velociraptor_api::hunts::{self, Hunt, HuntSearch, HuntState};

use super::Summary;
use crate::tool_error::ToolError;

/// Most running hunts that are named.
const SHOWN: u32 = 5;

/// How many hunts there are of which kind.
#[derive(Debug, Serialize)]
pub(super) struct Census {
    hunts: u64,
    states: BTreeMap<&'static str, u64>,
    // The server's own counts; a host counts in each of its hunts.
    scheduled: u64,
    finished: u64,
    with_errors: u64,
    /// The newest of those that run.
    running: Vec<Summary>,
}

/// The newest hunts that run, as far as such are wanted.
pub(super) async fn running(
    session: &Session<'_>,
    wanted: &HuntSearch,
) -> Result<Vec<Hunt>, ToolError> {
    if !wanted.states.is_empty() && !wanted.states.contains(&HuntState::Running) {
        return Ok(Vec::new());
    }
    let states = vec![HuntState::Running];
    let search = HuntSearch { states, from: 0, count: SHOWN, ..wanted.clone() };
    let mut found = hunts::list(session, &search).await?.hunts;
    found.retain(|hunt| !hunt.is_expired());
    Ok(found)
}

impl Census {
    pub(super) fn of(found: &[Hunts], running: &[Hunt]) -> Self {
        let mut states = BTreeMap::new();
        for some in found {
            let word = if some.expired { "EXPIRED" } else { some.state.as_str() };
            *states.entry(word).or_insert(0) += some.count;
        }
        Self {
            hunts: found.iter().map(|some| some.count).sum(),
            states,
            scheduled: found.iter().map(|some| some.scheduled).sum(),
            finished: found.iter().map(|some| some.finished).sum(),
            with_errors: found.iter().map(|some| some.with_errors).sum(),
            running: running.iter().map(Summary::of).collect(),
        }
    }

    pub(super) const fn hunts(&self) -> u64 {
        self.hunts
    }

    pub(super) fn write(&self, out: &mut String) {
        let hunts = if self.hunts == 1 { "hunt" } else { "hunts" };
        // Writing into a string cannot fail.
        let _ = write!(out, "{} {hunts}", self.hunts);
        if self.hunts == 0 {
            return;
        }
        let states: Vec<String> =
            self.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let _ = write!(
            out,
            ": {}\nhosts by the server's own count, once for each hunt: {} scheduled, {} finished, \
             {} with errors",
            states.join(", "),
            self.scheduled,
            self.finished,
            self.with_errors
        );
        for hunt in &self.running {
            let _ = write!(out, "\n{}", hunt.line());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunts_read_as_counts_and_what_is_over_is_not_said_to_run() {
        let some = |state, expired, count| Hunts {
            state,
            expired,
            count,
            scheduled: 20,
            finished: 7,
            with_errors: 1,
        };
        let found = [
            some(HuntState::Running, false, 1),
            some(HuntState::Running, true, 2),
            some(HuntState::Stopped, true, 3),
        ];
        let mut out = String::new();
        Census::of(&found, &[]).write(&mut out);
        insta::assert_snapshot!(out, @r"
        6 hunts: 5 EXPIRED, 1 RUNNING
        hosts by the server's own count, once for each hunt: 60 scheduled, 21 finished, 3 with errors
        ");
    }
}

//! Bounds on one query.

use std::time::Duration;

/// What a query may cost. Every query has all four bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most rows that are handed over.
    pub rows: u64,
    /// Most bytes of row text that are handed over.
    pub bytes: u64,
    /// The first row is handed over even where it alone has more bytes than that.
    pub keep_first: bool,
    /// How long the server may work. The client waits slightly longer, so that the server's own
    /// end of the query, with the rows so far, is seen.
    pub time: Duration,
    /// Rows per message. Never zero: unset, the server sends one row per message, 15 times slower.
    pub batch_rows: u32,
}

impl Limits {
    /// Bounds for a short read: 10,000 rows, 64 MiB, 30 s, 100 rows a message.
    pub const READ: Self = Self {
        rows: 10_000,
        bytes: 64 << 20,
        keep_first: false,
        time: Duration::from_secs(30),
        batch_rows: 100,
    };

    /// The time limit as the server takes it: whole seconds, rounded up, never zero (zero means
    /// without limit).
    pub(crate) const fn server_seconds(&self) -> u64 {
        let rest = if self.time.subsec_nanos() > 0 { 1 } else { 0 };
        let seconds = self.time.as_secs().saturating_add(rest);
        if seconds == 0 { 1 } else { seconds }
    }

    /// The same with another number of rows.
    #[must_use]
    pub const fn rows(self, rows: u64) -> Self {
        Self { rows, ..self }
    }

    /// The same with another number of bytes.
    #[must_use]
    pub const fn bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// The same, with a first row of any size.
    #[must_use]
    pub const fn keep_first(self) -> Self {
        Self { keep_first: true, ..self }
    }

    /// The same with another time.
    #[must_use]
    pub const fn time(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// The same with another number of rows per message; zero is taken as one.
    #[must_use]
    pub const fn batch_rows(self, batch_rows: u32) -> Self {
        Self { batch_rows: if batch_rows == 0 { 1 } else { batch_rows }, ..self }
    }
}

/// The bound that ended a query early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// More rows exist, or may exist.
    Rows,
    /// The byte limit was reached; whole rows only were kept.
    Bytes,
    /// The time limit was reached; these are the rows so far.
    Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_gets_whole_seconds_and_always_some() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (30_000, 30)] {
            let limits = Limits::READ.time(Duration::from_millis(millis));
            assert_eq!(limits.server_seconds(), seconds, "{millis} ms");
        }
    }
}

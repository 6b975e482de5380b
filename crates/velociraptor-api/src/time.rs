//! Times, typed by the unit in which the server sends them.
//!
//! Velociraptor uses seconds, milliseconds, microseconds and nanoseconds side by side
//! (a client's `first_seen_at` is in seconds, its `last_seen_at` in microseconds). Each field is
//! read through the function that names its unit; there is no guessing by magnitude.

use jiff::Timestamp;

/// Reads seconds since 1970. Zero and out-of-range values are "never", not 1970.
pub fn from_seconds(value: i64) -> Option<Timestamp> {
    (value > 0).then(|| Timestamp::from_second(value).ok()).flatten()
}

/// Reads milliseconds since 1970, zero being "never".
pub fn from_millis(value: i64) -> Option<Timestamp> {
    (value > 0).then(|| Timestamp::from_millisecond(value).ok()).flatten()
}

/// Reads microseconds since 1970, zero being "never".
pub fn from_micros(value: i64) -> Option<Timestamp> {
    (value > 0).then(|| Timestamp::from_microsecond(value).ok()).flatten()
}

/// Reads a span in nanoseconds.
pub const fn span_from_nanos(value: u64) -> std::time::Duration {
    std::time::Duration::from_nanos(value)
}

/// For how long after its last contact a client counts as online: the GUI's own rule.
pub const ONLINE_WITHIN: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Whether something was seen within that time of `now`, the server's own clock; later than now
/// counts too, since clocks differ.
pub(crate) fn seen_within(
    seen: Option<Timestamp>,
    now: Option<Timestamp>,
    span: std::time::Duration,
) -> bool {
    let (Some(seen), Some(now)) = (seen, now) else { return false };
    let age = now.duration_since(seen);
    age.is_negative() || age.unsigned_abs() <= span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seen_is_judged_by_the_clock_that_is_given() {
        let at = |seconds| Timestamp::from_second(seconds).ok();
        for (seen, now, expected) in [
            (at(1000), at(1900), true),
            (at(1000), at(1901), false),
            (at(2000), at(1900), true),
            (None, at(1900), false),
            (at(1000), None, false),
        ] {
            assert_eq!(seen_within(seen, now, ONLINE_WITHIN), expected, "{seen:?} {now:?}");
        }
    }

    #[test]
    fn zero_is_never_and_units_differ() {
        assert_eq!(from_micros(0), None);
        assert_eq!(from_seconds(1_700_000_000), from_micros(1_700_000_000_000_000));
        assert_eq!(from_millis(1_700_000_000_000), from_seconds(1_700_000_000));
    }
}

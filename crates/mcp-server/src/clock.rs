//! Times as a person reads them: UTC to the second, with the age beside it.

use std::time::Duration;

use jiff::Timestamp;

/// The time to the second. A sub-second part says nothing to a reader and costs eight characters.
pub fn to_second(time: Timestamp) -> Timestamp {
    // Truncation never leaves the range of a timestamp that lies after 1970.
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Now, to the second.
pub fn now() -> Timestamp {
    to_second(Timestamp::now())
}

/// How long before `now` something was, such as `12 s ago`, or `in 3 h` where it is to come.
pub fn age(now: Timestamp, then: Timestamp) -> String {
    let apart = now.duration_since(then);
    let length = span(apart.unsigned_abs());
    if apart.is_negative() && apart.unsigned_abs() >= Duration::from_secs(1) {
        format!("in {length}")
    } else {
        format!("{length} ago")
    }
}

/// A time with its age, such as `2026-01-02T03:04:05Z (12 s ago)`; `never` where there is none.
pub fn dated(now: Timestamp, then: Option<Timestamp>) -> String {
    then.map_or_else(
        || String::from("never"),
        |then| format!("{} ({})", to_second(then), age(now, then)),
    )
}

/// A length of time in one unit, rounded down: `0 s`, `90 s`, `3 min`, `3 h`, `12 d`. The next
/// unit begins at two of it, since `1 d` would hide as much as it says.
pub fn span(length: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = length.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / MINUTE),
        7200..172_800 => format!("{} h", seconds / HOUR),
        _ => format!("{} d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_323_045 + second).unwrap()
    }

    #[test]
    fn ages_use_one_unit() {
        for (seconds, shown) in [
            (0, "0 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7199, "119 min ago"),
            (7200, "2 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 d ago"),
            (-300, "in 5 min"),
        ] {
            assert_eq!(age(at(0), at(-seconds)), shown);
        }
    }

    #[test]
    fn a_time_stands_with_its_age_and_never_is_a_word() {
        assert_eq!(dated(at(12), Some(at(0))), "2026-01-02T03:04:05Z (12 s ago)");
        assert_eq!(dated(at(12), None), "never");
        assert_eq!(to_second(Timestamp::from_millisecond(1_767_323_045_999).unwrap()), at(0));
    }
}

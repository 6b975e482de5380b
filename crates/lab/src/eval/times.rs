//! Times out of numbers and texts.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::value::Value;

/// The instant that a value means: a time, seconds since 1970 (also in milli-, micro- or
/// nanoseconds: the magnitude tells), or a text.
pub(crate) fn time_from(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Time(time) => Some(*time),
        Value::Str(text) => parse(text),
        Value::Int(epoch) => from_epoch(*epoch),
        Value::Float(epoch) => {
            if epoch.abs() > 1e11 {
                #[expect(clippy::cast_possible_truncation, reason = "beyond seconds")]
                return from_epoch(*epoch as i64);
            }
            #[expect(clippy::cast_possible_truncation, reason = "seconds fit")]
            Timestamp::from_microsecond((epoch * 1e6) as i64).ok()
        }
        _ => None,
    }
}

/// Zero is "not set", which the server shows as the year one.
fn from_epoch(epoch: i64) -> Option<Timestamp> {
    match epoch {
        0 => DateTime::constant(1, 1, 1, 0, 0, 0, 0)
            .to_zoned(TimeZone::UTC)
            .map(|z| z.timestamp())
            .ok(),
        e if e.abs() < 20_000_000_000 => Timestamp::from_second(e).ok(),
        e if e.abs() < 20_000_000_000_000 => Timestamp::from_millisecond(e).ok(),
        e if e.abs() < 20_000_000_000_000_000 => Timestamp::from_microsecond(e).ok(),
        e => Timestamp::from_nanosecond(i128::from(e)).ok(),
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| {
            let local: DateTime = text.parse().ok()?;
            Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
        })
        .or_else(|| {
            let day: Date = text.parse().ok()?;
            Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
        })
        .or_else(|| text.parse::<i64>().ok().and_then(from_epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &Value) -> String {
        time_from(value).map_or_else(|| String::from("null"), |t| t.to_string())
    }

    #[test]
    fn the_magnitude_tells_the_unit() {
        for epoch in [1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000] {
            assert_eq!(show(&Value::Int(epoch)), "2023-11-14T22:13:20Z");
        }
        assert_eq!(show(&Value::Int(0)), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn texts_are_read_as_utc_unless_they_say_otherwise() {
        assert_eq!(show(&Value::str("2024-01-01")), "2024-01-01T00:00:00Z");
        assert_eq!(show(&Value::str("2024-01-01T02:00:00+02:00")), "2024-01-01T00:00:00Z");
        assert_eq!(show(&Value::str("garbage")), "null");
    }
}

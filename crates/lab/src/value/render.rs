//! Values as text.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Value, to_json};

/// The instant as the server writes it: UTC, with as many digits after the second as are needed.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    time.to_string()
}

/// The instant as text arguments and parameters see it.
fn spelled(time: Timestamp) -> String {
    let time = time.to_zoned(TimeZone::UTC);
    let fraction = if time.subsec_nanosecond() == 0 { "" } else { "%.f" };
    time.strftime(&format!("%Y-%m-%d %H:%M:%S{fraction} +0000 UTC")).to_string()
}

/// The value as text, as `str()`, `join()` and string arguments see it.
pub(crate) fn display(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Float(value) => float(*value),
        Value::Str(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Time(time) => spelled(*time),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(display).collect::<Vec<_>>().join(" "))
        }
        Value::Dict(_) | Value::Message(_) | Value::Query(_) => to_json(value),
    }
}

/// A fraction without a needless `.0`: 1.0 is `1`, 1e20 is `100000000000000000000`.
pub(super) fn float(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::from("null") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_written_as_the_server_does() {
        assert_eq!(float(1.0), "1");
        assert_eq!(float(1e20), "100000000000000000000");
        assert_eq!(float(3.5), "3.5");
        let time = Timestamp::from_millisecond(1_700_000_000_500).unwrap();
        assert_eq!(rfc3339(time), "2023-11-14T22:13:20.5Z");
        assert_eq!(display(&Value::Time(time)), "2023-11-14 22:13:20.5 +0000 UTC");
        assert_eq!(display(&Value::array([Value::Int(1), Value::str("b")])), "[1 b]");
    }
}

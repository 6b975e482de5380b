//! Lengths of time as people write them.

use jiff::SignedDuration;

/// Longer ones are mistakes.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 3653);

/// Reads `90m`, `24h`, `7d`, `2w`.
pub(super) fn parse(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let count: i64 = text[..text.len() - unit.len_utf8()].trim().parse().ok()?;
    let minutes = match unit.to_ascii_lowercase() {
        'm' => 1,
        'h' => 60,
        'd' => 60 * 24,
        'w' => 60 * 24 * 7,
        _ => return None,
    };
    let seconds = count.checked_mul(minutes)?.checked_mul(60)?;
    let length = SignedDuration::from_secs(seconds);
    (length.is_positive() && length <= LONGEST).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_count_and_a_unit_is_a_length() {
        for (text, hours) in
            [("24h", Some(24)), ("7D", Some(168)), ("120m", Some(2)), ("1 w", Some(168))]
        {
            assert_eq!(parse(text), hours.map(SignedDuration::from_hours), "{text}");
        }
        for text in ["", "h", "24", "-1h", "0d", "1y", "9223372036854775807w", "520w5", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

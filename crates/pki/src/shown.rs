//! Text of a certificate, made fit to be shown: whoever made it chose it.

use jiff::SignedDuration;

/// The text with every character escaped that is not seen, or that moves what is seen.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Control characters, line separators, and those that are invisible or turn the direction.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A length of time in the unit that a person would use.
pub(crate) fn length(time: SignedDuration) -> String {
    let seconds = time.as_secs().unsigned_abs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped() {
        assert_eq!(shown("a\u{1b}[2J\u{202e}b\nü"), "a\\u{1b}[2J\\u{202e}b\\u{a}ü");
    }

    #[test]
    fn lengths_are_told_in_a_fitting_unit() {
        for (seconds, text) in
            [(1, "1 second"), (-90, "90 seconds"), (7199, "119 minutes"), (200_000, "2 days")]
        {
            assert_eq!(length(SignedDuration::from_secs(seconds)), text);
        }
    }
}

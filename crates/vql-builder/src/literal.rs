//! Literals and names: what their spelling means, and how a value is spelled.

/// Reads a whole number as the engine does: decimal, `0x…`, and octal after a leading zero.
/// `None` where it is none or does not fit 64 bits.
pub(crate) fn parse_whole_number(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // The sign goes in with the digits, because the lowest number has no positive counterpart.
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

/// Reads a number with a fraction or an exponent, or one beyond 64 bits. `None` where the engine
/// logs an error and goes on with NULL: hexadecimal beyond 64 bits, or too large for a float.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// The value of a string literal, quotes included in `text`.
///
/// Escapes make bytes, not characters; where the bytes are not UTF-8, the replacement character
/// stands for them.
pub(crate) fn unquote(text: &str) -> String {
    if let Some(raw) = text.strip_prefix("'''").and_then(|rest| rest.strip_suffix("'''")) {
        return raw.to_owned();
    }
    let inner = &text[1..text.len() - 1];
    if !inner.contains('\\') {
        return inner.to_owned();
    }
    let bytes = inner.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        // The engine drops an escape that the end of the string cuts off.
        let Some(escape) = bytes.get(at + 1) else { break };
        match escape {
            b'x' | b'X' => {
                let (Some(high), Some(low)) = (bytes.get(at + 2), bytes.get(at + 3)) else { break };
                let digit = |byte: &u8| (*byte as char).to_digit(16);
                if let (Some(high), Some(low)) = (digit(high), digit(low)) {
                    out.push((high * 16 + low) as u8);
                    at += 4;
                } else {
                    out.push(b'\\');
                    at += 1;
                }
                continue;
            }
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            other => out.push(*other),
        }
        at += 2;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The name that a token spells: backticks removed.
pub(crate) fn unquote_name(text: &str) -> &str {
    text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(text)
}

/// Spells a string as a literal that the engine reads back as the same string.
///
/// ```
/// assert_eq!(vql_builder::quote_string("a\"b\n"), r#""a\"b\x0a""#);
/// ```
pub fn quote_string(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            character if character.is_ascii_control() => {
                out.push_str("\\x");
                let byte = character as u32;
                out.extend(char::from_digit(byte >> 4, 16));
                out.extend(char::from_digit(byte & 15, 16));
            }
            character => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_follow_the_base_prefix() {
        for (text, value) in [
            ("0", Some(0)),
            ("010", Some(8)),
            ("08", None),
            ("-0x1F", Some(-31)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1.5", None),
            (".5", None),
            ("1e3", None),
        ] {
            assert_eq!(parse_whole_number(text), value, "{text}");
        }
    }

    #[test]
    fn floats_that_do_not_fit_are_none() {
        assert_eq!(parse_float("-.5"), Some(-0.5));
        assert_eq!(parse_float("1e400"), None);
        assert_eq!(parse_float("0xffffffffffffffffff"), None);
    }

    #[test]
    fn escapes_are_bytes() {
        for (text, value) in [
            (r#""a\x41\n""#, "aA\n"),
            (r"'\xe2\x82\xac'", "€"),
            (r#""\xag""#, r"\xag"),
            (r#""a\x1""#, "a"),
            (r"'\q'", "q"),
            (r"'''\n'''", r"\n"),
            ("''", ""),
        ] {
            assert_eq!(unquote(text), value, "{text}");
        }
    }
}

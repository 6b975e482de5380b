//! Values to and from JSON, in the server's spelling.

use std::fmt::Write as _;
use std::sync::Arc;

use super::render::float;
use super::{Dict, Value, rfc3339};

/// The value as JSON text.
pub(crate) fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value);
    out
}

/// Appends the value as JSON: keys in order, 64-bit numbers exact, `<`, `>` and `&` escaped, bytes
/// that are not text replaced.
pub(crate) fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Query(_) => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(value) => number(out, value),
        Value::UInt(value) => number(out, value),
        Value::Float(value) => out.push_str(&float(*value)),
        Value::Str(text) => string(out, text),
        Value::Bytes(bytes) => string(out, &String::from_utf8_lossy(bytes)),
        Value::Time(time) => string(out, &rfc3339(*time)),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Dict(dict) | Value::Message(dict) => object(out, dict),
    }
}

/// Appends a row.
pub(crate) fn object(out: &mut String, dict: &Dict) {
    out.push('{');
    for (i, (name, value)) in dict.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        string(out, name);
        out.push(':');
        write_json(out, value);
    }
    out.push('}');
}

fn number(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escape(out, c),
            c if c < ' ' => escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// Reading JSON into a value, numbers exact.
pub(crate) trait ParseJson: Sized {
    /// Converts what serde_json read.
    fn from_json(json: serde_json::Value) -> Self;
}

impl ParseJson for Value {
    fn from_json(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => number
                .as_i64()
                .map(Self::Int)
                .or_else(|| number.as_u64().map(Self::UInt))
                .or_else(|| number.as_f64().map(Self::Float))
                .unwrap_or_default(),
            serde_json::Value::String(text) => Self::str(text),
            serde_json::Value::Array(items) => Self::array(items.into_iter().map(Self::from_json)),
            serde_json::Value::Object(members) => Self::dict(
                members
                    .into_iter()
                    .map(|(name, value)| (Arc::from(name), Self::from_json(value)))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::row;

    #[test]
    fn json_is_spelled_as_the_server_spells_it() {
        let value = Value::from(row! {
            "b" => "<b>&\u{1}",
            "a" => Value::array([Value::Int(9_007_199_254_740_993), Value::UInt(u64::MAX)]),
            "n" => Value::Null,
            "raw" => Value::Bytes(Arc::from(&[0u8, 0xff, 0x41][..])),
        });
        assert_eq!(
            to_json(&value),
            "{\"b\":\"\\u003cb\\u003e\\u0026\\u0001\",\
             \"a\":[9007199254740993,18446744073709551615],\"n\":null,\"raw\":\"\\u0000\u{fffd}A\"}"
        );
    }

    #[test]
    fn json_numbers_stay_exact() {
        let read = serde_json::from_str("[18446744073709551615, 9007199254740993, 1.5]").unwrap();
        assert_eq!(to_json(&Value::from_json(read)), "[18446744073709551615,9007199254740993,1.5]");
    }
}

//! Functions that make and convert values.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::{Function, Place, pure};
use crate::eval::{Arg, Call, Failure, Kind, time_from};
use crate::value::{ParseJson, Value, display, to_json};

pub(super) const TABLE: &[Function] = &[
    Function {
        name: "dict",
        about: "Makes a mapping of its arguments.",
        place: Place::Everywhere,
        args: &[],
        free: true,
        permissions: &[],
        call: |call| Ok(Value::dict(call.free.clone())),
    },
    Function {
        name: "array",
        about: "Makes an array of its arguments' values.",
        place: Place::Everywhere,
        args: &[],
        free: true,
        permissions: &[],
        call: |call| Ok(Value::array(call.free.values().cloned())),
    },
    pure("parse_json", "Reads a JSON object.", &[Arg::needed("data", Kind::Str)], parse_json),
    pure("parse_json_array", "Reads a JSON array.", &[Arg::needed("data", Kind::Str)], parse_array),
    pure(
        "serialize",
        "Writes a value as JSON.",
        &[Arg::needed("item", Kind::Any), Arg::optional("format", Kind::Str)],
        serialize,
    ),
    pure("int", "Makes a whole number.", &[Arg::needed("int", Kind::Any)], int),
    pure("atoi", "Makes a whole number of a text.", &[Arg::needed("string", Kind::Any)], atoi),
    pure("parse_float", "Makes a number of a text.", &[Arg::needed("string", Kind::Str)], |call| {
        Ok(Value::Float(call.text("string").trim().parse().unwrap_or(0.0)))
    }),
    pure("str", "Makes a text.", &[Arg::needed("str", Kind::Any)], |call| {
        Ok(Value::str(if call.value("str").is_null() {
            String::from("Null")
        } else {
            call.text("str")
        }))
    }),
    pure(
        "timestamp",
        "Makes a time of an epoch or a text.",
        &[
            Arg::optional("epoch", Kind::Any),
            Arg::optional("string", Kind::Str),
            Arg::optional("cocoatime", Kind::Any),
            Arg::optional("mactime", Kind::Any),
            Arg::optional("winfiletime", Kind::Any),
            Arg::optional("timestamp", Kind::Any),
            Arg::optional("format", Kind::Str),
        ],
        timestamp,
    ),
    pure("now", "The seconds since 1970.", &[Arg::optional("ns", Kind::Bool)], now),
    pure("base64encode", "Encodes as base64.", &[Arg::needed("string", Kind::Str)], |call| {
        let text = call.value("string");
        let bytes = if let Value::Bytes(bytes) = &text { bytes } else { text_bytes(&text) };
        Ok(Value::str(STANDARD.encode(bytes)))
    }),
    pure("base64decode", "Decodes base64.", &[Arg::needed("string", Kind::Str)], |call| {
        let bytes = STANDARD.decode(call.text("string")).map_err(|error| error.to_string())?;
        Ok(from_bytes(bytes))
    }),
    pure("unhex", "Reads hexadecimal digits.", &[Arg::optional("string", Kind::Str)], unhex),
];

fn text_bytes(value: &Value) -> &[u8] {
    value.as_str().unwrap_or_default().as_bytes()
}

fn from_bytes(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::str(text),
        Err(error) => Value::Bytes(Arc::from(error.into_bytes())),
    }
}

fn unhex(call: &Call<'_>) -> Result<Value, Failure> {
    let text = call.text("string");
    let bytes = text
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let digits = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
            u8::from_str_radix(digits, 16).map_err(|error| error.to_string())
        })
        .collect::<Result<Vec<u8>, Failure>>()?;
    Ok(from_bytes(bytes))
}

fn parse_json(call: &Call<'_>) -> Result<Value, Failure> {
    let data = call.text("data");
    let read = serde_json::from_str(&data).map_err(|error| json_error(&data, &error))?;
    Ok(Value::from_json(read))
}

fn parse_array(call: &Call<'_>) -> Result<Value, Failure> {
    let data = call.text("data");
    match serde_json::from_str(&data).map_err(|error| json_error(&data, &error))? {
        serde_json::Value::Array(items) => {
            Ok(Value::array(items.into_iter().map(Value::from_json)))
        }
        other => {
            let kind = match other {
                serde_json::Value::Object(_) => "object",
                serde_json::Value::String(_) => "string",
                serde_json::Value::Number(_) => "number",
                serde_json::Value::Bool(_) => "bool",
                _ => return Ok(Value::Null),
            };
            Err(format!("json: cannot unmarshal {kind} into Go value of type []json.RawMessage"))
        }
    }
}

/// The engine's wording: the offending character, where it stands, and the text.
fn json_error(data: &str, error: &serde_json::Error) -> Failure {
    let line = data.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let found = line.chars().nth(error.column().saturating_sub(1));
    let text = error.to_string();
    match found {
        Some(c) if text.starts_with("key must be a string") => {
            format!("invalid character '{c}' looking for beginning of object key string: {data}")
        }
        Some(c) if text.starts_with("expected value") => {
            format!("invalid character '{c}' looking for beginning of value: {data}")
        }
        Some(c) if !error.is_eof() => format!("invalid character '{c}': {data}"),
        _ => format!("unexpected end of JSON input: {data}"),
    }
}

/// JSON, indented by one blank.
fn serialize(call: &Call<'_>) -> Result<Value, Failure> {
    let json: serde_json::Value =
        serde_json::from_str(&to_json(&call.value("item"))).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut writer = serde_json::Serializer::with_formatter(&mut out, format);
    serde::Serialize::serialize(&json, &mut writer).map_err(|error| error.to_string())?;
    Ok(from_bytes(out))
}

fn int(call: &Call<'_>) -> Result<Value, Failure> {
    Ok(match call.value("int") {
        Value::Str(text) => Value::Int(number(&text)),
        Value::Bool(_) => Value::Int(0),
        other => Value::Int(other.as_int().unwrap_or(0)),
    })
}

fn atoi(call: &Call<'_>) -> Result<Value, Failure> {
    Ok(Value::Int(number(&display(&call.value("string")))))
}

/// Garbage is silently zero.
fn number(text: &str) -> i64 {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).unwrap_or(0),
        None => text.parse().unwrap_or(0),
    }
}

fn timestamp(call: &Call<'_>) -> Result<Value, Failure> {
    for name in ["epoch", "timestamp", "string"] {
        if call.has(name) {
            return Ok(time_from(&call.value(name)).map_or(Value::Null, Value::Time));
        }
    }
    // Windows counts tenths of microseconds since 1601.
    if let Some(ticks) = call.int("winfiletime") {
        let micros = ticks / 10 - 11_644_473_600_000_000;
        return Ok(Timestamp::from_microsecond(micros).map_or(Value::Null, Value::Time));
    }
    Ok(Value::Null)
}

fn now(call: &Call<'_>) -> Result<Value, Failure> {
    let now = call.scope.run.now();
    Ok(if call.flag("ns") {
        Value::Int(i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX))
    } else {
        Value::Int(now.as_second())
    })
}

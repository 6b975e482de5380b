//! Values of parameters: from JSON to the text that the agent reads back as the declared type.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

use crate::artifacts::Parameter;
use crate::near::near;

/// What remains to be asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// This regular expression compiles.
    Compiles(String),
    /// This text matches this pattern.
    Matches { text: String, pattern: String },
}

/// The text of a value, or why the value does not fit; the fault continues "parameter X …".
pub(super) fn read(parameter: &Parameter, value: &Value) -> Result<(String, Vec<Need>), String> {
    let text = match parameter.kind.to_ascii_lowercase().as_str() {
        "bool" => boolean(value)?,
        "int" | "int64" | "integer" => integer(value)?,
        "float" => float(value)?,
        "timestamp" => timestamp(value)?,
        "choices" => choice(parameter, plain(value)?)?,
        "multichoice" => {
            let chosen = list(value)?;
            for item in &chosen {
                choice(parameter, plain(item)?)?;
            }
            Value::Array(chosen).to_string()
        }
        "json_array" | "regex_array" => Value::Array(list(value)?).to_string(),
        "json" => json(value)?,
        "csv" | "artifactset" => csv(value)?,
        _ => plain(value)?,
    };
    let mut needs = Vec::new();
    match parameter.kind.as_str() {
        "regex" => needs.push(Need::Compiles(text.clone())),
        "regex_array" => {
            for item in list(value)? {
                needs.push(Need::Compiles(plain(&item)?));
            }
        }
        _ => {}
    }
    if let (Some(pattern), false) = (&parameter.validating_regex, text.is_empty()) {
        needs.push(Need::Matches { text: text.clone(), pattern: pattern.clone() });
    }
    Ok((text, needs))
}

/// A text, or what has one obvious text.
fn plain(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(String::from(if *flag { "Y" } else { "N" })),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(format!("takes a text, not {value}")),
    }
}

/// The agent takes only `Y` for true; every other text is false.
fn boolean(value: &Value) -> Result<String, String> {
    let wrong = || format!("takes true or false, not {value}");
    let flag = match value {
        Value::Bool(flag) => *flag,
        Value::Null => false,
        Value::Number(number) => match number.as_u64() {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(wrong()),
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "y" | "yes" | "true" | "1" => true,
            "" | "n" | "no" | "false" | "0" => false,
            _ => return Err(wrong()),
        },
        _ => return Err(wrong()),
    };
    Ok(String::from(if flag { "Y" } else { "" }))
}

fn integer(value: &Value) -> Result<String, String> {
    let wrong = || format!("takes a whole number, not {value}");
    let number = match value {
        Value::Null => return Ok(String::new()),
        Value::Number(number) => number.as_i64().ok_or_else(wrong)?,
        Value::String(text) if text.trim().is_empty() => return Ok(String::new()),
        Value::String(text) => text.trim().parse().map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    Ok(number.to_string())
}

fn float(value: &Value) -> Result<String, String> {
    let wrong = || format!("takes a number, not {value}");
    let number: f64 = match value {
        Value::Null => return Ok(String::new()),
        Value::Number(number) => return Ok(number.to_string()),
        Value::String(text) if text.trim().is_empty() => return Ok(String::new()),
        Value::String(text) => text.trim().parse().map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    if number.is_finite() { Ok(number.to_string()) } else { Err(wrong()) }
}

/// RFC 3339, a date and time in UTC, a date, or seconds since 1970; sent as RFC 3339 in UTC.
fn timestamp(value: &Value) -> Result<String, String> {
    let wrong =
        || format!("takes a time such as 2026-01-31T08:00:00Z or seconds since 1970, not {value}");
    let seconds = |number: i64| Timestamp::from_second(number).map_err(|_| wrong());
    let utc =
        |time: DateTime| time.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp());
    let time = match value {
        Value::Null => return Ok(String::new()),
        Value::Number(number) => seconds(number.as_i64().ok_or_else(wrong)?)?,
        Value::String(text) => {
            let text = text.trim();
            if text.is_empty() {
                return Ok(String::new());
            }
            if let Ok(number) = text.parse() {
                seconds(number)?
            } else if let Ok(time) = text.parse::<Timestamp>() {
                time
            } else {
                // A date alone is its midnight. It is not parsed as a date first: that takes a
                // date with a time as well, and drops the time.
                text.parse::<DateTime>().and_then(utc).map_err(|_| wrong())?
            }
        }
        _ => return Err(wrong()),
    };
    Ok(time.to_string())
}

fn choice(parameter: &Parameter, text: String) -> Result<String, String> {
    if parameter.choices.is_empty() || parameter.choices.contains(&text) {
        return Ok(text);
    }
    let meant = match near(&text, parameter.choices.iter().map(String::as_str)).first() {
        Some(meant) => format!("; did you mean {meant:?}?"),
        None => String::new(),
    };
    Err(format!("takes one of {}, not {text:?}{meant}", parameter.choices.join(", ")))
}

/// An array, or a text that holds one.
fn list(value: &Value) -> Result<Vec<Value>, String> {
    let wrong = || format!("takes a list, not {value}");
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => Ok(items.clone()),
        Value::String(text) if text.trim().is_empty() => Ok(Vec::new()),
        Value::String(text) => serde_json::from_str(text).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// JSON text stays as it is, other JSON becomes text.
fn json(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) if text.trim().is_empty() => Ok(String::new()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(_) => Ok(text.clone()),
            Err(error) => Err(format!("takes JSON: {error}")),
        },
        other => Ok(other.to_string()),
    }
}

/// CSV text stays as it is; a list of objects becomes CSV with their keys as the header.
fn csv(value: &Value) -> Result<String, String> {
    let wrong = || format!("takes CSV text or a list of objects, not {value}");
    let rows = match value {
        Value::Null => return Ok(String::new()),
        Value::String(text) => return Ok(text.clone()),
        Value::Array(rows) => rows,
        _ => return Err(wrong()),
    };
    let rows: Vec<&serde_json::Map<String, Value>> =
        rows.iter().map(Value::as_object).collect::<Option<_>>().ok_or_else(wrong)?;
    let mut header: Vec<&str> = Vec::new();
    for key in rows.iter().flat_map(|row| row.keys()) {
        if !header.contains(&key.as_str()) {
            header.push(key);
        }
    }
    let cell = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let mut lines = vec![header.iter().map(|name| cell(name)).collect::<Vec<_>>().join(",")];
    for row in rows {
        let mut cells = Vec::new();
        for name in &header {
            let text = match row.get(*name) {
                Some(nested @ (Value::Array(_) | Value::Object(_))) => nested.to_string(),
                Some(other) => plain(other)?,
                None => String::new(),
            };
            cells.push(cell(&text));
        }
        lines.push(cells.join(","));
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str) -> Parameter {
        Parameter { name: String::from("P"), kind: kind.to_owned(), ..Parameter::default() }
    }

    fn text(kind: &str, value: Value) -> Result<String, String> {
        read(&of(kind), &value).map(|(text, _)| text)
    }

    #[test]
    fn values_that_the_server_would_change_silently_are_refused() {
        // The server makes 0 of the first and NULL of the second.
        assert!(text("int", json!("ten")).is_err());
        assert!(text("timestamp", json!("yesterday")).is_err());
        assert!(text("int64", json!(1.5)).is_err());
        assert!(text("bool", json!("maybe")).is_err());
        assert!(text("json", json!("{a:1}")).is_err());
        assert!(text("json_array", json!("{}")).is_err());
        assert!(text("csv", json!([1])).is_err());
        assert!(text("", json!({"a": 1})).is_err());
        assert!(text("float", json!("NaN")).is_err());
    }

    #[test]
    fn values_become_the_text_that_the_agent_reads_back() {
        for (kind, value, expected) in [
            ("bool", json!(true), "Y"),
            ("bool", json!("N"), ""),
            ("int", json!("-7"), "-7"),
            ("integer", json!(9_007_199_254_740_993_i64), "9007199254740993"),
            ("float", json!(0.5), "0.5"),
            ("timestamp", json!(0), "1970-01-01T00:00:00Z"),
            ("timestamp", json!("2026-01-31"), "2026-01-31T00:00:00Z"),
            ("timestamp", json!("2026-01-31T10:00:00+02:00"), "2026-01-31T08:00:00Z"),
            ("timestamp", json!("2026-01-31 10:00:00"), "2026-01-31T10:00:00Z"),
            ("", json!("a \"quoted\"; text"), "a \"quoted\"; text"),
            ("string", json!(5), "5"),
            ("json_array", json!(["a", 1]), "[\"a\",1]"),
            ("json_array", json!("[\"a\"]"), "[\"a\"]"),
            ("csv", json!([{"A": "x,y", "B": 1}, {"B": "q\"q"}]), "A,B\n\"x,y\",1\n,\"q\"\"q\"\n"),
        ] {
            assert_eq!(text(kind, value.clone()), Ok(expected.to_owned()), "{kind} {value}");
        }
    }

    #[test]
    fn a_choice_is_one_of_the_choices() {
        let choices = ["generic", "client"].map(String::from).to_vec();
        let one = Parameter { choices: choices.clone(), ..of("choices") };
        assert!(read(&one, &json!("client")).is_ok());
        let fault = read(&one, &json!("Client")).unwrap_err();
        assert!(fault.contains("did you mean \"client\"?"), "{fault}");
        let several = Parameter { choices, ..of("multichoice") };
        assert!(read(&several, &json!(["client", "generic"])).is_ok());
        assert!(read(&several, &json!(["client", "other"])).is_err());
    }

    #[test]
    fn patterns_are_left_to_the_server() {
        let (_, needs) = read(&of("regex"), &json!("a(")).unwrap();
        assert_eq!(needs, [Need::Compiles(String::from("a("))]);
        let (_, needs) = read(&of("regex_array"), &json!(["a", "b"])).unwrap();
        assert_eq!(needs.len(), 2);
        let validated =
            Parameter { validating_regex: Some(String::from("^[0-9]+$")), ..of("string") };
        let (_, needs) = read(&validated, &json!(12)).unwrap();
        assert_eq!(needs.len(), 1);
    }
}

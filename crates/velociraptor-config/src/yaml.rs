//! YAML, written so that there is one way to read it.
//!
//! Every text is quoted, because Velociraptor's reader takes `yes`, `on` and `0x1F` for something
//! else than text; blocks of PEM are written as such, for people.

use secret::Secret;
use serde_json::Value;

use crate::error::ConfigError;

/// Writes a tree.
pub(crate) fn render(value: &Value) -> Secret<String> {
    let mut out = String::new();
    match value {
        Value::Object(_) => entries(value, 0, &mut out),
        other => scalar(other, 0, &mut out),
    }
    Secret::new(out)
}

fn entries(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                indent(depth, out);
                out.push_str(&key_text(key));
                out.push(':');
                child(value, depth + 1, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                indent(depth, out);
                out.push('-');
                child(item, depth + 1, out);
            }
        }
        other => scalar(other, depth, out),
    }
}

fn child(value: &Value, depth: usize, out: &mut String) {
    let nested = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        entries(value, depth, out);
    } else {
        out.push(' ');
        scalar(value, depth, out);
    }
}

fn scalar(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::String(text) if is_block(text) => {
            out.push_str("|\n");
            for line in text.lines() {
                indent(depth, out);
                out.push_str(line);
                out.push('\n');
            }
        }
        // JSON's way to write texts and numbers, `{}` and `[]` is YAML's too.
        other => {
            out.push_str(&other.to_string());
            out.push('\n');
        }
    }
}

/// Lines that a block keeps as they are.
fn is_block(text: &str) -> bool {
    let plain = |line: &str| {
        !line.is_empty() && line.bytes().all(|byte| (0x21..0x7f).contains(&byte) || byte == b' ')
    };
    text.starts_with("-----BEGIN ")
        && text.ends_with('\n')
        && text.lines().all(|line| plain(line) && !line.starts_with(' '))
}

/// Words that are something else than text where they are not quoted.
const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

fn key_text(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain && !WORDS.contains(&key.to_ascii_lowercase().as_str()) {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Reads a tree. The message of a failure tells where, and nothing of what stands there.
pub(crate) fn read(kind: &'static str, text: &str) -> Result<Value, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = serde_saphyr::options! { strict_booleans: true };
    let value: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location();
        let cause = place.map_or_else(
            || "it is no YAML".to_owned(),
            |at| format!("it is no YAML, at line {}, column {}", at.line(), at.column()),
        );
        ConfigError::Malformed { kind, cause }
    })?;
    match value {
        Value::Null => Err(ConfigError::Empty(kind)),
        Value::Object(map) if map.is_empty() => Err(ConfigError::Empty(kind)),
        Value::Object(_) => Ok(value),
        _ => Err(ConfigError::Malformed { kind, cause: "it is no set of keys".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "GUI": {"bind_port": 8889, "on": true, "words": ["yes", "off", "0x1F", "1e3", "~", ""]},
            "empty": {}, "none": [], "No": 1, "true": 2, "1": 3, "a: b": 4, "big": 1_099_511_627_776_u64, "negative": -1,
            "pem": "-----BEGIN X-----\nab+/=\n-----END X-----\n",
            "odd": "-----BEGIN X-----\n  indented\n\ttab\n",
            "text": "a: b # c\n\"quoted\" \u{202e} \u{1}\\",
            "list": [{"a key": "v", "more": [[1], []]}],
        });
        let text = render(&value);
        assert_eq!(read("server", text.expose()).unwrap(), value, "{}", text.expose());
        assert!(text.expose().contains("pem: |\n  -----BEGIN X-----\n  ab+/=\n"));
        assert!(text.expose().contains("\"on\": true"));
    }

    #[test]
    fn what_is_no_configuration_is_told_without_its_text() {
        for empty in ["", "# nothing\n", "{}", "---\n"] {
            assert_eq!(read("API", empty), Err(ConfigError::Empty("API")), "{empty:?}");
        }
        for wrong in ["hunter2", "- hunter2", "a: [hunter2", "a: hunter2\na: hunter2\n"] {
            let error = read("API", wrong).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

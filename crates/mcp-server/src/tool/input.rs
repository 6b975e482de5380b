//! The arguments of a call, read into the tool's own type; what does not fit is explained.
//!
//! The words come from the tool's schema: the argument by its path, the value that was given, what
//! was expected, and the names that there are.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use velociraptor_api::near::near;

use crate::tool_error::ToolError;

/// Most characters of a value that are shown.
const SHOWN: usize = 60;

/// Reads the arguments of the tool `tool`, whose arguments `schema` describes.
///
/// # Errors
///
/// `invalid_input` naming the argument, its value and what was expected.
pub(super) fn read<T: DeserializeOwned>(
    tool: &str,
    schema: fn() -> Map<String, Value>,
    arguments: Map<String, Value>,
) -> Result<T, ToolError> {
    let value = Value::Object(arguments);
    serde_path_to_error::deserialize(&value).map_err(|error| {
        let path: Vec<Segment> = error.path().iter().cloned().collect();
        let schema = Value::Object(schema());
        let fault = explain(tool, &schema, &value, &path, &error.inner().to_string());
        next(ToolError::invalid(fault), tool, &schema)
    })
}

fn next(error: ToolError, tool: &str, schema: &Value) -> ToolError {
    let names: Vec<&str> = names(schema).collect();
    error.next(if names.is_empty() {
        format!("{tool} takes no arguments")
    } else {
        format!(
            "the arguments of {tool} are {}; megaraptor tools {tool} describes them",
            names.join(", ")
        )
    })
}

fn explain(tool: &str, schema: &Value, value: &Value, path: &[Segment], said: &str) -> String {
    let (place, schema, value) = follow(schema, value, path);
    let within = |name: &str| join(&place, name);
    if let (Value::Object(given), Some(known)) = (value, schema["properties"].as_object()) {
        if let Some(name) = given.keys().find(|name| !known.contains_key(*name)) {
            return unknown(tool, &within(name), name, schema);
        }
        let required = schema["required"].as_array().into_iter().flatten();
        let missing = required.filter_map(Value::as_str).find(|name| !given.contains_key(*name));
        if let Some(name) = missing {
            let what = schema["properties"][name]["description"].as_str();
            let what = what.map_or_else(|| expected(&schema["properties"][name]), str::to_owned);
            return format!("{} is missing: {what}", within(name));
        }
    }
    let place = if place.is_empty() { String::from("the arguments") } else { place };
    let shown = shown(value);
    let expected = expected(schema);
    if expected.is_empty() {
        return format!("{place} is {shown}: {said}");
    }
    let meant = value.as_str().map(|word| near(word, words(schema))).unwrap_or_default();
    let meant = match meant.as_slice() {
        [] => String::new(),
        near => format!("; did you mean {}?", near.join(" or ")),
    };
    format!("{place} is {shown}, expected {expected}{meant}")
}

fn unknown(tool: &str, path: &str, name: &str, schema: &Value) -> String {
    if matches!(path, "server" | "org") {
        return format!("only one {name} is configured: leave {name} out");
    }
    let near = near(name, names(schema));
    let meant = match near.as_slice() {
        [] => String::new(),
        near => format!("; did you mean {}?", near.join(" or ")),
    };
    format!("{tool} has no argument {path:?}{meant}")
}

/// The place, what is expected there and what was given, as far as both go along the path.
fn follow<'a>(
    mut schema: &'a Value,
    mut value: &'a Value,
    path: &[Segment],
) -> (String, &'a Value, &'a Value) {
    let mut place = String::new();
    for segment in path {
        let (name, below, inside) = match segment {
            Segment::Map { key } => {
                let Some(below) = schema["properties"].get(key) else { break };
                (join(&place, key), below, value.get(key))
            }
            Segment::Seq { index } => {
                let Some(below) = schema.get("items") else { break };
                (format!("{place}[{index}]"), below, value.get(index))
            }
            Segment::Enum { .. } | Segment::Unknown => break,
        };
        let Some(inside) = inside else { break };
        (place, schema, value) = (name, below, inside);
    }
    (place, schema, value)
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

fn names(schema: &Value) -> impl Iterator<Item = &str> {
    schema["properties"].as_object().into_iter().flat_map(|known| known.keys().map(String::as_str))
}

fn words(schema: &Value) -> impl Iterator<Item = &str> {
    schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What a schema expects, in words; empty where it says too little.
pub(super) fn expected(schema: &Value) -> String {
    let words: Vec<&str> = words(schema).collect();
    if !words.is_empty() {
        return format!("one of {}", words.join(", "));
    }
    let range = match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(", {least} or more"),
        (None, Some(most)) => format!(", {most} or less"),
        (None, None) => String::new(),
    };
    match schema["type"].as_str() {
        Some("string") => String::from("a text"),
        Some("integer") => format!("a whole number{range}"),
        Some("number") => format!("a number{range}"),
        Some("boolean") => String::from("true or false"),
        Some("array") => match schema["items"]["type"].as_str() {
            Some("string") => String::from("a list of texts"),
            _ => String::from("a list"),
        },
        Some("object") => String::from("an object"),
        _ => String::new(),
    }
}

/// A value as it was given, cut where it is long.
fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    if let Some((at, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(at);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::tool_error::Code;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Input {
        /// Client id or host name
        client: String,
        #[schemars(range(min = 1, max = 500))]
        limit: Option<u32>,
        order: Option<Order>,
        #[serde(default)]
        labels: Vec<String>,
        #[serde(default)]
        deep: bool,
        bounds: Option<crate::collection::Bounds>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Order {
        Name,
        LastSeen,
    }

    fn refused(arguments: Value) -> ToolError {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        let error = read::<Input>("try_it", super::super::schema::input::<Input>, arguments)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.code, Code::InvalidInput);
        assert!(error.next_step.as_deref().unwrap().contains("client, limit, order"), "{error:?}");
        error
    }

    #[test]
    fn argument_value_and_expectation_are_named() {
        for (given, message) in [
            (json!({}), "client is missing: Client id or host name"),
            (json!({"client": 7}), "client is 7, expected a text"),
            (
                json!({"client": "a", "clinet": 1}),
                "try_it has no argument \"clinet\"; did you mean client?",
            ),
            (
                json!({"client": "a", "limit": -3}),
                "limit is -3, expected a whole number from 1 to 500",
            ),
            (
                json!({"client": "a", "limit": 2.5}),
                "limit is 2.5, expected a whole number from 1 to 500",
            ),
            (
                json!({"client": "a", "limit": "5"}),
                "limit is \"5\", expected a whole number from 1 to 500",
            ),
            (
                json!({"client": "a", "order": "nam"}),
                "order is \"nam\", expected one of name, last_seen; did you mean name?",
            ),
            (json!({"client": "a", "labels": "x"}), "labels is \"x\", expected a list of texts"),
            (json!({"client": "a", "labels": ["x", 2]}), "labels[1] is 2, expected a text"),
            (json!({"client": "a", "deep": "yes"}), "deep is \"yes\", expected true or false"),
            (
                json!({"client": "a", "bounds": {"max_mbs": 1}}),
                "try_it has no argument \"bounds.max_mbs\"; did you mean max_mb or max_rows?",
            ),
            (json!({"client": "a", "org": "O1"}), "only one org is configured: leave org out"),
        ] {
            assert_eq!(refused(given).message, message);
        }
    }

    #[test]
    fn what_fits_is_read() {
        let given = json!({"client": "a", "limit": 500, "order": "last_seen", "labels": ["x"]});
        let Value::Object(given) = given else { panic!("no object") };
        let input = read::<Input>("try_it", super::super::schema::input::<Input>, given).unwrap();
        assert_eq!((input.client.as_str(), input.limit), ("a", Some(500)));
    }

    #[test]
    fn a_long_value_is_cut() {
        let error = refused(json!({"client": ["x".repeat(5000)]}));
        assert!(error.message.len() < 200, "{error}");
    }
}

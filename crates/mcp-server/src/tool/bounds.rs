//! Numbers among the arguments, held against the bounds that the schema states: an error names the
//! argument, its value and the range. A bound that is only told would be a wish.

use serde_json::{Map, Value};

use super::input::expected;
use crate::tool_error::ToolError;

/// Whether there is any number, or a text that could be meant as one, among the arguments.
pub(super) fn concern(arguments: &Map<String, Value>) -> bool {
    arguments.values().any(|value| match value {
        Value::Number(_) => true,
        Value::String(text) => text.trim().parse::<f64>().is_ok(),
        Value::Object(members) => concern(members),
        _ => false,
    })
}

/// Checks every whole number that the schema describes, members of objects included.
///
/// # Errors
///
/// `invalid_input` for the first that is out of its range or no whole number.
pub(super) fn check(
    schema: &Map<String, Value>,
    arguments: &Map<String, Value>,
) -> Result<(), ToolError> {
    members("", schema, arguments)
}

fn members(
    path: &str,
    schema: &Map<String, Value>,
    given: &Map<String, Value>,
) -> Result<(), ToolError> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Ok(());
    };
    for (name, value) in given {
        let Some(schema) = properties.get(name) else { continue };
        let path = format!("{path}{name}");
        if let (Value::Object(given), Value::Object(schema)) = (value, schema) {
            members(&format!("{path}."), schema, given)?;
        }
        if schema.get("type").is_some_and(|kind| kind == "integer") && !value.is_null() {
            number(&path, schema, value)?;
        }
    }
    Ok(())
}

fn number(path: &str, schema: &Value, value: &Value) -> Result<(), ToolError> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let (least, most) = (bound("minimum"), bound("maximum"));
    let fits = match (value.as_i64(), value.as_u64()) {
        (Some(number), _) => {
            least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
        }
        // Beyond the largest that is signed.
        (None, Some(_)) => most.is_none(),
        (None, None) => false,
    };
    if fits {
        return Ok(());
    }
    Err(ToolError::invalid(format!("{path} is {value}, expected {}", expected(schema)))
        .next(format!("leave {path} out for its default")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(arguments: Value) -> Option<String> {
        let schema = json!({"properties": {
            "limit": {"type": "integer", "minimum": 1, "maximum": 500},
            "rows": {"type": "integer", "minimum": 1},
            "name": {"type": "string"},
            "limits": {"type": "object", "properties": {
                "cpu": {"type": "integer", "minimum": 1, "maximum": 100},
            }},
        }});
        check(schema.as_object().unwrap(), arguments.as_object().unwrap())
            .err()
            .map(|error| error.message)
    }

    #[test]
    fn a_number_out_of_its_range_is_named_with_the_range() {
        for (arguments, expected) in [
            (json!({"limit": 0}), "limit is 0, expected a whole number from 1 to 500"),
            (json!({"limit": -1}), "limit is -1, expected a whole number from 1 to 500"),
            (json!({"limit": 501}), "limit is 501, expected a whole number from 1 to 500"),
            (json!({"limit": 1.5}), "limit is 1.5, expected a whole number from 1 to 500"),
            (json!({"limit": "7"}), "limit is \"7\", expected a whole number from 1 to 500"),
            (json!({"rows": 0}), "rows is 0, expected a whole number, 1 or more"),
            (
                json!({"limits": {"cpu": 0}}),
                "limits.cpu is 0, expected a whole number from 1 to 100",
            ),
        ] {
            assert_eq!(said(arguments).as_deref(), Some(expected));
        }
        assert!(concern(json!({"limits": {"cpu": 0}}).as_object().unwrap()));
        assert!(concern(json!({"limit": "7"}).as_object().unwrap()));
        assert!(!concern(json!({"name": "x", "on": true}).as_object().unwrap()));
        for good in [
            json!({"limit": 1, "rows": u64::MAX, "name": "x", "limits": {"cpu": 100}}),
            json!({"limit": null}),
            json!({"other": 0}),
        ] {
            assert_eq!(said(good.clone()), None, "{good}");
        }
    }
}

//! Parameters of a collection: texts on the way, values on the machine.

use std::sync::Arc;

use super::Flow;
use super::repository::Definition;
use crate::value::{ParseJson, Value};

/// The artifact's parameters, converted to the types that it declares.
pub(super) fn parameters(definition: &Definition, flow: &Flow) -> Vec<(String, Value)> {
    let given = flow.order.specs.get(&definition.name);
    definition
        .parameters
        .iter()
        .map(|parameter| {
            let text =
                given.and_then(|given| given.get(&parameter.name)).unwrap_or(&parameter.default);
            (parameter.name.clone(), typed(&parameter.kind, text))
        })
        .collect()
}

/// A bad number is silently zero and a bad time NULL: the agent converts so.
pub(crate) fn typed(kind: &str, text: &str) -> Value {
    match kind {
        "int" | "int64" | "integer" => Value::Int(text.trim().parse().unwrap_or(0)),
        "float" => Value::Float(text.trim().parse().unwrap_or(0.0)),
        "bool" => Value::Bool(matches!(text.trim(), "Y" | "y" | "TRUE" | "true" | "1")),
        "timestamp" => crate::eval::time_from(&Value::str(text)).map_or(Value::Null, Value::Time),
        "csv" | "artifactset" => csv(text),
        "json" | "json_array" | "regex_array" | "multichoice" => {
            serde_json::from_str(text).map_or(Value::Null, Value::from_json)
        }
        _ => Value::str(text),
    }
}

/// Rows of comma separated text whose first line names the columns.
fn csv(text: &str) -> Value {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).map(cells);
    let Some(names) = lines.next() else { return Value::array([]) };
    let is_number = |cell: &str| cell.parse::<i64>().map(Value::Int);
    Value::array(lines.map(|line| {
        Value::dict(
            names
                .iter()
                .zip(line)
                .map(|(name, cell)| {
                    let value = is_number(&cell).unwrap_or_else(|_| Value::str(&cell));
                    (Arc::from(name.as_str()), value)
                })
                .collect(),
        )
    }))
}

fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => {
                if let Some(cell) = cells.last_mut() {
                    cell.push(c);
                }
            }
        }
    }
    cells
}

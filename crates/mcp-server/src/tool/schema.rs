//! Schemas, made as small as they can be: a model reads every byte of them at each start.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The schema of a tool's arguments.
pub(super) fn input<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = generate::<T>();
    compact(&mut schema, true);
    schema.remove("description");
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    for (name, text) in FAMILIAR {
        if let Some(Value::Object(property)) = properties.get_mut(name) {
            property.entry("description").or_insert_with(|| Value::from(*text));
        }
    }
    schema
}

/// Arguments that mean the same in every tool, described where the tool itself does not.
const FAMILIAR: &[(&str, &str)] = &[
    ("add", "labels"),
    ("artifacts", "names"),
    ("columns", "default all"),
    ("cursor", "from the answer before"),
    ("description", "for people"),
    ("exclude_labels", "none of these"),
    ("flow_id", "F.…"),
    ("hunt_id", "H.…"),
    ("remove", "labels"),
];

/// Fields of the envelope that every answer has, of which the server's instructions tell once so
/// that no tool has to, and the columns that a lean page names.
const ENVELOPE: &[&str] = &[
    "server", "org", "identity", "as_of", "total", "returned", "warnings", "link", "notes", "cut",
    "empty",
];

/// The schema of a tool's answer: its own fields, how complete it is, and where it goes on.
pub(super) fn output<T: JsonSchema>() -> Map<String, Value> {
    let mut schema = generate::<crate::answer::Answer<T>>();
    compact(&mut schema, false);
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.retain(|name, _| !ENVELOPE.contains(&name.as_str()));
        for property in properties.values_mut() {
            slim(property);
            name_alone(property);
        }
    }
    schema
}

/// Leaves the names, and the types of what is no text: a list of texts or of anything is a list,
/// and an object with named members needs not be called one.
fn slim(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        for member in members.values_mut() {
            slim(member);
            name_alone(member);
        }
        schema.remove("type");
    }
    if let Some(items) = schema.get_mut("items") {
        slim(items);
        if items.get("properties").is_none() {
            schema.remove("items");
        }
    }
    if schema.contains_key("enum") {
        schema.remove("type");
    }
}

/// A text needs no more than its name.
fn name_alone(member: &mut Value) {
    if *member == json!({ "type": "string" }) {
        *member = json!({});
    }
}

fn generate<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    match settings.into_generator().into_root_schema_for::<T>().to_value() {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// Takes out what says nothing: titles, number formats, `null` as an alternative, and in answers
/// the descriptions, whose fields are named to need none.
fn compact(schema: &mut Map<String, Value>, descriptions: bool) {
    schema.remove("title");
    schema.remove("format");
    schema.remove("default");
    if !descriptions {
        schema.remove("description");
        schema.remove("additionalProperties");
        schema.remove("required");
        schema.remove("minimum");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert(String::from("type"), only);
        }
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.retain(|a| a.get("type").is_none_or(|t| t != "null"));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                schema.entry(key).or_insert(value);
            }
        }
    }
    fold_constants(schema);
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|v| !v.is_null());
    }
    for key in ["properties", "$defs"] {
        if let Some(Value::Object(children)) = schema.get_mut(key) {
            for child in children.values_mut() {
                // Anything at all: clients take objects only.
                if *child == Value::Bool(true) {
                    *child = json!({});
                }
                if let Value::Object(child) = child {
                    compact(child, descriptions);
                }
            }
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(Value::Object(child)) = schema.get_mut(key) {
            compact(child, descriptions);
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(children)) = schema.get_mut(key) {
            for child in children {
                if let Value::Object(child) = child {
                    compact(child, descriptions);
                }
            }
        }
    }
}

/// Writes alternatives that are all constants as one enumeration.
fn fold_constants(schema: &mut Map<String, Value>) {
    let Some(Value::Array(alternatives)) = schema.get("oneOf") else { return };
    let constants: Option<Vec<Value>> =
        alternatives.iter().map(|alternative| alternative.get("const").cloned()).collect();
    if let Some(constants) = constants {
        schema.remove("oneOf");
        schema.insert(String::from("enum"), Value::Array(constants));
    }
}

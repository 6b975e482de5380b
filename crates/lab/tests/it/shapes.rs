//! Columns and types of the answers, query by query, as a real 0.77.2 gives them.
//!
//! `tests/data/shapes.json` holds the queries with the types of their columns. Those that carry a
//! reason under `absent` are not part of the lab: they must be answered as unknown names are.

use std::collections::BTreeMap;

use lab::Role;
use serde::Deserialize;
use serde_json::Value;

use crate::console::{Answer, Console, args, fast_lab};

#[derive(Deserialize)]
struct Shape {
    name: String,
    vql: String,
    env: BTreeMap<String, String>,
    columns: BTreeMap<String, String>,
    org: Option<String>,
    absent: Option<String>,
}

#[tokio::test]
async fn answers_have_the_columns_and_types_of_the_real_server() {
    let shapes: Vec<Shape> = serde_json::from_str(include_str!("../data/shapes.json")).unwrap();
    assert_eq!(shapes.len(), 70);
    let lab = fast_lab();
    let console = Console::connect(&lab, Role::Administrator).await;
    let names = prepare(&console).await;
    let mut differences = Vec::new();
    let mut agree = 0;
    for shape in &shapes {
        let env: Vec<(&str, String)> =
            shape.env.iter().map(|(key, value)| (key.as_str(), fill(value, &names))).collect();
        let env: Vec<(&str, &str)> =
            env.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let mut call = args(&shape.vql, &env);
        call.org_id = shape.org.clone().unwrap_or_default();
        let answer = console.call(call).await;
        let difference = match &shape.absent {
            None => difference(shape, &answer),
            Some(_) => unexpected_presence(&answer),
        };
        match difference {
            Some(text) => differences.push(format!("{}: {text}\n  {answer:?}", shape.name)),
            None if shape.absent.is_none() => agree += 1,
            None => {}
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(agree, 53);
}

/// What the placeholders stand for: a client with flows of several kinds, and hunts.
async fn prepare(console: &Console) -> BTreeMap<&'static str, String> {
    let client = console.client_id("web-01").await;
    let hunt = "LET H <= hunt(artifacts='Custom.Lab.Hello', description='lab', tags='tt') \
                SELECT H.HuntId AS Id FROM scope()";
    let hunt = console.ask(hunt, &[]).await.value().as_str().unwrap().to_owned();
    let paused =
        "LET H <= hunt(artifacts='Custom.Lab.One', pause=TRUE) SELECT H.HuntId FROM scope()";
    let paused = console.ask(paused, &[]).await.value().as_str().unwrap().to_owned();
    let finished = "SELECT stats.total_finished_clients AS N FROM hunts(hunt_id=H)";
    console.wait(finished, &[("H", &hunt)], |answer| answer.value() == 23).await;
    BTreeMap::from([
        ("{flow}", console.collect(&client, "Custom.Lab.Hello", "{}").await),
        ("{upload_flow}", console.collect(&client, "Custom.Lab.Upload", "{}").await),
        ("{failed_flow}", console.collect(&client, "Custom.Lab.Fail", "{}").await),
        ("{server_flow}", console.collect("server", "Custom.Lab.Srv", "{}").await),
        ("{client2}", console.client_id("web-02").await),
        ("{client}", client),
        ("{hunt2}", paused),
        ("{hunt}", hunt),
    ])
}

fn fill(text: &str, names: &BTreeMap<&'static str, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// What is absent gives a log line that says so.
fn unexpected_presence(answer: &Answer) -> Option<String> {
    answer.complaints().is_empty().then(|| String::from("it is there: take `absent` away"))
}

fn difference(shape: &Shape, answer: &Answer) -> Option<String> {
    if let Some(status) = &answer.status {
        return Some(format!("status {status:?}"));
    }
    if shape.columns.is_empty() {
        return (!answer.rows.is_empty()).then(|| String::from("rows where there should be none"));
    }
    if answer.rows.is_empty() {
        return Some(String::from("no rows"));
    }
    let mut wanted: Vec<&str> = shape.columns.keys().map(String::as_str).collect();
    let mut got: Vec<&str> = answer.columns.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    got.sort_unstable();
    if wanted != got {
        return Some(format!("columns {got:?} instead of {wanted:?}"));
    }
    for row in &answer.rows {
        for (column, types) in &shape.columns {
            let own = type_of(&row[column]);
            if !types.split('|').any(|wanted| fits(&own, wanted)) {
                return Some(format!("{column} is {own}, not {types}"));
            }
        }
    }
    None
}

/// Whether a type is the wanted one; an empty array fits every array.
fn fits(own: &str, wanted: &str) -> bool {
    own == wanted
        || (own == "array<>" && wanted.starts_with("array"))
        || (own.starts_with("array") && wanted == "array<>")
        || (own == "integer" && wanted == "number")
}

fn type_of(value: &Value) -> String {
    match value {
        Value::Null => String::from("null"),
        Value::Bool(_) => String::from("boolean"),
        Value::Number(number) if number.is_f64() => String::from("number"),
        Value::Number(_) => String::from("integer"),
        Value::String(text) if is_time(text) => String::from("rfc3339-string"),
        Value::String(_) => String::from("string"),
        Value::Array(items) => {
            format!("array<{}>", items.first().map(type_of).unwrap_or_default())
        }
        Value::Object(_) => String::from("object"),
    }
}

fn is_time(text: &str) -> bool {
    text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z')
}
